"""What the rules about a requester's data in a dangerous place share."""

import re
from collections.abc import Iterator
from typing import ClassVar

from mainstay.model.finding import Confidence, Finding, Severity
from mainstay.model.system import Flow, Operation, System
from mainstay.rules.base import Rule

FAR = 5  # calls on the way beyond which one that was misjudged is likely
TRUSTED = re.compile(r"admin|superuser|staff|root_user|internal")


class UntrustedValue(Rule):
    """Base of the rules that follow a requester's data to one kind of sink."""

    sink: ClassVar[str]
    cleared_by: ClassVar[str]  # the fact that would clear it

    def check(self, system: System) -> Iterator[Finding]:
        """One finding for each sink, with every further way into it as a sibling."""
        operations = {operation.location: operation for operation in system.operations}
        groups: dict[tuple[str, int], list[Flow]] = {}
        for flow in system.flows:
            if flow.sink == self.sink:
                groups.setdefault((flow.function, flow.statement), []).append(flow)
        for flows in groups.values():
            flows.sort(key=lambda flow: (len(flow.path), flow.source, flow.what))
            yield self._of(flows, operations.get(flows[0].source))

    def _of(self, flows: list[Flow], operation: Operation | None) -> Finding:
        flow, others = flows[0], flows[1:]
        more = f" ({len(others)} more ways lead there)" if others else ""
        return self.found(
            f"{flow.what[0].upper()}{flow.what[1:]} {flow.path[-1].what} unchecked{more}",
            flow.location,
            clears=self.cleared_by,
            severity=self._severity(operation),
            confidence=self._confidence(flow),
            path=flow.path,
            siblings=tuple(dict.fromkeys(other.source for other in others if other.source != flow.source)),
            subject=f"{flow.function} {flow.what}",
        )

    def _severity(self, operation: Operation | None) -> Severity:
        """One step less where only the people who run the service may ask."""
        guards = operation.guards if operation is not None else ()
        if any(
            guard.authenticates and TRUSTED.search(guard.name.rpartition(".")[2].lower()) for guard in guards
        ):
            return Severity(max(Severity.LOW, self.severity - 1))
        return self.severity

    def _confidence(self, flow: Flow) -> Confidence:
        if not flow.certain:
            return Confidence.LOW
        return Confidence.HIGH if len(flow.path) <= FAR else Confidence.MEDIUM
