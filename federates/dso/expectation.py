"""What a total DSO expects of a feeder at its dispatch: the plant's own figures, as the twin has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.dso.dispatch import Dispatch, FeederOffer, tolerance

FULL_PCT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Feeders of an area at a dispatch on the twin, shapes (feeders,)."""

    p_kw: FloatArray
    """Drawn at each head. [kW]"""
    q_kvar: FloatArray
    """Drawn at each head. [kvar]"""
    v_min_pu: FloatArray
    """Least voltage at a load. [pu]"""
    v_max_pu: FloatArray
    """Greatest voltage at a load. [pu]"""
    loading_max_pct: FloatArray
    """Greatest loading of a phase of a line, regulator or transformer. [%]"""
    broken_count: FloatArray
    """Limits that the dispatch breaks, as they were relaxed for it."""
    room_less_kw: FloatArray
    """By how much DERs could yet make each feeder draw less, losses aside. [kW]"""
    room_more_kw: FloatArray
    """By how much DERs could yet make each feeder draw more, losses aside. [kW]"""


def expectation(done: Dispatch, feeders: Sequence[FeederOffer], loaded: Sequence[BoolArray]) -> Expectation:
    """What is expected of each feeder at a dispatch.

    Parameters
    ----------
    done
        The dispatch.
    feeders
        What it was asked with.
    loaded
        Which far nodes of each feeder's map have a load, shapes (m,).
    """
    broken = [limit.feeder for limit in done.limits if limit.excess > tolerance(limit.kind)]
    rows = []
    for place, (point, offer, p_kw, has_load) in enumerate(
        zip(done.state.points, feeders, done.p_kw, loaded, strict=True)
    ):
        v_pu = np.sqrt(point.w_pu2[has_load])
        columns = offer.columns
        rows.append(
            (
                point.p_head_kw,
                point.q_head_kvar,
                v_pu.min(),
                v_pu.max(),
                FULL_PCT * np.max(np.abs(point.s_kva) / point.limit_kva),
                broken.count(place),
                np.maximum(columns.top_kw - p_kw, 0.0).sum(),
                np.maximum(p_kw - columns.floor_kw, 0.0).sum(),
            )
        )
    p, q, v_min, v_max, loading, broken_count, less, more = np.array(rows, dtype=np.float64).T
    return Expectation(
        p_kw=p,
        q_kvar=q,
        v_min_pu=v_min,
        v_max_pu=v_max,
        loading_max_pct=loading,
        broken_count=broken_count,
        room_less_kw=less,
        room_more_kw=more,
    )
