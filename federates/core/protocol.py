"""What a federate is, what drives it, and the seat that a transport gives it.

A federate declares *phases*: the second within a physical step, the cadence, and what is done then.
It never sees HELICS, a file or a clock. A ``Driver`` asks the transport for one grant after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, cast

from federates.core.arrays import FloatArray
from federates.core.time import PASS_STRIDE_S, Cadence, Clock, SimTime, Span

M = TypeVar("M", covariant=True)  # noqa: PLC0105 - a message is a message
Offset = int
State = Mapping[str, FloatArray]
"""A federate's saved state: named arrays, with ``schema`` among them."""


@dataclass(frozen=True, slots=True)
class In(Generic[M]):
    """A port that takes messages of one type; ``required``: the study is wrong if nothing feeds it."""

    name: str
    message: type[M]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Out(Generic[M]):
    """A port that gives messages of one type."""

    name: str
    message: type[M]


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """The latest message of one sender at one port."""

    sender: str
    sent_s: SimTime
    """Instant at which it was sent."""
    arrived_s: SimTime
    """Instant after which it is readable; later than ``sent_s`` only when a link delays."""
    message: M


Arrivals = Mapping[str, Mapping[str, Received[object]]]
"""Latest message by port and sender; senders in wiring order."""


class Inbox:
    """Latest message of every sender, per port. An older message is replaced by a newer one."""

    def __init__(self, arrivals: Arrivals, since_s: SimTime | None) -> None:
        self._arrivals = arrivals
        self._since_s = since_s

    def all(self, port: In[M]) -> dict[str, Received[M]]:
        """Latest message of each sender at ``port``, in the senders' wiring order."""
        return cast("dict[str, Received[M]]", dict(self._arrivals.get(port.name, {})))

    def new(self, port: In[M]) -> dict[str, M]:
        """Messages that arrived since the receiver last acted, by sender."""
        since = self._since_s
        return {
            sender: got.message
            for sender, got in self.all(port).items()
            if since is None or got.arrived_s >= since
        }

    def only(self, port: In[M]) -> Received[M] | None:
        """Latest message of a port with one sender, or None when nothing has come yet."""
        return next(iter(self.all(port).values()), None)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message on its way: from a port, to one receiver or (None) to all that are wired to it."""

    port: str
    to: str | None
    message: object


@dataclass(slots=True)
class Outbox:
    """What a handler sends: messages by port and receiver, and whether it wants another pass.

    ``again``: the phase is repeated 2 s later within its window (T-D passes, day-ahead rounds).
    """

    sent: list[Sent] = field(default_factory=list)
    again: bool = False

    def put(self, port: Out[M], message: M, to: str | None = None) -> None:  # type: ignore[misc]
        """Send ``message``; ``to`` names one receiver, None means all that are wired to the port."""
        self.sent.append(Sent(port.name, to, message))


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to act at one instant."""

    now: SimTime
    inbox: Inbox


Handler = Callable[[Grant], Outbox]


@dataclass(frozen=True, slots=True)
class Phase:
    """What is done at one second of a physical step, and in which steps."""

    cadence: Cadence
    handler: Handler
    last_offset_s: Offset | None = None
    """Last second at which a repeated pass may run; None: never repeated."""


class Federate(Protocol):
    """One member of the federation: an adapter between messages and a pure model."""

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Second within the step -> what is done then."""

    def start(self) -> Outbox:
        """Messages valid from the first instant on; called once, in a study's first federation."""

    def save(self) -> State:
        """State at a market-day boundary."""

    def restore(self, state: State) -> None:
        """Take up a saved state, in ``start``'s place."""

    def finish(self) -> None:
        """Flush what is buffered; called once, at the final time."""


class Seat(Protocol):
    """One federate's seat at a transport."""

    def begin(self, outbox: Outbox | None) -> None:
        """Join; ``outbox`` is readable at the span's first instant already.

        In a continued chain ``outbox`` is None and what had arrived before the boundary is there again.
        """

    def send(self, outbox: Outbox) -> None:
        """Send ``outbox`` stamped with the present instant; readable at later instants."""

    def advance(self, until: SimTime) -> Arrivals:
        """Wait for the grant at ``until``; the first call is for the span's first instant."""


class Agenda:
    """The instants at which one federate acts within a span, in order.

    Passes and day-ahead rounds repeat while their handler asks ``again``; everything else follows from
    the clock alone, so that every transport grants the same instants.
    """

    def __init__(self, phases: Mapping[Offset, Phase], clock: Clock, span: Span) -> None:
        self._phases = dict(sorted(phases.items()))
        self._clock = clock
        self._steps = clock.steps(span.begin_s, span.end_s)
        self._due: dict[SimTime, Phase] = {}
        self._cleared_day: int | None = None

    def next(self) -> tuple[SimTime, Phase] | None:
        """Next instant and its phase; None when the span holds no more."""
        while not self._due:
            step = next(self._steps, None)
            if step is None:
                return None
            self._due.update(self._phases_due(step))
        now = min(self._due)
        return now, self._due.pop(now)

    def note(self, now: SimTime, phase: Phase, *, again: bool) -> None:
        """Take note of whether the phase that just ran wants another pass."""
        if phase.last_offset_s is None:
            return
        step = now // self._clock.step_s * self._clock.step_s
        if again:
            if now + PASS_STRIDE_S - step <= phase.last_offset_s:
                self._due[now + PASS_STRIDE_S] = phase
        elif phase.cadence is Cadence.DAY_AHEAD:
            self._cleared_day = self._clock.day_ahead_day(step)
            self._due = {t: p for t, p in self._due.items() if p.cadence is not Cadence.DAY_AHEAD}

    def _phases_due(self, step: SimTime) -> dict[SimTime, Phase]:
        cleared = self._cleared_day is not None and self._clock.day_ahead_day(step) == self._cleared_day
        return {
            step + offset: phase
            for offset, phase in self._phases.items()
            if self._clock.is_due(phase.cadence, step)
            and not (cleared and phase.cadence is Cadence.DAY_AHEAD)
        }


class Driver:
    """Runs one federate through a span, on whatever seat a transport gives it."""

    def __init__(
        self, federate: Federate, seat: Seat, clock: Clock, span: Span, acted_s: SimTime | None = None
    ) -> None:
        self.acted_s = acted_s
        """Instant at which the federate last acted; None: never. Part of a saved state."""
        self._federate = federate
        self._seat = seat
        self._clock = clock
        self._span = span

    def instants(self) -> Iterator[SimTime]:
        """Run, yielding each instant just before it is asked for.

        One thread can interleave many federates by these yields (loopback); a thread of its own simply
        exhausts them (HELICS).
        """
        agenda = Agenda(self._federate.phases, self._clock, self._span)
        now = self._span.begin_s
        self._seat.begin(self._federate.start() if self._span.index == 0 else None)
        yield now
        arrivals = self._seat.advance(now)
        while (due := agenda.next()) is not None:
            instant, phase = due
            if instant != now:
                yield instant
                arrivals = self._seat.advance(instant)
                now = instant
            outbox = phase.handler(Grant(now, Inbox(arrivals, self.acted_s)))
            self.acted_s = now
            self._seat.send(outbox)
            agenda.note(now, phase, again=outbox.again)
        yield self._span.end_s
        self._seat.advance(self._span.end_s)
