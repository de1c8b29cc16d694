"""The least that a DSO must change of a dispatch that is not its own, so that its feeders bear it.

A DER may be held back towards rest (no injection; its own demand, where that is flexible), never be asked for
more. Of all ways to do so that keep the limits, the one is taken that moves the fewest kW: a linear program
per feeder around the state that the dispatch would bring, taken again around what comes out of it until the
twin shows no limit broken. A limit that rest itself breaks is no ground for an override beyond rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.distribution.linear import OperatingPoint
from federates.dso.case import FeederCase, FeederLimits, feeder_case
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.dispatch import (
    BROKEN_POWER_SHARE,
    BROKEN_VOLTAGE_PU2,
    PASS_MARGIN_PU,
    SetPoints,
    TwinSolver,
    carried,
)
from federates.dso.program import ReducedProgram, Vertex, limit_row

PASSES_LIMIT = 5
MOVED_KW = 1e-3
"""A DER moved by less is not overridden."""
WORTH_USD_PER_MWH = 100.0
"""Price of a MWh moved, the same for every DER: only ratios count."""
PARTS, TILT = 10, 1e-3
"""The next tenth of what a DER may move costs a ten-thousandth more than the one before: DERs that help alike
are moved alike, to a tenth, and the sum moved is the least to a thousandth."""


class Reason(Enum):
    """Which kind of limit makes an override necessary."""

    VOLTAGE = "voltage"
    THERMAL = "thermal"
    HEAD = "head"


REASONS = tuple(Reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFeeder:
    """One feeder and what is asked of its DERs; arrays in fleet order."""

    asked_kw: FloatArray
    """Injections asked for, shape (ders,). [kW]"""
    rest_kw: FloatArray
    """Injections with no DER at work, shape (ders,); as asked where a DER follows nobody. [kW]"""
    q_kvar: FloatArray
    """Reactive injections, held, shape (ders,). [kvar]"""
    name: str

    def columns(self) -> DerColumns:
        """Each DER may move between rest and what is asked, at a price for what it moves from there."""
        count = self.asked_kw.size
        lowered = self.asked_kw > self.rest_kw
        dearer = 1.0 + TILT * np.arange(PARTS) / PARTS
        price = np.where(lowered[:, None], -dearer[::-1], dearer) * WORTH_USD_PER_MWH
        return DerColumns(
            der=np.repeat(np.arange(count), PARTS),
            width_kw=np.repeat(np.abs(self.asked_kw - self.rest_kw) / PARTS, PARTS),
            price_usd_per_mwh=price.ravel(),
            floor_kw=np.minimum(self.asked_kw, self.rest_kw),
            base_kw=self.rest_kw,
            q_kvar=self.q_kvar,
            q_limit_kvar=np.zeros(count),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederOverride:
    """What becomes of one feeder's dispatch; arrays in fleet order."""

    allowed_kw: FloatArray
    """Injections, shape (ders,). [kW]"""
    broken_count: IntArray
    """Limits that the dispatch breaks, by reason, shape (reasons,)."""
    left_count: int
    """Limits broken still: with every DER that could help at rest, or after the last pass."""
    reason: IntArray
    """Place of each DER's reason among `REASONS`, -1 where it is not overridden, shape (ders,)."""
    node: IntArray
    """Node that the limit of the reason is at, in the circuit's node vector; -1: the head, shape (ders,)."""
    passes_count: int
    """Programs solved."""

    @property
    def moved(self) -> BoolArray:
        """DERs that are overridden, shape (ders,)."""
        return np.asarray(self.reason >= 0)


LimitsOf = Callable[[int, OperatingPoint], FeederLimits]
"""What is kept on a feeder, by its place, around an operating point."""


def least_overrides(
    feeders: Sequence[CheckedFeeder], twin: TwinSolver, limits_of: LimitsOf
) -> tuple[FeederOverride, ...]:
    """Overrides of an area's feeders.

    Parameters
    ----------
    feeders
        In the twin's order.
    twin
        Solves the area at set-points.

    Raises
    ------
    DivergedError
        If the twin does not carry the state at rest.
    """
    works = [_Work(feeder) for feeder in feeders]
    rest = SetPoints(p_kw=tuple(f.rest_kw for f in feeders), q_kvar=tuple(f.q_kvar for f in feeders))
    for passes in range(PASSES_LIMIT + 1):
        wanted = SetPoints(p_kw=tuple(w.allowed_kw for w in works), q_kvar=rest.q_kvar)
        at, state, collapsed = carried(rest, wanted, twin)
        for place, (work, point) in enumerate(zip(works, state.points, strict=True)):
            work.judge(point, limits_of(place, point))
        if not (collapsed or any(work.is_broken for work in works)):
            break
        for work, p_kw in zip(works, at.p_kw, strict=True):
            if collapsed:
                work.retreat(p_kw)
            if work.is_broken and passes < PASSES_LIMIT:
                work.relieve()
    return tuple(work.result() for work in works)


class _Work:
    """One feeder on the way to its overrides."""

    def __init__(self, feeder: CheckedFeeder) -> None:
        count = feeder.asked_kw.size
        self._feeder = feeder
        self._columns = feeder.columns()
        self.allowed_kw = feeder.asked_kw
        self._reason = np.full(count, -1)
        self._node = np.full(count, -1)
        self._first: IntArray | None = None
        self._passes_count = 0

    def judge(self, point: OperatingPoint, limits: FeederLimits) -> None:
        """Take the state that the present set-points bring."""
        self._point, self._limits = point, limits
        self._broken = _broken_counts(self._case(limits))
        if self._first is None:
            self._first = self._broken

    @property
    def is_broken(self) -> bool:
        """Whether the state judged last breaks a limit."""
        return bool(self._broken.any())

    def retreat(self, carried_kw: FloatArray) -> None:
        """Take set-points on the way to rest, as the twin collapses at those that it was asked about."""
        moved = np.abs(carried_kw - self.allowed_kw) > MOVED_KW
        self._reason[moved] = REASONS.index(Reason.VOLTAGE)
        self.allowed_kw = carried_kw

    def relieve(self) -> None:
        """Move as few kW as the map says is enough."""
        tight = replace(
            self._limits,
            v_min_pu=self._limits.v_min_pu + PASS_MARGIN_PU,
            v_max_pu=self._limits.v_max_pu - PASS_MARGIN_PU,
        )
        case, to_fleet = self._case(tight), self._point.map.to_fleet_order
        vertex = ReducedProgram(case, self._feeder.name).at_price(0.0)
        reason, node = _reasons(case, vertex)
        self.allowed_kw = to_fleet(vertex.p_kw)
        self._reason, self._node = (
            to_fleet(values.astype(np.float64)).astype(np.int64) for values in (reason, node)
        )
        self._passes_count += 1

    def _case(self, limits: FeederLimits) -> FeederCase:
        return feeder_case(self._point, self._columns.ordered(self._point.map.order), limits)

    def result(self) -> FeederOverride:
        """What has come of it."""
        assert self._first is not None
        moved = np.abs(self.allowed_kw - self._feeder.asked_kw) > MOVED_KW
        return FeederOverride(
            allowed_kw=np.where(moved, self.allowed_kw, self._feeder.asked_kw),
            broken_count=self._first,
            left_count=int(self._broken.sum()),
            reason=np.where(moved, self._reason, -1),
            node=np.where(moved, self._node, -1),
            passes_count=self._passes_count,
        )


def _broken_counts(case: FeederCase) -> IntArray:
    """Limits that the case's operating point breaks, by reason, shape (reasons,)."""
    excess = case.excess(case.point.p_kw, case.point.q_kvar)
    share = excess[2:] / np.maximum(case.bound[2:], np.finfo(np.float64).tiny)
    drawn_mw = case.point.p_head_kw / KW_PER_MW
    over_mw = max(drawn_mw - case.greatest_import_mw, case.least_import_mw - drawn_mw)
    head_mw = abs(case.greatest_import_mw if drawn_mw > 0 else case.least_import_mw)
    return np.array(
        [
            np.count_nonzero(excess[:2] > BROKEN_VOLTAGE_PU2),
            np.count_nonzero(share > BROKEN_POWER_SHARE),
            int(over_mw > BROKEN_POWER_SHARE * head_mw),
        ]
    )


def _reasons(case: FeederCase, vertex: Vertex) -> tuple[IntArray, IntArray]:
    """Kind of limit that asks most of each DER at an optimum, and the node that it is at; the map's order.

    What a limit asks of a DER is its price times what a MW of the DER takes of it.
    """
    count = case.columns.ders_count
    asked, node = np.zeros((len(REASONS), count)), np.full((len(REASONS), count), -1)
    asked[REASONS.index(Reason.HEAD)] = abs(vertex.price_usd_per_mwh)
    greatest = np.zeros((len(REASONS), count))
    for (kind, branch), price in zip(vertex.binding_rows, vertex.row_price.tolist(), strict=True):
        place = REASONS.index(Reason.VOLTAGE if kind < 2 else Reason.THERMAL)
        by_der = abs(price) * np.abs(limit_row(case, kind, branch))
        asked[place] += by_der
        node[place] = np.where(by_der > greatest[place], case.point.map.tree.far[branch], node[place])
        greatest[place] = np.maximum(greatest[place], by_der)
    reason = asked.argmax(axis=0)
    return reason, node[reason, np.arange(count)]
