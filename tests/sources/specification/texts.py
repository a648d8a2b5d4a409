"""Specifications that are right, for tests to break."""

PAYMENTS = """\
mainstay: 1
service: payments
purpose: Charge cards for orders and pay refunds, exactly once.
owner: payments-team
budgets: {availability: 99.9%, errors: 0.1%, p95: 200ms, recovery: 5min, data_loss: 0s}   # the defaults
load: {expected: 50/s, peak: 200/s}
callers:
  shop:    {auth: oauth2, scopes: [charge, refund]}
  auditor: {auth: oauth2, scopes: [read]}
data:
  Charge:
    id: uuid
    order_id: text(64) unique
    amount: money > 0
    card_token: text(128) secret            # never logged, encrypted column
    payer_email: email personal keep 24mo
    status: enum(pending, captured, failed, refunded)
    moves: pending -> captured | failed, captured -> refunded
  Refund:
    charge: Charge
    amount: money > 0
    rule: sum(amount) by charge <= charge.amount
needs:
  processor:
    kind: http
    url: env PROCESSOR_URL
    auth: secret PROCESSOR_KEY
    timeout: 2s
    idempotent: header Idempotency-Key      # it may be retried only because of this line
    when_down: accept and settle later      # refuse | degrade to ... | accept and settle later
  receipts: {kind: queue, when_down: settle later}
operations:
  charge:       {POST: /charges, by: shop with charge, creates: Charge, calls: processor,
                 emits: receipts, critical: true, load: {peak: 120/s}}
  refund:       {POST: "/charges/{id}/refunds", by: shop with refund, creates: Refund,
                 locks: charge, moves: charge -> refunded, critical: true}
  get_charge:   {GET: "/charges/{id}", by: "shop, auditor", reads: Charge, budget: {p95: 50ms}}
  list_charges: {GET: /charges, by: auditor, lists: "Charge by status, created_at"}
"""

BOOKINGS = """\
mainstay: 1
service: bookings
purpose: Book rooms, and no room twice.
owner: desk
load: {expected: 20/s}
callers:
  desk: {auth: api key, scopes: [book], sees: all}
  guest: {auth: nobody, why: prices are no secret}
data:
  Room:
    name: text(80) unique
    price: money >= 0
  Booking:
    room: Room
    code: text(12)
    starts_at: time
    ends_at: time
    note: text(500) optional
    status: enum(held, done, gone) default held
    moves: held -> done | gone
    rules:
      - no overlap of starts_at to ends_at by room while held
      - starts_at < ends_at
      - unique room, code
operations:
  add_room: {POST: /rooms, by: desk with book, creates: Room}
  list_rooms: {GET: /rooms, by: guest, lists: Room by name}
  book: {POST: "/rooms/{id}/bookings", by: desk with book, creates: Booking, locks: room, critical: true}
  cancel: {POST: "/bookings/{id}/cancel", by: desk with book, changes: Booking, moves: booking -> gone}
"""
