"""Work that no requester waits for: tasks, schedules, consumers, hooks, commands, workers."""

from collections.abc import Iterator

from mainstay.link.calls import Calls
from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup, where
from mainstay.model.code import Call, Literal, Name, Operation, Result, ScopeKind, Value
from mainstay.model.library import Callable
from mainstay.model.system import Job, Role

COMMAND = "django.core.management.base.BaseCommand"
BESIDE = frozenset({"task", "thread"})
IGNORED = frozenset({Role.TEST, Role.GENERATED, Role.MIGRATION})


def find_jobs(calls: Calls) -> tuple[Job, ...]:
    """Every job of the project's source files, each function once per trigger."""
    finder = _Jobs(calls)
    unique = {(job.function, job.trigger): job for job in finder.find()}
    return tuple(sorted(unique.values(), key=lambda job: (job.location, job.trigger)))


class _Jobs:
    def __init__(self, calls: Calls) -> None:
        self._lookup = Lookup(calls)
        self._names = calls.names
        self._classes = calls.classes

    def find(self) -> Iterator[Job]:
        for draft in self._names.functions.values():
            if draft.file.role in IGNORED:
                continue
            if draft.body.kind == "function":
                yield from self._of_decorators(draft)
            elif draft.body.kind == "module":
                yield from self._of_main(draft)
            yield from self._of_calls(draft)
        for name in self._names.classes:
            yield from self._of_class(name)

    def _of_decorators(self, draft: Draft) -> Iterator[Job]:
        for target in draft.decorators:
            library = self._lookup.knowledge_of(target)
            if library is not None and library.job is not None:
                yield job(draft, library.job.trigger, library.job.redelivers)

    def _of_calls(self, draft: Draft) -> Iterator[Job]:
        """Functions that a call registers as a job, or that a call starts and that never end."""
        for index, _, library in self._lookup.notable(draft):
            call = draft.body.statements[index]
            if not isinstance(call, Call):
                continue
            if library.job is not None:
                yield from self._registered(draft, call, library)
            if library.runs is not None and library.runs.how in BESIDE:
                yield from self._started(draft, index)

    def _registered(self, draft: Draft, call: Call, library: Callable) -> Iterator[Job]:
        """`scheduler.add_job(sweep)`, `post_save.connect(index)`: the first function that is given."""
        assert library.job is not None
        for value in (*call.arguments, *(k.value for k in call.keywords)):
            if isinstance(value, Name):
                function = self._names.functions.get(self._lookup.identity(draft, value))
                if function is not None and function.body.kind == "function":
                    yield job(function, library.job.trigger, library.job.redelivers)
                    return

    def _started(self, draft: Draft, index: int) -> Iterator[Job]:
        for edge in draft.edges.get(index, ()):
            function = self._names.functions.get(edge.function)
            if function is not None and edge.how in BESIDE and is_endless(function):
                yield job(function, "worker")

    def _of_main(self, module: Draft) -> Iterator[Job]:
        """`if __name__ == "__main__": main()`, where main never ends by itself."""
        scopes = module.body.scopes
        for index, target in module.targets.items():
            scope = scopes[module.body.statements[index].scope]
            if scope.kind is ScopeKind.IF and any(_is_main(test) for test in scope.head):
                function = self._names.functions.get(target.name)
                if function is not None and function.body.kind == "function" and is_endless(function):
                    yield job(function, "worker")

    def _of_class(self, name: str) -> Iterator[Job]:
        """Management commands."""
        methods = self._classes.own_methods(name)
        if "handle" in methods and self._classes.is_a(name, COMMAND):
            draft = self._names.functions[methods["handle"]]
            if draft.file.role not in IGNORED:
                yield job(draft, "command")


def job(draft: Draft, trigger: str, redelivers: bool = False) -> Job:
    return Job(draft.body.qualname, draft.name, trigger, where(draft), redelivers)


def is_endless(draft: Draft) -> bool:
    """Whether the body loops for as long as nothing tells it to stop."""
    return any(
        scope.kind is ScopeKind.WHILE and any(_goes_on(draft, test) for test in scope.head)
        for scope in draft.body.scopes
    )


def _goes_on(draft: Draft, test: Value) -> bool:
    """`while True`, `while self.running`, `while not stop.is_set()`."""
    if isinstance(test, Literal):
        return bool(test.value)
    if isinstance(test, Operation) and test.operator == "not":
        return any(_goes_on(draft, each) for each in test.operands)
    if isinstance(test, Result):
        call = draft.body.statements[test.call]
        return (
            isinstance(call, Call) and isinstance(call.callee, Name) and call.callee.path.endswith(".is_set")
        )
    return isinstance(test, Name) and test.path.rpartition(".")[2].strip("_") in (
        "running",
        "stop",
        "stopped",
        "should_stop",
        "should_exit",
        "shutdown",
        "is_running",
        "closing",
        "closed",
    )


def _is_main(test: Value) -> bool:
    return isinstance(test, Operation) and test.operator == "==" and Name("__name__") in test.operands
