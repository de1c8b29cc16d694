"""The total DSO of an area: bids and dispatch on its twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import CollapsedError, ConfigError
from federates.distribution.circuit import Control
from federates.dso import total
from federates.dso.dispatch import ALARM_PU2, is_alarming
from federates.dso.offers import Offers
from federates.dso.total import (
    HEAD_SHARE,
    IMPORT_STEP_SHARE,
    MOVE_USD_PER_MWH,
    V_MAX_PU,
    VOLTAGE_MARGIN_PU,
    VOLTAGE_RISE_PU,
    BidInputs,
    PreparedBid,
    Sight,
    TotalDso,
)
from federates.dso.twin import Conditions
from federates.scenario.lda import LdaScenario
from tests.build import RTS_DAY, study

MAP_PU = 0.01
"""What the linear map may err by far from where it was taken."""
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
    assert high_pu > V_MAX_PU + VOLTAGE_RISE_PU
    assert bid.curve.import_mw[-1] > bid.curve.import_mw[0]


def test_moving_away_costs_the_same_upward_and_downward_and_staying_nothing() -> None:
    """One DER of 20 kW in two blocks, injecting -5: 5 kW of the first block lie below it."""
    offers = Offers(
        floor_kw=np.array([-10.0, 0.0]),
        der=np.array([0, 0, 1]),
        width_kw=np.array([10.0, 10.0, 4.0]),
        price_usd_per_mwh=np.array([20.0, 30.0, 25.0]),
    )
    now_kw = np.array([-5.0, 4.0])
    staying = offers.staying(now_kw, 2.0)
    np.testing.assert_array_equal(staying.der, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(staying.width_kw, [5.0, 5.0, 10.0, 4.0, 0.0])
    np.testing.assert_array_equal(staying.price_usd_per_mwh, [18.0, 22.0, 32.0, 23.0, 27.0])
    none = np.zeros(2)
    before, after = (o.columns(none, none, none) for o in (offers, staying))
    np.testing.assert_array_equal(before.top_kw, after.top_kw)

    def more(p_kw: FloatArray) -> float:
        """What the moving adds to the cost of a state, against staying. [$/h]"""
        added = after.cost_usd_per_h(p_kw) - before.cost_usd_per_h(p_kw)
        return added - (after.cost_usd_per_h(now_kw) - before.cost_usd_per_h(now_kw))

    for p_kw in (now_kw, np.array([-10.0, 4.0]), np.array([7.0, 1.0])):
        assert more(p_kw) == pytest.approx(2.0 * np.abs(p_kw - now_kw).sum() / 1e3)


@pytest.mark.parametrize(("move_usd_per_mwh", "takes_turns"), [(MOVE_USD_PER_MWH, False), (0.0, True)])
def test_stores_worth_about_the_same_do_not_take_turns(move_usd_per_mwh: float, takes_turns: bool) -> None:
    """Two in three charge, all worth the same; then those that charged are 0.5 $/MWh less worth filling.

    The award stays. Without a cost of moving the others charge in their place.
    """
    scenario = LdaScenario(study(RTS_DAY), "suburb")
    dso = TotalDso(scenario, move_usd_per_mwh=move_usd_per_mwh)
    stores = scenario.fleet.of_kind("battery")
    power_kw = np.where(stores, scenario.fleet.power_kw, 0.0)
    charges = stores & (np.cumsum(stores) % 3 != 0)
    now_kw = np.where(charges, -power_kw, 0.0)
    offers = Offers(
        floor_kw=-power_kw,
        der=np.flatnonzero(stores),
        width_kw=power_kw[stores],
        price_usd_per_mwh=np.where(charges, 34.75, 35.25)[stores],
    )
    inputs = replace(
        charging(scenario, 1.0, 0.5),
        taps=dso.twin.circuit.taps(),
        offers=offers,
        expected_kw=now_kw,
        now_kw=now_kw,
    )
    bid = dso.bid(inputs, keep_coefficients=False)
    stays_mw = dso.twin.solve(now_kw, inputs.q_kvar).interface_mw
    done = dso.dispatch(bid, stays_mw, inputs.taps, 1.0)
    moved_kw = np.abs(dso.twin.joined(done.p_kw) - now_kw).sum()
    assert done.broken_count == 0
    assert (moved_kw > 0.3 * power_kw.sum()) == takes_turns
    assert takes_turns or moved_kw < 0.02 * power_kw.sum()


def test_a_head_that_demand_alone_overloads_draws_no_more_than_the_ders_need_to_leave() -> None:
    """Batteries of 4 MW a feeder bring each head from above its limit down to it; the base would not."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    inputs = replace(charging(scenario, 1.02, 1.7), taps=dso.twin.circuit.taps() + 6.0)
    at_rest = replace(inputs, expected_kw=np.zeros(len(scenario.fleet)))
    bid = dso.bid(at_rest, keep_coefficients=False)
    base = dso.twin.solve(scenario.base_kw(inputs.offers.floor_kw), inputs.q_kvar)
    for offer, point in zip(bid.feeders, base.points, strict=True):
        assert offer.limits.import_is_reachable
        assert offer.limits.import_mw < point.p_head_kw / 1e3
        assert offer.limits.import_mw < HEAD_SHARE * 3.5
    heads_mw = sum(offer.limits.import_mw for offer in bid.feeders)
    assert bid.curve.import_mw[-1] == pytest.approx(heads_mw, rel=0.01)


def test_the_import_moves_by_one_step_of_the_substations_rating_and_reserve_by_what_feeders_bear() -> None:
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    at_rest = np.zeros(len(scenario.fleet))
    inputs = replace(
        charging(scenario, 1.0, 1.0), taps=dso.twin.circuit.taps(), expected_kw=at_rest, now_kw=at_rest
    )
    step = IMPORT_STEP_SHARE * scenario.substation_mva
    bid, free = (dso.bid(i, keep_coefficients=False) for i in (inputs, replace(inputs, now_kw=None)))
    before = dso.twin.solve(at_rest, inputs.q_kvar).interface_mw
    np.testing.assert_allclose(bid.curve.import_mw[[0, -1]], [before - step, before + step], atol=1e-6)
    assert free.curve.import_mw[0] < before - 2.0 * step
    assert free.curve.import_mw[-1] > before + 1.2 * step
    assert bid.range_mw[0] < before - 2.0 * step
    assert bid.whole == (False, False)


def test_a_call_of_capacity_is_followed_in_one_interval_however_far_it_is() -> None:
    """2.5 steps below where the area stands, and as far as the feeders reach where more is asked for."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    at_rest = np.zeros(len(scenario.fleet))
    step = IMPORT_STEP_SHARE * scenario.substation_mva

    def least_mw(steps: float) -> tuple[float, float, float]:
        """Least import bid, where it stood, and least of the feeders, with a call so many steps below."""
        dso = TotalDso(scenario)
        inputs = replace(
            charging(scenario, 1.0, 1.0), taps=dso.twin.circuit.taps(), expected_kw=at_rest, now_kw=at_rest
        )
        dso.twin.set_conditions(inputs.conditions)
        before = dso.twin.solve(at_rest, inputs.q_kvar).interface_mw
        called = replace(inputs, import_limit_mw=before - steps * step)
        bid = dso.bid(called, keep_coefficients=False)
        return float(bid.curve.import_mw[0]), before, bid.range_mw[0]

    bid_mw, before_mw, _ = least_mw(2.5)
    assert bid_mw == pytest.approx(before_mw - 2.5 * step, abs=1e-6)
    bid_mw, before_mw, reached_mw = least_mw(100.0)
    assert bid_mw == pytest.approx(reached_mw, abs=1e-6)
    assert reached_mw < before_mw - 2.5 * step
    bid_mw, before_mw, _ = least_mw(0.5)
    assert bid_mw == pytest.approx(before_mw - step, abs=1e-6)


def test_voltage_limits_are_not_relaxed_where_taps_have_followed_ders_that_keep_them() -> None:
    """Taps are up for batteries that charge: without them nodes would be outside, with them none is."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    now_kw = np.where(scenario.fleet.of_kind("battery"), -0.3 * scenario.fleet.power_kw, 0.0)
    start = charging(scenario, 1.0, 1.0)
    dso.twin.set_conditions(start.conditions)
    dso.twin.settle(now_kw, np.zeros(now_kw.size))
    inputs = replace(start, taps=dso.twin.circuit.taps(), expected_kw=now_kw, now_kw=now_kw)
    rest = dso.twin.solve(scenario.base_kw(start.offers.floor_kw), start.q_kvar)
    bid = dso.bid(inputs, keep_coefficients=False)
    held = [offer.limits.reached_pu2 is None for offer in bid.feeders]
    outside = [float(np.sqrt(point.w_pu2.max())) > V_MAX_PU for point in rest.points]
    assert any(one and other for one, other in zip(held, outside, strict=True))
    for vertex in range(bid.curve.import_mw.size):
        p_kw = dso.twin.joined([p[vertex] for p in bid.curve.p_kw])
        state = dso.twin.solve(p_kw, start.q_kvar)
        for is_held, point in zip(held, state.points, strict=True):
            assert not is_held or np.sqrt(point.w_pu2.max()) < V_MAX_PU + MAP_PU


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_voltage_limits_are_relaxed_no_further_than_to_what_the_ders_reach(share: float) -> None:
    """Taps are up for batteries that charged, of which little is left: they bring nodes back a little way."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    charged_kw = np.where(scenario.fleet.of_kind("battery"), -0.4 * scenario.fleet.power_kw, 0.0)
    start = charging(scenario, 1.0, 1.0)
    dso.twin.set_conditions(start.conditions)
    dso.twin.settle(charged_kw, np.zeros(charged_kw.size))
    offers = start.offers
    little = replace(offers, floor_kw=share * offers.floor_kw, width_kw=share * offers.width_kw)
    at_rest = np.zeros(charged_kw.size)
    inputs = replace(start, offers=little, taps=dso.twin.circuit.taps(), expected_kw=at_rest, now_kw=at_rest)
    bid = dso.bid(inputs, keep_coefficients=False)
    rest = dso.twin.solve(scenario.base_kw(little.floor_kw), start.q_kvar)
    for offer, point in zip(bid.feeders, rest.points, strict=True):
        reached = offer.limits.reached_pu2
        worst = point.w_pu2.max()
        assert worst > V_MAX_PU**2
        assert reached is not None
        if share == 0.0:
            np.testing.assert_allclose(reached, point.w_pu2, atol=1e-6)
        else:
            assert V_MAX_PU**2 < reached.max() < worst - 2.0 * MAP_PU


@pytest.mark.parametrize("is_steady", [True, False])
def test_a_dispatch_keeps_its_limits_once_regulators_have_answered_it(
    monkeypatch: pytest.MonkeyPatch, is_steady: bool
) -> None:
    """Batteries charge that discharged before; regulators that compensate line drop raise what they feed."""
    for name in ("IMPORT_STEP_SHARE", "VOLTAGE_FALL_PU"):
        monkeypatch.setattr(total, name, 1.0)
    if not is_steady:
        monkeypatch.setattr(TotalDso, "_steady", lambda _, done, *__: done)
    scenario = LdaScenario(study(RTS_DAY), "city")
    dso = TotalDso(scenario)
    now_kw = np.where(scenario.fleet.of_kind("battery"), 0.1 * scenario.fleet.power_kw, 0.0)
    start = charging(scenario, 1.0, 1.0)
    dso.twin.set_conditions(start.conditions)
    dso.twin.settle(now_kw, np.zeros(now_kw.size))
    taps = dso.twin.circuit.taps()
    bid = dso.bid(replace(start, taps=taps, expected_kw=now_kw, now_kw=now_kw), keep_coefficients=False)
    done = dso.dispatch(bid, float(bid.curve.import_mw[-1]), taps, 1.0)
    p_kw = dso.twin.joined(done.p_kw)

    def worst_pu() -> float:
        points = dso.twin.solve(p_kw, start.q_kvar).points
        at_loads = zip(points, dso.twin.loaded, strict=True)
        return max(float(np.sqrt(point.w_pu2[loaded].max())) for point, loaded in at_loads)

    dso.twin.set_taps(taps)
    dso.twin.set_conditions(replace(bid.conditions, v_pu=1.0))
    alarm_pu = float(np.sqrt((V_MAX_PU - VOLTAGE_MARGIN_PU) ** 2 + ALARM_PU2))
    assert worst_pu() < alarm_pu
    dso.twin.settle(p_kw, start.q_kvar)
    assert (dso.twin.circuit.taps() > taps).any()
    assert (worst_pu() < alarm_pu) == is_steady
