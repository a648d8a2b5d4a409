"""What is kept of the scrapes, and what Prometheus would see of it."""

from mainstay.lab.paging.exposition import Sample
from mainstay.lab.paging.series import LOOKBACK, Recording, Series

WEB = (("instance", "web-1"), ("job", "web"))


def sample(name: str, value: float, **labels: str) -> Sample:
    return Sample(name, tuple(sorted(labels.items())), value)


def one(recording: Recording, name: str) -> Series:
    (series,) = recording.named(name)
    return series


def test_each_sample_carries_its_target_and_loses_labels_of_the_same_name() -> None:
    recording = Recording()
    recording.scraped(1.0, WEB, [sample("a", 5, job="other", path="/x")], {})
    labels = (("exported_job", "other"), ("instance", "web-1"), ("job", "web"), ("path", "/x"))
    assert one(recording, "a").labels == labels
    assert one(recording, "up").latest(1000) == (1000, 1.0)


def test_a_failed_scrape_sets_up_to_0_and_ends_the_series_at_once() -> None:
    recording = Recording()
    recording.scraped(1.0, WEB, [sample("a", 5)], {})
    recording.failed(2.0, WEB)
    assert one(recording, "a").latest(1999) == (1000, 5.0)
    assert one(recording, "a").latest(2000) is None
    assert one(recording, "up").latest(2000) == (2000, 0.0)
    recording.scraped(3.0, WEB, [sample("a", 1)], {})
    assert one(recording, "a").latest(3000) == (3000, 1.0)
    assert one(recording, "a").latest(2500) is None


def test_a_series_that_is_no_longer_shown_ends_though_its_target_is_up() -> None:
    recording = Recording()
    recording.scraped(1.0, WEB, [sample("a", 5), sample("b", 1)], {})
    recording.scraped(2.0, WEB, [sample("b", 1)], {})
    assert one(recording, "a").latest(2000) is None
    assert one(recording, "b").latest(2000) == (2000, 1.0)


def test_after_five_minutes_a_sample_is_too_old() -> None:
    series = Series("a", ())
    series.add(1000, 7.0)
    assert series.latest(1000 + LOOKBACK - 1) == (1000, 7.0)
    assert series.latest(1000 + LOOKBACK) is None


def test_the_second_of_two_equal_series_in_a_scrape_is_dropped() -> None:
    recording = Recording()
    recording.scraped(1.0, WEB, [sample("a", 5), sample("a", 6)], {})
    assert list(one(recording, "a").values) == [5.0]


def test_what_counts_is_told_by_the_declared_type_and_else_by_the_name() -> None:
    recording = Recording()
    types = {"paid": "counter", "lat": "summary", "odd_total": "gauge"}
    names = ("paid_total", "lat", "lat_count", "odd_total", "undeclared_total", "undeclared")
    recording.scraped(1.0, WEB, [sample(name, 1) for name in names], types)
    counts = {name: recording.counts(one(recording, name)) for name in names}
    assert counts == {
        "paid_total": True,
        "lat": False,
        "lat_count": True,
        "odd_total": False,
        "undeclared_total": True,
        "undeclared": False,
    }


def test_memory_is_bounded_by_series_and_by_samples() -> None:
    recording = Recording(most_series=10, most_samples=500)
    for second in range(200):
        recording.scraped(second, WEB, [sample("a", second, n=str(n)) for n in range(20)], {})
    assert len(recording.named("a")) == 10  # what Prometheus adds itself is kept beside them
    assert recording.left_out > 0
    assert sum(len(series.times) for series in recording.all()) <= 500
    assert one(recording, "up").latest(199_000) == (199_000, 1.0)
    assert one(recording, "up").latest(1000) is None, "the older half is forgotten"


def test_a_window_is_a_copy_with_the_ends_that_fall_into_it() -> None:
    recording = Recording()
    for second in range(10):
        recording.scraped(second, WEB, [sample("a", second)], {})
    recording.failed(10.0, WEB)
    copy = recording.window(3000, 8000, ("a",))
    recording.scraped(11.0, WEB, [sample("a", 99)], {})
    (series,) = copy.named("a")
    assert list(series.values) == [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert series.latest(10_500) == (8000, 8.0)
    (whole,) = recording.window(3000, 10_500, ("a",)).named("a")
    assert whole.latest(10_500) is None
    assert copy.names() == ["a"]
