"""Where a requester's data ends up."""

from collections.abc import Callable
from textwrap import dedent

import pytest

from mainstay.model.system import System

Link = Callable[[dict[str, str]], System]

HEAD = """
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID
from urllib.parse import urlsplit
import re
import httpx
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel
from sqlalchemy import text
app = FastAPI()
HOSTS = {"example.com"}
class Color(StrEnum):
    RED = "red"
class Body(BaseModel):
    url: str
    count: int
def fetch(url):
    return httpx.get(url, timeout=5)
"""


def flows(link: Link, code: str) -> list[tuple[str, str]]:
    system = link({"app.py": HEAD + dedent(code)})
    return [(flow.sink, flow.what.partition(" of ")[0]) for flow in system.flows]


def route(body: str, parameters: str = "v: str", path: str = "/x") -> str:
    lines = dedent(body).strip().splitlines()
    return f'@app.get("{path}")\ndef x({parameters}):\n' + "\n".join(f"    {line}" for line in lines)


@pytest.mark.parametrize(
    "body",
    [
        "fetch(v)",
        "fetch(url=v.strip())",
        "fetch(f'http://{v}/status')",
        "w = v or 'http://localhost'\nfetch(w)",
        "for w in v.split(','):\n    fetch(w)",
        "if not v.startswith('https://'):\n    raise HTTPException(400)\nfetch(v)",
        "fetch('https://example.com' + v)",
        "fetch('{}://status'.format(v))",
        "if v == '':\n    return\nfetch(v)",
        "w = v\nif not w:\n    w = 'http://localhost'\nfetch(w)",
        "if app.x:\n    w = v\nelse:\n    w = 'http://localhost'\nfetch(w)",
        "parts = [v]\nfetch(parts[0])",
    ],
)
def test_an_address_that_the_requester_steers(link: Link, body: str) -> None:
    assert flows(link, route(body)) == [("url", "query parameter `v`")]


@pytest.mark.parametrize(
    "body",
    [
        "fetch(f'https://example.com/{v}')",
        "fetch('https://example.com/?q=' + v)",
        "fetch('https://example.com/{}'.format(v))",
        "fetch(f'{app.state.base}/{v}')",
        "fetch(str(int(v)))",
        "if v not in HOSTS:\n    raise HTTPException(400)\nfetch(v)",
        "if urlsplit(v).hostname not in HOSTS:\n    raise HTTPException(400)\nfetch(v)",
        "if not is_allowed(v):\n    raise HTTPException(400)\nfetch(v)",
        "validate_url(v)\nfetch(v)",
        "fetch(HOSTS[v])",
        "fetch(v if v in HOSTS else 'http://localhost')",
        "url = 'https://example.com/'\nurl += v\nfetch(url)",
        "if not re.fullmatch('[a-z]+', v):\n    return\nfetch(v)",
        "w = v\nw = 'http://localhost'\nfetch(w)",
        "w = v\nif w:\n    w = str(int(w))\nfetch(w)",
        "try:\n    v = 'http://localhost'\nexcept OSError:\n    raise\nfetch(v)",
    ],
)
def test_an_address_that_is_fixed_or_checked(link: Link, body: str) -> None:
    assert flows(link, route(body)) == []


@pytest.mark.parametrize(
    "parameters",
    [
        "v: int",
        "v: UUID",
        "v: Color",
        "v: Literal['a', 'b']",
        "v: int | None",
        "v: Annotated[str, Query(pattern='^[a-z]+$')]",
    ],
)
def test_types_that_no_text_hides_in(link: Link, parameters: str) -> None:
    assert flows(link, route("fetch(v)", parameters)) == []


def test_fields_of_a_body_are_told_apart(link: Link) -> None:
    assert flows(link, route("fetch(body.url)", "body: Body")) == [("url", "body field `body.url`")]
    assert flows(link, route("fetch(body.count)", "body: Body")) == []
    assert flows(link, route("deep(body)", "body: Body") + "\ndef deep(given):\n    fetch(given.url)\n") == [
        ("url", "body field `body.url`")
    ]


def test_a_path_parameter_holds_no_slash(link: Link) -> None:
    body = "return open(f'/srv/{v}')"
    assert flows(link, route(body, path="/x/{v}")) == []
    assert flows(link, route(body, path="/x/{v:path}")) == [("path", "path parameter `v`")]
    assert flows(link, route(body)) == [("path", "query parameter `v`")]


def test_paths_that_are_checked(link: Link) -> None:
    checked = "p = (Path('/srv') / v).resolve()\nif not p.is_relative_to('/srv'):\n    return\np.read_text()"
    assert flows(link, route(checked)) == []
    assert flows(link, route("Path('/srv').joinpath(v).read_text()")) == [("path", "query parameter `v`")]
    assert flows(link, route("(Path('/srv') / Path(v).name).read_text()")) == []


def test_bound_parameters_are_no_text(link: Link) -> None:
    assert flows(link, route("return text(f'SELECT {v}')")) == [("sql", "query parameter `v`")]
    assert flows(link, route("return text('SELECT :v').bindparams(v=v)")) == []


def test_requests_headers_and_returned_sources(link: Link) -> None:
    code = """
    def wanted(request: Request):
        return request.query_params["next"]
    @app.get("/a")
    def a(request: Request):
        return RedirectResponse(wanted(request))
    @app.get("/b")
    def b(request: Request):
        return RedirectResponse(request.headers["referer"])
    """
    system = link({"app.py": HEAD + dedent(code)})
    assert [(f.sink, f.what) for f in system.flows] == [
        ("redirect", "`request.query_params['next']` of GET /a")
    ]


def test_the_path_names_every_call(link: Link) -> None:
    system = link(
        {
            "app.py": HEAD + route("one(v)") + "\ndef one(a):\n    two(a)\ndef two(b):\n    fetch(b)\n",
        }
    )
    (flow,) = system.flows
    assert [hop.what for hop in flow.path] == [
        "query parameter `v` of GET /x is chosen by the requester",
        "passed to `one` as `a`",
        "passed to `two` as `b`",
        "passed to `fetch` as `url`",
        "reaches httpx.get()",
    ]
    assert flow.function == "app.fetch"
    assert HEAD.splitlines()[flow.location.line - 1].strip() == "return httpx.get(url, timeout=5)"


def test_functions_that_call_each_other_end(link: Link) -> None:
    code = route("ping(v)") + "\ndef ping(a):\n    pong(a)\n    fetch(a)\ndef pong(b):\n    ping(b + '/')\n"
    assert flows(link, code) == [("url", "query parameter `v`")]


def test_a_helper_that_raises_clears_what_it_was_given(link: Link) -> None:
    code = (
        route("gate(v)\nfetch(v)")
        + "\ndef gate(a):\n    if a not in HOSTS:\n        raise HTTPException(400)\n"
    )
    assert flows(link, code) == []


def test_a_long_chain_and_many_tests_are_no_trouble(link: Link) -> None:
    chain = "v" + ".strip()" * 3000
    tests = "\n".join(f"if v == {i}:\n    pass" for i in range(2000))
    assert flows(link, route(f"{tests}\nfetch({chain})")) in ([("url", "query parameter `v`")], [])


def test_views_serializers_and_uploads_of_django(link: Link) -> None:
    system = link(
        {
            "views.py": """
                import requests
                from django.shortcuts import redirect
                from django.views import View
                from rest_framework import serializers
                from rest_framework.views import APIView
                class New(serializers.Serializer):
                    url = serializers.CharField()
                class A(View):
                    def get(self, request):
                        return redirect(self.target())
                    def target(self):
                        return self.request.GET.get("next")
                class B(APIView):
                    def post(self, request):
                        given = New(data=request.data)
                        requests.get(given.validated_data["url"], timeout=3)
                        open("/srv/" + request.FILES["f"].name)
            """
        }
    )
    assert [(f.sink, f.what) for f in system.flows] == [
        ("redirect", "`self.request.GET['next']` of GET A.get"),
        ("url", "`given.validated_data['url']` of POST B.post"),
    ]


def test_flask_arguments_that_are_converted(link: Link) -> None:
    system = link(
        {
            "shop.py": """
                import requests
                from flask import Flask, request
                app = Flask(__name__)
                @app.route("/a")
                def a():
                    requests.get(f"http://{request.args.get('n', type=int)}", timeout=3)
                    requests.get(request.args.get("u"), timeout=3)
            """
        }
    )
    assert [flow.what for flow in system.flows] == ["`request.args['u']` of GET /a"]


def test_a_check_of_the_scheme_tells_nothing_of_the_host(link: Link) -> None:
    named = """
    def validate_url(url):
        if urlsplit(url).scheme.lower() in ("http", "https"):
            return url
        raise HTTPException(400)
    """
    body = "validate_url(v)\nif urlsplit(v).scheme not in ('http', 'https'):\n    return\nfetch(v)"
    assert flows(link, route(body) + "\n" + dedent(named)) == [("url", "query parameter `v`")]


def test_a_test_of_one_field_clears_no_other(link: Link) -> None:
    body = "if body.count not in HOSTS:\n    return\nif body.kind in HOSTS:\n    fetch(body.url)"
    assert flows(link, route(body, "body: Body")) == [("url", "body field `body.url`")]
