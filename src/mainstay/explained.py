"""What `review` finds in the code behind what a proof has shown."""

import os
from pathlib import Path

import msgspec

from mainstay.configuration import Configuration
from mainstay.model.finding import Finding
from mainstay.model.proof import Measurement, Proof
from mainstay.review import Reach, review
from mainstay.sources.cache import open_cache
from mainstay.sources.reading import default_jobs

SHOWN = 3  # findings for one experiment


def explained(proof: Proof, configuration: Configuration) -> Proof:
    """The proof, with a note at each failed experiment for what its rules find; unchanged if none failed."""
    wanted = {rule for measurement in proof.failing for rule in measurement.explained_by}
    if not wanted or configuration.declaration is None:
        return proof
    root = Path(configuration.declaration.root)
    with open_cache(root, os.environ) as cache:
        outcome = review(Reach((root,), default_jobs(), cache), configuration)
    found = [result.finding for result in outcome.review.results if result.finding.rule in wanted]
    measurements = tuple(_explained(measurement, found, proof) for measurement in proof.measurements)
    return msgspec.structs.replace(proof, measurements=measurements)


def _explained(measurement: Measurement, found: list[Finding], proof: Proof) -> Measurement:
    if measurement not in proof.failing:
        return measurement
    mine = [finding for finding in found if finding.rule in measurement.explained_by]
    notes = [f"review finds {f.rule} at {f.location}: {f.message}" for f in mine[:SHOWN]]
    return msgspec.structs.replace(measurement, notes=(*measurement.notes, *notes))
