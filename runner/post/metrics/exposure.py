"""What falls with whom, and what of whom crosses the T-D interface: by the wiring that the message log shows.

A DER loses its set-points with its aggregator, and with whoever gives awards to that: the ISO, or its DSO,
which goes on at the last award where the ISO is silent. It loses its *check* with a DSO that limits it. These
are counts of what hangs on one node, not of the harm that its fall would do, which takes a run with an event.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from federates.core.ports import PORTS
from runner.post.metrics.metric import KW_PER_MW, Metric
from runner.post.metrics.streams import Stream, kind_of, streams
from runner.post.run_tables import RunTables, once

PER_DER = ("DerOffers", "DerAwards", "FeederModel")
"""Messages in which every DER has entries of its own."""
CHECKS = ("limits", "envelopes")
"""Ports by which a DSO limits DERs of which it is not the one to give set-points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """DERs that hang on one node."""

    node: str
    """Federate."""
    what: str
    """``set-points`` or ``checks``."""
    ders: float
    """How many, multiplicity included."""
    mw: float
    """Their greatest power together. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One kind of message that crossed the T-D interface."""

    sender: str
    """Kind of federate."""
    receiver: str
    """Kind of federate."""
    port: str
    """Port of the receiver, which tells day-ahead from real time."""
    message: str
    """Kind of message."""
    fields: tuple[str, ...]
    """What stands in it."""
    is_per_der: bool
    """Whether every DER has entries of its own in it."""
    count: int
    size_bytes: float
    """All of them together. [B]"""


@once
def hanging(tables: RunTables) -> tuple[Hanging, ...]:
    """What hangs on each node: on the ISO and DSOs by their awards and checks."""
    fleet, found = _fleet(tables), defaultdict[tuple[str, str], set[str]](set)
    for stream in streams(tables):
        if stream.port == "awards" and stream.receiver in fleet:
            found[stream.sender, "set-points"].add(stream.receiver)
        if stream.port == "set_points" and stream.sender in fleet:
            found[stream.sender, "set-points"].add(stream.sender)
        if stream.port in CHECKS and stream.sender.startswith("dso_"):
            lda = stream.sender.removeprefix("dso_")
            found[stream.sender, "checks"] |= {a for a in fleet if a.startswith(f"agg_{lda}_")}
    return tuple(
        Hanging(
            node=node,
            what=what,
            ders=sum(fleet[a][0] for a in sorted(served)),
            mw=sum(fleet[a][1] for a in sorted(served)),
        )
        for (node, what), served in sorted(found.items())
    )


def _fleet(tables: RunTables) -> dict[str, tuple[float, float]]:
    """DERs in a market and their greatest power by aggregator, multiplicity included. [-, MW]"""
    names, codes = tables.ids("der_unit")
    power_kw, participates = (tables.column("der_unit", c).tolist() for c in ("power_kw", "participates"))
    total = defaultdict[str, list[float]](lambda: [0.0, 0.0])
    for code, kw, counts in zip(codes.tolist(), power_kw, participates, strict=True):
        lda, _, own = names[code].split("/")
        times = tables.run.multiplicity[lda] * counts
        total[f"agg_{lda}_{own}"][0] += times
        total[f"agg_{lda}_{own}"][1] += times * kw / KW_PER_MW
    return {name: (ders, mw) for name, (ders, mw) in total.items()}


def crossings(tables: RunTables) -> tuple[Crossing, ...]:
    """Kinds of coordination messages between the ISO and LDAs, as they were sent."""
    found = defaultdict[tuple[str, str, str], list[Stream]](list)
    for stream in streams(tables):
        if stream.crosses_interface:
            found[kind_of(stream.sender), kind_of(stream.receiver), stream.port].append(stream)
    rows = []
    for (sender, receiver, port), sent in sorted(found.items()):
        message = PORTS[receiver].all()[port].message
        assert is_dataclass(message)
        rows.append(
            Crossing(
                sender=sender,
                receiver=receiver,
                port=port,
                message=message.__name__,
                fields=tuple(f.name for f in fields(message)),
                is_per_der=message.__name__ in PER_DER,
                count=sum(s.count for s in sent),
                size_bytes=sum(s.size_bytes for s in sent),
            )
        )
    return tuple(rows)


def _most(tables: RunTables, node: str, what: str = "set-points", of: str = "mw") -> float:
    """The greatest of what hangs on nodes whose name begins so; 0 where nothing does."""
    mine = (h for h in hanging(tables) if h.node.startswith(node) and h.what == what)
    return float(max((getattr(h, of) for h in mine), default=0.0))


def _fields(tables: RunTables, *, per_der: bool) -> float:
    chosen = [c for c in crossings(tables) if c.is_per_der or not per_der]
    return float(len({(c.message, name) for c in chosen for name in c.fields}))


def gap_pct(tables: RunTables) -> float:
    """DER-intervals of a market in which no award came, over all. [%]"""
    fleet, intervals = _fleet(tables), tables.run.clock.duration_s / tables.run.clock.market_s
    names, codes = tables.ids("message")
    begin = tables.interval("message")
    is_inside = (tables.t_s("message") >= 0) & (begin < tables.run.clock.duration_s)
    reached = 0.0
    for k, name in enumerate(names):
        receiver, _, port = name.partition(">")[2].partition("/")
        if port == "awards" and receiver in fleet:
            reached += fleet[receiver][0] * np.unique(begin[(codes == k) & is_inside]).size
    ders = sum(count for count, _ in fleet.values())
    return 100.0 * (1.0 - reached / (ders * intervals)) if ders else float("nan")


METRICS = (
    Metric(
        key="iso_falls_mw", needs=("der_unit", "message"), better="less",
        value=lambda t: _most(t, "iso"), title="DERs without set-points if the ISO falls",
        meaning="greatest power of DERs to whose aggregators the ISO itself gives awards; a total DSO goes "
        "on at the last award",
    ),
    Metric(
        key="dso_falls_mw", needs=("der_unit", "message"), better="less",
        value=lambda t: _most(t, "dso_"), title="DERs without set-points if one DSO falls",
        meaning="the same for the one DSO on which most hangs",
    ),
    Metric(
        key="dso_checks_mw", needs=("der_unit", "message"), better="less",
        value=lambda t: _most(t, "dso_", "checks"), title="DERs without a check if one DSO falls",
        meaning="greatest power of DERs that one DSO limits by overrides or envelopes, of which others give "
        "the set-points",
    ),
    Metric(
        key="blast_radius_mw", needs=("der_unit", "message"), better="less",
        value=lambda t: _most(t, ""),
        meaning="the greatest of what loses its set-points with any one node, aggregators too: also what one "
        "falsified node moves",
    ),
    Metric(
        key="blast_radius_ders_count", needs=("der_unit", "message"), better="less",
        value=lambda t: _most(t, "", of="ders"), meaning="the same in DERs, multiplicity included",
    ),
    Metric(
        key="coordination_gap_pct", needs=("der_unit", "message"), better="less", value=gap_pct,
        meaning="intervals of DERs in a market, in which no award reached their aggregator, over all",
        title="DERs' intervals without coordination",
    ),
    Metric(
        key="td_fields_count", needs=("message",), better="less",
        value=lambda t: _fields(t, per_der=False),
        meaning="fields of the messages that coordination sends across the T-D interface",
    ),
    Metric(
        key="td_der_fields_count", needs=("message",), better="less",
        value=lambda t: _fields(t, per_der=True), title="fields across T-D that tell DERs apart",
        meaning="fields of messages across the T-D interface in which every DER has entries of its own",
    ),
)  # fmt: skip
"""Of the family `architecture`."""
