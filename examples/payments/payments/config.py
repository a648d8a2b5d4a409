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
    # Sixteen threads serve the last of these within seconds, even when each takes half a one.
    requests_at_once: int = 128
    pool_size: int = 16
    pool_overflow: int = 2
    worker_metrics_port: int = 9100
    # Half of the threads may wait for the processor at once; the others go on with what needs none.
    processor_slots: int = 8
    # Longer than the load balancer takes to see that we are not ready.
    drain_s: float = 5.0

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
            requests_at_once=int(env.get("REQUESTS_AT_ONCE", "128")),
            pool_size=int(env.get("POOL_SIZE", "16")),
            pool_overflow=int(env.get("POOL_OVERFLOW", "2")),
            worker_metrics_port=int(env.get("WORKER_METRICS_PORT", "9100")),
            processor_slots=int(env.get("PROCESSOR_SLOTS", "8")),
            drain_s=float(env.get("DRAIN_SECONDS", "5")),
        )


def _origins(text: str) -> frozenset[str]:
    return frozenset(part.strip().rstrip("/") for part in text.split(",") if part.strip())
