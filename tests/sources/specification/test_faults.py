"""Everything that can be wrong is told with its line, what is wrong and what would be right."""

import pytest

from mainstay.sources.specification import SpecificationError, read
from tests.sources.specification.texts import BOOKINGS, PAYMENTS

# What stands in the text, what is put in its place, the line that is blamed, and what is said of it.
Broken = tuple[str, str, int, str]

YAML: list[Broken] = [
    ("load: {expected", "load: {{expected", 7, "this is not YAML"),
    ("service: payments", "service: [payments", 3, "this is not YAML"),
    ("owner: payments-team", "owner: &team payments-team", 4, "anchors and aliases"),
    ("owner: payments-team", "owner: *team", 4, "anchors and aliases"),
    ("owner: payments-team", "owner: !!str payments-team", 4, "tags (`!`) are not read; leave it out"),
    ("owner: payments-team", "owner: payments-team\nowner: others", 5, "stands here twice, first in line 4"),
    ("  Refund:", "  Charge:", 19, "`Charge` stands here twice, first in line 11; keep one"),
    ("    amount: money > 0\n    rule", "    amount: money > 0\n    amount: money\n    rule", 22, "twice"),
    ("owner: payments-team", "? [a, b]\n: payments-team", 4, "a key is a plain word"),
    ("  processor:\n", "  processor:\n\t\n", 25, "this is not YAML"),
]
SECTIONS: list[Broken] = [
    ("mainstay: 1", "mainstay: 2", 1, "only 1 is known; write `mainstay: 1`"),
    ("mainstay: 1\n", "", 1, "has no `mainstay`; add `mainstay: 1`"),
    ("owner: payments-team\n", "", 1, "has no `owner`; add `owner: payments-team`"),
    ("service: payments", "service: My Payments", 2, "no name for a service; write small letters"),
    (
        "service: payments",
        "servce: payments",
        2,
        "no key in a specification `servce`; did you mean `service`?",
    ),
    ("purpose: Charge", "purpose:\n  - Charge", 3, "`purpose` is a text; write `purpose: Charge cards"),
    ("operations:", "operation:", 32, "did you mean `operations`?"),
    ("owner: payments-team", "owner: ''", 4, "`owner` is a text"),
    ("load: {expected: 50/s, peak: 200/s}", "load: 50/s", 6, "`load` is a mapping; write `{expected: ...}`"),
    ("data_loss: 0s", "dataloss: 0s", 5, "did you mean `data_loss`?"),
]
AMOUNTS: list[Broken] = [
    (
        "critical: true,",
        "critical: true, limit: 5,",
        34,
        "`5` is no amount here; write a number and one of /s",
    ),
    ("p95: 200ms", "p95: 200", 5, "`200` is no amount here; write a number and one of ms, s"),
    ("p95: 200ms", "p95: fast", 5, "`fast` is no amount here"),
    ("availability: 99.9%", "availability: 0.999", 5, "write a number and one of %: `99.9%`"),
    ("availability: 99.9%", "availability: 120%", 5, "`120%` is more than all of it; write at most `100%`"),
    ("recovery: 5min", "recovery: 5 minutes", 5, "`5 minutes` is no amount here"),
    ("expected: 50/s", "expected: 50", 6, "`50` is no amount here; write a number and one of /s, /min, /h"),
    ("expected: 50/s", "expected: 0/s", 6, "a load of nothing needs no service"),
    ("peak: 200/s", "peak: 20/s", 6, "the peak (20/s) is below the expected load (50/s); change one of them"),
    ("timeout: 2s", "timeout: 2", 28, "`2` is no amount here"),
    ("keep 24mo", "keep 24 months", 16, "`24` is no amount here"),
    ("budget: {p95: 50ms}", "budget: {p95: 50}", 37, "`50` is no amount here"),
]
FIELDS: list[Broken] = [
    (
        "amount: money > 0\n    card",
        "amount: money default ten\n    card",
        14,
        "`ten` is no money; write `default 0`",
    ),
    ("email personal keep 24mo", "email default x", 16, "a default makes no sense for email; leave it out"),
    (
        "text(128) secret ",
        "text(128) hashed unique ",
        15,
        "and what is stored so cannot be compared",
    ),
    (
        "text(128) secret ",
        "text(128) hashed secret ",
        15,
        "(it can be read back) and hashed (it cannot)",
    ),
    ("creates: Refund,", "creates: Refund, takes: {pin: txt(4)},", 35, "did you mean `text`?"),
    (
        "amount: money > 0\n    card",
        "amount: monney > 0\n    card",
        14,
        "no type `monney`; did you mean `money`?",
    ),
    ("text(64) unique", "text unique", 13, "a text needs its greatest length; write `text(200)`"),
    ("text(64) unique", "text(0) unique", 13, "a text has 1 to 10000 characters, not 0"),
    ("text(64) unique", "text(64) uniqe", 13, "no word behind a type `uniqe`; did you mean `unique`?"),
    ("enum(pending, captured", "enum(pending, pending, captured", 17, "stands there twice; keep one"),
    (
        "enum(pending, captured, failed, refunded)",
        "enum",
        17,
        "an enum names its values; write `enum(pending",
    ),
    (
        "amount: money > 0\n    card",
        "amount: money > zero\n    card",
        14,
        "`>` needs a whole number behind it",
    ),
    ("text(64) unique", "text(64) > 3", 13, "text has no greater and smaller; compare fields"),
    ("    id: uuid", "    id: integer", 12, "every row has an `id: uuid`; write that, or leave it out"),
    ("order_id:", "Order-Id:", 13, "`Order-Id` is no name for a field; write small letters"),
    ("order_id: text(64) unique", "created_at: time", 13, "every row has a `created_at` of its own"),
    (
        "text(128) secret ",
        "text(128) secret unique ",
        15,
        "stored encrypted cannot be compared; drop `unique`",
    ),
    ("email personal keep 24mo", "email keep 24mo", 16, "say `personal`, or drop `keep`"),
    ("  Refund:", "  refund:", 19, "`refund` is no name for an entity; write a capital first"),
]
RULES: list[Broken] = [
    (
        "rule: sum(amount) by charge <= charge.amount",
        "pin: text(9) secret\n    rule: unique pin",
        23,
        "no rule can be",
    ),
    ("sum(amount) by", "sum(amont) by", 22, "no field of Refund `amont`; did you mean `amount`?"),
    ("sum(amount) by", "sum(charge) by", 22, "`charge` is a reference, and only numbers and money add up"),
    ("by charge <= charge.amount", "<= charge.amount", 22, "put `by charge` behind it"),
    ("<= charge.amount", "<= charge.amout", 22, "no field of Charge `amout`; did you mean `amount`?"),
    (
        "<= charge.amount",
        "<= charge.order_id",
        22,
        "`charge.order_id` is a text, and no number to compare with",
    ),
    ("<= charge.amount", "<= amount", 22, "`amount` is no limit; write a number, or a field of what `by`"),
    ("<= charge.amount", "", 22, "behind `by charge` stands a limit: `<= charge.amount` or `<= 5`"),
    (
        "rule: sum(amount) by charge <= charge.amount",
        "rule: be nice",
        22,
        "`be nice` is no rule that can be kept",
    ),
    ("captured -> refunded", "captured -> failed |", 18, "between `|` there is one state"),
    ("captured -> refunded", "captured refunded", 18, "moves say which state may follow which"),
    ("moves: pending ->", "moves: open ->", 11, "no field of it has these values; add them to `status`"),
]
APART: list[Broken] = [
    ("starts_at to ends_at", "starts_at ends_at", 22, "an interval has two ends"),
    (" by room while held", "", 22, "say of what intervals do not meet"),
    ("starts_at to ends_at by", "start_at to ends_at by", 22, "did you mean `starts_at`?"),
    ("to ends_at by room", "to note by room", 22, "are no interval; make both `time`, or both `date`"),
    ("while held", "while hold", 22, "no state of Booking `hold`; did you mean `held`?"),
    ("by room while", "by rom while", 22, "no field of Booking `rom`; did you mean `room`?"),
    (
        "- starts_at < ends_at",
        "- starts_at < note",
        23,
        "cannot be compared. Compare two times, dates or numbers",
    ),
    ("- starts_at < ends_at", "- starts_at <", 23, "two fields are compared: `starts_at < ends_at`"),
    ("unique room, code", "unique room, cod", 24, "did you mean `code`?"),
    ("unique room, code", "unique", 24, "`unique` names fields: `unique room, day`"),
    ("note: text(500) optional", "note: text(500) optional default x", 18, "it can only be one of both"),
]
CALLERS: list[Broken] = [
    ("by: shop with charge", "by: shopp with charge", 33, "no caller `shopp`; did you mean `shop`?"),
    ("by: shop with charge", "by: shop with chrge", 33, "no scope of shop `chrge`; did you mean `charge`?"),
    ("by: shop with charge, creates", "creates", 33, "nobody may call `charge`; say who may"),
    (
        "by: shop with charge",
        "by: shop having charge",
        33,
        "`shop having charge` is no caller; write `shop`, or",
    ),
    ("{auth: oauth2, scopes: [read]}", "{auth: oauth, scopes: [read]}", 9, "did you mean `oauth2`?"),
    ("{auth: oauth2, scopes: [read]}", "{scopes: [read]}", 9, "does not show who he is; add `auth: api key`"),
    ("{auth: oauth2, scopes: [read]}", "{auth: nobody}", 9, "nothing says why that is right; add `why: ...`"),
    ("  auditor:", "  Auditor:", 9, "`Auditor` is no name for a caller; write small letters"),
    ("{auth: oauth2, scopes: [read]}", "{auth: oauth2, scope: [read]}", 9, "did you mean `scopes`?"),
    ("{auth: oauth2, scopes: [read]}", "oauth2", 9, "the caller `auditor` is a mapping"),
    ("callers:\n", "callers:\n  spare: {auth: api key}\n", 8, "`spare` may call nothing"),
]
NEEDS: list[Broken] = [
    ("kind: http", "kind: htp", 25, "no kind of need `htp`; did you mean `http`?"),
    ("    kind: http\n", "", 25, "has no `kind`; add `kind: http`"),
    ("    timeout: 2s\n", "", 24, "a call without one waits for ever; add `timeout: 2s`"),
    ("timeout: 2s", "timeout: 0s", 28, "a timeout of nothing lets no call through; write `2s`"),
    ("    url: env PROCESSOR_URL\n", "", 24, "nothing says where `processor` is"),
    (
        "env PROCESSOR_URL",
        "https://processor.test",
        26,
        "`url` names a setting of the environment, and no value",
    ),
    ("secret PROCESSOR_KEY", "sk_live_1", 27, "`auth` names a setting of the environment, and no value"),
    ("when_down: accept and settle later", "when_down: pray", 30, "`pray` is nothing that a service can do"),
    (
        "{kind: queue, when_down: settle later}",
        "{kind: queue}",
        31,
        "nothing says what happens while `receipts`",
    ),
    ("header Idempotency-Key", "yes", 29, "`idempotent` names a header that makes repeats safe"),
    ("  receipts: {", "  spare: {kind: mail, when_down: refuse}\n  receipts: {", 31, "nothing uses `spare`"),
]
OPERATIONS: list[Broken] = [
    ("POST: /charges,", "GET: /charges,", 33, "a GET changes nothing, and this one writes; make it a POST"),
    ("{POST: /charges,", "{", 33, "`charge` has no method and path; write one"),
    ("{POST: /charges,", "{POST: /charges, PUT: /charges,", 33, "`charge` has 2 methods; write one"),
    ("POST: /charges,", "POST: charges,", 33, "`charges` is no path; write small letters between slashes"),
    ("creates: Charge", "creates: Chrge", 33, "no entity `Chrge`; did you mean `Charge`?"),
    ("calls: processor", "calls: procesor", 33, "no need `procesor`; did you mean `processor`?"),
    (
        "calls: processor",
        "calls: receipts",
        33,
        "`receipts` is a queue: it is not called; write `emits: receipts`",
    ),
    ("locks: charge", "locks: chrge", 35, "no entity to `locks` `chrge`; did you mean `charge`?"),
    (
        "charge -> refunded,",
        "charge -> refundd,",
        35,
        "no state of Charge `refundd`; did you mean `refunded`?",
    ),
    ("charge -> refunded,", "charge -> pending,", 35, "nothing moves to `pending` by the moves of `Charge`"),
    ("Charge by status", "Charge by state", 38, "no field of Charge `state`; did you mean `status`?"),
    (
        "Charge by status",
        "Charge by card_token",
        38,
        "`card_token` is secret, and a list by it would tell it",
    ),
    ("{GET: /charges,", '{GET: "/charges/{charge}",', 38, "is another operation's already; change its path"),
    ("reads: Charge,", "", 37, "nothing says what this GET shows; add `reads: Charge`"),
    (
        "reads: Charge,",
        "reads: Charge, lists: Charge,",
        37,
        "reads and lists at once; make two operations of it",
    ),
    ("critical: true,", "critical: yes,", 34, "`critical` is `true` or `false`, not `yes`"),
]


def check(text: str, broken: Broken) -> None:
    old, new, line, said = broken
    assert old in text
    with pytest.raises(SpecificationError) as caught:
        read(text.replace(old, new, 1), "spec.yaml")
    told = [fault for fault in caught.value.faults if said in fault.said]
    assert [fault.location.line for fault in told] == [line], caught.value
    assert str(told[0]).startswith(f"spec.yaml:{line}:")


@pytest.mark.parametrize(
    "broken",
    [*YAML, *SECTIONS, *AMOUNTS, *FIELDS, *RULES, *CALLERS, *NEEDS, *OPERATIONS],
    ids=lambda b: b[1][:40],
)
def test_a_broken_payment_service(broken: Broken) -> None:
    check(PAYMENTS, broken)


@pytest.mark.parametrize("broken", APART, ids=lambda b: b[1][:40])
def test_a_broken_booking_service(broken: Broken) -> None:
    check(BOOKINGS, broken)
