"""A federate acts when its phases are due; passes repeat while asked for; what is new is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from federates.core.messages import GridState
from federates.core.protocol import (
    Agenda,
    Arrivals,
    Driver,
    Grant,
    In,
    Inbox,
    Offset,
    Out,
    Outbox,
    Phase,
    Received,
    State,
)
from federates.core.time import DAY_S, Cadence, Clock, Span, market_day_spans, whole_span

PORT = In("grid_state", GridState)
CLOCK = Clock(start=datetime.fromisoformat("2020-03-27"), duration_s=600)


def nothing(_: Grant) -> Outbox:
    return Outbox()


def grid_state(losses_mw: float) -> GridState:
    return GridState(
        unit_output_mw=np.zeros(1), bus_load_mw=np.zeros(1), losses_mw=losses_mw, interchange_mw=np.zeros(1)
    )


def instants_of(agenda: Agenda, *, again_until: int = 0, period: int = 60) -> list[int]:
    """Instants of an agenda whose handlers ask again before second ``again_until`` of a step."""
    found = []
    while (due := agenda.next()) is not None:
        now, phase = due
        found.append(now)
        agenda.note(now, phase, again=now % period < again_until)
    return found


def test_phases_come_in_the_order_of_their_seconds_whatever_order_they_are_declared_in() -> None:
    phases = {
        53: Phase(Cadence.GATE, nothing),
        0: Phase(Cadence.MARKET, nothing),
        5: Phase(Cadence.STEP, nothing),
    }
    span = Span(index=0, begin_s=0, end_s=360)
    found = instants_of(Agenda(phases, CLOCK, span))
    assert found == [0, 5, 65, 120 + 5, 120 + 53, 185, 245, 300, 305]


def test_a_pass_repeats_every_other_second_while_asked_for_and_within_its_window() -> None:
    phases = {5: Phase(Cadence.STEP, nothing, 11)}
    span = Span(index=0, begin_s=0, end_s=120)
    assert instants_of(Agenda(phases, CLOCK, span), again_until=9) == [5, 7, 9, 65, 67, 69]
    # asked for without end, it stops at the window's
    assert instants_of(Agenda(phases, CLOCK, span), again_until=60) == [5, 7, 9, 11, 65, 67, 69, 71]


def test_a_phase_without_a_window_is_never_repeated() -> None:
    agenda = Agenda({5: Phase(Cadence.STEP, nothing)}, CLOCK, Span(index=0, begin_s=0, end_s=120))
    assert instants_of(agenda, again_until=60) == [5, 65]


def test_a_repeated_pass_keeps_its_place_among_other_phases() -> None:
    phases = {4: Phase(Cadence.STEP, nothing, 10), 7: Phase(Cadence.STEP, nothing)}
    agenda = Agenda(phases, CLOCK, Span(index=0, begin_s=0, end_s=60))
    assert instants_of(agenda, again_until=9) == [4, 6, 7, 8, 10]


def test_day_ahead_rounds_stop_for_the_day_once_cleared_and_open_again_for_the_next() -> None:
    clock = Clock(start=datetime.fromisoformat("2020-03-27"), duration_s=2 * DAY_S)
    phases = {55: Phase(Cadence.DAY_AHEAD, nothing, 59)}
    agenda = Agenda(phases, clock, whole_span(clock))
    found = []
    while (due := agenda.next()) is not None:
        now, phase = due
        found.append(now)
        # the first day clears in its second minute's second round, the next at once
        agenda.note(now, phase, again=now < -2_400 + 60 + 57)
    first = [-2_400 + 60 * m + s for m, s in ((0, 55), (0, 57), (0, 59), (1, 55), (1, 57))]
    assert found == [*first, 10 * 3_600 + 55]


def test_all_rounds_of_a_minute_end_when_one_of_several_phases_has_cleared() -> None:
    phases = {54: Phase(Cadence.DAY_AHEAD, nothing, 54), 55: Phase(Cadence.DAY_AHEAD, nothing, 59)}
    agenda = Agenda(phases, CLOCK, Span(index=0, begin_s=-2_400, end_s=-1_800))
    assert instants_of(agenda) == [-2_400 + 54]


def test_what_is_new_arrived_since_the_receiver_last_acted() -> None:
    arrivals: Arrivals = {
        "grid_state": {
            name: Received(name, sent_s, sent_s, grid_state(float(sent_s)))
            for name, sent_s in (("before", 99), ("just_then", 100), ("after", 103))
        }
    }
    assert set(Inbox(arrivals, 100).new(PORT)) == {"just_then", "after"}
    assert set(Inbox(arrivals, None).new(PORT)) == {"before", "just_then", "after"}
    assert set(Inbox(arrivals, 104).all(PORT)) == {"before", "just_then", "after"}
    first = Inbox(arrivals, 0).only(PORT)
    assert first is not None
    assert first.sender == "before"
    assert Inbox({}, 0).only(PORT) is None


class Recorder:
    """A federate that notes when it acts and what is new, and asks for two passes a step."""

    def __init__(self) -> None:
        self.acted: list[int] = []
        self.new: list[tuple[int, ...]] = []
        self.started = 0

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        return {5: Phase(Cadence.STEP, self.act, 45)}

    def act(self, grant: Grant) -> Outbox:
        self.acted.append(grant.now)
        self.new.append(tuple(int(m.losses_mw) for m in grant.inbox.new(PORT).values()))
        outbox = Outbox(again=grant.now % 60 < 7)
        outbox.put(Out("grid_state", GridState), grid_state(float(grant.now)))
        return outbox

    def start(self) -> Outbox:
        self.started += 1
        return Outbox()

    def save(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass

    def finish(self) -> None:
        pass


class Tape:
    """A seat at which one other federate's messages arrive, and which keeps what happens."""

    def __init__(self, arrivals: dict[int, float]) -> None:
        self.begun: list[bool] = []
        self.sent: list[int] = []
        self.asked: list[int] = []
        self._arrivals = arrivals

    def begin(self, outbox: Outbox | None) -> None:
        self.begun.append(outbox is not None)

    def send(self, outbox: Outbox) -> None:
        self.sent.append(len(outbox.sent))

    def advance(self, until: int) -> Arrivals:
        self.asked.append(until)
        there = [t for t in self._arrivals if t < until]
        if not there:
            return {}
        t = max(there)
        return {"grid_state": {"other": Received("other", t, t, grid_state(self._arrivals[t]))}}


def test_a_driver_asks_for_the_begin_every_act_and_the_end() -> None:
    federate, tape = Recorder(), Tape({6: 1.0, 8: 2.0})
    driver = Driver(federate, tape, CLOCK, Span(index=0, begin_s=0, end_s=120))
    assert list(driver.instants()) == [0, 5, 7, 65, 67, 120]
    assert tape.asked == [0, 5, 7, 65, 67, 120]
    assert federate.acted == [5, 7, 65, 67]
    # 1.0 replaced by 2.0 before it was read again; nothing is new twice
    assert federate.new == [(), (1,), (2,), ()]
    assert tape.sent == [1, 1, 1, 1]
    assert (federate.started, tape.begun) == (1, [True])
    assert driver.acted_s == 67


def test_a_later_span_goes_on_without_a_start_and_knows_what_was_read_before_the_boundary() -> None:
    clock = Clock(start=datetime.fromisoformat("2020-03-27T23"), duration_s=2 * 3_600)
    first, second = market_day_spans(clock)
    arrivals = {first.end_s - 54: 1.0, first.end_s - 52: 2.0}
    whole_federate, chained = Recorder(), Recorder()
    list(Driver(whole_federate, Tape(arrivals), clock, whole_span(clock)).instants())
    before = Driver(chained, Tape(arrivals), clock, first)
    list(before.instants())
    tape = Tape(arrivals)
    list(Driver(chained, tape, clock, second, before.acted_s).instants())
    assert tape.begun == [False]
    assert chained.started == 1
    assert chained.acted == whole_federate.acted
    assert chained.new == whole_federate.new
    assert chained.new.count((2,)) == 1
