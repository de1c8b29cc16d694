"""One federate's seat: routing, codec, impairment, message log and clockwork, the same on every transport.

A transport is a ``Carrier`` that moves bytes and grants instants; everything that could differ between two
transports and must not is here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from federates.core.codec import decode, encode
from federates.core.errors import TransportError
from federates.core.heartbeat import Activity, Heartbeat
from federates.core.ports import PORTS
from federates.core.protocol import Arrivals, Outbox, Received, Sent
from federates.core.tables import EVENT, MESSAGE, TIMING, Recorder
from federates.core.time import SimTime, Span
from federates.core.wiring import Seating, Wire
from federates.transport.impairment import Impairment


class Carrier(Protocol):
    """Moves bytes along wires and grants instants to one federate."""

    def join(self) -> None:
        """Be there; what is sent before the first ``wait`` is readable at the span's first instant."""

    def send(self, wire: Wire, data: bytes, sent_s: SimTime) -> None:
        """Put bytes on a wire; they are readable at instants after ``sent_s``."""

    def wait(self, until: SimTime) -> None:
        """Come back at the instant ``until``; the first call is for the span's first instant."""

    def collect(self) -> Iterable[tuple[Wire, bytes]]:
        """Latest bytes of each wire into this federate that has new ones, in wiring order."""


@dataclass(slots=True)
class Latch:
    """Latest message of every wire into a federate, decoded, with its bytes."""

    wires: tuple[Wire, ...]
    kind: str
    _data: dict[Wire, bytes] = field(default_factory=dict)
    _arrivals: dict[str, dict[str, Received[object]]] = field(default_factory=dict)

    def take(self, wire: Wire, data: bytes) -> None:
        """Replace a wire's message.

        Raises
        ------
        CodecError
            If the bytes are not the message that the port takes.
        """
        sent_s, message = decode(data, PORTS[self.kind].all()[wire.into].message)
        self._data[wire] = data
        got = self._arrivals.get(wire.into, {})
        got = {**got, wire.sender: Received(wire.sender, sent_s, sent_s, message)}
        senders = (w.sender for w in self.wires if w.into == wire.into)
        self._arrivals = {**self._arrivals, wire.into: {s: got[s] for s in senders if s in got}}

    @property
    def arrivals(self) -> Arrivals:
        """Latest messages by port and sender; never changed afterwards."""
        return self._arrivals

    def snapshot(self) -> dict[str, bytes]:
        """Bytes of the latest message by wire key."""
        return {wire.key: self._data[wire] for wire in self.wires if wire in self._data}

    def restore(self, snapshot: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        for wire in self.wires:
            if wire.key in snapshot:
                self.take(wire, snapshot[wire.key])


class MarketStopwatch:
    """Computing and waiting time of one federate, a row for each market interval."""

    def __init__(self, name: str, market_s: int, begin_s: SimTime, recorder: Recorder) -> None:
        self._name = name
        self._market_s = market_s
        self._interval = begin_s // market_s * market_s
        self._recorder = recorder
        self._busy_s = 0.0
        self._wait_s = 0.0
        self._mark = time.perf_counter()

    def waits(self) -> None:
        """The federate has computed until now."""
        now = time.perf_counter()
        self._busy_s += now - self._mark
        self._mark = now

    def granted(self, now_s: SimTime) -> None:
        """The federate has waited until now, for the grant at ``now_s``."""
        now = time.perf_counter()
        self._wait_s += now - self._mark
        self._mark = now
        if now_s >= self._interval + self._market_s:
            self.close()
            self._interval = now_s // self._market_s * self._market_s

    def close(self) -> None:
        """Record what has been measured since the last row."""
        self._recorder.add(TIMING, self._interval, [self._name], [self._busy_s], [self._wait_s])
        self._busy_s = self._wait_s = 0.0


class FederateSeat:
    """A federate's seat on any carrier."""

    def __init__(
        self,
        *,
        seating: Seating,
        wires: Sequence[Wire],
        span: Span,
        market_s: int,
        carrier: Carrier,
        recorder: Recorder,
        impairment: Impairment,
        heartbeat: Heartbeat,
    ) -> None:
        self.now: SimTime = span.begin_s
        """Instant last granted. [s]"""
        self.latch = Latch(tuple(w for w in wires if w.receiver == seating.name), seating.kind)
        self._name = seating.name
        self._out = [w for w in wires if w.sender == seating.name]
        self._span = span
        self._carrier = carrier
        self._recorder = recorder
        self._impairment = impairment
        self._heartbeat = heartbeat
        self._stopwatch = MarketStopwatch(seating.name, market_s, span.begin_s, recorder)
        self.joined = False
        """Whether the first instant has been granted."""

    def begin(self, outbox: Outbox | None) -> None:
        """Join; ``outbox`` is readable at the span's first instant already."""
        self._heartbeat.beat(self._name, Activity.JOINING, self.now, self.now)
        self._carrier.join()
        if outbox is not None:
            self._send(outbox, self._span.begin_s - 1)

    def send(self, outbox: Outbox) -> None:
        """Send ``outbox`` stamped with the present instant."""
        self._send(outbox, self.now)

    def advance(self, until: SimTime) -> Arrivals:
        """Wait for the grant at ``until`` and return what has arrived."""
        self._carrier.wait(until)
        self.joined = True
        self.now = until
        self._stopwatch.granted(until)
        self._heartbeat.beat(self._name, Activity.COMPUTING, until, until)
        for wire, data in self._carrier.collect():
            self.latch.take(wire, data)
        return self.latch.arrivals

    def rest(self, until: SimTime) -> None:
        """Say that the federate has come to rest and waits for ``until``."""
        self._stopwatch.waits()
        activity = Activity.WAITING if self.joined else Activity.JOINING
        self._heartbeat.beat(self._name, activity, self.now, until)

    def _send(self, outbox: Outbox, sent_s: SimTime) -> None:
        ids: list[str] = []
        sizes: list[float] = []
        seen: set[Wire] = set()
        for sent in outbox.sent:
            data: bytes | None = None
            for wire in self._wires_of(sent):
                if wire in seen:
                    raise TransportError(
                        f"{self._name} at {sent_s} s sends twice on {wire.key}; send one message an instant"
                    )
                seen.add(wire)
                data = encode(sent.message, sent_s) if data is None else data
                ids.append(f"{wire.sender}>{wire.receiver}/{wire.into}")
                sizes.append(float(len(data)))
                self._put(wire, data, sent_s)
        if ids:
            self._recorder.add(MESSAGE, sent_s, ids, sizes)

    def _put(self, wire: Wire, data: bytes, sent_s: SimTime) -> None:
        if self._impairment.loses(wire, sent_s):
            self._recorder.add(EVENT, sent_s, [wire.key], [float(len(data))], text=["message lost"])
        else:
            self._carrier.send(wire, data, sent_s)

    def _wires_of(self, sent: Sent) -> list[Wire]:
        wires = [w for w in self._out if w.out == sent.port and sent.to in {None, w.receiver}]
        if sent.to is not None and not wires:
            raise TransportError(
                f"{self._name}.{sent.port} is not wired to {sent.to}; it may send to "
                f"{', '.join(w.receiver for w in self._out if w.out == sent.port) or 'nobody'}"
            )
        return wires
