"""A federate in its seat for one span: built or restored, driven, and put down at the boundary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from federates.core.context import Context
from federates.core.heartbeat import Activity, Heartbeat
from federates.core.protocol import Driver, Federate
from federates.core.run_folder import RunFolder, write_whole
from federates.core.settings import Study
from federates.core.tables import Recorder
from federates.core.time import SimTime, Span
from federates.core.wiring import Seating, Wire
from federates.transport.checkpoint import Checkpoint
from federates.transport.impairment import Impairment
from federates.transport.seat import Carrier, FederateSeat

BuildFederate = Callable[[Context], Federate]
OpenRecorder = Callable[[str, int], Recorder]
CarrierOf = Callable[[str], Carrier]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What federates of a host are built with; the same for all spans."""

    folder: RunFolder
    study: Study
    seatings: tuple[Seating, ...]
    """Every federate of the federation, in seating order."""
    wires: tuple[Wire, ...]
    """Every wire of the federation."""
    build: BuildFederate
    open_recorder: OpenRecorder
    impairment: Impairment
    heartbeat: Heartbeat


class FederateFailure(Exception):  # noqa: N818 - the error is its cause
    """Which federate failed, and when; the error itself is the cause."""

    def __init__(self, federate: str, t: SimTime | None) -> None:
        super().__init__(federate, t)
        self.federate = federate
        self.t = t


class SeatedFederate:
    """A federate, its seat, its recorder and its driver, for one span."""

    def __init__(self, shop: Workshop, name: str, span: Span) -> None:
        self.seating = next(s for s in shop.seatings if s.name == name)
        self.recorder = shop.open_recorder(name, span.index)
        self._shop = shop
        self._span = span
        self._seat: FederateSeat | None = None
        self._driver: Driver | None = None
        self._starts(Activity.BUILDING)
        with self._blame():
            self._federate = shop.build(
                Context(
                    study=shop.study,
                    seating=self.seating,
                    wires=shop.wires,
                    recorder=self.recorder,
                    run_dir=shop.folder.path,
                )
            )
        self._starts(Activity.JOINING)

    @property
    def name(self) -> str:
        """Name of the federate."""
        return self.seating.name

    @property
    def now(self) -> SimTime | None:
        """Instant last granted; None before the first. [s]"""
        return self._seat.now if self._seat is not None and self._seat.joined else None

    def sit_down(self, carrier_of: CarrierOf) -> None:
        """Take a seat; in a continued chain, take up the state saved at the boundary."""
        self._starts(Activity.BUILDING)
        with self._blame():
            seat = self._take_seat(carrier_of(self.name))
            self._driver = Driver(
                self._federate, seat, self._shop.study.clock, self._span, self._restore_into(seat)
            )
        self._starts(Activity.JOINING)

    def _take_seat(self, carrier: Carrier) -> FederateSeat:
        self._seat = FederateSeat(
            seating=self.seating,
            wires=self._shop.wires,
            span=self._span,
            market_s=self._shop.study.clock.market_s,
            carrier=carrier,
            recorder=self.recorder,
            impairment=self._shop.impairment,
            heartbeat=self._shop.heartbeat,
        )
        return self._seat

    def _restore_into(self, seat: FederateSeat) -> SimTime | None:
        """Restore federate and seat from the boundary; the instant at which the federate last acted."""
        if self._span.index == 0:
            return None
        path = self._shop.folder.state(self._span.index - 1, self.name)
        checkpoint = Checkpoint.read(path, self._span.begin_s)
        self._federate.restore(checkpoint.state)
        seat.latch.restore(checkpoint.messages)
        return checkpoint.acted_s

    def instants(self) -> Iterator[SimTime]:
        """Instants that the federate asks for, each just before it waits for it."""
        assert self._driver is not None
        assert self._seat is not None
        self._starts(Activity.BUILDING)
        driven = self._driver.instants()
        while True:
            with self._blame():
                until = next(driven, None)
            if until is None:
                return
            self._seat.rest(until)
            yield until

    def complete(self, leave: Callable[[], None] | None = None) -> None:
        """Put the federate down at the span's end: results, saved state, the marker; then ``leave``."""
        assert self._driver is not None
        assert self._seat is not None
        folder, span = self._shop.folder, self._span
        with self._blame():
            if span.end_s < self._shop.study.clock.duration_s:
                checkpoint = Checkpoint(
                    state=self._federate.save(),
                    messages=self._seat.latch.snapshot(),
                    acted_s=self._driver.acted_s,
                    boundary_s=span.end_s,
                )
                checkpoint.write(folder.state(span.index, self.name))
            self._federate.finish()
            self.recorder.close()
            marker = {"federate": self.name, "span": span.index, "end_s": self._seat.now}
            write_whole(folder.marker(span.index, self.name), json.dumps(marker).encode())
            if leave is not None:
                leave()
        self._shop.heartbeat.beat(self.name, Activity.DONE, span.end_s, span.end_s)

    def _starts(self, activity: Activity) -> None:
        """Say what the federate does before its first instant."""
        self._shop.heartbeat.beat(self.name, activity, self._span.begin_s, self._span.begin_s)

    @contextmanager
    def _blame(self) -> Iterator[None]:
        """Name this federate in whatever fails inside."""
        try:
            yield
        except Exception as error:
            raise FederateFailure(self.name, self.now) from error


def seat_all(
    shop: Workshop, names: Sequence[str], span: Span, carrier_of: CarrierOf
) -> tuple[SeatedFederate, ...]:
    """Federates of a span, all built before the first takes its seat."""
    seated = tuple(SeatedFederate(shop, name, span) for name in names)
    for one in seated:
        one.sit_down(carrier_of)
    return seated
