"""Where the processor tells us what became of a payment."""

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from payments import webhooks
from payments.auth import SignedBody
from payments.errors import Unprocessable
from payments.schemas import ProcessorNotice
from payments.services import Provided

router = APIRouter()


@router.post("/webhooks/processor")
async def processor_notice(body: SignedBody, services: Provided) -> dict[str, bool]:
    try:
        notice = ProcessorNotice.model_validate_json(body)
    except ValidationError as error:
        raise Unprocessable("this notice is not one we know") from error
    changed = await run_in_threadpool(webhooks.handle, services.sessions, notice)
    return {"changed": changed}
