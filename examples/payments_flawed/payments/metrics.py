"""What this service tells Prometheus; alerts.yml names these."""

from prometheus_client import Counter, Gauge, Histogram

REQUEST_SECONDS = Histogram(
    "payments_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
)
CHARGES = Counter("payments_charges_total", "Charges by outcome", ["outcome"])
REFUNDS = Counter("payments_refunds_total", "Refunds by outcome", ["outcome"])
PROCESSOR_SECONDS = Histogram(
    "payments_processor_seconds", "Time of one processor call", ["operation"]
)
PROCESSOR_FAILURES = Counter(
    "payments_processor_failures_total", "Processor calls given up on", ["operation"]
)
OUTBOX_WAITING = Gauge("payments_outbox_waiting", "Messages not delivered yet")
