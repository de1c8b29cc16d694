"""Meters add up what the accepted solutions of an interval hold, and who made good what was missing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.messages import IntervalMeters
from federates.transmission.metering import IntervalMeter
from federates.transmission.network import BulkNetwork, FlowSolution
from tests.unit.transmission.builders import merit_order, three_bus_case

STEP_S, STEPS = 60, 5
LDA_BUS = 1
MWH = 1e-7
"""The slack's residual of 1e-6 MW over five minutes."""
CASE = three_bus_case()
ON, SET_MW, HEADROOM_MW = merit_order(CASE.units, CASE.units.p_max_mw, CASE.buses.load_mw.sum())


def solutions(load_factor: FloatArray, headroom_mw: FloatArray = HEADROOM_MW) -> list[FlowSolution]:
    """One solution per factor of all loads, the units at one set of outputs."""
    network = BulkNetwork(CASE)
    network.begin_interval(ON, SET_MW, headroom_mw)
    return [network.solve(x * CASE.buses.load_mw, CASE.buses.load_mvar.copy()) for x in load_factor]


def take(meter: IntervalMeter, flow: FlowSolution, factor: float) -> None:
    outside = factor * CASE.buses.load_mw
    carried = outside[[LDA_BUS]]
    outside[LDA_BUS] = 0.0
    meter.add(flow, SET_MW, outside, carried)


def metered(factors: FloatArray) -> IntervalMeters:
    meter = IntervalMeter(STEP_S)
    for flow, factor in zip(solutions(factors), factors, strict=True):
        take(meter, flow, factor)
    return meter.read(900)


def test_readings_are_power_times_time() -> None:
    factors = np.array([0.9, 0.95, 1.0, 1.05, 1.02])
    read = metered(factors)
    assert read.interval_s == 900
    hours = STEP_S / 3_600.0
    np.testing.assert_allclose(read.set_point_mwh, STEPS * hours * SET_MW)
    loads = hours * factors.sum() * CASE.buses.load_mw
    assert read.interchange_mwh == pytest.approx(loads[[LDA_BUS]])
    assert read.load_mwh == pytest.approx(np.where(np.arange(3) == LDA_BUS, 0.0, loads))
    flows = solutions(factors)
    np.testing.assert_allclose(read.unit_mwh, hours * sum(f.unit_mw for f in flows))
    assert read.losses_mwh == pytest.approx(hours * sum(f.losses_mw for f in flows))
    assert read.losses_mwh > 0.0


def test_energy_in_is_energy_out_and_lost() -> None:
    read = metered(np.array([0.9, 0.95, 1.0, 1.05, 1.02]))
    drawn = read.load_mwh.sum() + read.interchange_mwh.sum()
    assert read.unit_mwh.sum() == pytest.approx(drawn + read.losses_mwh, abs=MWH)


def test_response_of_every_unit_is_what_it_gave_beyond_its_set_output() -> None:
    read = metered(np.array([0.9, 0.95, 1.0, 1.05, 1.02]))
    beyond = read.unit_mwh - read.set_point_mwh
    np.testing.assert_allclose(read.drawn_response_mwh + read.loss_response_mwh, beyond, atol=MWH)
    assert read.share_h.sum() == pytest.approx(STEPS * STEP_S / 3_600.0)
    assert np.abs(read.drawn_response_mwh).max() > 0.01
    assert read.loss_response_mwh.max() > 0.01


def test_shares_may_change_within_an_interval() -> None:
    """Two steps with all headroom at the first unit, three with all at the second."""
    first, second = np.array([50.0, 0.0, 0.0, 0.0]), np.array([0.0, 50.0, 0.0, 0.0])
    meter = IntervalMeter(STEP_S)
    for headroom, factors in ((first, np.array([1.1, 1.1])), (second, np.array([0.9, 0.9, 0.9]))):
        for flow, factor in zip(solutions(factors, headroom), factors, strict=True):
            take(meter, flow, factor)
    read = meter.read(0)
    assert read.share_h * 60.0 == pytest.approx([2.0, 3.0, 0.0, 0.0])
    beyond = read.unit_mwh - read.set_point_mwh
    np.testing.assert_allclose(read.drawn_response_mwh + read.loss_response_mwh, beyond, atol=MWH)
    assert beyond[0] > 0.1 > -0.1 > beyond[1]


def test_reading_starts_the_meter_again() -> None:
    (flow,) = solutions(np.array([1.0]))
    meter = IntervalMeter(STEP_S)
    take(meter, flow, 1.0)
    first = meter.read(0)
    take(meter, flow, 1.0)
    second = meter.read(60)
    for f in fields(IntervalMeters)[1:]:
        assert np.array_equal(getattr(first, f.name), getattr(second, f.name)), f.name
    with pytest.raises(ValueError, match="no step was taken"):
        meter.read(120)
