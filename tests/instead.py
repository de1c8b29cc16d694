"""A federate whose handlers are replaced, for tests that watch, delay, break or silence one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from federates.core.protocol import Federate, Handler, Offset, Outbox, Phase, State


class Instead:
    """A federate with other handlers.

    Parameters
    ----------
    federate
        Whose they are.
    change
        Makes the other handler of each.
    without
        Offsets at which it does nothing.
    """

    def __init__(
        self, federate: Federate, change: Callable[[Handler], Handler], *, without: tuple[Offset, ...] = ()
    ) -> None:
        self._federate, self._change, self._without = federate, change, without

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """The federate's own, with the other handlers."""
        return {
            offset: replace(phase, handler=self._change(phase.handler))
            for offset, phase in self._federate.phases.items()
            if offset not in self._without
        }

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
