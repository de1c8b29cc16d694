"""Injections from which an operating envelope has room: those nearest to rest that keep every limit.

With no DER at work a feeder may stand at a limit or beyond it: in the evening its load alone may be more than
its head may draw. Around such a state there is no room, in either direction and for nobody: what one feeder's
DERs inject lifts the voltage that all share, and with it what the others' loads draw. DERs then have to move
for an envelope to begin. Of all injections that keep every limit, as far as DERs can, and leave some room
where that takes little, those are taken that move the fewest kW: a linear program on the slopes, taken again
where it leads until the measurement agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.dso.envelope import MARGIN, Ability, Judge
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program

PASSES_LIMIT = 6
PARTS, TILT = 5, 1e-3
"""The next fifth of what a DER may move costs a little more than the one before: DERs that help alike are
moved alike, to a fifth."""
ALIKE = 0.99
"""Cosine between the slopes of two limits that count as one."""
EXCESS_COST = 1_000.0
"""Cost of what a limit is exceeded by, for each kW that the DER which helps most would have to move; a kW
moved costs 1."""
SPARE_COST = 10.0
"""The same of what is missing of its spare room, which is not worth moving DERs that hardly help."""


class StrictJudge(Judge, Protocol):
    """A judge that knows its limits as they are, before they were relaxed."""

    relaxed_by: FloatArray
    """How far each limit is relaxed, shape (limits,)."""
    spare: FloatArray
    """Room that is to be left of each limit, shape (limits,)."""


def kept_reference(judge: StrictJudge, ability: Ability) -> FloatArray:
    """Injections nearest to an ability's reference that keep every limit, with some room, shape (ders,). [kW]

    The reference itself where it leaves every limit its spare room. Where DERs cannot keep a limit, they
    exceed it by as little as they can.

    Raises
    ------
    DivergedError
        If a state on the way cannot be solved.
    """
    p_kw, watched = ability.reference_kw, np.zeros(0, dtype=np.int64)
    best_kw, least = p_kw, np.inf
    for _ in range(PASSES_LIMIT):
        excess = judge.excess(p_kw) + judge.relaxed_by
        missing, worst = excess + judge.spare, float(excess.max(initial=-np.inf))
        if worst <= max(least, 0.0):
            best_kw, least = p_kw, worst
        fresh = np.setdiff1d(np.flatnonzero(missing > MARGIN), watched)
        if fresh.size:
            fresh = fresh[_distinct(judge.slopes(p_kw, fresh), missing[fresh])]
        elif worst <= 0.0:
            break
        watched = np.union1d(watched, fresh)
        rows = _rows(judge, p_kw, watched, missing[watched])
        p_kw = ability.reference_kw + _least_move(rows, p_kw - ability.reference_kw, ability)
        p_kw = np.clip(p_kw, ability.least_kw, ability.most_kw)
    return best_kw


def _distinct(slope: FloatArray, missing: FloatArray) -> IntArray:
    """Places of rows that point elsewhere than those that miss more: along a line, all miss alike."""
    size = np.maximum(np.linalg.norm(slope, axis=1), np.finfo(np.float64).tiny)
    way = slope / size[:, None]
    kept: list[int] = []
    for row in np.argsort(-missing / size, kind="stable").tolist():
        if (way[kept] @ way[row] < ALIKE).all():
            kept.append(row)
    return np.array(kept, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Limits around a state: what is missing of their spare room there, and its change by kW."""

    slope: FloatArray
    """Shape (rows, ders)."""
    missing: FloatArray
    """Shape (rows,)."""
    spare: FloatArray
    """Shape (rows,)."""


def _rows(judge: StrictJudge, p_kw: FloatArray, limits: IntArray, missing: FloatArray) -> _Rows:
    """Some limits at a state; a magnitude, which may fall to zero and rise again, from both sides."""
    slope, spare = judge.slopes(p_kw, limits), judge.spare[limits]
    bound = judge.magnitude[limits] - judge.relaxed_by[limits]
    turns = np.isfinite(bound)
    other_side = 2.0 * (spare - bound)[turns] - missing[turns]
    return _Rows(
        np.vstack([slope, -slope[turns]]),
        np.concatenate([missing, other_side]),
        np.concatenate([spare, spare[turns]]),
    )


def _least_move(rows: _Rows, moved_kw: FloatArray, ability: Ability) -> FloatArray:
    """Fewest kW from the reference that leave the rows their room, taken around a move, shape (ders,)."""
    greatest = np.maximum(np.abs(rows.slope).max(axis=1, initial=0.0), np.finfo(np.float64).tiny)
    slope, spare_kw = rows.slope / greatest[:, None], rows.spare / greatest
    missing_kw = rows.missing / greatest - slope @ moved_kw
    room = np.concatenate([ability.most_kw - ability.reference_kw, ability.reference_kw - ability.least_kw])
    program = Program("envelope's reference", look_at="what is missing of its limits, which must be finite")
    blueprint = Blueprint(program)
    part_kw, dearer = room[:, None] / PARTS, 1.0 + TILT * np.arange(PARTS) / PARTS
    parts = blueprint.columns((room.size, PARTS), 0.0, part_kw, dearer)
    spare = blueprint.columns(spare_kw.shape, 0.0, spare_kw, SPARE_COST)
    excess = blueprint.columns(spare_kw.shape, 0.0, np.inf, EXCESS_COST)
    limits = blueprint.rows(spare_kw.shape, -np.inf, -missing_kw)
    blueprint.entries(limits[:, None, None], parts, np.hstack([slope, -slope])[:, :, None])
    blueprint.entries(limits, spare, -1.0)
    blueprint.entries(limits, excess, -1.0)
    blueprint.pour()
    x = np.clip(program.solve().x[parts], 0.0, part_kw)
    up, down = np.split(x.sum(axis=1), 2)
    return np.asarray(up - down)
