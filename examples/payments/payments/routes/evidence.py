"""Evidence for disputes, taken in by address and given out by id."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import FileResponse

from payments import evidence
from payments.auth import Caller
from payments.models import Evidence
from payments.schemas import EvidenceView, NewEvidence
from payments.services import Provided

router = APIRouter()


@router.post("/charges/{charge_id}/evidence", status_code=201, response_model=EvidenceView)
def keep_evidence(
    charge_id: UUID, body: NewEvidence, caller: Caller, services: Provided
) -> Evidence:
    return evidence.keep(services, caller.tenant_id, charge_id, body)


@router.get("/evidence/{evidence_id}")
def download_evidence(evidence_id: UUID, caller: Caller, services: Provided) -> FileResponse:
    with services.reads() as session:
        kept = evidence.find(session, caller.tenant_id, evidence_id)
    # Always an attachment: a fetched page must not run under our name.
    return FileResponse(
        evidence.path_of(services.settings.files_root, kept.id),
        media_type="application/octet-stream",
        filename=f"{kept.id}.bin",
    )
