"""Downloads for the finance desk."""

from datetime import datetime

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from payments import exports
from payments.auth import Caller
from payments.services import Provided

router = APIRouter()


@router.get("/exports/charges.csv")
async def export_charges(
    since: datetime, until: datetime, caller: Caller, services: Provided
) -> FileResponse:
    exports.check_range(since, until)
    path = await run_in_threadpool(
        exports.write_charges, services.sessions, caller.tenant_id, since, until
    )
    return FileResponse(path, media_type="text/csv", background=BackgroundTask(path.unlink))
