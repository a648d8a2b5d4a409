"""Whether anything that was read calls a function."""

from mainstay.model.system import Function, System


def unreached(system: System, function: Function) -> bool:
    """Whether a plain function has no caller in the project and is no entry of it.

    Methods and decorated functions may be called by a framework, so nothing is said of them.
    """
    if function.callers or function.owner or function.body.decorators or function.body.kind != "function":
        return False
    served = any(operation.function == function.name for operation in system.operations)
    return not served and all(job.function != function.name for job in system.jobs)
