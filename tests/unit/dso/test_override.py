"""The least override removes what is broken, moves nobody past rest, and moves nobody where nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.distribution.linear import OperatingPoint
from federates.distribution.tangent import AreaTangent
from federates.dso.case import FeederLimits
from federates.dso.dispatch import BROKEN_POWER_SHARE, BROKEN_VOLTAGE_PU2, TwinState
from federates.dso.override import (
    PARTS,
    REASONS,
    CheckedFeeder,
    FeederOverride,
    Reason,
    least_overrides,
)
from tests.unit.dso.area import Area, standing_area

AREA = standing_area("ieee13", 12, 1.0, 0.5)
OPEN = FeederLimits(v_min_pu=0.5, v_max_pu=1.5, loading_pu=10.0)
"""Limits that nothing reaches."""


class StiffBus:
    """An area of one feeder, taps held, whose program never asks for the area's own map."""

    def __init__(self, area: Area) -> None:
        self._area = area

    def __call__(self, p_kw: Sequence[FloatArray], q_kvar: Sequence[FloatArray]) -> TwinState:
        point = self._area.point(p_kw[0], q_kvar[0])
        return TwinState(interface_mw=point.p_head_kw / 1e3, points=(point,))

    def tangent(self, state: TwinState) -> AreaTangent:
        del state
        raise AssertionError("overrides are found feeder by feeder")


def overridden(
    asked_kw: FloatArray, limits: FeederLimits, rest_kw: FloatArray | None = None, area: Area = AREA
) -> FeederOverride:
    """Override of one feeder on a stiff bus."""
    none = np.zeros_like(asked_kw)
    feeder = CheckedFeeder(
        asked_kw=asked_kw, rest_kw=none if rest_kw is None else rest_kw, q_kvar=none, name="f1"
    )

    (done,) = least_overrides([feeder], StiffBus(area), lambda _place, _point: limits)
    return done


def solved(p_kw: FloatArray) -> OperatingPoint:
    return AREA.point(p_kw)


ASKED = AREA.size_kw
"""As much as the feeder's own load at its peak, twice what it is here: the head exports."""
EXPORT_MW = -solved(ASKED).p_head_kw / 1e3
V_MAX_PU = float(np.sqrt(solved(ASKED).w_pu2.max()))


def test_where_nothing_is_broken_nobody_is_moved() -> None:
    done = overridden(ASKED, replace(OPEN, export_mw=1.001 * EXPORT_MW, v_max_pu=V_MAX_PU + 1e-3))
    assert np.array_equal(done.allowed_kw, ASKED)
    assert not done.broken_count.any()
    assert (done.left_count, done.passes_count, int(done.moved.sum())) == (0, 0, 0)


def test_an_export_limit_costs_what_exceeds_it_shared_by_all() -> None:
    """The head counts every DER alike, so the least sum is the excess, but for losses that become less."""
    limit_mw = 0.7 * EXPORT_MW
    done = overridden(ASKED, replace(OPEN, export_mw=limit_mw))
    assert done.broken_count.tolist() == [0, 0, 1]
    assert done.left_count == 0
    cut_kw = ASKED - done.allowed_kw
    assert cut_kw.min() >= 0.0
    lost_kw = (
        solved(ASKED).p_head_kw + ASKED.sum() - solved(done.allowed_kw).p_head_kw - done.allowed_kw.sum()
    )
    accepted_kw = BROKEN_POWER_SHARE * limit_mw * 1e3
    assert cut_kw.sum() == pytest.approx((EXPORT_MW - limit_mw) * 1e3 + lost_kw, abs=accepted_kw)
    # equal effects are shared to a tenth of what each may move
    share = cut_kw / ASKED
    assert share.max() - share.min() <= 1.0 / PARTS + 1e-9
    assert {REASONS[k] for k in done.reason[done.moved]} == {Reason.HEAD}
    assert -solved(done.allowed_kw).p_head_kw / 1e3 <= limit_mw * (1.0 + BROKEN_POWER_SHARE)


def test_a_voltage_limit_moves_those_who_help_most_and_names_its_node() -> None:
    limit_pu = V_MAX_PU - 0.01
    done = overridden(ASKED, replace(OPEN, v_max_pu=limit_pu))
    assert done.broken_count[REASONS.index(Reason.VOLTAGE)] > 0
    assert done.left_count == 0
    assert solved(done.allowed_kw).w_pu2.max() <= limit_pu**2 + BROKEN_VOLTAGE_PU2
    cut = ASKED - done.allowed_kw
    alike = overridden(ASKED * (1.0 - cut.sum() / ASKED.sum()), replace(OPEN, v_max_pu=limit_pu))
    assert alike.moved.any(), "an equal cut of the same size would do: the case tells nothing"
    worst = AREA.map.tree.far[solved(ASKED).w_pu2.argmax()]
    assert worst in done.node[done.moved]
    assert {REASONS[k] for k in done.reason[done.moved]} == {Reason.VOLTAGE}


def test_a_line_limit_is_named_too() -> None:
    loading = np.abs(solved(ASKED).flows_kva(0 * ASKED, 0 * ASKED)) / solved(ASKED).limit_kva
    worst = float(loading[np.isfinite(loading)].max())
    done = overridden(ASKED, replace(OPEN, loading_pu=0.8 * worst))
    assert done.broken_count[REASONS.index(Reason.THERMAL)] > 0
    assert done.left_count == 0
    assert Reason.THERMAL in {REASONS[k] for k in done.reason[done.moved]}


def test_who_draws_is_held_back_too_and_nobody_is_sent_past_rest() -> None:
    """Half of the DERs charge, the others feed in; an import limit is met by charging less, not by more."""
    asked = np.where(np.arange(ASKED.size) % 2, ASKED / 4, -ASKED)
    import_mw = solved(asked).p_head_kw / 1e3
    done = overridden(asked, replace(OPEN, import_mw=0.8 * import_mw))
    assert done.left_count == 0
    assert (done.allowed_kw[asked < 0] >= asked[asked < 0]).all()
    assert (done.allowed_kw[asked < 0] <= 1e-9).all()
    assert np.array_equal(done.allowed_kw[asked > 0], asked[asked > 0])
    assert done.moved.any()


def test_what_rest_breaks_itself_is_not_asked_of_anybody() -> None:
    """The feeder's own load is above the limit: charging is taken off, and that is all."""
    asked = -0.3 * ASKED
    base_mw = solved(0 * ASKED).p_head_kw / 1e3
    done = overridden(asked, replace(OPEN, import_mw=0.5 * base_mw))
    np.testing.assert_allclose(done.allowed_kw, 0.0, atol=1e-3 * float(ASKED.sum()))
    assert done.broken_count[REASONS.index(Reason.HEAD)] == 1


def test_who_follows_nobody_is_not_moved() -> None:
    free = np.arange(ASKED.size) < ASKED.size // 2
    done = overridden(ASKED, replace(OPEN, export_mw=0.8 * EXPORT_MW), np.where(free, ASKED, 0.0))
    assert not done.moved[free].any()
    assert done.moved[~free].all()


def test_limits_that_rest_breaks_are_not_the_dispatchs() -> None:
    done = overridden(ASKED, replace(OPEN, export_mw=0.5 * EXPORT_MW), ASKED)
    assert not done.moved.any()
    assert not done.broken_count.any()
    assert done.left_count == 0
