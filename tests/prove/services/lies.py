"""A service whose OpenAPI document says other things than it does: `python lies.py PORT KIND`.

`everything`: no operation of the document exists.  `types`: what it says of bodies and answers is wrong.
`nonsense`: the document is none.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.prove.services.healthy import CONTENT, DOCUMENT, Handler, serve

NUMBER = {"application/json": {"schema": {"type": "integer"}}}
DONE = {"200": {"description": "Done"}}


def moved() -> object:
    nowhere = {"get": {"responses": DONE}, "post": {"requestBody": {"content": CONTENT}, "responses": DONE}}
    return DOCUMENT | {"paths": {"/v9/things": nowhere}}


def wrong() -> object:
    gone = {"get": {"responses": DONE}, "post": {"requestBody": {"content": CONTENT}, "responses": DONE}}
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    things = {
        "get": {"responses": {"200": {"description": "A number", "content": NUMBER}}},
        "post": {
            "requestBody": {"content": NUMBER},
            "responses": {"201": {"description": "", "content": NUMBER}},
        },
    }
    return DOCUMENT | {
        "paths": {"/things": things, "/gone": gone, "/gone/{id}": gone | {"parameters": [number]}}
    }


class Liar(Handler):
    def do_GET(self) -> None:  # noqa: N802 - the name that the base calls
        if self.path == "/openapi.json":
            told = {"everything": moved(), "types": wrong(), "nonsense": "<html>"}
            self.answer(200, told[sys.argv[2]])
        else:
            super().do_GET()


serve(int(sys.argv[1]), Liar)
