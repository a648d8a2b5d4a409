"""The whole of linking as a recipe: from the facts of single files to one `System`."""

from collections.abc import Mapping, Sequence

from mainstay.knowledge.load import Knowledge
from mainstay.link.calls import Calls
from mainstay.link.classes import Classes
from mainstay.link.deadlines import Deadlines
from mainstay.link.dependencies import find_dependencies
from mainstay.link.direct import Direct
from mainstay.link.draft import Draft
from mainstay.link.effects import Effects, Summary
from mainstay.link.enclosures import Enclosures
from mainstay.link.exceptions import Exceptions
from mainstay.link.flows import find_flows
from mainstay.link.jobs import find_jobs
from mainstay.link.loading import loading
from mainstay.link.names import Names
from mainstay.link.operations import find_operations
from mainstay.link.stores import find_datastores
from mainstay.link.transactions import ENDS, implied
from mainstay.model.code import Assign, Call, Class, Literal, Name, Result
from mainstay.model.system import UNLINKED, Deadline, File, Function, Gap, ProjectClass, Role, System, Type
from mainstay.sources.reading import SourceFile

Callers = dict[str, list[tuple[str, int]]]


def link_system(sources: Sequence[SourceFile], knowledge: Knowledge, gaps: Sequence[Gap] = ()) -> System:
    """Join the facts of all files into one system.

    Tests, migrations and scripts are among its files, and nothing more.
    """
    names = Names([source for source in sources if source.role not in UNLINKED], knowledge)
    classes = Classes(names)
    calls = Calls(names, classes)
    drafts = names.functions
    resolve_all(calls, drafts)
    direct = Direct(calls)
    enclosures = Enclosures(calls)
    for draft in drafts.values():
        draft.enclosures = enclosures.of(draft)
    for draft in drafts.values():
        connect(draft, calls, direct)
    summaries = Effects(drafts, direct, Exceptions(names, classes)).run()
    for draft in drafts.values():
        if any(effect.kind in ENDS for effect in summaries[draft.name]):
            draft.enclosures = (*draft.enclosures, *implied(draft, summaries))
    callers = find_callers(drafts)
    deadlines = Deadlines(calls, callers).run()
    functions = {
        name: freeze(draft, summaries[name], deadlines.get(name, {}), callers.get(name, ()))
        for name, draft in drafts.items()
    }
    operations = find_operations(calls)
    named = {file.path: file for file in names.files.values()}
    return System(
        files=tuple(
            named.get(source.path) or File(source.path, "", source.role, source.module) for source in sources
        ),
        functions=functions,
        sources=tuple(f for f in functions.values() if f.file.role is Role.SOURCE),
        classes={name: freeze_class(name, calls) for name in names.classes},
        operations=operations,
        jobs=find_jobs(calls),
        dependencies=find_dependencies(functions, knowledge),
        datastores=find_datastores(functions, knowledge),
        flows=find_flows(calls, operations),
        gaps=tuple(gaps),
    )


def resolve_all(calls: Calls, drafts: Mapping[str, Draft]) -> None:
    """Resolve every body: modules first, then classes and constructors, whose attributes others read."""

    def rank(draft: Draft) -> int:
        if draft.body.kind in ("module", "class"):
            return 0 if draft.body.kind == "module" else 1
        return 2 if draft.body.name in ("__init__", "__post_init__", "setUp") else 3

    ordered = sorted(drafts.values(), key=rank)
    for draft in ordered:
        calls.resolve(draft)
    for draft in ordered:
        calls.decorate(draft)


def connect(draft: Draft, calls: Calls, direct: Direct) -> None:
    """Note what each call does by itself and which project functions it leads to."""
    for at, target in draft.targets.items():
        call = draft.body.statements[at]
        if not isinstance(call, Call):
            continue
        effects = direct.effects(draft, call, target)
        if effects:
            draft.direct[at] = effects
        edges = direct.edges(draft, call, target)
        if edges:
            draft.edges[at] = edges
    for at, read in loading(draft, calls, direct).items():
        draft.direct[at] = (*draft.direct.get(at, ()), read)


def find_callers(drafts: Mapping[str, Draft]) -> Callers:
    """Who calls each function, and where."""
    callers: Callers = {}
    for draft in drafts.values():
        for at, edges in draft.edges.items():
            for edge in edges:
                callers.setdefault(edge.function, []).append((draft.name, at))
    return callers


def freeze(
    draft: Draft, summary: Summary, deadlines: dict[int, Deadline], callers: Sequence[tuple[str, int]]
) -> Function:
    return Function(
        name=draft.name,
        file=draft.file,
        index=draft.index,
        body=draft.body,
        owner=draft.owner,
        targets=draft.targets,
        deadlines=deadlines,
        enclosures=draft.enclosures,
        direct=draft.direct,
        edges=draft.edges,
        effects=summary,
        kinds=frozenset(effect.kind for effect in summary),
        places=tuple(sorted(draft.direct.keys() | draft.edges.keys())),
        decorators=draft.decorators,
        callers=tuple(callers),
        types={name: known for name, known in draft.env.items() if isinstance(known, Type)},
    )


def is_true(fact: Class, keyword: str) -> bool:
    """Whether a class is declared with that keyword set: `class Order(SQLModel, table=True)`."""
    return any(k.name == keyword and k.value == Literal(True) for k in fact.keywords if keyword)


def declares_columns(body: Draft) -> bool:
    """Whether a class has columns although its base is not known, as with bases of other packages."""
    for statement in body.body.statements:
        if not isinstance(statement, Assign):
            continue
        if Name("__tablename__") in statement.targets:
            return True
        target = body.targets.get(statement.value.call) if isinstance(statement.value, Result) else None
        if target and target.name.startswith("django.db.models.") and target.name.endswith(("Field", "Key")):
            return True
    return False


def freeze_class(name: str, calls: Calls) -> ProjectClass:
    file, fact = calls.names.classes[name]
    ancestry = calls.classes.ancestry(name)
    known = (calls.knowledge.type(base) for base in ancestry)
    held = {**calls.names.class_bodies[name].env, **calls.attributes.get(name, {})}
    return ProjectClass(
        name=name,
        file=file,
        fact=fact,
        ancestry=ancestry,
        methods=calls.classes.methods(name),
        attributes={attribute: each for attribute, each in held.items() if isinstance(each, Type)},
        table=any(each.table or is_true(fact, each.table_if) for each in known if each)
        or declares_columns(calls.names.class_bodies[name]),
    )
