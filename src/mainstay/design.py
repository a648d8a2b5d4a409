"""The verb `design`: read a specification, and say everything that follows from it."""

from pathlib import Path

from mainstay.dossier import dossier
from mainstay.model.dossier import Dossier
from mainstay.model.specification import Specification
from mainstay.plan.arithmetic import contradictions
from mainstay.sources.specification import SpecificationError, read, read_file
from mainstay.sources.specification.faults import Fault
from mainstay.starters import starter, starters


def specification_in(file: Path) -> Specification:
    """The specification in a file, or the starter of that name where there is no such file.

    Raises OSError, and SpecificationError also for what cannot both be.
    """
    known = not file.exists() and str(file) in starters()
    found = read(starter(str(file)), f"{file}.yaml") if known else read_file(file, str(file))
    if contrary := contradictions(found):
        raise SpecificationError(Fault(each.location, each.said) for each in contrary)
    return found


def design(file: Path) -> Dossier:
    """The dossier of a specification; raises as `specification_in` does."""
    return dossier(specification_in(file))
