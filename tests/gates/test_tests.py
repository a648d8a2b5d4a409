"""The gate of the tests: over 80 % of the lines on critical paths."""

import msgspec
import pytest

from mainstay.gates.critical_paths import critical_functions
from mainstay.gates.tests import Tests
from mainstay.model.effect import EffectKind
from mainstay.model.location import Location
from mainstay.model.project import CoverageReport, FileCoverage, ProjectFacts
from mainstay.model.proof import Verdict
from mainstay.model.system import Operation, System
from tests.gates import fake
from tests.reports.fake import function


def system() -> System:
    """POST writes through `pay.charge`; GET reads; nobody calls `admin`.  Each function has three lines."""
    functions = [
        function("shop.api.post", Location("shop/api.py", 10), ["shop.pay.charge"]),
        function("shop.api.get", Location("shop/api.py", 20), (), [(EffectKind.READ, "orders")]),
        function("shop.pay.charge", Location("shop/pay.py", 10), (), [(EffectKind.INSERT, "charges")]),
        function("shop.pay.admin", Location("shop/pay.py", 30), (), [(EffectKind.DELETE, "charges")]),
    ]
    operations = tuple(
        Operation(
            method, "/orders", f"shop.api.{method.lower()}", Location("shop/api.py", 9), "r", "fastapi", ()
        )
        for method in ("POST", "GET")
    )
    return System((), {f.name: f for f in functions}, tuple(functions), {}, operations, (), (), (), (), ())


def report(*files: FileCoverage) -> ProjectFacts:
    return ProjectFacts(coverage=CoverageReport("coverage.json", files))


def lines(path: str, reached: range, missed: range = range(0)) -> FileCoverage:
    return FileCoverage(path, frozenset(reached), frozenset(missed))


def judged(*files: FileCoverage) -> tuple[Verdict, tuple[str, ...]]:
    result = Tests().judge(fake.review(system=system()), None, report(*files))
    return result.verdict, result.reasons


def test_critical_is_what_a_writing_operation_comes_to() -> None:
    assert [f.name for f in critical_functions(system())] == ["shop.api.post", "shop.pay.charge"]


def test_where_nothing_writes_every_operation_counts() -> None:
    whole = system()
    operations = tuple(o for o in whole.operations if o.method == "GET")
    only = msgspec.structs.replace(whole, operations=operations)
    assert [f.name for f in critical_functions(only)] == ["shop.api.get"]


def test_well_tested_critical_paths_pass_whatever_the_rest() -> None:
    verdict, reasons = judged(
        lines("shop/api.py", range(10, 14), range(20, 24)), lines("shop/pay.py", range(10, 14), range(30, 90))
    )
    assert (verdict, reasons) == (Verdict.PASSED, ())


def test_unreached_lines_on_critical_paths_fail_and_are_named() -> None:
    verdict, reasons = judged(
        lines("shop/api.py", range(10, 14)), lines("shop/pay.py", range(10, 12), range(12, 14))
    )
    assert verdict is Verdict.FAILED
    (reason,) = reasons
    assert reason == (
        "coverage.json: The tests reach 66.7 % of the 6 lines on critical paths; over 80 % is asked for. "
        "Most unreached lines: shop.pay.charge (2)."
    )


def test_exactly_80_per_cent_is_not_over_it() -> None:
    verdict, _ = judged(
        FileCoverage("shop/api.py", frozenset({11, 12}), frozenset()),
        FileCoverage("shop/pay.py", frozenset({11, 12}), frozenset({13})),
    )
    assert verdict is Verdict.FAILED


def test_the_line_of_the_def_says_nothing() -> None:
    verdict, reasons = judged(
        lines("shop/api.py", range(10, 14)),
        FileCoverage("shop/pay.py", frozenset({10}), frozenset({11, 12, 13})),
    )
    assert verdict is Verdict.FAILED
    assert "50.0 % of the 6 lines" in reasons[0]


def test_a_file_that_the_report_does_not_know_is_not_tested() -> None:
    verdict, reasons = judged(lines("shop/api.py", range(10, 14)))
    assert verdict is Verdict.INCONCLUSIVE
    assert reasons == ("The report says nothing of shop/pay.py, which critical paths go through.",)


@pytest.mark.parametrize("prefix", ["/build/repo/", "./", "../service/"])
def test_a_report_from_another_folder_is_understood(prefix: str) -> None:
    verdict, _ = judged(
        lines(f"{prefix}shop/api.py", range(10, 14)), lines(f"{prefix}shop/pay.py", range(10, 14))
    )
    assert verdict is Verdict.PASSED


def test_a_report_from_a_folder_below_is_understood() -> None:
    assert judged(lines("api.py", range(10, 14)), lines("pay.py", range(10, 14)))[0] is Verdict.PASSED


def test_an_ambiguous_name_is_not_guessed() -> None:
    verdict, _ = judged(
        lines("a/shop/api.py", range(10, 14)),
        lines("b/shop/api.py", range(0), range(10, 14)),
        lines("shop/pay.py", range(10, 14)),
    )
    assert verdict is Verdict.INCONCLUSIVE


def test_coverage_without_a_review_says_nothing_of_critical_paths() -> None:
    result = Tests().judge(None, None, report(lines("shop/api.py", range(10, 14))))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "its critical paths are not known" in result.reasons[0]


def test_without_operations_there_are_no_critical_paths() -> None:
    result = Tests().judge(fake.review(), None, report(lines("shop/api.py", range(10, 14))))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons == ("No operation and no job was found in the code.",)
