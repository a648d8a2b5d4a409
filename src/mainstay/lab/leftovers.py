"""What runs leave whose guardian was killed together with its warden: processes and a folder."""

from collections.abc import Collection
from pathlib import Path

from mainstay.lab.folder import claimed, folders_of_runs, remove_folder
from mainstay.lab.processes import kill_all, marked, table


def clear_all(parent: Path) -> None:
    """Clear what earlier runs have left below `parent`; not those that live, nor those of others."""
    for folder in folders_of_runs(parent):
        clear(folder)


def clear(folder: Path, sessions: Collection[int] = (), *, dead: bool = False) -> bool:
    """End what a dead run left, and remove its folder; False if somebody holds it, or it is not ours.

    With `dead` its guardian is known to be.  Its processes are told by the mark in their environment
    and by the sessions of its programs.
    """
    with claimed(folder, dead=dead) as ours:
        if not ours:
            return False
        kill_all(marked(str(folder)))
        end_sessions(sessions)
        return remove_folder(folder)


def end_sessions(sessions: Collection[int]) -> None:
    """Kill what is in the sessions of programs; where those cannot be told, in their groups."""
    kill_all(process for process in table().values() if process.session in sessions)
