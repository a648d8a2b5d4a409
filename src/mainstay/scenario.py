"""What a scenario file imports: how to declare journeys and the requests they are made of."""

from mainstay.lab.load.journeys import (
    Answer,
    Step,
    delete,
    get,
    journey,
    journeys,
    patch,
    post,
    put,
    request,
)

__all__ = ["Answer", "Step", "delete", "get", "journey", "journeys", "patch", "post", "put", "request"]
