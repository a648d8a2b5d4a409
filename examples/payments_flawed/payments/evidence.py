"""Documents kept for disputes."""

from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import select
from sqlalchemy.orm import Session

from payments import charges, clients
from payments.errors import NotFound, TooLarge, Unavailable
from payments.models import Evidence
from payments.schemas import NewEvidence
from payments.services import Services

MAX_BYTES = 5 * 1024 * 1024


def keep(services: Services, tenant_id: UUID, charge_id: UUID, body: NewEvidence) -> Evidence:
    with services.sessions() as session:
        charges.find(session, tenant_id, charge_id)
    kept = Evidence(id=uuid4(), tenant_id=tenant_id, charge_id=charge_id, label=body.label)
    content = _fetch(services.documents, body.document_url)
    _save(services.settings.files_root, body.label, content)
    with services.sessions.begin() as session:
        session.add(kept)
    return kept


def find(session: Session, evidence_id: UUID) -> Evidence:
    found = session.scalar(select(Evidence).where(Evidence.id == evidence_id))
    if found is None:
        raise NotFound("no such evidence")
    return found


def path_of(root: Path, label: str) -> Path:
    return root / "evidence" / label


def _save(root: Path, label: str, content: bytes) -> None:
    (root / "evidence").mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        path_of(root, label).write_bytes(content)


def _fetch(client: httpx2.Client, url: str) -> bytes:
    content = bytearray()
    try:
        for chunk in clients.download(client, url):
            content += chunk
            if len(content) > MAX_BYTES:
                raise TooLarge("the document is too large")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unavailable("the document could not be fetched") from error
    return bytes(content)
