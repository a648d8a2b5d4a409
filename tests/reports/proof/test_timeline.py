"""Where things stand in the drawings."""

import re

import msgspec
import pytest

from mainstay.model.proof import Band, Bar, Curve, Measurement, Point, Window
from mainstay.reports.proof import curve, histogram, timeline
from mainstay.reports.proof.scales import Linear, logarithmic, polyline
from tests.reports.proof import fake


def drawn(measurement: Measurement = fake.PAUSED) -> timeline.Timeline:
    line = timeline.draw(measurement, 0.2)
    assert line is not None
    return line


def test_without_windows_there_is_nothing_to_draw() -> None:
    assert timeline.draw(fake.RETRIED, 0.2) is None


def test_slower_is_higher_and_later_is_further_right() -> None:
    line = drawn(fake.STEADY)
    assert line.top < line.budget < line.middle
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line.p95)]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert all(line.budget < y < line.middle for _, y in places)  # below the budget's line: quicker


def test_the_line_ends_where_nothing_was_answered() -> None:
    assert drawn(fake.STEADY).p95.count("M") == 1
    assert drawn(fake.PAUSED).p95.count("M") == 2


def test_a_band_covers_its_seconds() -> None:
    line = drawn()
    paused = line.shades[0]
    across = Linear(0.0, 60.0, line.left, line.right)
    assert paused.hint == "the database is paused: 10.0 to 15.0 s"
    assert paused.x == pytest.approx(across(10.0))
    assert paused.x + paused.width == pytest.approx(across(15.0), abs=0.2)


def test_labels_of_bands_do_not_cover_each_other() -> None:
    bands = tuple(Band(f"the network is cut, time {n}", 10.0 + n, 10.5 + n) for n in range(6))
    shades = drawn(msgspec.structs.replace(fake.PAUSED, bands=bands)).shades
    assert len({shade.label_y for shade in shades}) == 6
    far = (Band("first", 2.0, 4.0), Band("second", 40.0, 44.0))
    assert len({s.label_y for s in drawn(msgspec.structs.replace(fake.PAUSED, bands=far)).shades}) == 1


def test_many_bands_do_not_push_the_drawing_down() -> None:
    bands = tuple(Band(f"{n} requests a second, for a while", 2.0 * n, 2.0 * n + 2) for n in range(30))
    line = drawn(msgspec.structs.replace(fake.PAUSED, bands=bands))
    assert line.top < 120
    assert [shade.label for shade in line.shades].count("") > 0
    assert all(shade.hint for shade in line.shades)


def test_labels_stay_inside_the_drawing() -> None:
    late = (Band("the database is killed and started again", 58.0, 60.0),)
    for width in (timeline.WIDE, timeline.NARROW):
        line = timeline.draw(msgspec.structs.replace(fake.PAUSED, bands=late), 0.2, width)
        assert line is not None
        shade = line.shades[0]
        assert line.left <= shade.label_x
        assert shade.label_x + len(shade.label) * timeline.LETTER <= line.right + 1


def test_a_bar_is_as_high_as_the_share_of_failed_requests() -> None:
    line = drawn()
    whole = line.bottom - line.failed_top
    assert line.columns[10].height == pytest.approx(whole, abs=0.2)
    assert line.columns[5].height == pytest.approx(whole / 2, abs=0.2)
    assert line.columns[0].height == 0


def test_one_failed_request_in_many_is_seen() -> None:
    windows = (Window(0.0, 2.0, 100_000, 1, 0.1, 0.1, 0.1),)
    assert drawn(msgspec.structs.replace(fake.STEADY, windows=windows)).columns[0].height >= 2


def test_a_window_tells_its_numbers() -> None:
    assert drawn().columns[5].hint == (
        "10 to 12 s: 120 due, 60 failed, p50 2.1 s, p95 7.4 s, worst 9.9 s, "
        "on fresh connections 40 of 60 failed, p95 8.1 s"
    )


def test_the_drawing_is_told_in_words() -> None:
    assert "requests failed between 10 and 48 s" in drawn().said
    assert drawn(fake.STEADY).said == "no request failed; the highest p95 of a window is 22.4 ms."


def test_a_lone_point_is_a_dash() -> None:
    assert polyline([None, (10.0, 5.0), None]) == "M8 5L12 5"


def test_a_scale_holds_whatever_it_is_given() -> None:
    scale = logarithmic([0.00002, 40.0, 0.0, float("inf")], 100.0, 0.0)
    assert [tick.label for tick in scale.ticks()] == [
        "0.01 ms", "0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"
    ]  # fmt: skip
    assert scale(1e9) == 0.0
    assert scale(0.0) == 100.0


def test_ticks_are_round() -> None:
    assert [tick.label for tick in Linear(0, 60, 0, 100).ticks(10, " s")] == [
        "0", "10", "20", "30", "40", "50", "60 s"
    ]  # fmt: skip


# --- histogram -------------------------------------------------------------------------------------


def test_answers_beyond_the_budget_are_marked() -> None:
    bars = histogram.draw(fake.BARS, 0.2)
    assert bars is not None
    assert [column.slow for column in bars.columns] == [False] * 6 + [True] * 2
    assert bars.said == "3,631 answers, 33 of them slower than 200 ms."
    assert bars.columns[-1].hint == "500 ms and more: 31 of 3,631 answers"


def test_a_single_slow_answer_is_seen() -> None:
    bars = histogram.draw((Bar(0.1, 1_000_000), Bar(1.0, 1)), 0.2)
    assert bars is not None
    assert bars.columns[-1].height >= 1


def test_empty_bars_at_the_ends_are_left_out() -> None:
    bars = histogram.draw((Bar(0.001, 0), Bar(0.01, 0), Bar(0.1, 5), Bar(1.0, 0)), 0.2)
    assert bars is not None
    assert [column.count for column in bars.columns] == ["", "5"]
    assert histogram.draw((Bar(1.0, 0),), 0.2) is None


# --- curve and map ---------------------------------------------------------------------------------


def test_a_curve_marks_what_held() -> None:
    assert fake.KNEE.curve is not None
    drawing = curve.draw(fake.KNEE.curve, 0.2)
    assert isinstance(drawing, curve.Drawing)
    assert [dot.held for dot in drawing.dots] == [True] * 4 + [False] * 2
    assert all(dot.y > drawing.budget for dot in drawing.dots[:4])
    assert all(dot.y < drawing.budget for dot in drawing.dots[4:])


def test_a_map_says_from_which_load_it_comes_back() -> None:
    assert fake.MAP.curve is not None
    found = curve.draw(fake.MAP.curve, 0.2)
    assert isinstance(found, curve.Map)
    assert found.rates == ("60/s", "120/s", "180/s", "240/s")
    assert [row for row, _ in found.rows] == ["1", "2", "5", "10"]
    assert [cell.text for cell in found.rows[-1][1]] == ["12 s", "no", "no", "no"]
    assert found.said == "It held up to 60/s, and no longer at 120/s."


def test_one_length_of_pause_makes_a_map_of_one_row() -> None:
    found = curve.draw(Curve("it", "pause", "recovery", (Point(10, 5, True, 2.0),)), 0.2)
    assert isinstance(found, curve.Map)
    assert [row for row, _ in found.rows] == ["5"]


def test_a_place_of_the_map_where_nobody_looked_is_neither() -> None:
    points = (Point(10, 1, True, 2.0), Point(20, 2, False))
    found = curve.draw(Curve("it", "pause", "recovery", points), 0.2)
    assert isinstance(found, curve.Map)
    assert [[cell.held for cell in cells] for _, cells in found.rows] == [[True, None], [None, False]]


def test_a_load_that_held_above_one_that_did_not_does_not_count() -> None:
    points = (Point(10, 0, True, 0.1), Point(20, 0, False, 0.9), Point(30, 0, True, 0.1))
    drawing = curve.draw(Curve("it", "", "p95", points), 0.2)
    assert drawing is not None
    assert drawing.said == "It held up to 10/s, and no longer at 20/s."
    assert curve.draw(Curve("it", "", "p95", ()), 0.2) is None
