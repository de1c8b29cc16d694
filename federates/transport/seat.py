"""One federate's seat: routing, codec, impairment, message log and clockwork, the same on every transport.

A transport is a ``Carrier`` that moves bytes and grants instants; everything that could differ between two
transports and must not is here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from federates.core.codec import decode, encode
from federates.core.errors import CodecError, TransportError
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


class Latch:
    """Latest message of every wire into a federate, decoded, with its bytes."""

    def __init__(self, wires: Sequence[Wire], kind: str) -> None:
        self._wires = tuple(wires)
        self._types = {name: port.message for name, port in PORTS[kind].all().items()}
        self._data: dict[Wire, bytes] = {}
        self._received: dict[Wire, Received[object]] = {}
        self._arrivals: dict[str, dict[str, Received[object]]] = {}

    def take(self, fresh: Iterable[tuple[Wire, bytes]]) -> None:
        """Replace the messages of the wires that have new bytes.

        Raises
        ------
        CodecError
            If bytes are not the message that the port takes.
        """
        changed: set[str] = set()
        for wire, data in fresh:
            try:
                sent_s, message = decode(data, self._types[wire.into])
            except CodecError as error:
                raise CodecError(f"on {wire.key}: {error}") from error
            self._data[wire] = data
            self._received[wire] = Received(wire.sender, sent_s, sent_s, message)
            changed.add(wire.into)
        if changed:
            kept = {port: got for port, got in self._arrivals.items() if port not in changed}
            self._arrivals = kept | {port: self._at(port) for port in changed}

    def _at(self, port: str) -> dict[str, Received[object]]:
        """Latest message of each sender at a port, in wiring order."""
        wires = (w for w in self._wires if w.into == port and w in self._received)
        return {w.sender: self._received[w] for w in wires}

    @property
    def arrivals(self) -> Arrivals:
        """Latest messages by port and sender; never changed afterwards."""
        return self._arrivals

    def snapshot(self) -> dict[str, bytes]:
        """Bytes of the latest message by wire key."""
        return {wire.key: self._data[wire] for wire in self._wires if wire in self._data}

    def restore(self, snapshot: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        self.take((wire, snapshot[wire.key]) for wire in self._wires if wire.key in snapshot)


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
        self.latch = Latch([w for w in wires if w.receiver == seating.name], seating.kind)
        self._name = seating.name
        self._out: dict[str, dict[str, Wire]] = {}
        for wire in wires:
            if wire.sender == seating.name:
                self._out.setdefault(wire.out, {})[wire.receiver] = wire
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
        self.latch.take(self._carrier.collect())
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

    def _wires_of(self, sent: Sent) -> Iterable[Wire]:
        wires = self._out.get(sent.port, {})
        if sent.to is None:
            return wires.values()
        if sent.to not in wires:
            raise TransportError(
                f"{self._name}.{sent.port} is not wired to {sent.to}; it may send to "
                f"{', '.join(wires) or 'nobody'}"
            )
        return (wires[sent.to],)
