"""The architecture as the message log shows it, after Taft's catalogue of structural defects.

Tiers are device 0 (the feeder federate), aggregator 1, DSO 2, ISO 3. A message *bypasses* where one end is
the ISO and the other lies inside an LDA below its DSO: an offer, an award or a meter that the DSO does not
see. Bypassing is structure; a *conflict* is the harm that it may do: two instructions to one DER that differ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from runner.post.metrics import exposure, latency
from runner.post.metrics.metric import Family, Metric
from runner.post.metrics.streams import Stream, streams
from runner.post.run_tables import RunTables


def bypass_count(tables: RunTables) -> float:
    """Messages between the ISO and what lies below a DSO."""
    return _count(tables, lambda s: s.bypasses)


def conflicts_count(tables: RunTables) -> float:
    """DERs and intervals with two instructions that differ, as the plant logged them."""
    return float(tables.t_s("conflict").size) if "conflict" in tables.names else 0.0


def seen_by_iso(tables: RunTables) -> frozenset[str]:
    """Participants of LDAs from whom the ISO hears."""
    return frozenset(s.sender for s in streams(tables) if s.receiver == "iso" and s.crosses_interface)


def ders_seen(tables: RunTables) -> float:
    """DERs of which the ISO holds offers of their own; 0 where offers end at the DSO."""
    model = MODELS[tables.run.coordination]
    return float(len(tables.ids("der")[0])) if model.offers_to is Tier.ISO else 0.0


def _count(tables: RunTables, chosen: Callable[[Stream], bool]) -> float:
    return float(sum(s.count for s in streams(tables) if chosen(s)))


def _bytes(tables: RunTables, chosen: Callable[[Stream], bool]) -> float:
    return float(sum(s.size_bytes for s in streams(tables) if chosen(s)))


def _intervals(tables: RunTables) -> float:
    return tables.run.clock.duration_s / tables.run.clock.market_s


def _busy_s(tables: RunTables, of: str = "") -> float:
    names, codes = tables.ids("timing")
    mine = np.array([name.startswith(of) for name in names])[codes]
    return float(tables.column("timing", "busy_s")[mine].sum())


FAMILY = Family(
    key="architecture",
    title="Architecture: what was said, by whom, past whom",
    metrics=(
        Metric(
            key="bypass_messages", needs=("message",), better="less", value=bypass_count,
            meaning="messages between the ISO and what lies below a DSO: offers, awards and meters of DERs",
            title="messages past the DSO",
        ),
        Metric(
            key="bypass_bytes", needs=("message",), better="less",
            value=lambda t: _bytes(t, lambda s: s.bypasses), meaning="their size",
        ),
        Metric(
            key="conflicts", needs=("message",), better="less", value=conflicts_count,
            meaning="DER-intervals in which an aggregator asked what the DSO did not allow; 0 where no DSO "
            "speaks to DERs past their aggregator", title="conflicting instructions",
        ),
        Metric(
            key="td_messages_per_interval_count", needs=("message",), better="less",
            value=lambda t: _count(t, lambda s: s.crosses_interface) / _intervals(t),
            meaning="coordination messages between ISO and LDAs over market intervals",
        ),
        Metric(
            key="td_interval_bytes", needs=("message",), better="less",
            value=lambda t: _bytes(t, lambda s: s.crosses_interface) / _intervals(t),
            meaning="their size over market intervals", title="bytes across T-D an interval",
        ),
        Metric(
            key="coordination_messages_count", needs=("message",), better="less",
            value=lambda t: _count(t, lambda s: not s.is_physical),
            meaning="all messages but the grid itself, its meters and set-points to devices",
        ),
        Metric(
            key="coordination_bytes", needs=("message",), better="less",
            value=lambda t: _bytes(t, lambda s: not s.is_physical), meaning="their size",
            title="bytes of all coordination",
        ),
        Metric(
            key="iso_participants_count", needs=("message",), better="less",
            value=lambda t: float(len(seen_by_iso(t))),
            meaning="participants of LDAs from whom the ISO hears", title="LDA participants the ISO sees",
        ),
        Metric(
            key="iso_ders_count", needs=("der",), better="less", value=ders_seen,
            meaning="simulated DERs of which the ISO holds offers of their own", title="DERs the ISO sees",
        ),
        *exposure.METRICS,
        *latency.METRICS,
        Metric(
            key="iso_busy_s", needs=("timing",), better="less", value=lambda t: _busy_s(t, "iso"),
            meaning="time that the ISO computed (a time of the machine)",
        ),
        Metric(
            key="busy_s", needs=("timing",), better="less", value=_busy_s,
            meaning="time that all federates computed (a time of the machine)",
        ),
    ),
)  # fmt: skip
