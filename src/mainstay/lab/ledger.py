"""Learns where the writes of a load live in the database, and counts them there.

Nothing is asked of the project: a fault-free sample shows in which column each acknowledged write stands
exactly once.  Tables of events, outboxes and idempotency keys repeat the same texts, so the table whose
key is the id in the answer comes first.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import psycopg
from msgspec import Struct
from psycopg import sql

from mainstay.lab.ledger_search import Column, Hit, Patience, columns, read, read_own, search, unreadable
from mainstay.lab.load.tokens import KEY, MARKER, pattern
from mainstay.model.ledger import Found, Token
from mainstay.model.record import Fate, Record
from mainstay.model.service import Action

SECONDS = 30.0  # for all tables together
_SAMPLE = 200  # writes of an action that are looked for
_ALL_IDS = 200_000  # rows of a table up to which all its ids are read
_ALL_ROWS = 2_000_000  # that a `stored` may give
_BESIDE = (
    "audit event history idempot inbox job key log message notification outbox queue task webhook".split()
)


class Through(Struct, frozen=True):
    """The table that says which row an idempotency key made."""

    key: Column
    made: Column


class Home(Struct, frozen=True):
    """Where one action's writes stand."""

    token: Token
    column: Column | None = None
    position: int = 0  # of TAKEN
    through: Through | None = None  # of MADE
    stored: str = ""  # SQL of the project, instead of a column

    @property
    def where(self) -> str:
        return self.column.where if self.column else "the rows of its `stored`"


class _Sample:
    """The acknowledged writes of one action, and what tells them apart."""

    def __init__(self, action: str, records: Sequence[Record], declared: Action | None) -> None:
        self.action = action
        self.declared = declared
        self.records = records[:_SAMPLE]

    def tokens(self, token: Token, position: int = 0) -> list[str]:
        """One for each write; fewer when some have none."""
        if token is Token.MARKER:
            found = [record.marker for record in self.records]
        elif token is Token.KEY:
            found = [record.key for record in self.records]
        elif token is Token.MADE:
            found = [record.made for record in self.records]
        else:
            found = [record.taken[position] for record in self.records if len(record.taken) > position]
        return [one for one in found if one]

    @property
    def takes(self) -> int:
        return min((len(record.taken) for record in self.records), default=0)

    @property
    def may_overwrite(self) -> bool:
        """Whether a write may change a row that an earlier one wrote: then that one's marker is gone."""
        if self.declared is None or self.takes:
            return False
        return self.declared.method.upper() != "POST" or "{" in self.declared.path

    @property
    def creates(self) -> bool:
        return self.declared is None or self.declared.method.upper() in ("POST", "PUT")


_Rows = Mapping[str, int]  # token -> rows


class _Seen:
    """What the search has found, by column."""

    def __init__(self, hits: Iterable[Hit]) -> None:
        self.rows: defaultdict[Column, dict[str, int]] = defaultdict(dict)
        for hit in hits:
            self.rows[hit.column][hit.token] = hit.rows

    def holding(self, tokens: Sequence[str]) -> list[Column]:
        """The columns in which each of them stands exactly once."""
        if not tokens:
            return []
        return [column for column, rows in self.rows.items() if all(rows.get(token) == 1 for token in tokens)]


class Homes(Struct, frozen=True):
    """Where the writes of each action stand, and why that is not known of others."""

    prefix: str
    by_action: dict[str, Home]
    homeless: dict[str, str]  # action -> why its writes are unchecked
    unsearched: tuple[str, ...] = ()  # tables that took too long

    @classmethod
    def learn(
        cls,
        connection: psycopg.Connection[Any],
        records: Iterable[Record],
        prefix: str,
        actions: Iterable[Action] = (),
        seconds: float = SECONDS,
        grown: Collection[str] | None = None,
    ) -> "Homes":
        """Find the homes by a fault-free sample: all requests so far, those that filled pools included.

        To tell a row that refers to what a write used up from one that was there before, some values have
        to be left in the pool.  Raises LabError when the database cannot be read, or an action's `stored`.

        `grown` names the tables that have more rows than before the sample, where that is known: small ids
        stand in many tables, and no other can be a home by an id.
        """
        kept = list(records)
        declared = {action.name: action for action in actions}
        samples = _samples(kept, declared)
        seen, unsearched = _survey(connection, kept, samples, prefix, seconds)
        learning = _Learning(connection, kept, seen, prefix, seconds, grown)
        by_action: dict[str, Home] = {}
        homeless: dict[str, str] = {}
        for sample in samples:
            found = learning.home(sample)
            if isinstance(found, str):
                homeless[sample.action] = found
            else:
                by_action[sample.action] = found
        learning.part_from_overwriters(samples, by_action, homeless)
        for record in kept:
            if record.writes and record.action not in by_action:
                homeless.setdefault(record.action, "no write of it was acknowledged")
        return cls(prefix, by_action, homeless, tuple(unsearched))

    def count(
        self,
        connection: psycopg.Connection[Any],
        records: Iterable[Record] = (),
        seconds: float = SECONDS,
    ) -> dict[str, Found]:
        """How many times each write stands in its home now, by action.

        Wait until the service is quiet: a write without an answer may still be on its way.  A write that a
        service moves to another table after the sample was taken would count as lost.  Raises LabError.
        """
        kept = list(records)
        patience = Patience(seconds)
        return {
            action: _count(connection, home, action, kept, self.prefix, patience)
            for action, home in self.by_action.items()
        }

    def known(self, connection: psycopg.Connection[Any], seconds: float = SECONDS) -> set[str]:
        """What stands in the homes before a load: `known` of `evidence.ledger.judge`."""
        return {token for found in self.count(connection, (), seconds).values() for token in found.times}

    @property
    def said(self) -> tuple[str, ...]:
        """A line for each action: where its writes are looked up, or why they are not."""
        lines = [
            f"{action}: looked up in {home.where} by its {home.token.value}"
            for action, home in self.by_action.items()
        ]
        lines += [f"{action}: unchecked, {why}" for action, why in self.homeless.items()]
        lines += [f"{table} was not searched: it took too long" for table in self.unsearched]
        return tuple(lines)


class _Learning:
    """Chooses homes by what the search has found."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        records: Sequence[Record],
        seen: _Seen,
        prefix: str,
        seconds: float,
        grown: Collection[str] | None,
    ) -> None:
        self.grown = grown
        self.connection = connection
        self.records = records
        self.seen = seen
        self.prefix = prefix
        self.seconds = seconds
        self.makers: dict[str, str] = {}  # id -> the action that answered it first
        for record in sorted(records, key=lambda record: record.done):
            if record.made and record.writes:
                self.makers.setdefault(record.made, record.action)

    def home(self, sample: _Sample) -> Home | str:
        """Its home, or why it has none."""
        if sample.declared and sample.declared.stored:
            return self._by_stored(sample, sample.declared.stored)
        made = self._made_in(sample)
        table = made.home if made else None
        own = self._candidates(sample, table) if table else []
        if own:
            return own[0]
        if made:
            return Home(Token.MADE, made, through=self._through(sample))
        if sample.may_overwrite:
            return "it may change a row again that it changed before; name its rows with `stored`"
        elsewhere = self._candidates(sample, None)
        if elsewhere:
            return elsewhere[0]
        return "no column holds each of its writes exactly once; name its rows with `stored`"

    def part_from_overwriters(
        self, samples: Sequence[_Sample], by_action: dict[str, Home], homeless: dict[str, str]
    ) -> None:
        """A text that another action may write over is no proof: its writes are looked up by their ids."""
        for sample in samples:
            home = by_action.get(sample.action)
            if home is None or home.column is None or home.token not in (Token.MARKER, Token.KEY):
                continue
            others = [other for other in samples if other is not sample]
            if not any(self._writes_over(other, home.column, home.token) for other in others):
                continue
            made = self._made_in(sample)
            if made:
                by_action[sample.action] = Home(Token.MADE, made, through=self._through(sample))
            else:
                del by_action[sample.action]
                homeless[sample.action] = f"another action writes over {home.where}"

    def _writes_over(self, other: _Sample, column: Column, token: Token) -> bool:
        """Whether its texts stand in that column without its having made the rows."""
        rows = self.seen.rows[column]
        made = self._made_in(other)
        if made and made.home == column.home:
            return False
        return any(one in rows for one in other.tokens(token))

    def _by_stored(self, sample: _Sample, stored: str) -> Home | str:
        rows = _stored(self.connection, stored, sample.action, self.seconds)
        for token in (Token.MARKER, Token.KEY, Token.MADE, Token.TAKEN):
            for position in range(sample.takes if token is Token.TAKEN else 1):
                wanted = sample.tokens(token, position)
                if wanted and _tokens_of(rows, set(wanted), self.prefix).keys() >= set(wanted):
                    return Home(token, position=position, stored=stored)
        return "its `stored` does not give each of its writes"

    def _made_in(self, sample: _Sample) -> Column | None:
        """The column whose value is the id in the answer, if the action made the row."""
        made = sample.tokens(Token.MADE)
        if not sample.creates or len(made) < len(sample.records):
            return None
        if any(self.makers[one] != sample.action or one in _taken(sample) for one in made):
            return None  # an id that was there before
        keys = [
            column
            for column in self.seen.holding(made)
            if column.unique and not column.json and (self.grown is None or column.within in self.grown)
        ]
        markers = sample.tokens(Token.MARKER)
        marked = {column.home for column in self.seen.holding(markers)}  # small ids stand in other tables too

        def rank(column: Column) -> tuple[bool, bool, tuple[bool, bool, bool, str]]:
            usual = self._rank(sample, column)
            return usual[0], column.home not in marked, usual

        return min(keys, key=rank, default=None)

    def _candidates(self, sample: _Sample, table: tuple[str, str] | None) -> list[Home]:
        """Homes by a text that shows a second row too, the best first; in `table`, or anywhere."""
        found: list[Home] = []
        for token in (Token.MARKER, Token.TAKEN, Token.KEY):
            for position in range(sample.takes if token is Token.TAKEN else 1):
                tokens = sample.tokens(token, position)
                if len(tokens) < len(sample.records):
                    continue
                for column in sorted(
                    self.seen.holding(tokens), key=lambda column: self._rank(sample, column)
                ):
                    if table is not None and column.home != table:
                        continue
                    if token is Token.TAKEN and not self._only_when_taken(sample, position, column):
                        continue
                    found.append(Home(token, column, position))
        return found

    def _only_when_taken(self, sample: _Sample, position: int, column: Column) -> bool:
        """Whether values that were left in the pool do not stand there, and some were left."""
        taken = set(sample.tokens(Token.TAKEN, position))
        makers = {self.makers[value] for value in taken if value in self.makers}
        used = {value for record in self.records for value in record.taken if record.action == sample.action}
        left = {
            record.made for record in self.records if record.action in makers and record.made not in used
        } - {""}
        return bool(left) and left.isdisjoint(self.seen.rows[column])

    def _through(self, sample: _Sample) -> Through | None:
        """A table that holds both the key and the id of each write, in one row."""
        keys, made = sample.tokens(Token.KEY), sample.tokens(Token.MADE)
        if len(keys) < len(sample.records):
            return None
        wanted = set(zip(keys, made, strict=True))
        for key in self.seen.holding(keys):
            for column in self.seen.holding(made):
                if key.home == column.home and not key.json:
                    pairs = _pairs(self.connection, Through(key, column), keys, self.seconds)
                    if set(pairs.items()) == wanted:
                        return Through(key, column)
        return None

    @staticmethod
    def _rank(sample: _Sample, column: Column) -> tuple[bool, bool, bool, str]:
        """What is not written beside the thing itself, is no document, and is called like the action."""
        beside = any(word in column.table.lower() for word in _BESIDE)
        return beside, column.json, not _called_alike(sample, column.table), column.where


def _samples(records: Sequence[Record], declared: Mapping[str, Action]) -> list[_Sample]:
    by_action: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.writes and record.fate is Fate.ACKNOWLEDGED:
            by_action[record.action].append(record)
    return [_Sample(action, found, declared.get(action)) for action, found in by_action.items()]


def _survey(
    connection: psycopg.Connection[Any],
    records: Sequence[Record],
    samples: Sequence[_Sample],
    prefix: str,
    seconds: float,
) -> tuple[_Seen, list[str]]:
    """One pass over each table, as long as there is time."""
    values = {
        value
        for sample in samples
        for record in sample.records
        for value in (record.key, record.made, *record.taken)
    }
    values.update(record.made for record in records if record.stocking)
    tables: defaultdict[tuple[str, str], list[Column]] = defaultdict(list)
    try:
        for column in columns(connection):
            tables[column.home].append(column)
    except psycopg.Error as error:
        raise unreadable("the database", error) from error
    patience = Patience(seconds)
    hits: list[Hit] = []
    unsearched: list[str] = []
    for (schema, table), inside in tables.items():
        try:
            hits += search(connection, inside, prefix, values - {""}, seconds=patience.left)
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
            unsearched.append(f"{schema}.{table}")
        except psycopg.Error as error:
            raise unreadable(f"{schema}.{table}", error) from error
    return _Seen(hits), unsearched


def _count(
    connection: psycopg.Connection[Any],
    home: Home,
    action: str,
    records: Sequence[Record],
    prefix: str,
    patience: Patience,
) -> Found:
    ours = [record for record in records if record.action == action]
    if home.column is None:
        names = {name for record in ours for name in (record.marker, record.key, record.made, *record.taken)}
        rows = _stored(connection, home.stored, action, patience.left)
        times = _tokens_of(rows, names - {""}, prefix)
        return Found(home.token, home.where, times, home.position, complete=False)
    try:
        if home.token is Token.MADE:
            return _count_made(connection, home, home.column, ours, patience)
        values, kinds = _wanted(home, ours)
        hits = search(connection, [home.column], prefix, values, kinds=kinds, seconds=patience.left)
    except psycopg.Error as error:
        raise unreadable(home.where, error) from error
    return Found(home.token, home.where, {hit.token: hit.rows for hit in hits}, home.position)


def _wanted(home: Home, ours: Sequence[Record]) -> tuple[Collection[str], str]:
    """The values to look for, and the kind of text: a home of markers does not count keys."""
    if home.token is Token.TAKEN:
        at = home.position
        return {record.taken[at] for record in ours if len(record.taken) > at}, MARKER + KEY
    if home.token is Token.KEY:
        return {record.key for record in ours if record.key}, KEY
    return (), MARKER


def _count_made(
    connection: psycopg.Connection[Any],
    home: Home,
    column: Column,
    ours: Sequence[Record],
    patience: Patience,
) -> Found:
    """All ids of the table where it is not too big: those that no answer named tell of the others."""
    by_key: dict[str, str] = {}
    if home.through:
        keys = [record.key for record in ours if record.key]
        by_key = _pairs(connection, home.through, keys, patience.left)
    query = sql.SQL("SELECT {column}::text, count(*) FROM {table} {which} GROUP BY 1 LIMIT {most}")
    parts = {
        "column": sql.Identifier(column.name),
        "table": sql.Identifier(column.schema, column.table),
        "most": sql.Literal(_ALL_IDS + 1),
    }
    rows = read(connection, query.format(which=sql.SQL(""), **parts), None, patience.left)
    complete = len(rows) <= _ALL_IDS
    if not complete:
        which = sql.SQL("WHERE {}::text = ANY (%s)").format(parts["column"])
        ids = [*{record.made for record in ours if record.made}, *by_key.values()]
        rows = read(connection, query.format(which=which, **parts), (ids,), patience.left)
    return Found(Token.MADE, home.where, dict(rows), made_by_key=by_key, complete=complete)


def _pairs(
    connection: psycopg.Connection[Any], through: Through, keys: Sequence[str], seconds: float
) -> dict[str, str]:
    """Key -> id."""
    query = sql.SQL("SELECT {key}::text, {made}::text FROM {table} WHERE {key}::text = ANY (%s)").format(
        key=sql.Identifier(through.key.name),
        made=sql.Identifier(through.made.name),
        table=sql.Identifier(through.key.schema, through.key.table),
    )
    return {key: made for key, made in read(connection, query, (list(keys),), seconds) if made is not None}


def _stored(connection: psycopg.Connection[Any], stored: str, action: str, seconds: float) -> list[str]:
    """The first column of each row of a project's own query; raises LabError."""
    try:
        rows, _ = read_own(connection, stored, seconds, _ALL_ROWS)
    except psycopg.Error as error:
        raise unreadable(f"`stored` of {action}", error) from error
    return [str(row[0]) for row in rows if row and row[0] is not None]


def _tokens_of(rows: Iterable[str], names: Collection[str], prefix: str) -> dict[str, int]:
    """How often each name stands in a row, alone or, as markers and keys may, within a longer text."""
    texts = pattern(prefix)
    times: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        tokens = {row} if row in names else {match[0] for match in texts.finditer(row)}
        for token in tokens:
            times[token] += 1
    return dict(times)


def _taken(sample: _Sample) -> set[str]:
    return {value for record in sample.records for value in record.taken}


def _called_alike(sample: _Sample, table: str) -> bool:
    """`orders` and `POST /orders`, `order` and `add_order`."""
    path = sample.declared.path if sample.declared else ""
    stem = table.lower().rstrip("s")
    return stem in path.lower() or stem in sample.action.lower()
