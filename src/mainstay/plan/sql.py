"""A schema as PostgreSQL reads it: one text that runs as it is, the same for the same schema."""

from collections.abc import Iterator

from mainstay.plan.tables import (
    Column,
    Exclusion,
    Index,
    MovesTrigger,
    Schema,
    Table,
    TotalTrigger,
    Unique,
    literal,
    quoted,
    short,
)

_HEAD = """\
-- The schema of {service}. PostgreSQL 15 or later, at READ COMMITTED.
-- The tables of idempotency keys and of the outbox are the runtime's: its own migration makes them."""
_AGAINST = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "<>"}  # what breaks a total


def ddl(schema: Schema) -> str:
    """The statements that make the schema in an empty database, in an order in which they work.

    Keys that refer to other tables come after all tables, so that two tables may refer to each other.
    """
    parts = [
        _HEAD.format(service=schema.service),
        *(f"CREATE TYPE {name} AS RANGE (subtype = {kind});" for name, kind in schema.ranges),
        *map(_table, schema.tables),
        *(part for table in schema.tables for part in _foreign_keys(table)),
        *(part for table in schema.tables for part in _indexes(table)),
        *(part for table in schema.tables for part in _triggers(table)),
        *(part for table in schema.tables for part in _comments(table)),
    ]
    return "\n\n".join(parts) + "\n"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, names))


def _table(table: Table) -> str:
    lines = [
        *map(_column, table.columns),
        f"CONSTRAINT {table.name}_pkey PRIMARY KEY ({_list(table.primary_key)})",
        *(
            f"CONSTRAINT {one.name} UNIQUE ({_list(one.columns)})"
            for one in table.uniques
            if not one.folded  # expressions are unique by an index only
        ),
        *(f"CONSTRAINT {one.name} CHECK ({one.expression})" for one in table.checks),
        *map(_exclusion, table.exclusions),
    ]
    body = ",\n".join(f"    {line}" for line in lines)
    return f"CREATE TABLE {quoted(table.name)} (\n{body}\n);"


def _column(column: Column) -> str:
    default = f" DEFAULT {column.default}" if column.default else ""
    return f"{quoted(column.name)} {column.type}{'' if column.nullable else ' NOT NULL'}{default}"


def exclusion(one: Exclusion) -> str:
    """What stands behind `CONSTRAINT name`."""
    equal = [
        f"{each.range_type}({quoted(each.column)}, {quoted(each.column)}, '[]') WITH &&" for each in one.equal
    ]
    interval = f"{one.range_type}({quoted(one.start)}, {quoted(one.end)}, '[)') WITH &&"
    conditions = [f"{quoted(column)} IS NOT NULL" for column in one.present]
    if one.states:
        conditions.append(f"{quoted(one.state)} IN ({', '.join(map(literal, one.states))})")
    where = f" WHERE ({' AND '.join(conditions)})" if conditions else ""
    return f"EXCLUDE USING gist ({', '.join((*equal, interval))}){where}"


def _exclusion(one: Exclusion) -> str:
    return f"CONSTRAINT {one.name} {exclusion(one)}"


def _foreign_keys(table: Table) -> Iterator[str]:
    for key in table.foreign_keys:
        yield (
            f"ALTER TABLE {quoted(table.name)} ADD CONSTRAINT {key.name}\n"
            f"    FOREIGN KEY ({_list(key.columns)}) REFERENCES {quoted(key.table)} ({_list(key.target)})\n"
            "    ON DELETE RESTRICT;"
        )


def _indexes(table: Table) -> Iterator[str]:
    for unique in table.uniques:
        if unique.folded:
            columns = _folded(unique)
            yield f"CREATE UNIQUE INDEX {unique.name} ON {quoted(table.name)} ({columns});"
    for index in table.indexes:
        yield _index(table, index)


def _folded(unique: Unique) -> str:
    return ", ".join(
        f"lower({quoted(column)})" if column in unique.folded else quoted(column) for column in unique.columns
    )


def _index(table: Table, index: Index) -> str:
    where = f"\n    WHERE {quoted(index.present)} IS NOT NULL" if index.present else ""
    return f"CREATE INDEX {index.name} ON {quoted(table.name)} ({_list(index.columns)}){where};"


# Triggers


def _triggers(table: Table) -> Iterator[str]:
    for trigger in table.triggers:
        match trigger:
            case MovesTrigger():
                yield from moves(table, trigger)
            case TotalTrigger():
                yield from total(table, trigger)


def moves(table: Table, trigger: MovesTrigger) -> tuple[str, ...]:
    """The function and the trigger that refuse a move which is not listed."""
    state = quoted(trigger.column)
    first = ", ".join(map(literal, trigger.starts))
    listed = ",\n            ".join(
        f"({literal(before)}, {literal(after)})" for before, after in trigger.moves
    )
    body = f"""\
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF (NEW.{state} IN ({first})) IS NOT TRUE THEN
            {_raise(trigger.name, "a row cannot begin as %", f"NEW.{state}")}
        END IF;
    ELSIF NEW.{state} IS DISTINCT FROM OLD.{state}
        AND ((OLD.{state}, NEW.{state}) IN (
            {listed}
        )) IS NOT TRUE THEN
        {_raise(trigger.name, "% cannot become %", f"OLD.{state}", f"NEW.{state}")}
    END IF;
    RETURN NEW;
END"""
    made = (
        f"CREATE TRIGGER {trigger.name} BEFORE INSERT OR UPDATE OF {state} ON {quoted(table.name)}\n"
        f"    FOR EACH ROW EXECUTE FUNCTION {trigger.name}();"
    )
    return _function(trigger.name, body), made


def total(table: Table, trigger: TotalTrigger) -> tuple[str, ...]:
    """The function that adds up under a lock, and the triggers on both tables whose rows are part of it."""
    columns = [*trigger.by, *(one for one in (trigger.summed, trigger.currency) if one)]
    when = "DEFERRABLE INITIALLY " + ("DEFERRED" if trigger.late else "IMMEDIATE")
    made = [
        _sum(table, trigger),
        _function(trigger.name, _changed(trigger)),
        _constraint_trigger(
            trigger.name, f"INSERT OR DELETE OR UPDATE OF {_list(tuple(columns))}", table.name
        )
        + f"    {when} FOR EACH ROW EXECUTE FUNCTION {trigger.name}();",
    ]
    if trigger.locked and not trigger.limit.isdecimal():
        name = short(f"{trigger.name}_limit")
        limits = tuple(one for one in (trigger.limit, trigger.limit_currency) if one)
        events = ("INSERT OR " if trigger.late else "") + f"UPDATE OF {_list(limits)}"
        made.append(
            _function(name, f"BEGIN\n    PERFORM {_sum_name(trigger)}(NEW.id);\n    RETURN NULL;\nEND")
        )
        made.append(
            _constraint_trigger(name, events, trigger.locked)
            + f"    {when} FOR EACH ROW EXECUTE FUNCTION {name}();"
        )
    return tuple(made)


def _constraint_trigger(name: str, events: str, table: str) -> str:
    return f"CREATE CONSTRAINT TRIGGER {name}\n    AFTER {events} ON {quoted(table)}\n"


def _sum_name(trigger: TotalTrigger) -> str:
    return short(f"{trigger.name}_sum")


def _changed(trigger: TotalTrigger) -> str:
    """Both sides of a change are looked at: a negative amount that goes away raises the sum it leaves."""
    old, new = (", ".join(f"{side}.{quoted(by)}" for by in trigger.by) for side in ("OLD", "NEW"))
    return f"""\
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM {_sum_name(trigger)}({old});
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM {_sum_name(trigger)}({new});
    END IF;
    RETURN NULL;
END"""


def _sum(table: Table, trigger: TotalTrigger) -> str:
    """The lock comes first and the sum is a statement of its own after it.

    At READ COMMITTED that sees what those committed who held the lock before.
    """
    name, limit = _sum_name(trigger), trigger.limit
    held = "" if limit.isdecimal() else "held."
    summed = f"coalesce(sum(one.{quoted(trigger.summed)}), 0)" if trigger.summed else "count(*)"
    refused = _raise(
        trigger.name, f"% is not {trigger.operator} %", "total", held + (quoted(limit) if held else limit)
    )
    lines = [
        "DECLARE",
        *([f"    held {quoted(trigger.locked)}%ROWTYPE;"] if trigger.locked else []),
        "    total numeric;",
        "BEGIN",
        *_lock(trigger),
        f"    SELECT {summed} INTO total FROM {quoted(table.name)} AS one\n        WHERE {_same(trigger)};",  # noqa: S608 - a statement that is written to a file; its names are the grammar's
        f"    IF total {_AGAINST[trigger.operator]} {held}{quoted(limit) if held else limit} THEN",
        f"        {refused}",
        "    END IF;",
        *_one_currency(table, trigger),
        "END",
    ]
    arguments = ", ".join(f"of_{by} {_type(table, by)}" for by in trigger.by)
    return _function(f"{name}", "\n".join(lines), arguments, "void")


def _type(table: Table, column: str) -> str:
    found = table.column(column)
    assert found is not None, f"{table.name} has no column {column}"
    return found.type


def _same(trigger: TotalTrigger) -> str:
    tenant = ["one.tenant_id = held.tenant_id"] if trigger.locked else []  # so that the index serves
    return " AND ".join([*tenant, *(f"one.{quoted(by)} = of_{by}" for by in trigger.by)])


def _lock(trigger: TotalTrigger) -> Iterator[str]:
    if trigger.locked:
        shared = f"of_{trigger.reference}"
        row = f"SELECT * INTO held FROM {quoted(trigger.locked)} WHERE id = {shared} FOR NO KEY UPDATE;"  # noqa: S608 - as above
        nothing = "NOT FOUND"
        yield f"    {row}"
    else:
        value = " || ' ' || ".join(f"of_{by}::text" for by in trigger.by)
        key = f"{literal(trigger.name + ' ')} || {value}"
        nothing = " OR ".join(f"of_{by} IS NULL" for by in trigger.by)
        yield f"    PERFORM pg_advisory_xact_lock(hashtextextended({key}, 0));"
    yield f"    IF {nothing} THEN"
    yield "        RETURN;"
    yield "    END IF;"


def _one_currency(table: Table, trigger: TotalTrigger) -> Iterator[str]:
    """Amounts in two currencies do not add up."""
    if not trigger.currency:
        return
    currency = f"one.{quoted(trigger.currency)}"
    other = f" AND {currency} <> held.{quoted(trigger.limit_currency)}" if trigger.limit_currency else ""
    several = "" if other else f" HAVING count(DISTINCT {currency}) > 1"
    rows = f"SELECT 1 FROM {quoted(table.name)} AS one\n        WHERE {_same(trigger)}{other}{several}"  # noqa: S608 - as above
    yield f"    IF EXISTS ({rows}) THEN"
    yield f"        {_raise(trigger.name, 'amounts in two currencies do not add up')}"
    yield "    END IF;"


def _function(name: str, body: str, arguments: str = "", gives: str = "trigger") -> str:
    # The path of now stays: a restore runs triggers with an empty one.
    return (
        f"CREATE FUNCTION {name}({arguments}) RETURNS {gives}\n"
        f"    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$\n{body}\n$$;"
    )


def _raise(name: str, said: str, *values: str) -> str:
    """Told as a broken check of that name, so that the service reads all refusals alike."""
    values_said = "".join(f", {value}" for value in values)
    return (
        f"RAISE EXCEPTION {literal(name + ': ' + said)}{values_said}\n"
        f"            USING ERRCODE = 'check_violation', CONSTRAINT = {literal(name)};"
    )


def _comments(table: Table) -> Iterator[str]:
    yield f"COMMENT ON TABLE {quoted(table.name)} IS {literal(table.comment)};"
    for column in table.columns:
        if column.note:
            place = f"{quoted(table.name)}.{quoted(column.name)}"
            yield f"COMMENT ON COLUMN {place} IS {literal(column.note)};"
