"""What a name means: definitions, imports and re-exports, within the project and into libraries."""

from collections.abc import Sequence

from mainstay.knowledge.load import Knowledge
from mainstay.link.draft import Draft
from mainstay.link.modules import ModuleIndex
from mainstay.model.code import Assign, Body, Class, Define, Import, Name, Value
from mainstay.model.system import File
from mainstay.sources.reading import SourceFile


class Names:
    """Every definition of the project by its dotted name, and the meaning of any other name."""

    def __init__(self, sources: Sequence[SourceFile], knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.index = ModuleIndex(source.path for source in sources)
        self.files: dict[str, File] = {}
        self.functions: dict[str, Draft] = {}
        self.classes: dict[str, tuple[File, Class]] = {}
        self.class_bodies: dict[str, Draft] = {}
        self.variables: dict[str, tuple[Draft, Value | None, Value | None]] = {}  # value, annotation
        self._stars: dict[str, list[str]] = {}
        self._canonical: dict[str, str] = {}
        for source in sources:
            name = self.index.names[source.path]
            self.files[name] = File(source.path, name, source.role, source.module)
        for file in self.files.values():
            self._define(file)

    def _define(self, file: File) -> None:
        drafts: list[Draft] = []
        class_of_body = {c.body: c for c in file.module.classes}
        taken: set[str] = set()
        for index, body in enumerate(file.module.bodies):
            parent = drafts[body.parent] if body.parent >= 0 else None
            name = join(file.name, body.qualname) if index else file.name
            # A stub of `typing.overload` leaves the name to the definition that runs.
            name = f"{name}@{body.line}" if is_stub(body) else unique(name, body.line, taken)
            owner = parent.owner if parent else ""
            if body.kind == "class":
                owner = name
            draft = Draft(name, file, index, body, owner, parent)
            drafts.append(draft)
            self.functions[name] = draft
            if index in class_of_body:
                self.classes[name] = (file, class_of_body[index])
                self.class_bodies[name] = draft
        self._bind_definitions(drafts)
        for imported in file.module.imports:
            self._bind_import(file, drafts[imported.body], imported)

    def _bind_definitions(self, drafts: list[Draft]) -> None:
        by_body = {draft.index: draft.name for draft in drafts}
        for draft in drafts:
            module_level = draft.index == 0
            for statement in draft.body.statements:
                if isinstance(statement, Define):
                    body = statement.body
                    if statement.class_ >= 0:
                        body = draft.file.module.classes[statement.class_].body
                    draft.locals[statement.name] = by_body[body]
                elif module_level and isinstance(statement, Assign):
                    for target in statement.targets:
                        if isinstance(target, Name) and "." not in target.path:
                            dotted = join(draft.file.name, target.path)
                            self.variables[dotted] = (draft, statement.value, statement.annotation)

    def _bind_import(self, file: File, draft: Draft, imported: Import) -> None:
        if imported.level:
            module = self.index.absolute(imported.module, imported.level, file.path)
        else:
            module = self.index.find(imported.module, file.path) or imported.module
        if imported.name == "*":
            self._stars.setdefault(file.name, []).append(module)
            return
        if imported.attribute:
            below = join(module, imported.attribute)
            draft.locals[imported.name] = self.index.find(below, file.path) or below
        else:
            draft.locals[imported.name] = module
            if imported.loads and module == imported.module:
                self._bind_package(file, draft, imported)

    def _bind_package(self, file: File, draft: Draft, imported: Import) -> None:
        """`import a.b` binds `a`; the file of `a.b` tells which `a` is meant."""
        loaded = self.index.find(imported.loads, file.path)
        if loaded and loaded.endswith(imported.loads):
            draft.locals[imported.name] = loaded[: len(loaded) - len(imported.loads)] + imported.module

    def canonical(self, dotted: str) -> str:
        """The dotted name under which the thing is defined, re-exports and aliases followed."""
        found = self._canonical.get(dotted)
        if found is None:
            self._canonical[dotted] = dotted  # a cycle of re-exports ends here
            found = self._canonical[dotted] = self._follow(dotted)
        return found

    def _follow(self, dotted: str) -> str:
        if dotted in self.functions or dotted in self.files:
            return dotted
        module, rest = self._split(dotted)
        if not module:
            return self.knowledge.canonical(dotted)
        name, _, below = rest.partition(".")
        bound = self.functions[module].locals.get(name)
        if bound is None and join(module, name) not in self.variables:
            bound = self._from_star(module, name)
        if bound is None or bound == dotted:
            return dotted
        if bound == join(module, name):  # the module's own class or function
            return dotted
        return self.canonical(join(bound, below) if below else bound)

    def _from_star(self, module: str, name: str) -> str | None:
        for source in self._stars.get(module, ()):
            if source in self.files:
                found = self.canonical(join(source, name))
                if found in self.functions or found in self.variables or self._split(found)[0] == "":
                    return found
            elif self.knowledge.callable(join(source, name)) or self.knowledge.type(join(source, name)):
                return join(source, name)
        return None

    def _split(self, dotted: str) -> tuple[str, str]:
        """The project module a dotted name starts with, and the rest; empty when none."""
        head = dotted
        while head:
            head, _, _ = head.rpartition(".")
            if head in self.files:
                return head, dotted[len(head) + 1 :]
        return "", dotted

    def lookup(self, draft: Draft, name: str) -> str | None:
        """What a bare name in that body is bound to by import or definition, innermost first."""
        if name not in draft.looked_up:
            draft.looked_up[name] = self._look_up(draft, name)
        return draft.looked_up[name]

    def _look_up(self, draft: Draft, name: str) -> str | None:
        scope: Draft | None = draft
        while scope is not None:
            bound = scope.locals.get(name)
            if bound is not None and (scope is draft or scope.body.kind != "class"):
                return self.canonical(bound)
            scope = scope.parent
        dotted = join(draft.file.name, name)
        if dotted in self.variables:
            return dotted
        return self._from_star(draft.file.name, name)


def join(module: str, name: str) -> str:
    return f"{module}.{name}" if module and name else module or name


def is_stub(body: Body) -> bool:
    """Whether a function only declares one signature of an overloaded one."""
    return any(isinstance(value, Name) and value.path.endswith("overload") for value in body.decorators)


def unique(name: str, line: int, taken: set[str]) -> str:
    """The name itself, or with its line when an earlier definition has it (overloads, lambdas)."""
    if name in taken:
        name = f"{name}@{line}"
        while name in taken:
            name += "'"
    taken.add(name)
    return name
