"""The standing budgets: the only home of these numbers."""

from mainstay.model.budget import Budgets as Budgets

STANDARD = Budgets(
    availability=0.999,  # 8.7 hours down in a year
    errors=0.001,
    p95=0.200,
    recovery=300.0,
)
