"""The verb `design`: read a specification, and say everything that follows from it."""

from pathlib import Path

from mainstay.dossier import dossier
from mainstay.model.dossier import Dossier
from mainstay.model.specification import Specification
from mainstay.plan.arithmetic import contradictions
from mainstay.sources.specification import SpecificationError, read_file
from mainstay.sources.specification.faults import Fault


def specification_in(file: Path) -> Specification:
    """The specification in a file; raises OSError, and SpecificationError also for what cannot both be."""
    found = read_file(file, str(file))
    if contrary := contradictions(found):
        raise SpecificationError(Fault(each.location, each.said) for each in contrary)
    return found


def design(file: Path) -> Dossier:
    """The dossier of the specification in a file; raises as `specification_in` does."""
    return dossier(specification_in(file))
