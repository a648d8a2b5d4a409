"""The long-lived objects of a process, and how a route asks for them."""

from dataclasses import dataclass
from typing import Annotated

import httpx2
import requests
from fastapi import Depends, Request
from sqlalchemy import Engine

from payments import clients
from payments.config import Settings
from payments.db import Sessions, build_engine, build_sessions
from payments.processor import Processor


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    engine: Engine
    sessions: Sessions
    processor: Processor
    processor_session: requests.Session
    documents: httpx2.Client

    def close(self) -> None:
        self.processor_session.close()
        self.documents.close()
        self.engine.dispose()


def build(settings: Settings) -> Services:
    engine = build_engine(settings)
    session = clients.processor_session(settings)
    return Services(
        settings=settings,
        engine=engine,
        sessions=build_sessions(engine),
        processor=Processor(session, settings.processor_url),
        processor_session=session,
        documents=httpx2.Client(timeout=httpx2.Timeout(5.0, connect=2.0), follow_redirects=False),
    )


def provide(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Provided = Annotated[Services, Depends(provide)]
