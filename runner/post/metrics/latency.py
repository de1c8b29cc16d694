"""How old what is seen has become when a set-point answers it, and by how many hands it went.

Traced back along the message log: a message is readable after the instant at which it is sent, so that behind
one stands the latest of each stream before it. Times are federation time, which is the clock of the study:
its offsets within a step and its gate closure; a link's own delay is in it only where the study states one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.arrays import IntArray
from runner.post.metrics.metric import Metric
from runner.post.run_tables import RunTables

Streams = tuple[str, ...]
"""Messages ``sender>receiver/port`` in the order in which one follows from the other."""


def market_loop(tier: Tier, aggregator: str, lda: str) -> Streams:
    """From what an aggregator sees of its DERs to the set-point that follows from the market's answer."""
    seen, done = f"feeder_{lda}>{aggregator}/der_state", f"{aggregator}>feeder_{lda}/set_points"
    match tier:
        case Tier.ISO:
            return seen, f"{aggregator}>iso/der_offers", f"iso>{aggregator}/awards", done
        case Tier.DSO:
            dso = f"dso_{lda}"
            up, down = (f"{aggregator}>{dso}/offers", f"{dso}>iso/bids"), (f"iso>{dso}/awards",)
            return seen, *up, *down, f"{dso}>{aggregator}/awards", done
        case Tier.NOBODY:
            return seen, done


def local_loop(tier: Tier, aggregator: str, lda: str) -> Streams:
    """From what a meter shows to a set-point that minds it without the market; empty: there is none."""
    done = f"{aggregator}>feeder_{lda}/set_points"
    match tier:
        case Tier.ISO:
            return ()
        case Tier.DSO:
            return f"feeder_{lda}>dso_{lda}/telemetry", f"dso_{lda}>{aggregator}/awards", done
        case Tier.NOBODY:
            return f"feeder_{lda}>{aggregator}/der_state", done


def aggregators(tables: RunTables) -> dict[str, str]:
    """Aggregators that give set-points, and the LDA of each."""
    names, _ = tables.ids("message")
    ends = (name.partition("/")[0].split(">") for name in names if name.endswith("/set_points"))
    return {
        sender: receiver.removeprefix("feeder_")
        for sender, receiver in ends
        if receiver.startswith("feeder_")
    }  # fmt: skip


def lags_s(times: Sequence[IntArray]) -> IntArray:
    """From the first message behind each last one to it, shape (traced,). [s]

    Parameters
    ----------
    times
        When the messages of each stream were sent, ascending; last ones of which nothing is known are left
        out, and of several with the same first one only the earliest counts. [s]
    """
    last = at = times[-1]
    for stream in reversed(times[:-1]):
        place = np.searchsorted(stream, at) - 1
        last, at = last[place >= 0], stream[place[place >= 0]]
    first, earliest = np.unique(at, return_index=True)
    return np.asarray(last[earliest] - first)


def _lags(tables: RunTables, *, is_local: bool) -> IntArray:
    """Of all aggregators, in the study's own time. [s]"""
    tier = MODELS[tables.run.coordination].offers_to
    loop = local_loop if is_local else market_loop
    names, codes = tables.ids("message")
    t_s, place = tables.t_s("message"), {name: k for k, name in enumerate(names)}
    found = [np.zeros(0, np.int64)]
    for aggregator, lda in aggregators(tables).items():
        streams = loop(tier, aggregator, lda)
        if streams and all(name in place for name in streams):
            found.append(lags_s([np.sort(t_s[codes == place[name]]) for name in streams]))
    return np.concatenate(found)


def _hops(tables: RunTables) -> float:
    tier = MODELS[tables.run.coordination].offers_to
    return float(max((len(market_loop(tier, *one)) for one in aggregators(tables).items()), default=0))


def _median(values: IntArray) -> float:
    return float(np.median(values)) if values.size else float("nan")


METRICS = (
    Metric(
        key="market_loop_hops_count", needs=("message",), better="less", value=_hops,
        meaning="messages from what an aggregator sees of its DERs to the set-point that follows",
        title="messages from sight to set-point",
    ),
    Metric(
        key="market_loop_s", needs=("message",), better="less",
        value=lambda t: _median(_lags(t, is_local=False)), title="from sight to set-point by the market",
        meaning="median time from what an aggregator sees of its DERs to the first set-point that the market "
        "makes of it (where there is no market for DERs: that they make themselves), by the study's clock",
    ),
    Metric(
        key="market_loop_max_s", needs=("message",), better="less",
        value=lambda t: max(_lags(t, is_local=False), default=np.nan), meaning="the longest of them",
    ),
    Metric(
        key="local_loop_s", needs=("message",), better="less",
        value=lambda t: _median(_lags(t, is_local=True)), title="from meter to set-point without the market",
        meaning="median time from a meter's reading to the first set-point that minds it without the market: "
        "a total DSO's fast loop, or the devices' own; none where all set-points are the ISO's",
    ),
)  # fmt: skip
"""Of the family `architecture`."""
