"""Runs the flawed twins of the example: each has to be failed by the experiment that its page names.

    python scripts/twins.py                     every twin, in the profile that its experiment belongs to
    python scripts/twins.py no-reconnect        this one
    python scripts/twins.py --sound 10          the sound example ten times: nothing may be failed

It ends with 1 if a twin was not caught, or the sound example was failed.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mainstay.experiments.catalogue import all_experiments
from mainstay.model.proof import Claim, Measurement, Verdict

ROOT = Path(__file__).resolve().parent.parent
SOUND = ROOT / "examples" / "payments"
TWINS = ROOT / "examples" / "twins"
CAUGHT_BY = re.compile(r"^Caught by: (\S+) / (.+)$", re.MULTILINE)
LONGEST_S = 3600.0  # of one run of `mainstay prove`


class TwinError(Exception):
    """A twin that cannot be tried; the message is a sentence."""


class Catch(msgspec.Struct, frozen=True):
    """Who has to fail a twin."""

    experiment: str
    claim: str


class Twin(msgspec.Struct, frozen=True):
    """The example with one flaw in it."""

    name: str
    page: str
    catches: tuple[Catch, ...]
    patch: Path


class Run(msgspec.Struct):
    """The part of a result file that is asked here."""

    measurements: tuple[Measurement, ...] = ()


def read(patch: Path) -> Twin:
    """What a patch says of itself, above its first file."""
    page = patch.read_text(encoding="utf-8").partition("\n--- ")[0]
    catches = tuple(Catch(experiment, claim.strip()) for experiment, claim in CAUGHT_BY.findall(page))
    return Twin(patch.stem, page.partition("\nCaught by:")[0].strip(), catches, patch)


def twins() -> list[Twin]:
    """All of them, by name."""
    return [read(patch) for patch in sorted(TWINS.glob("*.patch"))]


@contextmanager
def copied(twin: Twin | None = None) -> Iterator[Path]:
    """A copy of the example in a folder that is gone afterwards, with the twin's flaw; raises TwinError."""
    with tempfile.TemporaryDirectory(prefix="twin-") as folder:
        copy = Path(folder) / "payments"
        shutil.copytree(SOUND, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        if twin is not None:
            done = subprocess.run(
                ["git", "apply", str(twin.patch)],  # noqa: S607  # git is where the user has it
                cwd=copy,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise TwinError(f"{twin.patch.name} does not apply: {done.stderr.strip()}")
        yield copy


def prove(folder: Path, profile: str, experiments: Sequence[str] = ()) -> tuple[Measurement, ...]:
    """What `mainstay prove` finds out about the service in that folder; raises TwinError."""
    result = folder.parent / "result.json"
    words = [sys.executable, "-m", "mainstay", "prove", str(folder), "--profile", profile, "--quiet"]
    words += ["--output", str(result), *(word for name in experiments for word in ("--experiment", name))]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        raise TwinError(f"mainstay prove did not end within {LONGEST_S:g} s") from None
    if not result.is_file():
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise TwinError(f"mainstay prove ended with status {done.returncode}: {said}")
    return msgspec.json.decode(result.read_bytes(), type=Run, strict=False).measurements


def failed(measurements: Sequence[Measurement], catch: Catch) -> Claim | None:
    """The claim that a catch speaks of, if it was failed."""
    return next(
        (
            claim
            for measurement in measurements
            if measurement.experiment == catch.experiment
            for claim in measurement.claims
            if claim.name == catch.claim and claim.verdict is Verdict.FAILED
        ),
        None,
    )


def try_twin(twin: Twin, profile: str) -> bool:
    """Whether each experiment it names fails it as it says."""
    caught = True
    for catch in twin.catches:
        try:
            with copied(twin) as copy:
                measurements = prove(copy, profile or own_profile(catch.experiment), [catch.experiment])
        except TwinError as error:
            caught = False
            row(twin.name, catch, "error", str(error))
            continue
        claim = failed(measurements, catch)
        if claim is None:
            caught = False
            row(twin.name, catch, "NOT CAUGHT", verdicts(measurements))
        else:
            row(twin.name, catch, "caught", claim.said)
    return caught


def own_profile(experiment: str) -> str:
    """The profile that an experiment belongs to."""
    quick = {one.name() for one in all_experiments() if one.quick}
    return "quick" if experiment in quick else "full"


def verdicts(measurements: Sequence[Measurement]) -> str:
    """What became of it instead, for whoever has to find out why."""
    bad = [f"{m.experiment}: {m.why}" for m in measurements if m.why]
    bad += [
        f"{claim.name} {claim.verdict}: {claim.said}"
        for measurement in measurements
        for claim in measurement.claims
        if measurement.experiment != "availability" and claim.verdict is not Verdict.PASSED
    ]
    return " | ".join(bad) or "every claim passed"


def try_sound(profile: str, number: int) -> bool:
    """Whether a run of the sound example fails nothing."""
    try:
        with copied() as copy:
            measurements = prove(copy, profile or "quick")
    except TwinError as error:
        print(f"run {number}: error: {error}", flush=True)
        return False
    print(f"run {number}: {len(measurements)} experiments", flush=True)
    fine = True
    for measurement in measurements:
        if measurement.verdict in (Verdict.FAILED, Verdict.ERROR):
            fine = False
        if measurement.verdict is not Verdict.PASSED:
            print(f"  {measurement.verdict:<13}{verdicts([measurement])}", flush=True)
    return fine


def row(twin: str, catch: Catch, verdict: str, said: str) -> None:
    """A line of the table."""
    print(f"{twin:<28} {catch.experiment:<27} {catch.claim:<56} {verdict:<10} {said}", flush=True)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("names", nargs="*", metavar="TWIN")
    asked.add_argument("--profile", choices=("quick", "full"), default="")
    asked.add_argument("--sound", type=int, default=0, metavar="N")
    given = asked.parse_args()
    if given.sound:
        runs = [try_sound(given.profile, number) for number in range(1, given.sound + 1)]
        return 0 if all(runs) else 1
    known = {twin.name: twin for twin in twins()}
    unknown = [name for name in given.names if name not in known]
    if unknown:
        print(f"There is no twin called {', '.join(unknown)}.", file=sys.stderr)
        return 2
    row("twin", Catch("experiment", "claim"), "verdict", "")
    tried = [try_twin(known[name], given.profile) for name in given.names or known]
    return 0 if all(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
