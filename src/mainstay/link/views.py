"""View classes: which HTTP methods they answer, and what serves each."""

from mainstay.link.draft import Draft
from mainstay.link.lookup import Lookup
from mainstay.link.routes import VERBS, Routes
from mainstay.link.values import given
from mainstay.link.words import sounds_checking
from mainstay.model.code import Call, Name

ENTRIES = ("__call__", "dispatch_request", "dispatch", "process", "handle", "run")  # what wrappers call
DEEPEST = 4  # methods of `self` followed from such an entry
ACTIONS = {
    "list": "GET",
    "retrieve": "GET",
    "create": "POST",
    "update": "PUT",
    "partial_update": "PATCH",
    "destroy": "DELETE",
}
Served = tuple[str, Draft, str]
"""An HTTP method ("": those that it is published with), the function or class that serves it, and the
path below the view's."""


class Views:
    """Answers what the classes that derive from a library's view serve."""

    def __init__(self, lookup: Lookup, routes: Routes) -> None:
        self._calls = lookup.calls
        self._names = lookup.names
        self._routes = routes

    def is_view(self, name: str) -> bool:
        """Whether a class of the project derives from one whose methods serve HTTP."""
        return bool(self._possible(name))

    def served(self, name: str, verbs: tuple[tuple[str, str], ...]) -> list[Served]:
        """Everything a view class answers; `verbs` when it was published with a choice of its methods."""
        methods = self._calls.classes.methods(name)
        functions = self._names.functions
        body = self._names.class_bodies[name]
        if verbs:
            served = [(verb, functions[methods[m]] if m in methods else body, "") for verb, m in verbs]
            return [each for each in served if each[0] in VERBS]
        found = []
        for method in self._possible(name):
            verb = ACTIONS.get(method, method.upper())
            if method in methods and verb in VERBS:
                found.append((verb, functions[methods[method]], ""))
        found += self._actions(methods)
        if not found:
            found = [(ACTIONS.get(m, m.upper()), body, "") for m in self._offered(name)]
        if not found and not self.is_view(name):
            return self._dispatched(name) or [("", body, "")]
        return [each for each in found if each[0] in VERBS]

    def beside(self, name: str) -> list[str]:
        """The functions that run on the way to what serves, when a class of no library does."""
        if self.is_view(name):
            return []
        methods = self._calls.classes.methods(name)
        entry = next((method for method in ENTRIES if method in methods), "")
        return [methods[method] for method in self._reached(methods, entry)] if entry else []

    def _dispatched(self, name: str) -> list[Served]:
        """What a class of no library runs: `process` of its base calls `self._process`."""
        methods = self._calls.classes.methods(name)
        entry = next((method for method in ENTRIES if method in methods), "")
        if not entry:
            return []
        work = self._work(methods, entry)
        draft = self._names.functions[methods[work]]
        return (self._by_verb(methods, work) if _reads_own(draft) else []) or [("", draft, "")]

    def _by_verb(self, methods: dict[str, str], work: str) -> list[Served]:
        """The methods named for HTTP methods, alone or behind the name of the one that picks among them."""
        found: list[Served] = []
        for method, function in methods.items():
            before, _, verb = method.rpartition("_")
            if verb.upper() in VERBS and before.strip("_") in ("", work.strip("_")):
                found.append((verb.upper(), self._names.functions[function], ""))
        return found

    def _work(self, methods: dict[str, str], entry: str) -> str:
        """The method that the entry is there to call: named like it, else the last that is overridden."""
        reached = self._reached(methods, entry)
        plain = entry.strip("_")
        named = [method for method in reached if method.strip("_") == plain]
        left = [method for method, below in reached.items() if below and not sounds_checking(method)]
        return (named or left[-1:] or [entry])[0]

    def _reached(self, methods: dict[str, str], entry: str) -> dict[str, bool]:
        """The methods called on `self` from the entry on, in order; whether a class below defines them."""
        found: dict[str, bool] = {}
        level = [entry]
        for _ in range(DEEPEST):
            following = []
            for caller in level:
                draft = self._names.functions[methods[caller]]
                for method in _own_calls(draft):
                    if method in methods and method not in found and method != entry:
                        found[method] = self._names.functions[methods[method]].owner != draft.owner
                        following.append(method)
            level = following
        return found

    def _possible(self, name: str) -> list[str]:
        found: dict[str, None] = {}
        for base in self._ancestry(name):
            known = self._calls.knowledge.type(base)
            found.update(dict.fromkeys(known.handler_methods if known else ()))
        return list(found)

    def _offered(self, name: str) -> tuple[str, ...]:
        """What a library's generic view answers by itself: those of few methods are complete views."""
        for base in self._ancestry(name):
            last = base.rpartition(".")[2]
            known = self._calls.knowledge.type(base)
            if base in self._names.classes or known is None:
                continue
            if last.endswith("ModelViewSet"):
                return known.handler_methods
            if 0 < len(known.handler_methods) < len(VERBS):
                return known.handler_methods
        return ()

    def _actions(self, methods: dict[str, str]) -> list[Served]:
        """Extra operations of a view set: its methods decorated with a route."""
        found = []
        for method, function in methods.items():
            draft = self._names.functions[function]
            for value in draft.body.decorators if draft.parent else ():
                assert draft.parent is not None
                published = self._routes.published(draft.parent, value)
                if published and published[2].route:
                    _, call, library = published
                    assert library.route is not None
                    for verb in self._routes.methods(draft.parent, call, library.route, draft):
                        path = self._routes.path(draft.parent, given(call, library.route.path)).strip("/")
                        found.append((verb, draft, path or method))
        return found

    def _ancestry(self, name: str) -> tuple[str, ...]:
        return self._calls.classes.ancestry(name) if name in self._names.classes else ()


def _own_calls(draft: Draft) -> list[str]:
    """The methods that a body calls on `self`, in order."""
    callees = [each.callee for each in draft.body.statements if isinstance(each, Call)]
    paths = [callee.path for callee in callees if isinstance(callee, Name)]
    return [path[5:] for path in paths if path.startswith("self.") and path.count(".") == 1]


def _reads_own(draft: Draft) -> bool:
    """Whether a body picks the method to call by name: `getattr(self, request.method.lower())`."""
    return any(
        isinstance(each, Call) and each.callee == Name("getattr") and each.arguments[:1] == (Name("self"),)
        for each in draft.body.statements
    )
