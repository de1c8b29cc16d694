"""Slopes of loadings, voltages and head power against central differences of the circuit."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.distribution.gauges import Gauges
from federates.distribution.jacobian import NodalNetwork
from federates.distribution.layout import Control
from tests.unit.dso.area import Area, area

STEP_SHARE = 0.02
SLOPE_SHARE = 0.001
"""Of the greatest slope of a kind."""
BEND_SHARE = 0.02
"""Where the slope changes by more than this part within the step, the largest phase does, and it has none."""


def values_at(one: Area, gauges: Gauges, p_kw: FloatArray) -> FloatArray:
    one.circuit.set_ders(p_kw, np.zeros_like(p_kw))
    one.circuit.solve(Control.OFF)
    return gauges.values()


@pytest.mark.parametrize("feeder", ["ieee123", "north_american 1000"])
def test_slopes_equal_central_differences(feeder: str) -> None:
    one = area(feeder, 20, 1.0, 1.0, bus_kv=138.0)
    gauges, at = Gauges(one.circuit), 0.3 * one.size_kw
    here = values_at(one, gauges, at)
    jacobian = NodalNetwork(one.circuit).at_present()
    every = np.arange(len(gauges.names))
    slopes, _ = gauges.slopes(jacobian, every)
    few, _ = gauges.slopes(jacobian, every[-3:])
    np.testing.assert_allclose(few, slopes[-3:], rtol=1e-9, atol=1e-15)
    smooth = 0
    for der in range(0, 20, 5):
        step = np.zeros(20)
        step[der] = STEP_SHARE * one.size_kw[der]
        ahead, behind = (values_at(one, gauges, at + sign * step) for sign in (1, -1))
        true = (ahead - behind) / (2 * step[der])
        bend = np.abs(ahead + behind - 2 * here) / (2 * step[der])
        for kind in (gauges.is_voltage, gauges.is_loading, gauges.is_head):
            greatest = np.abs(true[kind]).max()
            kept = kind & (bend < BEND_SHARE * greatest)
            assert np.abs(slopes[kept, der] - true[kept]).max() < SLOPE_SHARE * greatest
            smooth += int(kept.sum())
    assert smooth > 0.95 * 4 * every.size


def test_the_heads_power_is_positive_for_import_and_negative_for_export() -> None:
    one = area("ieee13", 12, 3.0)
    gauges = Gauges(one.circuit)
    drawn = values_at(one, gauges, 0.0 * one.size_kw)[gauges.is_head]
    assert drawn == pytest.approx(np.abs(one.circuit.feeder_power_kva().sum()))
    given = values_at(one, gauges, 0.8 * one.size_kw)[gauges.is_head]
    assert given == pytest.approx(-np.abs(one.circuit.feeder_power_kva().sum()))
    assert given < -1000.0
