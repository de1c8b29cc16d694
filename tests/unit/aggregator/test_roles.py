"""A role turns states, prices and awards into offers and set-points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from federates.aggregator.federate import build
from federates.aggregator.roles.offers import Offers
from federates.aggregator.roles.price_reactive import PriceReactive
from federates.aggregator.roles.self_consumption import SelfConsumption
from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError
from federates.core.messages import (
    DerAwards,
    DerOffers,
    DerState,
    DerStores,
    InterfaceAward,
    PriceAdvice,
    SetPoints,
)
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, Inbox, Outbox, Received
from federates.core.settings import Study
from federates.der.store_day import PlannedLevels, plan_message
from federates.scenario.lda import LdaScenario
from tests.build import DAY_HOURS, TINY, context, plan, study

M = TypeVar("M")
PORTS = AggregatorPorts()
NAME = "agg_lda2_supplier"
MIDNIGHT_S = -17 * 3_600


def under(model: str) -> Study:
    return study(TINY, f"coordination={model}")


def grant(now: int, since: int | None = None, **messages: object) -> Grant:
    arrivals = {port: {"x": Received("x", now - 1, now - 1, m)} for port, m in messages.items()}
    return Grant(now, Inbox(arrivals, since))


def state(scenario: LdaScenario, soc_kwh: FloatArray | None = None, site_kw: float = 0.0) -> DerState:
    n = len(scenario.fleet)
    held = scenario.fleet.initial_kwh if soc_kwh is None else soc_kwh
    return DerState(p_mw=np.zeros(n), soc_mwh=held / 1_000, site_mw=np.full(n, site_kw / 1_000))


def only(outbox: Outbox, kind: type[M]) -> M:
    (sent,) = outbox.sent
    assert isinstance(sent.message, kind)
    return sent.message


def prices(usd_per_mwh: FloatArray) -> InterfaceAward:
    return InterfaceAward(
        interval_s=MIDNIGHT_S, length_s=3_600, award_mw=np.zeros(DAY_HOURS), lmp_usd_per_mwh=usd_per_mwh
    )


@pytest.mark.parametrize(("model", "factor"), [("layered_total_dso", 1.0), ("grand_central_blind", 5.0)])
def test_offers_to_the_iso_count_multiplicity_and_those_to_the_dso_do_not(
    tmp_path: Path, model: str, factor: float
) -> None:
    plan(tmp_path)
    wanted = under(model)
    role = Offers(context(wanted, NAME, tmp_path))
    scenario = LdaScenario(wanted, "lda2")
    known = {"prices": prices(np.full(DAY_HOURS, 30.0)), "der_state": state(scenario)}
    offers = only(role.offer(grant(-180 + 52, **known)), DerOffers)
    assert (offers.interval_s, offers.length_s, offers.intervals) == (0, 300, 1)
    sun = scenario.fleet.of_kind("pv")
    expected = scenario.expected(0, -180 + 52)
    ceiling = offers.floor_mw + np.bincount(offers.der, weights=offers.width_mw, minlength=sun.size)
    np.testing.assert_allclose(ceiling[sun], factor * expected.available_kw[sun] / 1_000, rtol=1e-12)
    # an award comes back in the same measure, and set-points are of one set
    award = DerAwards(
        interval_s=0,
        length_s=300,
        intervals=1,
        p_mw=ceiling,
        q_mvar=np.zeros_like(ceiling),
        price_usd_per_mwh=np.array([30.0]),
    )
    points = only(role.act(grant(2, since=0, awards=award)), SetPoints)
    np.testing.assert_allclose(points.p_mw, ceiling / factor, rtol=1e-12)


def test_an_award_is_passed_on_once(tmp_path: Path) -> None:
    plan(tmp_path)
    role = Offers(context(study(), NAME, tmp_path))
    n = len(LdaScenario(study(), "lda2").fleet)
    award = DerAwards(
        interval_s=0,
        length_s=300,
        intervals=1,
        p_mw=np.zeros(n),
        q_mvar=np.zeros(n),
        price_usd_per_mwh=np.array([30.0]),
    )
    arrivals = {"awards": {"dso_lda2": Received("dso_lda2", 1, 1, award)}}
    assert role.act(Grant(2, Inbox(arrivals, -58))).sent
    assert not role.act(Grant(62, Inbox(arrivals, 2))).sent


def test_prices_of_the_hours_to_come_decide_what_stored_energy_costs(tmp_path: Path) -> None:
    plan(tmp_path)
    scenario = LdaScenario(study(), "lda2")
    asked = []
    for evening in (30.0, 300.0):
        role = Offers(context(study(), NAME, tmp_path))
        lmp = np.full(DAY_HOURS, 30.0)
        lmp[17] = evening
        offers = only(role.offer(grant(-128, prices=prices(lmp), der_state=state(scenario))), DerOffers)
        stored = scenario.fleet.of_kind("battery")[offers.der]
        asked.append(offers.price_usd_per_mwh[stored])
    assert (asked[1] > asked[0]).all()


def test_stores_keep_to_the_plan_behind_an_award(tmp_path: Path) -> None:
    """A plan that empties them asks less for their energy, one that fills them more; a restart knows it."""
    plan(tmp_path)
    wanted = study(TINY, "market.bid={kind: exact_cuts}")
    scenario = LdaScenario(wanted, "lda2")
    first = Offers(context(wanted, NAME, tmp_path)).offer_day_ahead(
        grant(wanted.clock.day_ahead_opens(0) + 51)
    )
    (stores,) = (sent.message for sent in first.sent if isinstance(sent.message, DerStores))
    known = {"prices": prices(np.full(DAY_HOURS, 30.0)), "der_state": state(scenario)}
    asked = []
    for held, worth in ((0.0, 25.0), (1.0, 60.0)):
        told = plan_message(
            PlannedLevels(
                der=stores.der,
                level_mwh=np.tile(held * stores.most_mwh, (DAY_HOURS + 1, 1)),
                worth_usd_per_mwh=np.full((DAY_HOURS, stores.der.size), worth),
            ),
            MIDNIGHT_S,
            3_600,
        )
        role = Offers(context(wanted, NAME, tmp_path))
        offers = only(role.offer(grant(-128, store_plans=told, **known)), DerOffers)
        again = Offers(context(wanted, NAME, tmp_path))
        again.restore(role.save())
        assert only(again.offer(grant(-128, since=-129, **known)), DerOffers) is not None
        np.testing.assert_array_equal(
            only(again.offer(grant(-128, since=-127, **known)), DerOffers).price_usd_per_mwh,
            offers.price_usd_per_mwh,
        )
        asked.append(offers.price_usd_per_mwh[scenario.fleet.of_kind("battery")[offers.der]])
    assert asked[0].max() < 30.0 < asked[1].min()


def test_later_day_ahead_rounds_value_stored_energy_at_what_is_advised(tmp_path: Path) -> None:
    plan(tmp_path)
    wanted = study(TINY, "market.day_ahead_rounds=2")
    scenario = LdaScenario(wanted, "lda2")
    role = Offers(context(wanted, NAME, tmp_path))
    now = wanted.clock.day_ahead_opens(0) + 51
    first = role.offer_day_ahead(grant(now))
    assert first.again
    peak = np.full(DAY_HOURS, 30.0)
    peak[20] = 300.0
    advice = PriceAdvice(interval_s=MIDNIGHT_S, length_s=3_600, price_usd_per_mwh=peak)
    last = role.offer_day_ahead(grant(now + 60, advised=advice))
    assert not last.again
    one, other = only(first, DerOffers), only(last, DerOffers)
    stored = scenario.fleet.of_kind("battery")[one.der] & (one.interval == 19)
    # the hour before the peak: what is stored then saves it
    assert (other.price_usd_per_mwh[stored] > one.price_usd_per_mwh[stored]).all()
    unadvised = Offers(context(wanted, NAME, tmp_path))
    unadvised.offer_day_ahead(grant(now))
    with pytest.raises(MissingInputError, match="no advice of the day-ahead round before"):
        unadvised.offer_day_ahead(grant(now + 60))


def test_prices_known_are_kept_over_a_boundary(tmp_path: Path) -> None:
    plan(tmp_path)
    scenario = LdaScenario(study(), "lda2")
    first, second = (Offers(context(study(), NAME, tmp_path)) for _ in range(2))
    known = {"prices": prices(np.linspace(10.0, 90.0, DAY_HOURS)), "der_state": state(scenario)}
    first.offer(grant(-128, **known))
    second.restore(first.save())
    later = grant(172, since=-128, der_state=state(scenario))
    one, other = only(first.offer(later), DerOffers), only(second.offer(later), DerOffers)
    assert np.array_equal(one.price_usd_per_mwh, other.price_usd_per_mwh)
    assert np.array_equal(one.width_mw, other.width_mw)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    plan(tmp_path)
    role = Offers(context(study(), NAME, tmp_path))
    with pytest.raises(MissingInputError, match="agg_lda2_supplier at -128 s: its DERs have not reported"):
        role.offer(grant(-128))
    with pytest.raises(MissingInputError, match="no day-ahead prices of day 0"):
        role.offer(grant(-128, der_state=state(LdaScenario(study(), "lda2"))))


def test_uncoordinated_batteries_follow_their_sites_and_the_rest_runs_free(tmp_path: Path) -> None:
    wanted = under("uncoordinated")
    role = SelfConsumption(context(wanted, NAME, tmp_path))
    scenario = LdaScenario(wanted, "lda2")
    fleet = scenario.fleet
    for site_kw in (2.0, -2.0, 1e6, -1e6):
        points = only(role.act(grant(62, since=2, der_state=state(scenario, site_kw=site_kw))), SetPoints)
        store, sun = fleet.of_kind("battery"), fleet.of_kind("pv")
        np.testing.assert_allclose(
            points.p_mw[store] * 1_000, np.clip(site_kw, -fleet.power_kw[store], fleet.power_kw[store])
        )
        np.testing.assert_allclose(points.p_mw[sun] * 1_000, fleet.power_kw[sun])
        assert not points.q_mvar.any()


@pytest.mark.parametrize(("own_usd_per_mwh", "sign"), [(300.0, 1.0), (-200.0, -1.0)])
def test_who_answers_prices_sells_in_the_dear_hour_and_buys_in_the_cheap_one(
    tmp_path: Path, own_usd_per_mwh: float, sign: float
) -> None:
    """All hours but this, the last, cost 30 $/MWh. Two hours of energy make every minute worth full power:
    from full where it is dear, from empty where it is cheap.
    """
    wanted = under("price_reactive")
    role = PriceReactive(context(wanted, NAME, tmp_path))
    scenario = LdaScenario(wanted, "lda2")
    fleet = scenario.fleet
    store, sun = fleet.of_kind("battery"), fleet.of_kind("pv")
    lmp = np.full(DAY_HOURS, 30.0)
    lmp[17] = own_usd_per_mwh
    held = state(scenario, soc_kwh=fleet.energy_kwh * (sign > 0))
    points = only(role.act(grant(2, prices=prices(lmp), der_state=held)), SetPoints)
    np.testing.assert_allclose(points.p_mw[store] * 1_000, sign * fleet.power_kw[store])
    # the sun is worth taking at a price above zero only
    expected = scenario.expected(0, -60).available_kw[sun]
    assert expected.min() > 0.0
    np.testing.assert_allclose(points.p_mw[sun] * 1_000, expected * (sign > 0))


def test_who_answers_prices_notes_them_whenever_they_come_and_acts_once_an_interval(tmp_path: Path) -> None:
    """The prices of tomorrow replace those of today on the wire before the first interval begins."""
    wanted = under("price_reactive")
    role = PriceReactive(context(wanted, NAME, tmp_path))
    reported = state(LdaScenario(wanted, "lda2"))
    assert not role.act(grant(-598, prices=prices(np.full(DAY_HOURS, 30.0)))).sent
    tomorrow = replace(prices(np.full(DAY_HOURS, 30.0)), interval_s=MIDNIGHT_S + 86_400)
    assert not role.act(grant(-538, since=-598, prices=tomorrow, der_state=reported)).sent
    assert role.act(grant(2, since=-58, prices=tomorrow, der_state=reported)).sent
    assert not role.act(grant(62, since=2, prices=tomorrow, der_state=reported)).sent


def test_the_model_of_the_study_decides_the_role(tmp_path: Path) -> None:
    plan(tmp_path)
    assert set(build(context(under("uncoordinated"), NAME, tmp_path)).phases) == {2}
    assert set(build(context(under("price_reactive"), NAME, tmp_path)).phases) == {2}
    assert set(build(context(under("layered_total_dso"), NAME, tmp_path)).phases) == {2, 51, 52}


@pytest.mark.parametrize("model", ["layered_total_dso", "grand_central_blind"])
def test_who_does_not_participate_is_one_quantity_for_the_dso_and_nothing_for_the_iso(
    tmp_path: Path, model: str
) -> None:
    """The ISO hears of them in the DSO's quantity: told twice, they would be bought twice."""
    plan(tmp_path)
    wanted = study(TINY, f"coordination={model}", "ldas.1.feeders.0.ders.participation=50 %")
    role = Offers(context(wanted, NAME, tmp_path))
    scenario = LdaScenario(wanted, "lda2")
    out = ~scenario.directed(0)
    assert 5 < out.sum() < out.size - 5
    known = {"prices": prices(np.full(DAY_HOURS, 30.0)), "der_state": state(scenario, site_kw=1.0)}
    offers = only(role.offer(grant(-180 + 52, **known)), DerOffers)
    assert not offers.width_mw[out[offers.der]].any()
    assert offers.width_mw[~out[offers.der]].any()
    if model == "grand_central_blind":
        assert not offers.floor_mw[out].any()
        return
    sun, store = (scenario.fleet.of_kind(kind) & out for kind in ("pv", "battery"))
    expected = scenario.expected(0, -180 + 52).available_kw
    np.testing.assert_allclose(offers.floor_mw[sun] * 1_000, expected[sun])
    np.testing.assert_allclose(offers.floor_mw[store] * 1_000, 1.0)
