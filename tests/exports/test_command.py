"""`mainstay prove --export`, as it is typed."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mainstay.cli import run

Tree = Callable[[Mapping[str, str | bytes]], Path]

DECLARED = """
    [prove.process.web]
    command = "/no/such/program --port {port}"
    serves = true
    ready = "/"

    [[prove.action]]
    request = "GET /things"
"""
API = """{
    "openapi": "3.1.0", "info": {"title": "things", "version": "1"},
    "paths": {"/things": {"get": {"responses": {"200": {"description": "all"}}}}}
}"""
SERVICE = """
    import sys
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from pathlib import Path

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = Path("api.json").read_bytes() if self.path == "/openapi.json" else b"[]"
            self.send_response(404 if self.path == "/broken" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_it_writes_a_file_for_each_engine_and_starts_nothing(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({"mainstay.toml": DECLARED})
    files = [tmp_path / "locustfile.py", tmp_path / "script.js"]
    assert run(["prove", str(root), "--export", str(files[0]), "--export", str(files[1])]) == 0
    assert all("GET /things" in file.read_text() for file in files)
    said = capsys.readouterr().out
    assert "the load for Locust" in said
    assert "the load for k6" in said


def test_actions_are_guessed_from_a_document_of_the_project_without_starting_it(
    tree: Tree, tmp_path: Path
) -> None:
    text = DECLARED.replace("[[prove.action]]", "[prove]").replace(
        'request = "GET /things"', 'openapi = "api.json"'
    )
    lines = text.split("[prove]\n")
    root = tree({"mainstay.toml": f"[prove]\n{lines[1]}{lines[0]}", "api.json": API})
    file = tmp_path / "locustfile.py"
    assert run(["prove", str(root), "--export", str(file), "--quiet"]) == 0
    assert "GET /things" in file.read_text()
    assert "guessed from the OpenAPI document" in file.read_text()


def test_the_service_is_asked_when_only_it_has_the_document_and_what_fails_there_is_left_out(
    tree: Tree, tmp_path: Path
) -> None:
    configuration = """
        [prove]
        openapi = "/openapi.json"

        [prove.process.web]
        command = "{python} serve.py {port}"
        serves = true
        ready = "/"
    """
    broken = API.replace(
        '"/things": {', '"/broken": {"get": {"responses": {"200": {"description": ""}}}}, "/things": {'
    )
    root = tree({"mainstay.toml": configuration, "serve.py": SERVICE, "api.json": broken})
    file = tmp_path / "locustfile.py"
    assert run(["prove", str(root), "--export", str(file), "--quiet"]) == 0
    sent = re.findall(r'"name": "(.+?)",\n.*\n        "weight": (.+),', file.read_text())
    assert sent == [("GET /things", "1")]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("load.txt", "load.txt: its ending has to be one of .py, .js"),
        ("nowhere/load.py", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_misuse(
    name: str, problem: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({"mainstay.toml": DECLARED})
    assert run(["prove", str(root), "--export", str(tmp_path / name)]) == 2
    assert problem in capsys.readouterr().err


def test_without_a_declaration_there_is_nothing_to_export(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree({"mainstay.toml": "show = 'high'"})
    assert run(["prove", str(root), "--export", str(tmp_path / "load.py")]) == 2
    assert "there is no [prove]" in capsys.readouterr().err
