"""Who is told when, as Prometheus rules: budgets that burn, and the causes that somebody can mend."""

from mainstay.model.specification import Specification
from mainstay.plan.alerts.burns import BAD as BAD
from mainstay.plan.alerts.burns import BURNS as BURNS
from mainstay.plan.alerts.burns import MONTH as MONTH
from mainstay.plan.alerts.burns import WINDOWS as WINDOWS
from mainstay.plan.alerts.burns import Burn as Burn
from mainstay.plan.alerts.burns import burning, shares
from mainstay.plan.alerts.burns import duration as duration
from mainstay.plan.alerts.burns import share_of as share_of
from mainstay.plan.alerts.causes import AHEAD as AHEAD
from mainstay.plan.alerts.causes import DAY as DAY
from mainstay.plan.alerts.causes import FAILING as FAILING
from mainstay.plan.alerts.causes import FULL as FULL
from mainstay.plan.alerts.causes import backup_every as backup_every
from mainstay.plan.alerts.causes import backup_old as backup_old
from mainstay.plan.alerts.causes import causes
from mainstay.plan.alerts.causes import has_outbox as has_outbox
from mainstay.plan.alerts.causes import later as later
from mainstay.plan.alerts.causes import waiting as waiting
from mainstay.plan.alerts.file import text as text
from mainstay.plan.alerts.rule import Alert as Alert
from mainstay.plan.alerts.rule import Group as Group
from mainstay.plan.alerts.rule import Recording as Recording
from mainstay.plan.alerts.rule import pascal as pascal
from mainstay.plan.alerts.signals import BACKUP as BACKUP
from mainstay.plan.alerts.signals import BREAKER as BREAKER
from mainstay.plan.alerts.signals import CALLS as CALLS
from mainstay.plan.alerts.signals import DATABASE_UP as DATABASE_UP
from mainstay.plan.alerts.signals import DISK as DISK
from mainstay.plan.alerts.signals import DISK_LEFT as DISK_LEFT
from mainstay.plan.alerts.signals import EVENTS as EVENTS
from mainstay.plan.alerts.signals import IN_FLIGHT as IN_FLIGHT
from mainstay.plan.alerts.signals import LEVEL as LEVEL
from mainstay.plan.alerts.signals import NOT_ARCHIVED as NOT_ARCHIVED
from mainstay.plan.alerts.signals import OUTBOX as OUTBOX
from mainstay.plan.alerts.signals import POOL_SIZE as POOL_SIZE
from mainstay.plan.alerts.signals import POOL_USED as POOL_USED
from mainstay.plan.alerts.signals import READY as READY
from mainstay.plan.alerts.signals import SIGNALS as SIGNALS
from mainstay.plan.alerts.signals import UP as UP
from mainstay.plan.alerts.signals import Signal as Signal
from mainstay.plan.alerts.signals import Source as Source
from mainstay.plan.alerts.signals import everywhere as everywhere
from mainstay.plan.alerts.signals import level as level
from mainstay.plan.objectives import objectives


def rules(specification: Specification) -> tuple[Group, ...]:
    """Recorded shares of bad requests first, then the alerts that use them, then the causes."""
    service, found = specification.service, objectives(specification)
    return (
        Group(f"{service}-objectives", "30s", tuple(shares(service, found, WINDOWS))),
        Group(f"{service}-objectives-month", "5m", tuple(shares(service, found, (MONTH,)))),
        Group(f"{service}-budgets", "30s", tuple(burning(specification, found))),
        Group(f"{service}-causes", "30s", tuple(causes(specification))),
    )


def alerts(specification: Specification) -> tuple[Alert, ...]:
    """Only those that tell somebody."""
    return tuple(rule for group in rules(specification) for rule in group.rules if isinstance(rule, Alert))
