"""The total DSO of an area: bids and dispatch on its twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import CollapsedError, ConfigError
from federates.distribution.circuit import Control
from federates.dso.dispatch import is_alarming
from federates.dso.total import V_MAX_PU, VOLTAGE_STEP_PU, BidInputs, Offers, PreparedBid, Sight, TotalDso
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
        q_limit_kvar=np.zeros(power_kw.size),
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
    award_mw = float(bid.curve.import_mw.mean())
    done = dso.dispatch(bid, award_mw, taps, 0.95)
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


def as_metered(dso: TotalDso, bid: PreparedBid, p_kw: FloatArray, v_pu: float) -> Sight:
    """What meters show at injections if demand is as believed."""
    dso.twin.set_conditions(replace(bid.conditions, v_pu=v_pu))
    none = np.zeros(p_kw.size)
    drawn = dso.twin.feeder_power_kva(p_kw, none)
    return Sight(taps=dso.twin.circuit.taps(), v_pu=v_pu, feeder_kva=drawn, p_kw=p_kw, q_kvar=none)


def test_set_points_are_mended_where_the_twin_as_metered_shows_a_broken_limit_and_only_there() -> None:
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    inputs = replace(charging(scenario, 1.02, 0.8), taps=dso.twin.circuit.taps())
    bid = dso.bid(inputs, keep_coefficients=False)
    award_mw = float(bid.curve.import_mw[1])
    done = dso.dispatch(bid, award_mw, inputs.taps, 1.02)
    p_kw, none = dso.twin.joined(done.p_kw), np.zeros(len(scenario.fleet))
    assert dso.mend(bid, as_metered(dso, bid, p_kw, 1.02), p_kw, none, award_mw) is None
    # The bus rises by 0.012 pu, taps follow later: nodes that stood at the margin are outside.
    risen = as_metered(dso, bid, p_kw, 1.032)
    mended = dso.mend(bid, risen, p_kw, none, award_mw)
    assert mended is not None
    assert mended.broken_count == 0
    assert is_alarming(dso.twin.solve(p_kw, none), bid.feeders)
    assert not is_alarming(mended.state, bid.feeders)
    # Nothing but the twin's own picture was needed: it draws what is metered.
    dso.twin.circuit.solve(Control.OFF)
    shown = dso.twin.feeder_power_kva(risen.p_kw, risen.q_kvar)
    np.testing.assert_allclose(shown, risen.feeder_kva, atol=1.0)


def test_reactive_power_that_the_dso_asks_for_is_inside_every_inverters_circle() -> None:
    scenario = LdaScenario(study(RTS_DAY, "der_q=dso"), "city")
    limit_kvar = scenario.q_limit_kvar(0)
    inverters = scenario.behaviour.has_inverter
    # 1.1 kVA a kW: sqrt(1.1^2 - 1) = 0.458 kvar a kW
    np.testing.assert_allclose(limit_kvar[inverters], 0.4583 * scenario.fleet.power_kw[inverters], rtol=1e-3)
    assert (limit_kvar[~inverters] == 0.0).all()
    dso = TotalDso(scenario)
    inputs = replace(
        charging(scenario, 1.04, 0.5), taps=dso.twin.circuit.taps() + 2.0, q_limit_kvar=limit_kvar
    )
    bid = dso.bid(inputs, keep_coefficients=False)
    done = dso.dispatch(bid, float(bid.curve.import_mw[1]), inputs.taps, 1.04)
    assert done.broken_count == 0
    p_kw, q_kvar = dso.twin.joined(done.p_kw), dso.asked_kvar(bid, done)
    assert np.abs(q_kvar).max() > 1.0
    assert (np.hypot(p_kw, q_kvar)[inverters] <= scenario.fleet.s_kva[inverters] + 1e-6).all()
    # The plant gives what is asked, as it is inside the circles.
    np.testing.assert_allclose(scenario.behaviour.reactive_kvar(p_kw, q_kvar), q_kvar, atol=1e-9)


def test_only_a_total_dso_may_ask_for_reactive_power() -> None:
    with pytest.raises(ConfigError, match="only a total DSO asks"):
        study(RTS_DAY, "der_q=dso", "coordination=uncoordinated")


@pytest.mark.parametrize("name", ["suburb", "rural", "city"])
def test_an_area_far_outside_its_limits_still_bids(name: str) -> None:
    """All sun at little load and a high bus leave voltages from which no step leads back within limits."""
    scenario = LdaScenario(study(RTS_DAY), name)
    dso = TotalDso(scenario)
    now_kw = np.where(scenario.fleet.of_kind("pv"), scenario.fleet.power_kw, 0.0)
    inputs = replace(
        charging(scenario, 1.06, 0.4), taps=dso.twin.circuit.taps(), expected_kw=now_kw, now_kw=now_kw
    )
    bid = dso.bid(inputs, keep_coefficients=False)
    high_pu = max(float(before.max()) for before in bid.before_pu if before is not None)
    assert high_pu > V_MAX_PU + VOLTAGE_STEP_PU
    assert bid.curve.import_mw[-1] > bid.curve.import_mw[0]
