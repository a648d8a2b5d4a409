"""What handlers do about a failure, as the rules on handlers see it."""

from textwrap import dedent

import pytest

from mainstay.model.finding import Severity
from mainstay.rules.failure.swallowed_exception import SwallowedException
from mainstay.rules.monitoring.hidden_failure import HiddenFailure
from tests.rules.conftest import Found

HEAD = """
import requests, time, logging
from django.db import models, transaction

log = logging.getLogger(__name__)

class Rate(models.Model): ...

"""


def both(found: Found, text: str) -> list[tuple[str, Severity]]:
    """The rules that find something, with the severity."""
    files = {"app.py": HEAD + dedent(text)}
    return [
        (finding.rule, finding.severity)
        for rule in (SwallowedException, HiddenFailure)
        for finding in found(rule, files)
    ]


SWALLOWED = "swallowed-exception"
HIDDEN = "hidden-failure"


def test_a_lost_question_weighs_less_than_a_lost_change(found: Found) -> None:
    asked = """
        def rate():
            try:
                requests.get("https://rates", timeout=3)
            except requests.RequestException:
                pass
    """
    assert both(found, asked) == [(SWALLOWED, Severity.MEDIUM)]
    assert both(found, asked.replace("get(", "post(")) == [(SWALLOWED, Severity.HIGH)]


def test_a_lost_question_inside_a_transaction_weighs_more(found: Found) -> None:
    text = """
        def rate():
            with transaction.atomic():
                try:
                    requests.get("https://rates", timeout=3)
                except requests.RequestException:
                    pass
    """
    assert both(found, text) == [(SWALLOWED, Severity.HIGH)]


@pytest.mark.parametrize("empty", ["None", "[]", "{}", "0", "''", "False", "(None, None)"])
def test_an_empty_answer_hides_the_failure(found: Found, empty: str) -> None:
    text = f"""
        def rate():
            try:
                return requests.get("https://rates", timeout=3).json()
            except requests.RequestException:
                return {empty}
    """
    assert both(found, text) == [(HIDDEN, Severity.MEDIUM)]


@pytest.mark.parametrize("other", ["-1", "-default", "default", "[default]", "(None, default)"])
def test_an_answer_of_its_own_hides_nothing(found: Found, other: str) -> None:
    text = f"""
        def rate(default):
            try:
                return requests.get("https://rates", timeout=3).json()
            except requests.RequestException:
                return {other}
    """
    assert HIDDEN not in dict(both(found, text))


def test_an_empty_answer_behind_the_handler_hides_it_too(found: Found) -> None:
    text = """
        def rate():
            try:
                return requests.get("https://rates", timeout=3).json()
            except requests.RequestException:
                pass
            return None
    """
    assert both(found, text) == [(HIDDEN, Severity.MEDIUM)]


@pytest.mark.parametrize(
    "does",
    [
        "raise",
        "log.exception('away')",
        "log.warning('away', exc_info=True)",
        "log.warning('away: %s', error)",
        "failures.append(error)",
        "notify(error)",
    ],
)
def test_a_handler_that_tells_is_no_finding(found: Found, does: str) -> None:
    text = f"""
        def rate(failures):
            try:
                return requests.get("https://rates", timeout=3).json()
            except requests.RequestException as error:
                {does}
            return None
    """
    assert both(found, text) == []


@pytest.mark.parametrize(
    "around",
    [
        """
        def rate():
            while True:
                try:
                    return requests.get("https://rates", timeout=3)
                except requests.RequestException:
                    pass
                time.sleep(5)
        """,
        """
        def rate():
            for attempt in range(3):
                try:
                    return requests.get("https://rates", timeout=3)
                except requests.RequestException:
                    time.sleep(1)
            raise TimeoutError
        """,
    ],
)
def test_what_is_tried_again_is_not_lost_yet(found: Found, around: str) -> None:
    assert both(found, around) == []


@pytest.mark.parametrize(
    "text",
    [
        """
        def close(client):
            try:
                requests.post("https://rates/bye", timeout=3)
            except Exception:
                pass
        """,
        """
        def work():
            try:
                pass
            finally:
                try:
                    requests.post("https://rates/bye", timeout=3)
                except Exception:
                    pass
        """,
        """
        def send_telemetry():
            try:
                requests.post("https://rates/seen", timeout=3)
            except Exception:
                pass
        """,
    ],
)
def test_cleaning_up_and_reporting_may_fail(found: Found, text: str) -> None:
    assert both(found, text) == []


def test_a_row_deleted_because_a_service_is_away(found: Found) -> None:
    text = """
        def refresh(rate):
            try:
                requests.get("https://rates", timeout=3)
            except Exception:
                Rate.objects.filter(pk=rate).delete()
    """
    assert both(found, text) == [(HIDDEN, Severity.HIGH)]


def test_another_attempt_behind_the_handler(found: Found) -> None:
    text = """
        def rate():
            try:
                return requests.get("https://rates", timeout=3)
            except requests.RequestException:
                pass
            return requests.get("https://other", timeout=3)
    """
    assert both(found, text) == []


def test_a_handler_that_looks_which_failure_it_was(found: Found) -> None:
    text = """
        def rate():
            try:
                return requests.get("https://rates", timeout=3).json()
            except requests.HTTPError as error:
                if error.response.status_code != 404:
                    raise
                return None
    """
    assert both(found, text) == []
    assert both(found, text.replace("raise", "log.info('odd')")) == []


def test_suppress_is_a_handler(found: Found) -> None:
    text = """
        from contextlib import suppress

        def tell():
            with suppress(requests.RequestException):
                requests.post("https://rates/seen", timeout=3)
    """
    assert both(found, text) == [(SWALLOWED, Severity.HIGH)]


@pytest.mark.parametrize("answer", ['{"ok": True}', "Outcome(success=True)"])
def test_an_answer_that_says_it_was_done(found: Found, answer: str) -> None:
    text = f"""
        def tell():
            try:
                requests.post("https://rates/seen", timeout=3)
            except requests.RequestException:
                return {answer}
    """
    assert (HIDDEN, Severity.HIGH) in both(found, text)
