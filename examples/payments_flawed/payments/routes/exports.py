"""Downloads for the finance desk."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from payments import exports
from payments.auth import Caller
from payments.services import Provided

router = APIRouter()


@router.get("/exports/charges.csv")
async def export_charges(
    since: datetime,
    until: datetime,
    caller: Caller,
    services: Provided,
    sort: Annotated[str, Query(max_length=100)] = "created_at",
) -> FileResponse:
    exports.check_range(since, until)
    path = exports.write_charges(services.sessions, caller.tenant_id, since, until, sort)
    return FileResponse(path, media_type="text/csv", background=BackgroundTask(path.unlink))
