"""Documents kept for disputes, fetched only from hosts that we trust."""

from pathlib import Path
from uuid import UUID, uuid4

import httpx2
from sqlalchemy import select
from sqlalchemy.orm import Session

from payments import charges
from payments.addresses import origin
from payments.errors import NotFound, TooLarge, Unavailable, Unprocessable
from payments.models import Evidence
from payments.schemas import NewEvidence
from payments.services import Services

MAX_BYTES = 5 * 1024 * 1024


def keep(services: Services, tenant_id: UUID, charge_id: UUID, body: NewEvidence) -> Evidence:
    """The file comes first: a row without its file would be worse than a file without a row."""
    with services.sessions() as session:
        charges.find(session, tenant_id, charge_id)
    url = _trusted(body.document_url, services.settings.evidence_origins)
    kept = Evidence(id=uuid4(), tenant_id=tenant_id, charge_id=charge_id, label=body.label)
    target = path_of(services.settings.files_root, kept.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_fetch(services.documents, url))
    with services.sessions.begin() as session:
        session.add(kept)
    return kept


def find(session: Session, tenant_id: UUID, evidence_id: UUID) -> Evidence:
    found = session.scalar(
        select(Evidence).where(Evidence.id == evidence_id, Evidence.tenant_id == tenant_id)
    )
    if found is None:
        raise NotFound("no such evidence")
    return found


def path_of(root: Path, evidence_id: UUID) -> Path:
    """Named by our id alone, so no caller can choose where a file lies."""
    return root / "evidence" / str(evidence_id)


def _trusted(url: str, origins: frozenset[str]) -> str:
    if origin(url) not in origins:
        raise Unprocessable("documents are not taken from there")
    return url


def _fetch(client: httpx2.Client, url: str) -> bytes:
    content = bytearray()
    try:
        with client.stream("GET", url, timeout=5.0) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise TooLarge("the document is too large")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unavailable("the document could not be fetched") from error
    return bytes(content)
