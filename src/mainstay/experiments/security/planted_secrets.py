"""Secrets and personal data, looked for where they may not be."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from mainstay.experiments.base import Experiment
from mainstay.experiments.stand import Stand
from mainstay.experiments.trial import Trial
from mainstay.lab.caller import Caller, Told
from mainstay.lab.environment import given
from mainstay.lab.error import LabError
from mainstay.lab.leaks import Leak, planted
from mainstay.lab.load.templates import Prepared
from mainstay.model.proof import Claim, Figure, Subject, Verdict

SHOWN = 20
OF_DATABASE = "the database password"
SHORTEST = 6  # characters: a shorter value turns up by chance
ROWS = 200_000  # of one table that are read
PEOPLE = 20  # e-mail addresses that are looked for
PATIENCE_S = 3.0
SETTLE_S = 0.5  # for what the service still writes into its log
E_MAIL = re.compile(rb"[\w.+-]+@[\w-]+\.[\w.-]+\w")


class PlantedSecrets(Experiment):
    """No secret turns up in a log, an answer or the database, and no e-mail address in a log.

    Secrets of the environment, the callers' credentials and e-mail addresses that we plant are provoked: by
    requests that work, that are repeated, broken, or sent with rejected credentials, with the database away
    and with other services away or failing. Then they are looked for, plain and encoded, in the logs of all
    processes, in the answers, and, but for personal data, in every row of the database.

    Log what you name, not what you have: fields from a list, never whole requests, settings or exceptions
    with their parameters. Store credentials as digests.
    """

    quick = True
    order = 23
    catches = ("leaks-secret-in-log",)
    explained_by = ("swallowed-exception",)

    def applies(self, stand: Stand) -> str:
        if stand.declaration.secrets or any(stand.service.headers.values()) or stand.database is not None:
            return ""
        return "no secret is declared, no actor has credentials and there is no database"

    def seconds(self, stand: Stand) -> float:
        return 2.0

    def run(self, trial: Trial) -> Iterator[Claim]:
        stand = trial.stand
        secrets = self._secrets(trial)
        credentials = credentials_of(stand)
        caller = stand.caller()
        folder = stand.lab.subfolder("planted-secrets")
        try:
            told, sent = Provocation(trial, caller).all()
            trial.go_on(SETTLE_S)
            people = addresses(sent)
            logs = dict.fromkeys(place.path for place in trial.places)
            hidden = {**secrets, **credentials}
            yield nowhere(
                "no-secret-in-logs", f"the logs of {len(logs)} processes", planted(logs, hidden), hidden
            )
            answers = written(folder / "answers", [one for one in told if one.reply is not None])
            errors = written(folder / "errors", [one for one in told if one.status >= 400])
            found = planted([answers], secrets) + planted([errors], credentials)
            yield nowhere("no-secret-in-answers", f"{len(told)} answers", found, hidden)
            if stand.database is not None:
                tables = self._dump(stand, folder)
                stored = {name: value for name, value in hidden.items() if name != OF_DATABASE}
                yield nowhere(
                    "no-secret-in-database", f"{len(tables)} tables", planted(tables, stored), stored
                )
            yield nowhere("no-e-mail-address-in-logs", "the logs", planted(logs, people), people)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _secrets(self, trial: Trial) -> dict[str, str]:
        """The declared secrets as the processes got them."""
        stand = trial.stand
        found = given(stand.service.programs, stand.declaration.secrets)
        for name in stand.declaration.secrets:
            if len(found.get(name, "")) < SHORTEST:
                short = "is too short to be looked for" if name in found else "is in no process's environment"
                trial.notes.append(f"the secret {name} {short}")
                found.pop(name, None)
        if stand.database is not None and len(stand.database.password) >= SHORTEST:
            found[OF_DATABASE] = stand.database.password
        return found

    def _dump(self, stand: Stand, folder: Path) -> list[Path]:
        """Every table as a dump would show it, one file each."""
        database = stand.database
        assert database is not None
        files = []
        with database.connect(stand.database_name) as connection:
            for number, table in enumerate(database.tables(stand.database_name)):
                path = folder / f"table-{number}"
                query = sql.SQL("COPY (SELECT * FROM {} LIMIT {}) TO STDOUT").format(
                    table.identifier, sql.Literal(ROWS)
                )
                try:
                    with path.open("wb") as file, connection.cursor().copy(query) as rows:
                        for row in rows:
                            file.write(row)
                except psycopg.Error as error:
                    raise LabError(f"the table {table} cannot be read: {error}") from error
                files.append(path)
        return files


class Provocation:
    """Everything that makes a service say more than it should."""

    def __init__(self, trial: Trial, caller: Caller) -> None:
        self._trial, self._stand, self._caller = trial, trial.stand, caller
        self._told: list[Told] = []
        self._sent: list[Prepared] = []

    def all(self) -> tuple[list[Told], list[Prepared]]:
        """The answers, and what was sent."""
        stand = self._stand
        away, failing = self._requests(), self._requests()  # made while everything still works
        last = self._requests()
        with self._trial.band("requests that work, are repeated, broken and rejected"):
            working = self._requests()
            self._send(working)
            self._send([request for request in working if request.writes])
            self._send(broken(working))
            self._rejected(working)
        if stand.database is not None:
            with self._away(stand.service.database_name):
                self._send(away)
        names = [dependency.name for dependency in stand.http_dependencies]
        if names:
            with self._away(*names):
                self._send([request for request in failing if request.writes])
        self._failing([request for request in last if request.writes])
        return self._told, self._sent

    def _requests(self) -> list[Prepared]:
        """One of each action that can be made here."""
        made = []
        for action in self._stand.actions:
            with suppress(LabError):
                made.append(self._caller.prepare(action, self._stand.actor(action)))
        return made

    def _send(self, requests: Sequence[Prepared]) -> None:
        self._sent += requests
        self._told += self._caller.all_at_once(requests, PATIENCE_S)

    def _rejected(self, requests: Sequence[Prepared]) -> None:
        """Credentials that are nearly right: a log of rejected ones gives the right ones away."""
        for request in requests[:2]:
            nearly = {name: f"{text}x" for name, text in self._caller.headers(request.actor).items()}
            if nearly:
                self._told.append(self._caller.send(request, credentials=nearly, timeout=PATIENCE_S))

    @contextmanager
    def _away(self, *names: str) -> Iterator[None]:
        """Dependencies that are down."""
        with self._trial.band(f"{', '.join(names)} away"), self._stand.proxy.away(*names):
            yield

    def _failing(self, requests: Sequence[Prepared]) -> None:
        """Other services answer, and what they say is an error."""
        standins = self._stand.service.standins.values()
        if not standins:
            return
        with self._trial.band("other services fail"):
            for standin in standins:
                standin.behave(fail=1.0, status=400)
            try:
                self._send(requests)
            finally:
                for standin in standins:
                    standin.behave()


def broken(requests: Sequence[Prepared]) -> list[Prepared]:
    """The same with one field of another type, so that whatever complains has the rest at hand."""
    spoilt = []
    for request in requests:
        try:
            body = json.loads(request.body or b"")
        except ValueError:
            continue
        if isinstance(body, dict) and body:
            name = next((name for name, value in body.items() if "@" not in str(value)), next(iter(body)))
            wrong = json.dumps({**body, name: {"wrong": []}}).encode()
            spoilt.append(msgspec.structs.replace(request, body=wrong))
    return spoilt


def credentials_of(stand: Stand) -> dict[str, str]:
    """What the actors prove themselves with, without the words before it."""
    found: dict[str, str] = {}
    for actor in stand.principals:
        for header, text in stand.service.headers.get(actor.name, {}).items():
            value = text.rsplit(" ", 1)[-1]
            if "cookie" in header.lower():
                value = value.partition("=")[2]
            if len(value) >= SHORTEST and value not in (actor.name, actor.tenant):
                found[f"{actor.name}'s {header}"] = value
    return found


def addresses(sent: Sequence[Prepared]) -> dict[str, str]:
    """The e-mail addresses in what was sent, each with a name for it."""
    found = (match.decode() for request in sent for match in E_MAIL.findall(request.body or b""))
    return {f"address {number}": text for number, text in enumerate([*dict.fromkeys(found)][:PEOPLE], 1)}


def written(path: Path, told: Sequence[Told]) -> Path:
    """Answers as a file, their headers included."""
    with path.open("w", encoding="utf-8") as file:
        for one in told:
            assert one.reply is not None
            headers = "\n".join(f"{name}: {text}" for name, text in one.reply.headers.items())
            file.write(f"{one.status}\n{headers}\n\n{one.text}\n\n")
    return path


def nowhere(name: str, where: str, found: Sequence[Leak], values: Mapping[str, str]) -> Claim:
    """None of these values is there."""
    names = sorted({leak.name for leak in found})
    said = f"{len(values)} planted values were looked for in {where}"
    said += f": {', '.join(names[:5])} turned up" if found else ", and none turned up"
    verdict = Verdict.PASSED if values else Verdict.INCONCLUSIVE
    return Claim(
        name=name,
        subject=Subject.SECURITY,
        verdict=Verdict.FAILED if found else verdict,
        said=f"{said}.",
        figures=(Figure("values", len(values)), Figure("leaked", len(names))),
        evidence=tuple(
            f"{leak.name} ({leak.form}), {leak.times} ×, in {leak.path.name}: {leak.excerpt}"
            for leak in found[:SHOWN]
        ),
    )
