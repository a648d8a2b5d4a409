"""How this service speaks HTTP."""

from collections.abc import Iterator

import httpx2
import requests

from payments.config import Settings


def processor_session(settings: Settings) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {settings.processor_key}"
    return session


def events_client(settings: Settings) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=settings.events_url, timeout=None)


def announce(settings: Settings, kind: str, payload: dict[str, str]) -> None:
    with httpx2.Client(base_url=settings.events_url, timeout=5.0) as client:
        answer = client.post("/events", json={"id": f"{kind}-{payload['id']}", "kind": kind})
        answer.raise_for_status()


def download(client: httpx2.Client, url: str) -> Iterator[bytes]:
    with client.stream("GET", url, timeout=5.0) as response:
        response.raise_for_status()
        yield from response.iter_bytes()
