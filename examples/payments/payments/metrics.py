"""What this service tells Prometheus; alerts.yml names these."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "payments_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
)
# Without labels it is there from the start, at 0. A series that appears with the first failure
# hides that failure from rate(), which needs two samples to see a step.
FAILED_REQUESTS = Counter("payments_failed_requests_total", "Requests answered with a 5xx")
CHARGES = Counter("payments_charges_total", "Charges by outcome", ["outcome"])
REFUNDS = Counter("payments_refunds_total", "Refunds by outcome", ["outcome"])
PROCESSOR_SECONDS = Histogram(
    "payments_processor_seconds", "Time of one processor call", ["operation"]
)
PROCESSOR_FAILURES = Counter(
    "payments_processor_failures_total", "Processor calls given up on", ["operation"]
)
OUTBOX_WAITING = Gauge("payments_outbox_waiting", "Messages not delivered yet")
OUTBOX_FAILURES = Counter("payments_outbox_failures_total", "Deliveries that failed")
WORKER_FAILURES = Counter("payments_worker_failures_total", "Worker rounds that failed", ["task"])

for operation in ("charge", "refund"):
    PROCESSOR_FAILURES.labels(operation)
for task in ("relay", "reconcile"):
    WORKER_FAILURES.labels(task)
