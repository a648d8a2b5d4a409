"""What can go wrong, and how each is told to the caller."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = logging.getLogger(__name__)


class Refusal(Exception):
    """A request we understood and will not carry out."""

    status = 400

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Refusal):
    status = 404


class Unauthorised(Refusal):
    status = 401


class Conflict(Refusal):
    status = 409


class Unprocessable(Refusal):
    status = 422


class TooLarge(Refusal):
    status = 413


class Unavailable(Refusal):
    status = 503


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return JSONResponse({"detail": error.detail}, status_code=error.status)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """What is wrong and where. What was sent is left out: no JSON might hold it (NaN)."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"loc": [_plain(part) for part in one["loc"]], "msg": one["msg"], "type": one["type"]}
        for one in error.errors()
    ]
    return JSONResponse({"detail": wrong}, 422)


def _plain(part: object) -> object:
    return part if isinstance(part, int) else str(part).encode("ascii", "replace").decode()


def _database_away(request: Request, error: Exception) -> JSONResponse:
    log.error("database unavailable", exc_info=error, extra={"path": request.url.path})
    return JSONResponse({"detail": "try again soon"}, 503, headers={"Retry-After": "2"})


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _database_away)
    app.add_exception_handler(PoolTimeout, _database_away)
