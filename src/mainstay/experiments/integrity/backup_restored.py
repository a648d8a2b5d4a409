"""A backup is taken under load and restored."""

import time
from collections.abc import Iterator

from mainstay.experiments.base import Experiment
from mainstay.experiments.checks import integrity
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.model.proof import Claim, Figure, Subject, Verdict

RESTORED = "mainstay_restored"
LOAD_S = 4.0


class BackupRestored(Experiment):
    """A backup taken while the service works can be restored, whole and within the recovery budget.

    The database is dumped with `pg_dump` under load and restored into an empty one; then, with the service at
    rest, it is dumped and restored once more and every table is compared row by row.

    Keep the schema restorable from nothing: no extension, role or setting that only the first server had.
    """

    order = 40

    def applies(self, stand: Stand) -> str:
        return "" if stand.database is not None else "no PostgreSQL is declared"

    def seconds(self, stand: Stand) -> float:
        return LOAD_S + 6.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        database = stand.database
        assert database is not None
        busy = stand.lab.subfolder("backup") / "busy.dump"
        trial.load(stand.expected, LOAD_S)
        trial.go_on(LOAD_S / 2)
        with trial.band("a backup is taken"):
            dumped = database.dump(busy)
        trial.go_on(LOAD_S / 2)
        trial.finish()
        with trial.band("it is restored"):
            restored = self._restored(trial, busy.name)
        yield self._in_time(trial, dumped, restored, busy.stat().st_size)
        stand.service.stop()
        time.sleep(0.2)
        still = busy.with_name("still.dump")
        database.dump(still)
        with trial.band("tables are compared"):
            yield self._whole(trial, still.name)
        database.drop_database(RESTORED)
        yield from integrity(trial)

    def _restored(self, trial: Trial, name: str) -> float:
        database = trial.stand.database
        assert database is not None
        database.drop_database(RESTORED)
        database.create_database(RESTORED)
        return database.restore(trial.stand.lab.subfolder("backup") / name, RESTORED)

    def _in_time(self, trial: Trial, dumped: float, restored: float, size: int) -> Claim:
        budget = trial.stand.budgets.recovery
        return Claim(
            name="restored-in-time",
            subject=Subject.RESTORE,
            verdict=Verdict.PASSED if restored <= budget else Verdict.FAILED,
            said=(
                f"A backup of {size / 1e6:.1f} MB was taken in {dumped:.1f} s under load and restored in "
                f"{restored:.1f} s; the budget is {budget:.0f} s. Production has more data: measure it there."
            ),
            figures=(Figure("dump", dumped, "s"), Figure("restore", restored, "s")),
        )

    def _whole(self, trial: Trial, name: str) -> Claim:
        database = trial.stand.database
        assert database is not None
        before = database.digests()
        self._restored(trial, name)
        after = database.digests(RESTORED)
        counts = database.counts()
        unlike = sorted(
            table for table in before.keys() | after.keys() if before.get(table) != after.get(table)
        )
        rows = sum(counts.values())
        said = f"{rows} rows in {len(before)} tables were compared"
        said += f"; they differ in {', '.join(unlike)}." if unlike else ": all are the same."
        return Claim(
            name="restored-whole",
            subject=Subject.RESTORE,
            verdict=Verdict.FAILED if unlike else Verdict.PASSED if rows else Verdict.INCONCLUSIVE,
            said=said,
            figures=(Figure("rows compared", rows), Figure("tables", len(before))),
        )
