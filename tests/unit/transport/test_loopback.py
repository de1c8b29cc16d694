"""The delivery rule: sent at t, readable at later instants, the latest of several."""

from __future__ import annotations

from collections.abc import Iterator

from federates.core.time import SimTime
from federates.core.wiring import Wire
from federates.transport.loopback import Exchange, interleave

WIRE = Wire("a", "out", "b", "into")


def collected(exchange: Exchange, now: SimTime) -> list[bytes]:
    carrier = exchange.carrier("b")
    carrier.wait(now)
    return [data for _, data in carrier.collect()]


def test_a_value_is_readable_only_after_its_instant() -> None:
    exchange = Exchange((WIRE,))
    exchange.carrier("a").send(WIRE, b"x", 10)
    assert collected(exchange, 9) == []
    assert collected(exchange, 10) == []
    assert collected(exchange, 11) == [b"x"]


def test_a_value_is_new_once() -> None:
    exchange = Exchange((WIRE,))
    exchange.carrier("a").send(WIRE, b"x", 10)
    assert collected(exchange, 11) == [b"x"]
    assert collected(exchange, 12) == []


def test_the_latest_readable_value_replaces_earlier_ones_and_later_ones_stay() -> None:
    exchange = Exchange((WIRE,))
    for t, data in ((10, b"x"), (20, b"y"), (30, b"z")):
        exchange.carrier("a").send(WIRE, data, t)
    assert collected(exchange, 30) == [b"y"]
    assert collected(exchange, 31) == [b"z"]


def test_federates_run_by_instant_and_ties_by_seat() -> None:
    ran: list[tuple[str, SimTime]] = []

    def federate(name: str, instants: list[SimTime]) -> Iterator[SimTime]:
        for t in instants:
            yield t
            ran.append((name, t))

    interleave({"a": federate("a", [1, 4, 5]), "b": federate("b", [1, 2, 5]), "c": federate("c", [3])})
    assert ran == [("a", 1), ("b", 1), ("b", 2), ("c", 3), ("a", 4), ("a", 5), ("b", 5)]
