"""The long-lived objects of a process, and how a route asks for them."""

from dataclasses import dataclass
from typing import Annotated

import httpx2
from fastapi import Depends, Request
from sqlalchemy import Engine

from payments.config import Settings
from payments.db import Sessions, build_engine, build_reads, build_sessions
from payments.processor import Processor, build_client


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    engine: Engine
    sessions: Sessions
    reads: Sessions
    processor: Processor
    processor_client: httpx2.Client
    documents: httpx2.Client

    def close(self) -> None:
        self.processor_client.close()
        self.documents.close()
        self.engine.dispose()


def build(settings: Settings) -> Services:
    engine = build_engine(settings)
    client = build_client(settings)
    return Services(
        settings=settings,
        engine=engine,
        sessions=build_sessions(engine),
        reads=build_reads(engine),
        processor=Processor(client, settings.processor_slots),
        processor_client=client,
        documents=httpx2.Client(timeout=httpx2.Timeout(5.0, connect=2.0), follow_redirects=False),
    )


def provide(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Provided = Annotated[Services, Depends(provide)]
