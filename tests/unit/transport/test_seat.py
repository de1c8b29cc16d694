"""What a seat does with messages, the same on every transport."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core.codec import encode
from federates.core.errors import CodecError, TransportError
from federates.core.heartbeat import Activity, Heartbeat
from federates.core.messages import BoundaryPower, BoundaryVoltage
from federates.core.ports import FeederPorts, TransmissionPorts
from federates.core.protocol import Inbox, Outbox, Sent
from federates.core.tables import EVENT, MESSAGE, TIMING
from federates.core.time import Span
from federates.core.wiring import Seating, Wire
from federates.recording.memory import MemoryRecorder
from federates.transport.impairment import Impairment, LossWindow
from federates.transport.loopback import Exchange
from federates.transport.seat import FederateSeat, Latch

SPAN = Span(index=0, begin_s=-600, end_s=900)
DOWN = tuple(Wire("transmission", "voltage", f"feeder_{k}", "voltage") for k in "ab")
UP = tuple(Wire(f"feeder_{k}", "power", "transmission", "power") for k in "ab")
POWER = BoundaryPower(p_mw=np.ones(3), q_mvar=np.zeros(3))
PORT = TransmissionPorts()


def voltage(v_pu: float) -> BoundaryVoltage:
    return BoundaryVoltage(v_pu=v_pu, angle_deg=0.0, converged=True)


class Pair:
    """Transmission and two feeders on loopback."""

    def __init__(self, folder: Path, *windows: LossWindow) -> None:
        names = ("transmission", "feeder_a", "feeder_b")
        Heartbeat.create(folder / "beats", names)
        self.heartbeat = Heartbeat(folder / "beats", names)
        self.recorders = {name: MemoryRecorder() for name in names}
        exchange = Exchange(UP + DOWN)
        self.seats = {
            name: FederateSeat(
                seating=Seating(name, name.partition("_")[0], None),
                wires=UP + DOWN,
                span=SPAN,
                market_s=300,
                carrier=exchange.carrier(name),
                recorder=self.recorders[name],
                impairment=Impairment(windows, 1),
                heartbeat=self.heartbeat,
            )
            for name in names
        }


def outbox(message: BoundaryVoltage, to: str | None = None) -> Outbox:
    box = Outbox()
    box.put(PORT.voltage, message, to)
    return box


def test_what_is_sent_at_the_start_is_readable_at_the_first_instant(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.seats["transmission"].begin(outbox(voltage(1.02)))
    arrivals = pair.seats["feeder_a"].advance(SPAN.begin_s)
    got = Inbox(arrivals, None).only(FeederPorts().voltage)
    assert got is not None
    assert (got.sent_s, got.message.v_pu) == (SPAN.begin_s - 1, 1.02)


def test_a_message_to_one_receiver_reaches_no_other(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    transmission = pair.seats["transmission"]
    transmission.advance(0)
    transmission.send(outbox(voltage(1.0), to="feeder_b"))
    assert not pair.seats["feeder_a"].advance(1)
    assert set(pair.seats["feeder_b"].advance(1)["voltage"]) == {"transmission"}


def test_every_message_sent_is_logged_once_per_receiver_with_its_size(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.seats["transmission"].advance(60)
    pair.seats["transmission"].send(outbox(voltage(1.0)))
    log = pair.recorders["transmission"]
    assert log.ids(MESSAGE) == ("transmission>feeder_a/voltage", "transmission>feeder_b/voltage")
    assert list(log.rows(MESSAGE).t_s) == [60, 60]
    assert log.column(MESSAGE, "size_bytes").tolist() == 2 * [float(len(encode(voltage(1.0), 60)))]


def test_an_unwired_port_costs_nothing(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    box = Outbox(sent=[Sent("grid_state", None, voltage(1.0))])
    pair.seats["transmission"].send(box)
    assert MESSAGE.name not in pair.recorders["transmission"].tables


def test_a_receiver_that_is_not_wired_is_an_error_that_names_who_is(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    with pytest.raises(TransportError, match="not wired to iso; it may send to feeder_a, feeder_b"):
        pair.seats["transmission"].send(outbox(voltage(1.0), to="iso"))


def test_sending_twice_on_a_wire_in_one_instant_is_an_error(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    box = outbox(voltage(1.0))
    box.put(PORT.voltage, voltage(1.1), "feeder_b")
    with pytest.raises(TransportError, match="sends twice on transmission"):
        pair.seats["transmission"].send(box)


def test_a_lost_message_is_an_event_and_the_receiver_keeps_the_one_before(tmp_path: Path) -> None:
    window = LossWindow(sender="transmission", receiver="feeder_a", from_s=60, until_s=120)
    pair = Pair(tmp_path, window)
    seats = pair.seats
    for t, v_pu in ((59, 1.01), (60, 1.02), (119, 1.03)):
        seats["transmission"].advance(t)
        seats["transmission"].send(outbox(voltage(v_pu)))
    seen = {n: seats[n].advance(120)["voltage"]["transmission"] for n in ("feeder_a", "feeder_b")}
    assert (seen["feeder_a"].sent_s, seen["feeder_b"].sent_s) == (59, 119)
    log = pair.recorders["transmission"]
    assert list(log.rows(EVENT).t_s) == [60, 119]
    assert set(log.ids(EVENT)) == {DOWN[0].key}
    seats["transmission"].advance(120)
    seats["transmission"].send(outbox(voltage(1.04)))
    assert seats["feeder_a"].advance(121)["voltage"]["transmission"].sent_s == 120


def test_senders_are_in_wiring_order_whoever_came_first() -> None:
    latch = Latch(UP, "transmission")
    latch.take([(UP[1], encode(POWER, 4))])
    before = latch.arrivals
    latch.take([(UP[0], encode(POWER, 6))])
    assert list(latch.arrivals["power"]) == ["feeder_a", "feeder_b"]
    assert list(before["power"]) == ["feeder_b"]


def test_a_restored_latch_gives_what_had_arrived() -> None:
    latch = Latch(UP, "transmission")
    latch.take([(UP[1], encode(POWER, 4)), (UP[0], encode(POWER, 6))])
    again = Latch(UP, "transmission")
    again.restore(latch.snapshot())
    assert again.snapshot() == latch.snapshot()
    assert {s: r.sent_s for s, r in again.arrivals["power"].items()} == {"feeder_a": 6, "feeder_b": 4}


def test_another_message_than_the_port_takes_is_refused() -> None:
    with pytest.raises(CodecError, match="expected BoundaryPower, got BoundaryVoltage"):
        Latch(UP, "transmission").take([(UP[0], encode(voltage(1.0), 5))])


def test_every_market_interval_with_a_grant_is_timed_once(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    seat = pair.seats["feeder_a"]
    for t in (-600, -560, 0, 4, 300, 600, 900):
        seat.rest(t)
        seat.advance(t)
    assert list(pair.recorders["feeder_a"].rows(TIMING).t_s) == [-600, 0, 300, 600]


def test_the_heartbeat_tells_joining_waiting_and_computing(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    seat = pair.seats["feeder_a"]
    seen = [pair.heartbeat.read()["feeder_a"].activity]
    for act in (
        lambda: seat.rest(-600),
        lambda: seat.advance(-600),
        lambda: seat.rest(4),
        lambda: seat.advance(4),
    ):
        act()
        seen.append(pair.heartbeat.read()["feeder_a"].activity)
    assert seen == [
        Activity.ABSENT,
        Activity.JOINING,
        Activity.COMPUTING,
        Activity.WAITING,
        Activity.COMPUTING,
    ]
    assert pair.heartbeat.read()["feeder_a"].granted_s == 4
