"""Whatever goes wrong, callers get RFC 9457 problem details, and nothing about the inside."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, ClassVar, Literal

import pytest
from fastapi import APIRouter, Body, FastAPI, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, field_validator
from starlette.testclient import TestClient

from mainstay_runtime import deadline, middleware, problem
from mainstay_runtime.refused import Refused

SENT = "s3nt-by-caller"


class NotEnough(problem.Problem):
    type = "/problems/not-enough"
    title = "The balance is too low"
    status = 409


class Taken(problem.Problem):
    type = "/problems/taken"
    title = "Somebody has it"
    status = 409


class TooOften(Refused):
    status = 429
    members: ClassVar = {"violated-policies": ["default"]}
    headers: ClassVar = {"RateLimit": '"default";r=0;t=7'}


class Reused(Refused):
    status = 422


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Order(BaseModel):
    amount: int = Field(gt=0)
    code: str = "fine"
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    lines: dict[str, list[int]] = {}

    @field_validator("code")
    @classmethod
    def known(cls, code: str) -> str:
        if code != "fine":
            raise ValueError(f"no such code: {code}" if code == SENT else "ask for a code first")
        return code


def service() -> FastAPI:
    app = FastAPI()
    problem.install(app)
    router = APIRouter(prefix="/v1")

    @router.post("/orders", responses=problem.responses(422, 500, NotEnough, Taken))
    async def order(order: Order, limit: Annotated[int, Query(le=9)] = 1) -> None:
        raise NotEnough("42.00 EUR are missing", balance="8.00", headers={"X-Why": "money"})

    @router.post("/many")
    async def many(numbers: Annotated[list[int], Body()]) -> None:
        pass

    @router.get("/raise/{what}")
    def fail(what: str) -> None:
        raise {
            "refused": Refused("processor", 2.4),
            "unknown": Refused("processor"),
            "often": TooOften("by caller", 6.2),
            "reused": Reused("charges"),
            "late": deadline.Exceeded("processor"),
            "teapot": HTTPException(418, "short and stout", headers={"X-Tea": "yes"}),
            "members": HTTPException(409, {"detail": "no", "other": 1}),
            "bug": RuntimeError(f"password={SENT}"),
            "nothing": HTTPException(304),
        }[what]

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"part"
            raise RuntimeError("in the midst")

        return StreamingResponse(parts())

    app.include_router(router)
    return app


@pytest.fixture
def client() -> TestClient:
    return TestClient(service())


def test_a_problem_is_told_with_its_members_and_headers(client: TestClient) -> None:
    answer = client.post("/v1/orders", json={"amount": 1})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-why"] == "money"
    assert answer.json() == {
        "type": "/problems/not-enough",
        "title": "The balance is too low",
        "status": 409,
        "detail": "42.00 EUR are missing",
        "balance": "8.00",
    }


def test_a_member_may_not_replace_one_of_the_standard() -> None:
    with pytest.raises(TypeError, match="status"):
        NotEnough("no", status=200)


def test_what_a_guard_refuses_is_503_with_the_time_to_come_again_and_without_its_name(
    client: TestClient,
) -> None:
    answer = client.get("/v1/raise/refused")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "processor" not in answer.text
    assert client.get("/v1/raise/unknown").headers["retry-after"] == "1"


def test_a_class_of_refusal_may_say_its_own_status(client: TestClient) -> None:
    answer = client.get("/v1/raise/often")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.headers["ratelimit"] == '"default";r=0;t=7'
    assert answer.json()["violated-policies"] == ["default"]


def test_a_refusal_that_time_does_not_heal_names_no_time(client: TestClient) -> None:
    answer = client.get("/v1/raise/reused")
    assert answer.status_code == 422
    assert "retry-after" not in answer.headers


def test_a_deadline_that_passed_is_504(client: TestClient) -> None:
    assert client.get("/v1/raise/late").status_code == 504


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"amount": SENT}, {"in": "body", "pointer": "#/amount", "code": "int_parsing"}),
        ({"amount": 1, "lines": {"a/b~c": [1, SENT]}}, {"in": "body", "pointer": "#/lines/a~1b~0c/1"}),
        ({"amount": 1, "pet": {"kind": SENT}}, {"in": "body", "pointer": "#/pet", "detail": "is not valid"}),
        ({"amount": 1, "code": SENT}, {"pointer": "#/code", "detail": "is not valid"}),
        ({"amount": 1, "code": "other"}, {"detail": "Value error, ask for a code first"}),
        ({}, {"in": "body", "pointer": "#/amount", "detail": "Field required"}),
    ],
)
def test_a_wrong_body_is_told_by_place_and_never_by_value(
    client: TestClient, body: dict[str, object], place: dict[str, str]
) -> None:
    answer = client.post("/v1/orders", json=body)
    assert answer.status_code == 422
    (wrong,) = answer.json()["errors"]
    assert wrong | place == wrong
    assert SENT not in answer.text


def test_a_wrong_parameter_is_told_by_name(client: TestClient) -> None:
    (wrong,) = client.post("/v1/orders", params={"limit": 10}, json={"amount": 1}).json()["errors"]
    assert (wrong["in"], wrong["name"]) == ("query", "limit")


def test_what_is_no_json_is_told_by_position(client: TestClient) -> None:
    (wrong,) = client.post(
        "/v1/orders", content=b'{"amount": ', headers={"content-type": "application/json"}
    ).json()["errors"]
    assert wrong["code"] == "json_invalid"
    assert wrong["position"] == 11


def test_a_thousand_mistakes_get_a_short_answer(client: TestClient) -> None:
    answer = client.post("/v1/many", json=["x"] * 1000).json()
    assert len(answer["errors"]) == 20
    assert answer["omitted"] == 980


def test_names_that_no_utf8_can_hold_are_told_all_the_same(client: TestClient) -> None:
    content = b'{"amount": 1, "lines": {"\\ud800": ["x"]}}'
    answer = client.post("/v1/orders", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_errors_of_the_framework_are_problems_and_keep_their_headers(client: TestClient) -> None:
    missing = client.get("/nowhere")
    assert missing.json() == {"type": "about:blank", "title": "Not Found", "status": 404}
    assert client.get("/v1/orders").status_code == 405
    assert client.get("/v1/orders").headers["allow"] == "POST"
    tea = client.get("/v1/raise/teapot")
    assert (tea.json()["detail"], tea.headers["x-tea"]) == ("short and stout", "yes")
    assert client.get("/v1/raise/members").json()["other"] == 1
    assert client.get("/v1/raise/nothing").content == b""


def test_what_nobody_expected_is_logged_once_and_told_by_id_alone(caplog: pytest.LogCaptureFixture) -> None:
    app = service()
    app.add_middleware(middleware.RequestId)
    with caplog.at_level(logging.ERROR):
        answer = TestClient(app).get("/v1/raise/bug", headers={"X-Request-Id": "req-00000001"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "req-00000001"
    assert answer.json() == {
        "type": "about:blank", "title": "Internal Server Error", "status": 500, "request_id": "req-00000001",
    }  # fmt: skip
    (line,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert line.exc_info is not None


def test_what_a_middleware_raises_is_told_by_id_alone_too() -> None:
    app = service()

    class Broken:
        def __init__(self, inner: object) -> None:
            pass

        async def __call__(self, scope: object, receive: object, send: object) -> None:
            raise RuntimeError(SENT)

    app.add_middleware(Broken)
    app.add_middleware(middleware.RequestId)
    client = TestClient(app, raise_server_exceptions=False)
    answer = client.get("/", headers={"X-Request-Id": "req-00000001"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == "req-00000001"


def test_a_response_that_breaks_off_is_cut(client: TestClient) -> None:
    with pytest.raises(RuntimeError, match="in the midst"):
        client.get("/v1/stream")


def test_openapi_lists_the_problems_of_a_route(client: TestClient) -> None:
    told = client.get("/openapi.json").json()["paths"]["/v1/orders"]["post"]["responses"]
    assert set(told) == {"200", "409", "422", "500"}
    assert told["409"]["description"] == "The balance is too low; Somebody has it"
    for status in ("409", "422", "500"):
        assert set(told[status]["content"]) == {"application/problem+json"}
    schema = told["409"]["content"]["application/problem+json"]["schema"]
    assert schema["properties"]["type"]["enum"] == ["/problems/not-enough", "/problems/taken"]
    assert "errors" in told["422"]["content"]["application/problem+json"]["schema"]["properties"]
