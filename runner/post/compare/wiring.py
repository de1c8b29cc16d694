"""What crosses the T-D interface in every run, and what hangs on whom, as rows of tables."""

from __future__ import annotations

from runner.post.compare.comparison import Comparison
from runner.post.headline import number
from runner.post.metrics.exposure import crossings, hanging

CROSSING_HEADS = ("run", "from", "to", "port", "message", "fields", "tells DERs apart", "messages", "bytes")
CROSSING_WORDS = (
    "Every kind of coordination message between the ISO and the LDAs, with its fields, as the message log "
    "has them. The ISO tells DERs apart where every one has entries of its own, by its place."
)
HANGING_HEADS = ("run", "node", "what its fall takes", "DERs", "MW")
HANGING_WORDS = (
    "Set-points: DERs whose aggregator is given awards by the node, or is it. A total DSO goes on at the "
    "last award when the ISO falls. Checks: DERs that a DSO limits, of which the ISO gives the set-points. "
    "Counted from the wiring that the message log shows, multiplicity included; what a fall costs takes a "
    "run with an event."
)


def crossing_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """What crossed the interface, by run, sender, receiver and kind of message."""
    return [
        (
            run.code, c.sender, c.receiver, c.port, c.message, ", ".join(c.fields),
            "yes" if c.is_per_der else "no", f"{c.count:,}", number(c.size_bytes),
        )
        for run in comparison.contenders
        if "message" in run.tables.names
        for c in crossings(run.tables)
    ]  # fmt: skip


def hanging_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """What hangs on each node, by run."""
    return [
        (run.code, h.node, h.what, number(h.ders), number(h.mw))
        for run in comparison.contenders
        if {"message", "der_unit"} <= run.tables.names
        for h in hanging(run.tables)
    ]
