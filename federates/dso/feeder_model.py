"""What a DSO tells an ISO that keeps its feeders' limits: the linear map as rows on the DERs' injections.

The rows are those of the DSO's own program (`federates.dso.program`), all at once and written for the
injections themselves. Only rows that some injection within the DERs' reach breaks are published, of several
with the same coefficients the tightest, and none that another one implies: no dispatch is lost or gained by
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.messages import FeederModel
from federates.distribution.linear import OperatingPoint
from federates.dso.case import FeederCase, FeederLimits, feeder_case
from federates.dso.columns import KW_PER_MW, DerColumns

ALIKE_DECIMALS = 9
"""Decimals to which two rows' coefficients are equal: within a hundred MW, a tenth of a watt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRows:
    """Limits ``coefficient @ p <= upper`` on injections of one simulated set."""

    coefficient: csr_array
    """Greatest of each row is 1, shape (rows, ders)."""
    upper_mw: FloatArray
    """Shape (rows,). [MW]"""

    def with_most(self, most_kw: FloatArray, column: IntArray) -> LimitRows:
        """The same, and each DER with a column, shape (ders,), at or below an injection; inf: any. [kW]"""
        held = np.flatnonzero(np.isfinite(most_kw) & (column >= 0))
        entries = (np.ones(held.size), (np.arange(held.size), column[held]))
        own = csr_array(entries, shape=(held.size, self.coefficient.shape[1]))
        return LimitRows(
            coefficient=csr_array(vstack([self.coefficient, own], format="csr")),
            upper_mw=np.concatenate([self.upper_mw, most_kw[held] / KW_PER_MW]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFeeder:
    """One feeder in one interval; arrays of its DERs in fleet order."""

    point: OperatingPoint
    reach: DerColumns
    """One block per DER from its least to its greatest injection; a DER that nobody directs stands still."""
    directed: BoolArray
    """Which DERs follow set-points, shape (ders,)."""
    limits: FeederLimits
    column: IntArray
    """Column of each DER in the area's rows, shape (ders,)."""


def reach_columns(
    least_kw: FloatArray, greatest_kw: FloatArray, base_kw: FloatArray, q_kvar: FloatArray
) -> DerColumns:
    """What DERs may inject, as one block each; arrays of shape (ders,)."""
    count = least_kw.size
    return DerColumns(
        der=np.arange(count),
        width_kw=greatest_kw - least_kw,
        price_usd_per_mwh=np.zeros(count),
        floor_kw=least_kw,
        base_kw=base_kw,
        q_kvar=q_kvar,
        q_limit_kvar=np.zeros(count),
    )


def area_rows(
    feeders: Sequence[SeenFeeder],
    ders_count: int,
    *,
    constant_mw: float,
    substation_mw: float,
    step_mw: tuple[float, float] = (-np.inf, np.inf),
) -> LimitRows:
    """Limits of an area in one interval.

    Parameters
    ----------
    ders_count
        Columns of the area's rows.
    constant_mw
        What the interface draws beyond the feeders. [MW]
    substation_mw
        Greatest import and export of the substation, relaxed to the base state as the feeders' are. [MW]
    step_mw
        Least and greatest import of the area that is one step from before the interval. [MW]
    """
    parts, at_floor, at_base = [], constant_mw, constant_mw
    whole, floor_mw = np.zeros(ders_count), 0.0
    for feeder in feeders:
        case = feeder_case(feeder.point, feeder.reach.ordered(feeder.point.map.order), feeder.limits)
        order = feeder.point.map.order
        directed, column = feeder.directed[order], feeder.column[order][feeder.directed[order]]
        rows = feeder_rows(case, directed)
        entries = (rows.coefficient.data, column[rows.coefficient.indices], rows.coefficient.indptr)
        parts.append((csr_array(entries, shape=(rows.upper_mw.size, ders_count)), rows.upper_mw))
        at_floor += case.import_at_floor_mw
        at_base += case.import_at_floor_mw - _up_mw(case, _base_kw(case))
        whole[column] = 1.0
        floor_mw += float(case.columns.floor_kw[directed].sum()) / KW_PER_MW
    reach_mw = sum(float(feeder.reach.width_kw.sum()) for feeder in feeders) / KW_PER_MW
    head = _head_rows(
        whole,
        idle_mw=at_floor + floor_mw,
        span_mw=(at_floor - reach_mw, at_floor),
        limits_mw=(
            max(min(-substation_mw, at_base), step_mw[0]),
            min(max(substation_mw, at_base), step_mw[1]),
        ),
    )
    parts.append((head.coefficient, head.upper_mw))
    return LimitRows(
        coefficient=csr_array(vstack([p[0] for p in parts], format="csr")),
        upper_mw=np.concatenate([p[1] for p in parts]),
    )


def feeder_rows(case: FeederCase, directed: BoolArray) -> LimitRows:
    """Limits of one feeder on its directed DERs, the map's order kept.

    Parameters
    ----------
    directed
        Which DERs have a column, shape (ders,) in the map's order; the others stay at their floor.
    """
    floor_mw = case.columns.floor_kw[directed] / KW_PER_MW
    width_mw = (case.columns.top_kw - case.columns.floor_kw)[directed] / KW_PER_MW
    slope = _slopes(case)[:, directed]
    over = case.excess(case.columns.floor_kw, case.columns.q_kvar).ravel()
    greatest = np.abs(slope).max(axis=1, initial=0.0)
    matters = np.isfinite(over) & (greatest > 0.0) & (over + np.maximum(slope, 0.0) @ width_mw > 0.0)
    kept = np.flatnonzero(matters)
    kept = kept[_tightest(slope[kept] / greatest[kept, None], -over[kept] / greatest[kept])]
    for kind in np.unique(kept // case.bound.shape[1]):
        alike = kept[kept // case.bound.shape[1] == kind]
        kept = np.setdiff1d(kept, alike[_implied(slope[alike] * width_mw, -over[alike])])
    slope = slope[kept] / greatest[kept, None]
    upper_mw = slope @ floor_mw - over[kept] / greatest[kept]
    head = _head_rows(
        np.ones(floor_mw.size),
        idle_mw=case.import_at_floor_mw + float(floor_mw.sum()),
        span_mw=(case.import_at_floor_mw - float(width_mw.sum()), case.import_at_floor_mw),
        limits_mw=(case.least_import_mw, case.greatest_import_mw),
    )
    return LimitRows(
        coefficient=csr_array(np.vstack((slope, head.coefficient.toarray()))),
        upper_mw=np.concatenate((upper_mw, head.upper_mw)),
    )


def _slopes(case: FeederCase) -> FloatArray:
    """What a MW of each DER adds to each limit's activity, shape (kinds * m, ders)."""
    voltage, _ = case.point.voltage_rows(np.arange(case.point.map.branch_phases_count))
    share = case.point.map.incidence.toarray()
    power = [-normal.real * share for normal in case.normal]
    return np.concatenate([KW_PER_MW * voltage, -KW_PER_MW * voltage, *power])


def _tightest(slope: FloatArray, upper: FloatArray) -> IntArray:
    """Places of the rows that no row with the same coefficients makes superfluous, ascending."""
    if not upper.size:
        return np.zeros(0, dtype=np.int64)
    _, group = np.unique(np.round(slope, ALIKE_DECIMALS), axis=0, return_inverse=True)
    order = np.lexsort((np.arange(upper.size), upper, group))
    first = np.concatenate(([True], np.diff(group[order]) != 0))
    return np.sort(order[first])


def _implied(rise: FloatArray, room: FloatArray) -> BoolArray:
    """Rows ``rise @ x <= room`` that another one implies wherever x is between 0 and 1, shape (rows,).

    Row s implies row r where ``max (rise_r - rise_s) @ x <= room_r - room_s``: along a line with no DER
    between, or towards the head, where the same injections raise the voltage less.
    """
    implied = np.zeros(room.size, dtype=np.bool_)
    kept_rise, kept_room, count = np.empty_like(rise), np.empty_like(room), 0
    reach = np.maximum(rise, 0.0).sum(axis=1)
    for r in np.lexsort((np.arange(room.size), room - reach)).tolist():
        apart = rise[r] - kept_rise[:count]
        excess = np.maximum(apart, 0.0, out=apart).sum(axis=1) - (room[r] - kept_room[:count])
        implied[r] = (excess <= 0.0).any()
        if not implied[r]:
            kept_rise[count], kept_room[count] = rise[r], room[r]
            count += 1
    return implied


def _head_rows(
    whole: FloatArray,
    *,
    idle_mw: float,
    span_mw: tuple[float, float],
    limits_mw: tuple[float, float],
) -> LimitRows:
    """Limits on the import ``idle - whole @ p``, as far as the import's span passes them."""
    (least, greatest), (low, high) = limits_mw, span_mw
    rows = [(whole, idle_mw - least)] * (low < least) + [(-whole, greatest - idle_mw)] * (high > greatest)
    coefficient = np.array([r[0] for r in rows]).reshape(len(rows), whole.size)
    return LimitRows(coefficient=csr_array(coefficient), upper_mw=np.array([r[1] for r in rows]))


def _base_kw(case: FeederCase) -> FloatArray:
    return np.clip(case.columns.base_kw, case.columns.floor_kw, case.columns.top_kw)


def _up_mw(case: FeederCase, p_kw: FloatArray) -> float:
    return float((p_kw - case.columns.floor_kw).sum()) / KW_PER_MW


def feeder_model(
    intervals: Sequence[LimitRows], *, interval_s: int, length_s: int, multiplicity: int
) -> FeederModel:
    """Message that carries the limits of consecutive intervals, for offers of the whole area."""
    matrices = [rows.coefficient for rows in intervals]
    return FeederModel(
        interval_s=interval_s,
        length_s=length_s,
        ders=int(matrices[0].shape[1]),
        rows=np.array([m.shape[0] for m in matrices], dtype=np.int64),
        entries=np.concatenate([np.diff(m.indptr) for m in matrices]).astype(np.int64),
        der=np.concatenate([m.indices for m in matrices]).astype(np.int64),
        coefficient=np.concatenate([m.data for m in matrices]),
        upper_mw=multiplicity * np.concatenate([rows.upper_mw for rows in intervals]),
    )
