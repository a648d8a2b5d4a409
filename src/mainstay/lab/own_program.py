"""Programs that are ours: a function of a module, run in a process of its own."""

import sys


def own_program(module: str, function: str = "main", *arguments: str) -> list[str]:
    """The command that calls the function with those texts.

    It can import what we can, and nothing from the folder that it is started in.
    """
    called = f"from {module} import {function}; {function}(*sys.argv[1:{len(arguments) + 1}])"
    program = f"import sys; sys.path[:] = sys.argv[{len(arguments) + 1}:]; {called}"
    return [sys.executable, "-I", "-c", program, *arguments, *filter(None, sys.path)]
