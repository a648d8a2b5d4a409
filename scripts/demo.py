"""What `make demo` shows: a flawed payment service reviewed, then its sound twin reviewed and proved."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAINSTAY = Path(sys.executable).with_name("mainstay")
FLAWED, SOUND = "examples/payments_flawed", "examples/payments"


EXPERIMENTS = ("--experiment", "keys-respected", "--experiment", "database-stopped")


def main() -> None:
    reports = ROOT / "build" / "demo"
    reports.mkdir(parents=True, exist_ok=True)
    page, sarif = (reports / f"payments_flawed{ending}" for ending in (".html", ".sarif"))

    tell(f"1. {FLAWED}: a payment service with flaws that look like working code.")
    review(FLAWED, "--output", page, "--output", sarif, expected=1)
    tell(f"   The same as a page:  {page.relative_to(ROOT)}")
    tell(f"   The same as SARIF:   {sarif.relative_to(ROOT)}")

    tell(f"\n2. {SOUND}: the same service, sound.")
    review(SOUND, expected=0)

    proof = reports / "payments_proof.html"
    tell(f"\n3. {SOUND} again, running: its database is stopped and its writes are repeated, in two minutes.")
    tell("   (`mainstay prove` does more: this is two experiments of its quick profile.)")
    mainstay("prove", SOUND, *EXPERIMENTS, "--output", proof, expected=0)
    tell(f"   The same as a page:  {proof.relative_to(ROOT)}")

    tell(
        "\nThe flawed service failed its review with status 1, and the sound one passed with status 0, "
        "both as they should."
    )


def review(path: str, *options: str | Path, expected: int) -> None:
    """Review `path` as a person would, and stop when it ends with another status than `expected`."""
    mainstay("review", path, *options, expected=expected)


def mainstay(verb: str, path: str, *options: str | Path, expected: int) -> None:
    """Do what a person would type, and stop when it ends with another status than `expected`."""
    tell(f"   $ mainstay {verb} {path}\n")
    status = subprocess.run([MAINSTAY, verb, path, *options], cwd=ROOT, check=False).returncode
    if status != expected:
        sys.exit(f"\nmainstay {verb} {path} ended with status {status}; it should have been {expected}.")


def tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
