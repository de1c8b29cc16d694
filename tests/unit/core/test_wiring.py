"""Wires follow links and LDAs; whatever does not fit is named, all at once, before anything starts."""

from __future__ import annotations

import pytest

from federates.coordination.catalog import MODELS
from federates.core.errors import WiringError
from federates.core.wiring import PHYSICAL_LINKS, Link, Seating, expand

SEATS = (
    Seating("iso", "iso", None),
    Seating("transmission", "transmission", None),
    *(
        Seating(f"{kind}_{lda}", short, lda, place)
        for place, lda in enumerate(("x", "y"))
        for kind, short in (("feeder", "feeder"), ("dso", "dso"), ("agg", "aggregator"))
    ),
)
M5 = MODELS["layered_total_dso"].all_links


def test_wires_stay_within_an_lda_or_join_it_to_the_bulk_system() -> None:
    wires = expand(M5, SEATS)
    lda = {s.name: s.lda for s in SEATS}
    assert all(None in {lda[w.sender], lda[w.receiver]} or lda[w.sender] == lda[w.receiver] for w in wires)
    assert [w.receiver for w in wires if w.sender == "transmission" and w.out == "voltage"] == [
        "feeder_x",
        "feeder_y",
    ]
    keys = [w.key for w in wires]
    assert len(set(keys)) == len(keys)
    assert "dso_x.bids>iso.bids" in keys


def test_the_order_of_wires_is_that_of_the_seats() -> None:
    turned = (*SEATS[:2], *SEATS[5:], *SEATS[2:5])
    senders = [w.sender for w in expand(M5, turned) if w.into == "bids"]
    assert senders == ["dso_y", "dso_x"]


def test_every_fault_is_named_at_once() -> None:
    links = (
        *M5,
        Link("feeder", "voltage", "iso", "bids"),
        Link("iso", "awards", "dso", "telemetry"),
        Link("iso", "dispatch", "iso", "awards"),
        Link("moon", "light", "iso", "bids"),
    )
    with pytest.raises(WiringError) as caught:
        expand(links, (*SEATS, Seating("dso_x", "dso", "x")))
    text = str(caught.value)
    for part in (
        "two federates are named 'dso_x'",
        "feeder gives nothing at 'voltage'",
        "iso.awards gives InterfaceAward, dso.telemetry takes Telemetry",
        "iso takes nothing at 'awards'",
        "names a kind that does not exist; kinds are iso, transmission",
    ):
        assert part in text


def test_a_required_port_that_nothing_feeds_is_named() -> None:
    links = [link for link in M5 if (link.to_kind, link.into) != ("transmission", "power")]
    assert len(links) == len(M5) - 1
    with pytest.raises(WiringError, match=r"nothing feeds transmission\.power \(BoundaryPower\)"):
        expand(links, SEATS)


def test_an_optional_port_may_stay_unfed() -> None:
    fed = {(w.receiver, w.into) for w in expand(MODELS["uncoordinated"].all_links, SEATS)}
    assert ("iso", "der_offers") not in fed
    assert ("iso", "bids") in fed


def test_a_wire_given_twice_is_refused() -> None:
    with pytest.raises(WiringError, match=r"'iso\.dispatch>transmission\.dispatch' is given twice"):
        expand((*M5, PHYSICAL_LINKS[5]), SEATS)
