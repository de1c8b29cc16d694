"""H1's evening: what the LDA with most batteries exports from 18 to 20 h, when prices peak."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from federates.core.arrays import BoolArray, IntArray
from federates.core.time import DAY_S
from runner.post.metrics.metric import HOUR_S, MIN_PER_H, Family, Metric, multiplied, of_kind, step_integral
from runner.post.metrics.physical import HEAD_COUNTS_KVA
from runner.post.run_tables import RunTables

FROM_H, TO_H = 18, 20


def battery_lda(tables: RunTables) -> str:
    """LDA whose batteries hold most energy as the study begins, multiplicity included."""
    ldas, place = tables.owners("der_start")
    held_kwh = multiplied(tables, "der_start", "soc_kwh") * of_kind(tables, "der_start", "battery")
    return ldas[int(np.argmax(np.bincount(place, held_kwh, len(ldas))))]


def in_the_evening(tables: RunTables, table: str) -> BoolArray:
    """Whether each row lies between 18 and 20 h, local standard time, shape (rows,)."""
    start = datetime.fromisoformat(tables.run.clock.start)
    begin_s = HOUR_S * start.hour + 60 * start.minute + start.second
    local_s: IntArray = (tables.t_s(table) + begin_s) % DAY_S
    evening: BoolArray = (local_s >= HOUR_S * FROM_H) & (local_s < HOUR_S * TO_H)
    return evening


def _there(tables: RunTables, table: str) -> BoolArray:
    """Rows of the battery LDA in the evening, shape (rows,)."""
    ldas, place = tables.owners(table)
    there: BoolArray = (place == ldas.index(battery_lda(tables))) & in_the_evening(tables, table)
    return there


def export_mwh(tables: RunTables) -> float:
    """Energy that the battery LDA exports in the evening; NaN where the study has no evening. [MWh]"""
    there = _there(tables, "head")
    if not there.any():
        return float("nan")
    return step_integral(tables, np.maximum(-tables.column("head", "p_mw")[there], 0.0))


def over_export_min(tables: RunTables) -> float:
    """Time that its heads export beyond their limit in the evening, unmultiplied; NaN without one. [min]"""
    there = _there(tables, "feeder")
    if not there.any():
        return float("nan")
    exports = tables.column("feeder", "p_kw")[there] < 0.0
    over = tables.column("feeder", "head_over_kva")[there] > HEAD_COUNTS_KVA
    return float((exports & over).sum()) * tables.step_h * MIN_PER_H


FAMILY = Family(
    key="evening",
    title="Evening: the LDA with most batteries while prices peak",
    metrics=(
        Metric(
            key="evening_export_mwh", needs=("der_start", "head"), value=export_mwh,
            meaning="energy that the LDA with most batteries exports from 18 to 20 h",
            title="exported at the evening peak",
        ),
        Metric(
            key="evening_over_export_min", needs=("der_start", "feeder"), value=over_export_min,
            better="less",
            meaning="its feeders more than 1 kVA above their limit while they export from 18 to 20 h, times "
            "minutes, unmultiplied", title="beyond export limits at the evening peak",
        ),
    ),
)  # fmt: skip
