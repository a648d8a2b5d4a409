"""Who may do what: what is not granted is refused."""

from mainstay.plan.access import Cell, Gap, Matrix, Rows, matrix
from mainstay.sources.specification import read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS


def _matrix(text: str) -> Matrix:
    return matrix(read(text, "spec.yaml"))


def _cell(text: str, operation: str, caller: str) -> Cell:
    found = _matrix(text).cell(operation, caller)
    assert found is not None
    return found


def _gaps(text: str) -> list[tuple[Gap, str, str]]:
    return [(question.gap, question.caller, question.about) for question in _matrix(text).questions]


def test_there_is_a_cell_for_each_operation_and_caller() -> None:
    assert len(_matrix(PAYMENTS).cells) == 4 * 2
    assert len(_matrix(BOOKINGS).cells) == 4 * 2


def test_a_grant_asks_for_its_scope_and_shows_own_rows_only() -> None:
    cell = _cell(PAYMENTS, "refund", "shop")
    assert (cell.allowed, cell.scope, cell.rows) == (True, "refund", Rows.OWN)
    assert (cell.refused, cell.others) == (403, 404)


def test_what_is_not_granted_is_refused() -> None:
    cell = _cell(PAYMENTS, "charge", "auditor")
    assert (cell.allowed, cell.refused, cell.rows) == (False, 403, Rows.NONE)


def test_who_shows_nothing_is_asked_who_he_is() -> None:
    assert _cell(BOOKINGS, "book", "guest").refused == 401


def test_what_anyone_may_do_everybody_may() -> None:
    assert _cell(BOOKINGS, "list_rooms", "guest").allowed
    assert _cell(BOOKINGS, "list_rooms", "desk").allowed


def test_who_sees_all_is_told_of_no_row_that_it_is_not_there() -> None:
    cell = _cell(BOOKINGS, "cancel", "desk")
    assert (cell.rows, cell.others) == (Rows.ALL, 0)


def test_a_scope_that_nothing_asks_for_is_an_open_question() -> None:
    assert (Gap.SCOPE_UNUSED, "auditor", "read") in _gaps(PAYMENTS)


def test_who_reads_only_his_own_and_makes_none_sees_nothing() -> None:
    assert (Gap.SEES_NOTHING, "auditor", "Charge") in _gaps(PAYMENTS)
    seeing = PAYMENTS.replace("auditor: {auth: oauth2,", "auditor: {auth: oauth2, sees: all,")
    assert Gap.SEES_NOTHING not in {gap for gap, _, _ in _gaps(seeing)}


def test_rows_that_anyone_reads_are_an_open_question_and_so_is_what_anyone_writes() -> None:
    assert _gaps(BOOKINGS) == []  # rooms are made by one who sees all of them
    owned = BOOKINGS.replace(", sees: all", "")
    assert (Gap.PUBLIC_ROWS, "guest", "Room") in _gaps(owned)
    open_ = BOOKINGS.replace("by: desk with book, creates: Room", "by: guest, creates: Room")
    assert (Gap.PUBLIC_WRITE, "guest", "add_room") in _gaps(open_)
