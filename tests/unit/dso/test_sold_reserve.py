"""Reserve from the bid to the end of its interval: what is wanted of an award, and what survives midnight."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.messages import InterfaceAward, ReserveSignal
from federates.core.reserve_offer import DURATION_H, ReserveOffer
from federates.dso.dispatch import FeederOffer, SetPoints, TwinState, is_alarming
from federates.dso.offers import Offers
from federates.dso.reserve import (
    CallableArea,
    LimitJudge,
    StoreRoom,
    called_states,
    held,
    held_columns,
    mapped_ends,
    store_room,
)
from federates.dso.roles.sold_reserve import NO_SIGNAL, SoldReserve
from federates.dso.total import V_MAX_PU, V_MIN_PU, BidInputs, PreparedBid, TotalDso, TwinArea
from federates.dso.twin import Conditions
from federates.scenario.lda import LdaScenario
from tests.build import study

SETS = 5
AHEAD_S = 427
SIGMA = 0.005
V_PU = 1.04
"""Of the bus, at which an area called there and back breaks limits if it knows the gate's taps only."""
CALLED = ReserveSignal(step_s=60, regulation=0.5, call=1.0, capacity=0.0)
LOST_SHARE = 0.1
"""Marginal losses of the IEEE 13-node feeder, at most."""
SAME_KW = 1e-6
"""Two engines on the same inputs."""
SAME_MW = 0.01
"""Import of the same set-points with taps some steps apart: loads follow their voltage."""
TAPS_MW = 0.05
"""Import of what limits admit, with taps some steps apart."""


@cache
def area() -> LdaScenario:
    return LdaScenario(study(), "lda1")


def half_full() -> StoreRoom:
    energy = area().fleet.energy_kwh
    return store_room(area().fleet, 0.5 * energy, 0.0 * energy)


def inputs(dso: TotalDso, v_pu: float) -> BidInputs:
    """Every DER offers all that it could do at 30 $/MWh, batteries rest."""
    scenario = area()
    expected = scenario.expected(900, 600)
    least, most = expected.least_kw, expected.available_kw
    at_rest = np.where(scenario.fleet.of_kind("battery"), 0.0, most)
    return BidInputs(
        interval_s=900,
        conditions=Conditions(v_pu=v_pu, demand_kw=expected.demand_kw, demand_kvar=expected.demand_kvar),
        taps=dso.twin.circuit.taps(),
        offers=Offers(
            floor_kw=least,
            der=np.arange(least.size),
            width_kw=most - least,
            price_usd_per_mwh=30.0 + 0.01 * np.arange(least.size),
        ),
        expected_kw=at_rest,
        now_kw=None,
        q_kvar=np.zeros(least.size),
        q_limit_kvar=np.zeros(least.size),
        price_usd_per_mwh=29.0,
    )


def bidden(sold: SoldReserve, v_pu: float = 1.0) -> tuple[TotalDso, BidInputs, PreparedBid, ReserveOffer]:
    dso = TotalDso(area())
    asked = inputs(dso, v_pu)
    prepared = dso.bid(asked, keep_coefficients=False)
    offer = sold.offer(
        dso,
        (asked, prepared, prepared.curve.net_curve),
        room=half_full(),
        ahead_s=AHEAD_S,
        sigma=SIGMA,
    )
    return dso, asked, prepared, offer


def range_a(prepared: PreparedBid) -> list[FeederOffer]:
    """The feeders with their limits as they are, without what the DSO keeps inside them."""
    return [
        replace(feeder, limits=replace(feeder.limits, v_min_pu=V_MIN_PU, v_max_pu=V_MAX_PU, loading_pu=1.0))
        for feeder in prepared.feeders
    ]


def award(import_mw: float, reserve_mw: list[float]) -> InterfaceAward:
    return InterfaceAward(
        interval_s=900,
        length_s=300,
        award_mw=np.array([SETS * import_mw]),
        lmp_usd_per_mwh=np.array([30.0]),
        reserve_mw=SETS * np.array(reserve_mw),
        reserve_usd_per_mw_h=np.array([10.0, 6.0, 4.0]),
    )


def test_a_call_is_less_import_by_what_was_sold_and_its_set_points_hold_an_hour() -> None:
    sold = SoldReserve()
    dso, asked, prepared, offer = bidden(sold)
    assert offer.offers
    import_mw = float(prepared.curve.import_mw[-1])
    spin = import_mw - offer.p_lo_mw - 0.1
    sold.begin(dso, asked, prepared, award(import_mw, [0.2, 0.0, spin]), SETS)
    wanted = sold.wanted_mw(import_mw, CALLED)
    assert wanted == pytest.approx(import_mw - 0.1 - spin)
    assert sold.wanted_mw(import_mw, NO_SIGNAL) == import_mw
    done = dso.dispatch(prepared, import_mw, asked.taps, 1.0)
    before = dso.twin.joined(done.p_kw)
    moved = sold.called_kw(dso, before, import_mw, wanted)
    held = sold.held(dso, before)
    assert held.mw.sum() == pytest.approx(0.2 + spin)
    assert held.usd_per_h.sum() == pytest.approx(held.income_usd_per_h) == pytest.approx(2.0 + 4.0 * spin)
    assert ((held.mw > 0.0) <= (moved > before)).all()
    assert sold.called_kw(dso, before, import_mw, import_mw) is before
    # what is lost on the way falls with what is drawn, so that less is injected than import falls by; but
    # the state's import is known at the taps of another award
    injected, called = (moved - before).sum(), 1e3 * (import_mw - wanted)
    assert (1.0 - LOST_SHARE) * called < injected < called + 1e3 * TAPS_MW
    batteries = area().fleet.of_kind("battery")
    deliverable_kwh = 0.5 * (area().fleet.energy_kwh * area().fleet.discharge_efficiency)[batteries]
    held_kw = deliverable_kwh / (AHEAD_S / 3_600 + DURATION_H)
    # the award itself may ask for more of a battery that a limit needs, for its interval only
    assert (moved[batteries] <= np.maximum(before[batteries], held_kw) + SAME_KW).all()
    assert (moved[batteries] > before[batteries] + SAME_KW).sum() > 0.5 * batteries.sum()


def test_what_waits_for_its_award_at_midnight_is_made_again_to_the_same_states() -> None:
    def called(sold: SoldReserve) -> FloatArray:
        sold.begin(dso, asked, prepared, award(import_mw, [0.0, 0.0, 0.3]), SETS)
        return sold.called_kw(dso, at, import_mw, sold.wanted_mw(import_mw, CALLED))

    one, other = SoldReserve(), SoldReserve()
    dso, asked, prepared, _ = bidden(one)
    import_mw = float(prepared.curve.import_mw[-1])
    at = asked.expected_kw
    other.restore(one.save())
    went_on, again = called(one), called(other)
    np.testing.assert_allclose(again, went_on, atol=SAME_KW)
    assert np.abs(went_on - at).max() > 1.0


def test_each_called_state_keeps_the_limits_once_regulators_have_answered_the_other() -> None:
    """Regulators stay where the award, or the call before, has left them for the first minutes of a call."""
    sold = SoldReserve()
    dso, asked, prepared, _ = bidden(sold, V_PU)
    twin = TwinArea(dso.twin, [point.coefficients for point in prepared.state.points])
    room, hours = half_full(), AHEAD_S / 3_600 + DURATION_H

    def after(before: SetPoints, now: SetPoints) -> tuple[TwinState, bool]:
        """The state, and whether it keeps the limits that mending keeps."""
        twin.set_taps(asked.taps)
        twin.settle(before)
        state = twin(now.p_kw, now.q_kvar)
        return state, LimitJudge(prepared.feeders, twin).keeps(state)

    states = dso.called(asked, prepared, room, hours)
    np.testing.assert_array_equal(dso.twin.circuit.taps(), asked.taps)
    for before, now, import_mw in (
        (states.greatest, states.least, states.import_mw[0]),
        (states.least, states.greatest, states.import_mw[1]),
    ):
        shown, keeps = after(before, now)
        assert keeps
        assert not is_alarming(shown, range_a(prepared))
        assert shown.interface_mw == pytest.approx(import_mw, abs=SAME_MW)
    # the guard: states that know the taps of the gate alone break limits, and are wider
    columns = held_columns(prepared.columns, held(area().fleet, asked.expected_kw, room, hours))
    offers = tuple(replace(offer, columns=columns) for offer in prepared.feeders)
    twin.set_taps(asked.taps)
    ends = mapped_ends(dso._bidders, prepared.state, offers)
    called_on = CallableArea(feeders=prepared.feeders, held=offers, twin=twin)
    blind = called_states(ends, called_on, prepared.linearised_at)
    assert not all((after(blind.greatest, blind.least)[1], after(blind.least, blind.greatest)[1]))
    assert np.diff(blind.import_mw) > np.diff(states.import_mw)


def test_energy_that_is_kept_is_not_called_on() -> None:
    """With all that is stored kept no battery discharges in the state of least import, which is higher."""
    dso, asked, prepared, _ = bidden(SoldReserve())
    stored, hours = 0.5 * area().fleet.energy_kwh, AHEAD_S / 3_600 + DURATION_H
    batteries = area().fleet.of_kind("battery")
    free, kept = (
        dso.called(asked, prepared, store_room(area().fleet, stored, share * stored), hours)
        for share in (0.0, 1.0)
    )
    given = [np.maximum(dso.twin.joined(states.least.p_kw)[batteries], 0.0).sum() for states in (free, kept)]
    assert given[0] > 100.0
    assert given[1] <= SAME_KW
    assert kept.import_mw[0] > free.import_mw[0] + 0.1
