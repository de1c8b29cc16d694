"""The federation in one thread: the same federates, codec and delivery rule, without sockets.

Federates are resumed by the instant that they ask for, ties in seating order. A value sent at ``t`` is
readable at instants after ``t``; of several, the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from federates.core.time import SimTime
from federates.core.wiring import Wire

_Posted = tuple[SimTime, bytes]


@dataclass(slots=True)
class Exchange:
    """Bytes on their way between the federates of one process."""

    wires: tuple[Wire, ...]
    _posted: dict[Wire, list[_Posted]] = field(default_factory=dict)

    def carrier(self, name: str) -> LoopbackCarrier:
        """Carrier of one federate."""
        return LoopbackCarrier(self, tuple(w for w in self.wires if w.receiver == name))

    def post(self, wire: Wire, data: bytes, sent_s: SimTime) -> None:
        """Put bytes on a wire."""
        self._posted.setdefault(wire, []).append((sent_s, data))

    def latest(self, wire: Wire, now: SimTime) -> bytes | None:
        """Latest bytes sent before ``now``, taken off the wire with all that came before them."""
        posted = self._posted.get(wire, [])
        readable = sum(sent_s < now for sent_s, _ in posted)
        if not readable:
            return None
        data = posted[readable - 1][1]
        del posted[:readable]
        return data


@dataclass(slots=True)
class LoopbackCarrier:
    """One federate's end of the exchange."""

    exchange: Exchange
    wires: tuple[Wire, ...]
    _now: SimTime = 0

    def join(self) -> None:
        """Nothing to be done: all are in one process."""

    def send(self, wire: Wire, data: bytes, sent_s: SimTime) -> None:
        """Put bytes on a wire."""
        self.exchange.post(wire, data, sent_s)

    def wait(self, until: SimTime) -> None:
        """Take the instant; whose turn it is, ``interleave`` decides."""
        self._now = until

    def collect(self) -> Iterable[tuple[Wire, bytes]]:
        """Bytes sent before the present instant."""
        for wire in self.wires:
            data = self.exchange.latest(wire, self._now)
            if data is not None:
                yield wire, data


def interleave(instants: Mapping[str, Iterator[SimTime]]) -> None:
    """Exhaust all federates' instants, the earliest first, ties in the mapping's order."""
    due = {name: next(mine) for name, mine in instants.items()}
    while due:
        earliest = min(due.values())
        for name in [n for n in due if due[n] == earliest]:
            until = next(instants[name], None)
            if until is None:
                del due[name]
            else:
                due[name] = until
