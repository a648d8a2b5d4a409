"""How one thing is looked at through the API."""

from mainstay.experiments.stand import Stand
from mainstay.lab.caller import Caller
from mainstay.model.service import Action


def views(stand: Stand, caller: Caller) -> dict[str, Action]:
    """For each pool, an action that shows one thing of it: a declared read, or what `reads` names."""
    found: dict[str, Action] = {}
    for action in stand.actions:
        needs = caller.needs(action) if action.method == "GET" else ()
        if len(needs) == 1:
            found.setdefault(needs[0], action)
    for action in stand.actions:
        if "{made}" in action.reads and len(action.gives) == 1:
            pool = next(iter(action.gives))
            path = action.reads.replace("{made}", f"{{{pool}}}")
            found.setdefault(pool, Action(f"show {pool}", "GET", path, weight=0.0, actor=action.actor))
    return found
