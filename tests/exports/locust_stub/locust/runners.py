"""A runner that a local run is not."""


class WorkerRunner:
    pass
