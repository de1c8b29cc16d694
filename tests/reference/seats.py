"""Seats of a federation with other handlers than the federate's own."""

from __future__ import annotations

from federates import catalog
from federates.core.context import Context
from federates.core.protocol import Federate, Offset, Outbox, Phase, State

SETTLE_OFFSET_S = 48


class Instead:
    """A federate with other handlers."""

    def __init__(self, federate: Federate, phases: dict[Offset, Phase]) -> None:
        self._federate, self._phases = federate, phases

    @property
    def phases(self) -> dict[Offset, Phase]:
        """The other handlers."""
        return self._phases

    def start(self) -> Outbox:
        """The federate's own."""
        return self._federate.start()

    def save(self) -> State:
        """The federate's own."""
        return self._federate.save()

    def restore(self, state: State) -> None:
        """The federate's own."""
        self._federate.restore(state)

    def finish(self) -> None:
        """The federate's own."""
        self._federate.finish()


def without_settlement(context: Context) -> Federate:
    """The product's own federate; a DSO settles nothing: there is no market, or nobody who reads meters."""
    federate = catalog.build(context)
    if context.seating.kind != "dso":
        return federate
    return Instead(federate, {o: p for o, p in federate.phases.items() if o != SETTLE_OFFSET_S})
