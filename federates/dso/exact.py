"""Every breakpoint of the least cost of serving a feeder as a function of its import.

The value of a linear program in one right-hand side is convex and piecewise linear. Between two of its
vertices the program is solved at the slope of their chord: either nothing is cheaper, and the chord belongs
to the curve, or a new vertex parts it (M. J. Eisner and D. G. Severance, "Mathematical techniques for
efficient record segmentation in large shared databases", Journal of the ACM 23(4), 1976). A curve of n
segments takes 2 n programs, in the order of prices, which keeps the program warm.

A bid with all breakpoints loses nothing: what clears on it is what one program over all layers would find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.dso.bid import MERGE_MW, FeederCurve
from federates.dso.case import FeederCase
from federates.dso.program import ReducedProgram, Vertex

TOLERANCE_SHARE = 0.01
"""Part of the program's usual tolerances: what they leave open would blur the slopes of short segments."""
SAME_USD_PER_H = 1e-7
"""Saving below which a chord belongs to the curve. [$/h]"""


def exact_curve(case: FeederCase, name: str) -> FeederCurve:
    """Every vertex of a feeder's curve, greatest import first, each at a price at which it is the optimum.

    Parameters
    ----------
    case
        One interval of the feeder.
    name
        Says in errors which feeder failed.
    """
    program = ReducedProgram(case, name, tolerance_share=TOLERANCE_SHARE)
    most, least = (program.at_range_end(greatest=greatest) for greatest in (True, False))
    found = [most, *_between(program, most, least)]
    if found[-1].import_mw - least.import_mw > MERGE_MW:
        found.append(least)
    drawn = np.array([v.import_mw for v in found])
    cost = np.array([v.cost_usd_per_h for v in found])
    slope = _slopes(drawn, cost)
    prices = np.concatenate([[-np.inf], (slope[:-1] + slope[1:]) / 2, [np.inf]])
    p_kw, q_kvar = np.stack([v.p_kw for v in found]), np.stack([v.q_kvar for v in found])
    return FeederCurve(
        price_usd_per_mwh=prices[: drawn.size],
        import_mw=drawn,
        cost_usd_per_h=cost,
        p_kw=case.point.map.to_fleet_order(p_kw),
        q_kvar=case.point.map.to_fleet_order(q_kvar),
        screened_count=0,
        programs_count=program.solves_count,
        relaxed_nodes_count=case.relaxed_nodes_count,
        relaxed_branches_count=case.relaxed_branches_count,
        uncovered_nodes_count=len(case.point.map.tree.uncovered_nodes),
    )


def at_common_prices(feeders: Sequence[FeederCurve]) -> list[FeederCurve]:
    """Curves with all their vertices repeated, so that every feeder of an area stands at the same prices.

    One price lies between any two neighbouring slopes of all feeders: each of them has its vertex there.
    """
    slopes = [_slopes(f.import_mw, f.cost_usd_per_h) for f in feeders]
    every = np.unique(np.concatenate(slopes))
    inside = (every[:-1] + every[1:]) / 2
    prices = np.concatenate([[-np.inf], inside, [np.inf]])
    return [_at_prices(f, s, prices) for f, s in zip(feeders, slopes, strict=True)]


def _at_prices(feeder: FeederCurve, slope: FloatArray, prices: FloatArray) -> FeederCurve:
    """The vertices that are optima at ascending prices."""
    at = np.searchsorted(slope, prices)
    return replace(
        feeder,
        price_usd_per_mwh=prices,
        import_mw=feeder.import_mw[at],
        cost_usd_per_h=feeder.cost_usd_per_h[at],
        p_kw=feeder.p_kw[at],
        q_kvar=feeder.q_kvar[at],
    )


def _between(program: ReducedProgram, more: Vertex, less: Vertex) -> list[Vertex]:
    """Vertices strictly between two, import descending."""
    width = more.import_mw - less.import_mw
    if width <= MERGE_MW:
        return []
    price = (less.cost_usd_per_h - more.cost_usd_per_h) / width
    middle = program.at_price(price)
    saving = _value(more, price) - _value(middle, price)
    inside = less.import_mw + MERGE_MW < middle.import_mw < more.import_mw - MERGE_MW
    if saving <= SAME_USD_PER_H or not inside:
        return []
    return [*_between(program, more, middle), middle, *_between(program, middle, less)]


def _value(vertex: Vertex, price_usd_per_mwh: float) -> float:
    return vertex.cost_usd_per_h + price_usd_per_mwh * vertex.import_mw


def _slopes(drawn_mw: FloatArray, cost_usd_per_h: FloatArray) -> FloatArray:
    """What a MW less of import costs along each segment, ascending, shape (vertices - 1,). [$/MWh]"""
    return np.asarray(-np.diff(cost_usd_per_h) / np.diff(drawn_mw))
