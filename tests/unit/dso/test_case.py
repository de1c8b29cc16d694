"""Limits of one feeder's case: where voltages are limited, and where only their step is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.dso.case import feeder_case
from federates.dso.dispatch import TwinState, is_alarming
from tests.unit.dso.area import expected_kw
from tests.unit.dso.test_dispatch import setting

STEP_PU = 0.02


def test_voltages_are_limited_where_loads_are_and_their_step_everywhere() -> None:
    """Every third node has a load; its bounds are those of all nodes, and the others have a step's alone."""
    one, offer, _ = setting()
    point = one.point(0.6 * expected_kw(offer.columns))
    columns, before = offer.columns.ordered(one.map.order), np.sqrt(point.w_pu2)
    loaded = np.arange(before.size) % 3 == 0
    everywhere, at_loads = (
        feeder_case(point, columns, replace(offer.limits, loaded=mask)).bound[:2] for mask in (None, loaded)
    )
    np.testing.assert_array_equal(at_loads[:, loaded], everywhere[:, loaded])
    assert np.isfinite(everywhere).all()
    assert np.isinf(at_loads[:, ~loaded]).all()
    nowhere = replace(offer.limits, loaded=np.zeros_like(loaded))
    stepping = feeder_case(
        point, columns, replace(nowhere, before_pu=before, rise_pu=STEP_PU, fall_pu=STEP_PU)
    ).bound[:2]
    assert np.isfinite(stepping).all()
    assert (stepping[0] >= (before + STEP_PU) ** 2).all()
    assert (-stepping[1] <= (before - STEP_PU) ** 2).all()
    assert (stepping[0] == (before + STEP_PU) ** 2).any()
    assert (-stepping[1] == (before - STEP_PU) ** 2).any()


def test_an_alarm_is_raised_for_nodes_with_loads() -> None:
    one, offer, _ = setting()
    point = one.point(np.where(offer.columns.top_kw > 0.0, offer.columns.top_kw, 0.0))
    state, high = TwinState(interface_mw=0.0, points=(point,)), int(np.argmax(point.w_pu2))
    limits = replace(offer.limits, v_max_pu=float(np.sqrt(point.w_pu2[high])) - 0.01, loading_pu=1e3)
    is_high = np.arange(point.w_pu2.size) == high
    alarms = [
        is_alarming(state, [replace(offer, limits=replace(limits, loaded=mask))])
        for mask in (None, is_high, np.sqrt(point.w_pu2) < limits.v_max_pu)
    ]
    assert alarms == [True, True, False]
