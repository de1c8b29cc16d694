"""The total DSO of an area: bids and dispatch on its twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import CollapsedError
from federates.dso.total import BidInputs, Offers, TotalDso
from federates.dso.twin import Conditions
from federates.scenario.lda import LdaScenario
from tests.build import RTS_DAY, study

ENGINE_MW = 1e-4
"""What the engine's tolerance leaves between two solves that begin elsewhere, some feeders added up."""


def charging(scenario: LdaScenario, v_pu: float, demand: float) -> BidInputs:
    """Every DER offers from full charge to full discharge, and is expected to charge at full power."""
    power_kw = scenario.fleet.power_kw
    expected = scenario.expected(0, -600)
    return BidInputs(
        interval_s=0,
        conditions=Conditions(
            v_pu=v_pu, demand_kw=demand * expected.demand_kw, demand_kvar=demand * expected.demand_kvar
        ),
        taps=np.zeros(0),
        offers=Offers(
            floor_kw=-power_kw,
            der=np.arange(power_kw.size),
            width_kw=2.0 * power_kw,
            price_usd_per_mwh=np.linspace(25.0, 45.0, power_kw.size),
        ),
        expected_kw=-power_kw,
        now_kw=None,
        q_kvar=np.zeros(power_kw.size),
        price_usd_per_mwh=35.0,
    )


def test_a_collapse_on_the_twin_ends_nothing_is_counted_and_leaves_points_that_the_twin_carries() -> None:
    """Every battery of the city charging at 0.95 pu is more than its feeders serve."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    taps = dso.twin.circuit.taps()
    assert (
        dso.bid(replace(charging(scenario, 1.0, 1.0), taps=taps), keep_coefficients=False).collapsed_count
        == 0
    )
    fallen = replace(charging(scenario, 0.95, 1.0), taps=taps)
    dso.twin.set_conditions(fallen.conditions)
    with pytest.raises(CollapsedError):
        dso.twin.solve(fallen.expected_kw, fallen.q_kvar)
    bid = dso.bid(fallen, keep_coefficients=False)
    assert bid.collapsed_count >= 1
    assert bid.curve.import_mw.size > 1
    for award_mw in bid.curve.import_mw[[0, -1]].tolist():
        done = dso.dispatch(bid, award_mw, taps, 0.95)
        assert done.broken_count == 0
        assert done.interface_mw == pytest.approx(award_mw - done.shortfall_mw)


def test_curve_points_at_which_the_twin_collapses_are_dropped_from_the_ends() -> None:
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    inputs = replace(charging(scenario, 1.0, 1.0), taps=dso.twin.circuit.taps())
    whole = dso.bid(inputs, keep_coefficients=False).curve
    solve = dso.twin.feeder_power_kva
    drawn_mw = [
        solve(dso.twin.joined([p[k] for p in whole.p_kw]), inputs.q_kvar).real.sum() / 1e3 for k in (-4, -3)
    ]
    wall_mw = float(np.mean(drawn_mw))

    def fragile(p_kw: FloatArray, q_kvar: FloatArray) -> ComplexArray:
        drawn = solve(p_kw, q_kvar)
        if drawn.real.sum() > 1e3 * wall_mw:
            raise CollapsedError("beyond the wall")
        return drawn

    dso.twin.feeder_power_kva = fragile  # type: ignore[method-assign]
    bid = dso.bid(inputs, keep_coefficients=False)
    assert bid.collapsed_count == 3
    np.testing.assert_allclose(bid.curve.import_mw, whole.import_mw[:-3], atol=ENGINE_MW)
    assert (np.diff(bid.curve.net_curve.price_usd_per_mwh) <= 0.0).all()
