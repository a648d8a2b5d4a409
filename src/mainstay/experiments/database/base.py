"""What the experiments on the database share."""

from typing import ClassVar

from mainstay.experiments.fault import FaultExperiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.postgres import Postgres


class DatabaseFault(FaultExperiment):
    """Something happens to the service's PostgreSQL."""

    names: ClassVar[tuple[str, ...]] = (
        "database",
        "postgres",
        "psycopg",
        "connection",
        "operationalerror",
        "interfaceerror",
        "sql",
        "pool",
    )

    def applies(self, stand: Stand) -> str:
        return "" if stand.database is not None else "no PostgreSQL is declared"

    def server(self, trial: Trial) -> Postgres:
        """The service's database."""
        assert trial.stand.database is not None
        return trial.stand.database

    def through(self, trial: Trial) -> str:
        """Its name in the proxy."""
        return trial.stand.service.database_name
