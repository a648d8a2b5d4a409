"""What a proof came to, in words and counts that every format shares."""

import math
from collections.abc import Iterable, Sequence

from mainstay.model.budget import Budgets
from mainstay.model.proof import Claim, Figure, Measurement, Origin, Proof, Skipped, Subject, Verdict
from mainstay.reports.summary import plural

WORST_FIRST = (Verdict.ERROR, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED)
_ORDER = (  # of what is equally bad: reliability, security, performance, monitoring
    (Subject.INTEGRITY, Subject.RESTORE),
    (Subject.RECOVERY, Subject.AVAILABILITY, Subject.ERRORS, Subject.REFUSAL),
    (Subject.SECURITY,),
    (Subject.LATENCY, Subject.CAPACITY),
    (Subject.PAGING,),
)
_VERDICT = {
    Verdict.PASSED: "Passed",
    Verdict.FAILED: "Failed",
    Verdict.INCONCLUSIVE: "Inconclusive",
    Verdict.ERROR: "Void",
}


def headline(proof: Proof) -> str:
    """The verdict in one sentence, and what it rests on."""
    done = len(proof.measurements)
    counts = {verdict: len(of_verdict(proof, verdict)) for verdict in WORST_FIRST}
    word = _VERDICT[proof.verdict]
    if not done:
        return f"{word}: nothing was measured."
    if not counts[proof.verdict]:
        return f"{word}: {plural(done, 'experiment')}."
    if proof.verdict is Verdict.PASSED:
        return f"{word}: {_all(done)}."
    share = f"{counts[proof.verdict]:,} of {plural(done, 'experiment')}"
    aside = [
        f"{counts[verdict]:,} {_beside(verdict)}"
        for verdict in WORST_FIRST
        if counts[verdict] and verdict not in (proof.verdict, Verdict.PASSED)
    ]
    rest = f" (besides {' and '.join(aside)})" if aside else ""
    return f"{word}: {share} {_did(proof.verdict, counts[proof.verdict])}{rest}."


def cautions(proof: Proof) -> list[str]:
    """What narrows the verdict: budgets that are not the standard ones, experiments that were left out."""
    said = []
    changed = changed_budgets(proof.budgets, proof.standard)
    if changed:
        said.append(f"Budgets of this project: {changed}.")
        beyond = sum(_differs(claim) for m in proof.measurements for claim in m.claims)
        if beyond:
            said.append(f"Against the standard budgets, {plural(beyond, 'claim')} would end differently.")
    waived = sum(s.waived for s in proof.skipped)
    if waived:
        said.append(f"The project waives {plural(waived, 'experiment')}.")
    impossible = sum(s.applies and not s.waived for s in proof.skipped)
    if impossible:
        said.append(f"{plural(impossible, 'experiment')} could not be done here.")
    return said


def changed_budgets(own: Budgets, standard: Budgets) -> str:
    """`p95 500 ms (standard: 200 ms)` for each budget that differs; "" when none does."""
    pairs = {
        "availability": (share(own.availability), share(standard.availability)),
        "errors": (share(own.errors), share(standard.errors)),
        "p95": (duration(own.p95), duration(standard.p95)),
        "recovery": (duration(own.recovery), duration(standard.recovery)),
    }
    return ", ".join(f"{name} {a} (standard: {b})" for name, (a, b) in pairs.items() if a != b)


# --- the parts of a proof --------------------------------------------------------------------------


def of_verdict(proof: Proof, verdict: Verdict) -> tuple[Measurement, ...]:
    """The experiments that ended so: reliability, security, performance, then as they were done."""
    found = [m for m in proof.measurements if m.verdict is verdict]
    return tuple(found if verdict is Verdict.PASSED else sorted(found, key=_weight))


def worst_first(proof: Proof) -> tuple[Measurement, ...]:
    """All experiments: void ones, failed ones, undecided ones, those that passed."""
    return tuple(m for verdict in WORST_FIRST for m in of_verdict(proof, verdict))


def claims_worst_first(measurement: Measurement) -> tuple[Claim, ...]:
    """Its claims: void, failed, undecided, passed."""

    def badness(claim: Claim) -> tuple[int, int]:
        return WORST_FIRST.index(claim.verdict), _rank(claim)

    return tuple(sorted(measurement.claims, key=badness))


def settled_by(measurement: Measurement) -> tuple[Claim, ...]:
    """The claims that made its verdict what it is."""
    return tuple(claim for claim in measurement.claims if claim.verdict is measurement.verdict)


def requests(measurement: Measurement) -> tuple[int, int]:
    """How many requests were sent, and how many of them failed."""
    if measurement.tallies:
        return sum(t.sent for t in measurement.tallies), sum(t.sent - t.ok for t in measurement.tallies)
    return sum(w.due for w in measurement.windows), sum(w.failed for w in measurement.windows)


def in_short(measurement: Measurement) -> str:
    """`3,600 requests, none failed, 4 claims, 60 s`."""
    sent, failed = requests(measurement)
    parts = []
    if sent:
        parts += [plural(sent, "request"), f"{failed:,} failed" if failed else "none failed"]
    parts += [plural(len(measurement.claims), "claim"), duration(measurement.seconds)]
    return ", ".join(parts)


def why(measurement: Measurement) -> str:
    """Why it did not pass, in one line."""
    said = [claim.said for claim in settled_by(measurement)]
    return " ".join(filter(None, [measurement.why, *said])) or "It does not say why."


def standing(skipped: Skipped) -> str:
    """Whose doing it is that an experiment was left out."""
    if skipped.waived:
        return "waived by the project"
    return "not possible here" if skipped.applies else "does not apply"


def beyond_standard(claim: Claim) -> str:
    """What the claim comes to against the standing budget, if that differs; or ""."""
    return f"against the standard budget: {claim.standard}" if claim.standard and _differs(claim) else ""


# --- figures ---------------------------------------------------------------------------------------


def amount(figure: Figure) -> str:
    """The value with its unit; an open question has none."""
    if figure.origin is Origin.OPEN or math.isnan(figure.value):
        return "unknown"
    if figure.unit == "s":
        return duration(figure.value)
    if figure.unit == "%":
        return share(figure.value)
    unit = figure.unit if figure.unit.startswith("/") or not figure.unit else f" {figure.unit}"
    return number(figure.value) + unit


def figures(all_of_them: Iterable[Figure]) -> str:
    """`p95 231 ms (measured), bound 0.12 % (derived: 3/2,499)`."""
    return ", ".join(f"{figure.name} {amount(figure)} ({origin(figure)})" for figure in all_of_them)


def origin(figure: Figure) -> str:
    """Where the figure comes from, with the sum where there is one."""
    return f"{figure.origin}: {figure.sum}" if figure.sum else str(figure.origin)


def duration(seconds: float) -> str:
    """`0.4 ms`, `17 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`; at most three digits."""
    if not math.isfinite(seconds):
        return "for ever" if seconds > 0 else "unknown"
    size = abs(seconds)
    if size < 0.9995:
        return f"{_digits(seconds * 1000)} ms" if size else "0 s"
    if size < 119.5:
        return f"{_digits(seconds)} s"
    whole = round(seconds)
    if abs(whole) < 2 * 3600:
        minutes, left = divmod(whole, 60)
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, left = divmod(round(seconds / 60), 60)
    return f"{hours} h {left} min" if left else f"{hours:,} h"


def share(fraction: float) -> str:
    """`0.12 %` of a fraction of 1; enough digits to tell 99.9 % from 99.95 %."""
    if not math.isfinite(fraction):
        return "unknown"
    return f"{float(f'{fraction * 100:.4g}'):.10g} %"


def number(value: float) -> str:
    """`3,600`, `0.54`."""
    if not math.isfinite(value):
        return "unbounded" if value > 0 else "unknown"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"


def one_of_each(items: Iterable[str]) -> list[str]:
    """The items without repeats, in their order."""
    return list(dict.fromkeys(items))


def rules_of(measurements: Sequence[Measurement]) -> list[str]:
    """The rules of `review` that explain what went wrong, each once."""
    return one_of_each(rule for m in measurements for rule in m.explained_by)


def _weight(measurement: Measurement) -> int:
    return min(map(_rank, settled_by(measurement)), default=len(_ORDER))


def _rank(claim: Claim) -> int:
    return next(rank for rank, subjects in enumerate(_ORDER) if claim.subject in subjects)


def _digits(value: float) -> str:
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 9.995 else f"{value:.1f}".removesuffix(".0")


def _differs(claim: Claim) -> bool:
    return claim.standard is not None and claim.standard is not claim.verdict


def _all(done: int) -> str:
    return "the one experiment" if done == 1 else f"all {done:,} experiments"


def _did(verdict: Verdict, count: int) -> str:
    if verdict is Verdict.FAILED:
        return "failed"
    if verdict is Verdict.ERROR:
        return f"{'was' if count == 1 else 'were'} void by our own fault"
    return "did not settle it"


def _beside(verdict: Verdict) -> str:
    return {Verdict.ERROR: "void", Verdict.FAILED: "failed", Verdict.INCONCLUSIVE: "undecided"}[verdict]
