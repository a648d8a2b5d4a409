"""Every setting, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    processor_url: str
    processor_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    events_url: str
    files_root: Path
    return_origins: frozenset[str] = frozenset()
    evidence_origins: frozenset[str] = frozenset()
    mail_host: str = ""
    mail_port: int = 25
    # Requests run on threads, and each may need a connection at once: the pool covers them all.
    request_threads: int = 16
    pool_size: int = 16
    pool_overflow: int = 2
    worker_metrics_port: int = 9100

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        return cls(
            database_url=env["DATABASE_URL"],
            processor_url=env["PROCESSOR_URL"],
            processor_key=env["PROCESSOR_KEY"],
            webhook_secret=env["WEBHOOK_SECRET"],
            events_url=env["EVENTS_URL"],
            files_root=Path(env.get("FILES_ROOT", "files")),
            return_origins=_origins(env.get("RETURN_ORIGINS", "")),
            evidence_origins=_origins(env.get("EVIDENCE_ORIGINS", "")),
            mail_host=env.get("MAIL_HOST", ""),
            mail_port=int(env.get("MAIL_PORT", "25")),
            request_threads=int(env.get("REQUEST_THREADS", "16")),
            pool_size=int(env.get("POOL_SIZE", "16")),
            pool_overflow=int(env.get("POOL_OVERFLOW", "2")),
            worker_metrics_port=int(env.get("WORKER_METRICS_PORT", "9100")),
        )


def _origins(text: str) -> frozenset[str]:
    return frozenset(part.strip().rstrip("/") for part in text.split(",") if part.strip())
