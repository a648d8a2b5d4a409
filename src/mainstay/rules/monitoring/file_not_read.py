from collections.abc import Iterator
from itertools import groupby

from mainstay.model.finding import Family, Finding, Severity
from mainstay.model.system import Role, System
from mainstay.rules.base import Example, Rule


class FileNotRead(Rule):
    """A file, or a part of one, could not be read.

    Nothing is known of what it does: a missing deadline or an open door in it goes unreported,
    and what calls into it is judged without it.

    Mend the file, or exclude it in the configuration if it is none of the service's.
    """

    severity = Severity.MEDIUM
    family = (Family.SILENT_FAILURE,)
    since = "0.1"

    notices = "Nobody, unless this finding is read: the rest of the review looks complete."
    recovers = "The next review reads it as soon as it can be read."
    costs = "Nothing at run time."

    bad = (
        Example(
            {
                "billing.py": """
                    def charge(order):
                        return order.total

                    def refund(order):
                    <<<<<<< HEAD  # <-
                        return order.total
                    =======
                        return order.paid
                    >>>>>>> main
                """
            },
            why="a merge that was never finished",
        ),
    )
    good = (
        Example(
            {
                "billing.py": """
                    def charge(order):
                        return order.total

                    def refund(order):
                        return order.paid
                """
            },
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        aside = {file.path for file in system.files if file.role in (Role.TEST, Role.GENERATED)}
        gaps = [gap for gap in system.gaps if gap.location.path not in aside]
        for path, group in groupby(gaps, key=lambda gap: gap.location.path):
            first, *others = group
            yield self.found(
                f"{path} was not read whole: {first.why}",
                first.location,
                clears="The whole file can be read.",
                siblings=tuple(gap.location for gap in others),
                subject=path,
            )
