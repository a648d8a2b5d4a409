"""Specifications: strict YAML, one small phrase a field, and every fault named with its place."""

from mainstay.sources.specification.faults import Fault as Fault
from mainstay.sources.specification.faults import SpecificationError as SpecificationError
from mainstay.sources.specification.whole import read as read
from mainstay.sources.specification.whole import read_file as read_file
