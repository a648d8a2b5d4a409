"""The facts of a project that are neither code nor measured."""

from collections.abc import Sequence
from pathlib import Path

from mainstay.model.project import ProjectFacts
from mainstay.sources.coverage_report import read_coverage
from mainstay.sources.documents import read_documents


def project_facts(root: Path, alerts: Sequence[str], coverage: Path | None) -> ProjectFacts:
    """Its documents, and what its tests reached if a report of that is named; raises CoverageUnreadable."""
    return ProjectFacts(
        documents=read_documents(root, alerts),
        coverage=None if coverage is None else read_coverage(coverage),
    )
