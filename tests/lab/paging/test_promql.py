"""Prometheus' semantics, by values worked out by hand."""

import math

import pytest

from mainstay.lab.paging.expressions import NotExpression, Unsupported, parse
from mainstay.lab.paging.promql import evaluate, supported
from mainstay.lab.paging.series import Store
from mainstay.lab.paging.vectors import EvaluationError

Values = list[float | None]


def store(unix: float = 0.0, step: int = 15, **series: Values | dict[str, Values]) -> Store:
    """Series with a sample every `step` seconds from 0 on: `a=[1, 2]` or `a={'x="1"': [1, 2]}`."""
    made = Store(unix)
    for name, given in series.items():
        for labels, values in (given if isinstance(given, dict) else {"": given}).items():
            pairs = [pair.split("=") for pair in labels.split(",") if pair]
            one = made.series(name, tuple(sorted((key, text.strip('"')) for key, text in pairs)))
            for index, value in enumerate(values):
                if value is not None:
                    one.add(index * step * 1000, value)
    return made


def ask(expression: str, made: Store, at: float) -> dict[str, float]:
    """The elements by their labels, as Prometheus prints them."""
    tree = parse(expression)
    supported(tree)
    found = evaluate(tree, made, round(at * 1000))
    if isinstance(found, float):
        return {"number": found}
    assert not isinstance(found, str)
    told: dict[str, float] = {}
    for element in found:
        labels = dict(element.labels)
        name = labels.pop("__name__", "")
        told[name + "".join(f'{{{key}="{value}"}}' for key, value in labels.items())] = element.value
    return told


def near(expected: dict[str, float]) -> dict[str, object]:
    return {key: pytest.approx(value, nan_ok=True) for key, value in expected.items()}


STEADY: Values = [float(10 * n) for n in range(41)]  # 10 every 15 s, for 10 min


def test_rate_and_increase_reach_to_the_edges_of_a_full_range() -> None:
    # (5 min, 10 min] holds 20 samples that cover 285 s; the edge is one interval away and counts as reached.
    made = store(a=STEADY)
    assert ask("increase(a[5m])", made, 600) == near({"": 190 * 300 / 285})
    assert ask("rate(a[5m])", made, 600) == near({"": 10 / 15})


def test_a_series_that_began_within_the_range_is_extended_by_half_an_interval() -> None:
    # 4 samples at 60..105 s: 30 in 45 s, half of 15 s before, 15 s to the end of the range at 120 s.
    made = store(a=[None, None, None, None, 100, 110, 120, 130])
    assert ask("increase(a[5m])", made, 120) == near({"": 30 * (45 + 7.5 + 15) / 45})
    assert ask("rate(a[5m])", made, 120) == near({"": 30 * (45 + 7.5 + 15) / 45 / 300})


def test_a_counter_is_not_extended_below_zero_and_a_gauge_is() -> None:
    # From 1 to 31 in 45 s: zero would have been 1.5 s before the first sample.
    made = store(a=[None, None, None, None, 1, 11, 21, 31])
    assert ask("increase(a[5m])", made, 120) == near({"": 30 * (45 + 1.5 + 15) / 45})
    assert ask("delta(a[5m])", made, 120) == near({"": 30 * (45 + 7.5 + 15) / 45})


def test_a_counter_that_began_anew_goes_on_counting() -> None:
    made = store(a=[0, 10, 20, 5, 15])  # 20, then 15 since the restart; (0, 60] holds 10 20 5 15
    assert ask("increase(a[1m])", made, 60) == near({"": 25 * (45 + 15) / 45})
    assert ask("resets(a[1m])", made, 60) == {"": 1.0}
    assert ask("irate(a[1m])", made, 45) == near({"": 5 / 15})


def test_a_range_is_open_at_its_start_and_one_sample_makes_no_rate() -> None:
    made = store(a=[1, 2, 4])
    assert ask("count_over_time(a[15s])", made, 30) == {"": 1.0}
    assert ask("rate(a[15s])", made, 30) == {}
    assert ask("count_over_time(a[31s])", made, 30) == {"": 3.0}


def test_the_over_time_functions() -> None:
    made = store(a=[None, 4, 1, math.nan, 3])
    for name, value in {"max": 4, "min": 1, "count": 4, "sum": math.nan, "avg": math.nan}.items():
        assert ask(f"{name}_over_time(a[5m])", made, 60) == near({"": value})
    assert ask("last_over_time(a[5m])", made, 60) == {"a": 3.0}
    assert ask("quantile_over_time(0.5, a[30s])", store(a=[9, 1, 2]), 30) == {"": 1.5}


def test_deriv_is_the_slope_of_least_squares_and_predicts() -> None:
    made = store(a=[0, 30, 60, 90])
    assert ask("deriv(a[5m])", made, 45) == near({"": 2})
    assert ask("predict_linear(a[5m], 60)", made, 45) == near({"": 90 + 120})


def test_offset_looks_into_the_past() -> None:
    made = store(a=STEADY)
    assert ask("a offset 5m", made, 600) == {"a": 200.0}
    assert ask("rate(a[1m] offset 5m)", made, 600) == near({"": 10 / 15})
    assert ask("a - a offset 1m", made, 600) == {"": 40.0}


def test_a_series_is_gone_after_five_minutes_or_when_it_ended() -> None:
    made = store(a=[1])
    assert ask("a", made, 299) == {"a": 1.0}
    assert ask("a", made, 300) == {}
    made.named("a")[0].end(100_000)
    assert ask("a", made, 99) == {"a": 1.0}
    assert ask("a", made, 100) == {}
    assert ask("count_over_time(a[5m])", made, 200) == {"": 1.0}


def test_the_four_matchers_anchor_and_take_a_missing_label_for_an_empty_one() -> None:
    made = store(a={'s="500"': [1], 's="50"': [2], 't="1"': [3]})
    assert ask('a{s="500"}', made, 0) == {'a{s="500"}': 1.0}
    assert ask('a{s!="500"}', made, 0) == {'a{s="50"}': 2.0, 'a{t="1"}': 3.0}
    assert ask('a{s=~"5.."}', made, 0) == {'a{s="500"}': 1.0}
    assert ask('a{s!~"5.*"}', made, 0) == {'a{t="1"}': 3.0}
    assert ask('{__name__=~"a|b",s=~"5.+"}', made, 0) == {'a{s="500"}': 1.0, 'a{s="50"}': 2.0}


GROUPS = store(a={'x="1",y="1"': [1], 'x="1",y="2"': [2], 'x="2",y="1"': [4]})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sum(a)", {"": 7}),
        ("sum by (x) (a)", {'{x="1"}': 3, '{x="2"}': 4}),
        ("sum without (y) (a)", {'{x="1"}': 3, '{x="2"}': 4}),
        ("max by (y) (a)", {'{y="1"}': 4, '{y="2"}': 2}),
        ("min(a)", {"": 1}),
        ("avg(a)", {"": 7 / 3}),
        ("count by (x) (a)", {'{x="1"}': 2, '{x="2"}': 1}),
        ("stddev(a{x='1'})", {"": 0.5}),
        ("quantile(0.5, a)", {"": 2}),
        ("topk(1, a)", {'a{x="2"}{y="1"}': 4}),
        ("bottomk by (y) (1, a)", {'a{x="1"}{y="1"}': 1, 'a{x="1"}{y="2"}': 2}),
        ("sum(nothing)", {}),
    ],
)
def test_aggregation(expression: str, value: dict[str, float]) -> None:
    assert ask(expression, GROUPS, 0) == near(value)


PAIRS = store(e={'c="500",p="/"': [3], 'c="404",p="/"': [1]}, all={'p="/"': [40], 'p="/x"': [9]}, one=[2])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("e / ignoring(c) group_left all", {'{c="404"}{p="/"}': 1 / 40, '{c="500"}{p="/"}': 3 / 40}),
        ("all * on(p) group_right e", {'{c="404"}{p="/"}': 40, '{c="500"}{p="/"}': 120}),
        ("sum by (p) (e) / on(p) all", {'{p="/"}': 0.1}),
        ("e > 2", {'e{c="500"}{p="/"}': 3}),
        ("2 < e", {'e{c="500"}{p="/"}': 3}),
        ("e > bool 2", {'{c="500"}{p="/"}': 1, '{c="404"}{p="/"}': 0}),
        ("1 > bool 2", {"number": 0}),
        ("all > 10 and on(p) e", {'all{p="/"}': 40}),
        ("all unless on(p) e", {'all{p="/x"}': 9}),
        ("one or on() vector(7)", {"one": 2}),
        ("nothing or vector(7)", {"": 7}),
        ("-one", {"": -2}),
        ("one ^ 3 % 3", {"": 2}),
        ("one / 0", {"": math.inf}),
        ("0 / 0", {"number": math.nan}),
        ("scalar(one) + 1", {"number": 3}),
        ("scalar(e)", {"number": math.nan}),
        ("clamp_max(e, 2)", {'{c="500"}{p="/"}': 2, '{c="404"}{p="/"}': 1}),
        ("round(one / 0.3, 0.5)", {"": 6.5}),
        ("floor(one / 3) + ceil(one / 3)", {"": 1}),
        ('label_replace(one, "k", "$1!", "", "(.*)")', {'one{k="!"}': 2}),
    ],
)
def test_operators_and_functions_of_values(expression: str, value: dict[str, float]) -> None:
    assert ask(expression, PAIRS, 0) == near(value)


def test_absent_says_what_is_missing() -> None:
    made = store(a=[1])
    assert ask('absent(a{job="x",p=~"y"})', made, 0) == {'{job="x"}': 1.0}
    assert ask("absent(a)", made, 0) == {}
    assert ask("absent_over_time(a[5m])", made, 400) == {"": 1.0}
    assert ask("absent(sum(nothing))", made, 0) == {"": 1.0}


BUCKETS: dict[str, Values] = {'le="0.1"': [50], 'le="0.5"': [90], 'le="1"': [95], 'le="+Inf"': [100]}


@pytest.mark.parametrize(
    ("share", "value"),
    [
        (0.25, 0.05),  # half of the first bucket
        (0.9, 0.5),
        (0.7, 0.1 + 0.4 * 20 / 40),
        (0.99, 1.0),  # nothing is known beyond the last bound
        (2, math.inf),
    ],
)
def test_a_histogram_quantile_is_linear_within_its_bucket(share: float, value: float) -> None:
    assert ask(f"histogram_quantile({share}, h)", store(h=BUCKETS), 0) == near({"": value})


def test_a_histogram_without_requests_or_without_its_last_bucket_has_no_quantile() -> None:
    empty: dict[str, Values] = {'le="1"': [0], 'le="+Inf"': [0]}
    assert ask("histogram_quantile(0.9, h)", store(h=empty), 0) == near({"": math.nan})
    cut: dict[str, Values] = {'le="1"': [5], 'le="2"': [7]}
    assert ask("histogram_quantile(0.9, h)", store(h=cut), 0) == near({"": math.nan})


def test_time_is_that_of_the_wall_clock() -> None:
    made = store(unix=1_700_000_000.0, last=[1_699_999_000.0])
    assert ask("time() - last", made, 10) == {"": 1010.0}
    assert ask("timestamp(last)", made, 10) == {"": 1_700_000_000.0}
    assert ask("hour()", made, 0) == {"": 22.0}


def test_a_subquery_is_evaluated_at_whole_steps() -> None:
    made = store(a=STEADY)
    assert ask("max_over_time(rate(a[1m])[5m:1m])", made, 600) == near({"": 10 / 15})
    assert ask("count_over_time(a[5m:1m])", made, 610) == {"": 5.0}
    assert ask("min_over_time((a > bool 300)[2m:15s])", made, 500) == {"": 0.0}


def test_elements_without_a_partner_are_left_out() -> None:
    assert ask("e * all", PAIRS, 0) == {}
    assert ask("sum(e) by (p) * on() nothing", PAIRS, 0) == {}


def test_two_series_for_one_without_group_left_are_refused() -> None:
    with pytest.raises(EvaluationError, match="several series match one"):
        ask("e / on(p) all", PAIRS, 0)
    with pytest.raises(EvaluationError, match="the side that may have one only"):
        ask("one * on() all", PAIRS, 0)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("holt_winters(a[5m], 0.5, 0.5)", "the function `holt_winters`"),
        ("histogram_avg(a)", "the function `histogram_avg`"),
        ("a @ 5", "the modifier `@`"),
        ("max_over_time(a[1d:1m])", "a subquery of more than 500 steps"),
        ('a{b=~"[[:alpha:]]+"}', "the regular expression"),
        ("ALERTS{severity='page'}", "the series `ALERTS`"),
        ("+".join("a" * 10_000), "more than 5000 characters"),
        ("(" * 1500 + "a" + ")" * 1500, "nested this deeply"),
    ],
)
def test_what_is_not_supported_is_said_by_name(expression: str, named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        supported(parse(expression))


@pytest.mark.parametrize("expression", ["sum(", "a > > 1", "1 > 2", "a{b=~'('}", "rate(a)", ""])
def test_what_is_no_expression_has_the_reason_of_the_parser(expression: str) -> None:
    with pytest.raises(NotExpression) as raised:
        parse(expression)
    assert str(raised.value)
    assert "\n" not in str(raised.value)
