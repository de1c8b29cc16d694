"""One LDA: what comes does not hang on what is asked for; what is expected differs from what comes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.der.catalog import Behaviour
from federates.der.model import FleetState, initial_state
from federates.scenario.lda import LdaConditions, LdaScenario
from federates.scenario.sun import GREATEST, clear_sky
from tests.build import RTS_DAY, TINY, sets, study

STEP_S = 60
DAY = sets(horizon__start="2020-03-27", horizon__duration="24 h")
EXACT = 1e-12
"""Relative rounding."""


def tiny(*values: str, lda: str = "lda2") -> LdaScenario:
    return LdaScenario(study(TINY, *values), lda)


def same(one: LdaConditions, other: LdaConditions) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("demand_kw", "demand_kvar", "available_kw", "least_kw")
    )


def test_what_comes_does_not_hang_on_when_the_study_begins_or_what_was_asked_before() -> None:
    day, evening = tiny(*DAY), tiny()
    begin_s = 17 * 3_600
    for t in (0, 60, 1_800, 3_540):
        assert same(day.actual(begin_s + t), evening.actual(t))
    fresh = tiny(*DAY)
    assert same(fresh.actual(begin_s + 1_800), day.actual(begin_s + 1_800))
    assert not same(day.actual(begin_s), day.actual(begin_s + 1_800))


def test_what_comes_does_not_hang_on_the_coordination_model() -> None:
    assert same(tiny("coordination=uncoordinated").actual(600), tiny().actual(600))


def test_another_day_is_another_draw_and_the_lead_in_goes_before_the_first() -> None:
    two = LdaScenario(study(TINY, *sets(horizon__start="2020-03-27", horizon__duration="2 d")), "lda2")
    before = two.actual(86_400 - 60)
    assert not same(two.actual(86_400), two.actual(0))
    assert same(two.actual(86_400 - 60), before)
    assert two.actual(-600).demand_kw.shape == before.demand_kw.shape


def test_a_forecast_differs_from_what_comes_and_less_so_the_later_it_is_made() -> None:
    """Errors of demand of a whole area, over a day: issued half a day before, and just before the
    gate; 3 % and 0.5 % of standard deviation a day and five minutes ahead."""
    lda = tiny(*DAY)
    targets = range(0, 86_400, 1_800)
    late, early = [], []
    for target in targets:
        comes = np.mean([lda.actual(t).demand_kw.sum() for t in range(target, target + 300, STEP_S)])
        late.append(lda.expected(target, target - 127).demand_kw.sum() / comes - 1.0)
        early.append(lda.expected(target, target - 50_000).demand_kw.sum() / comes - 1.0)
    assert np.std(late) > 0.001
    assert np.std(early) > np.std(late)
    assert abs(np.mean(late)) < 0.05


def test_perfect_foresight_has_no_error_of_the_sun() -> None:
    lda = tiny(*DAY, "forecast.kind=perfect", lda="lda1")
    sun = lda.fleet.of_kind("pv")
    noon = 12 * 3_600
    expected = lda.expected(noon, noon - 7_200).available_kw[sun]
    comes = np.mean([lda.actual(t).available_kw[sun] for t in range(noon, noon + 300, STEP_S)], axis=0)
    # the middle of the interval against the mean of its minutes; a unit's own yield only the plant knows
    yields = lda.fleet.yield_factor[sun]
    assert np.abs(yields - 1.0).max() > 0.01
    np.testing.assert_allclose(expected * yields, comes, rtol=1e-4)
    blurred = tiny(*DAY, lda="lda1").expected(noon, noon - 7_200).available_kw[sun]
    assert np.abs(blurred * yields / comes - 1.0).max() > 1e-3


def test_the_sun_gives_no_more_than_a_units_rating() -> None:
    lda = tiny(*DAY, lda="lda1")
    lda.behaviour = Behaviour(replace(lda.fleet, yield_factor=np.full(len(lda.fleet), 1.5)))
    sun, rated_kw = lda.fleet.of_kind("pv"), lda.fleet.power_kw
    by_noon, by_morning = (lda.actual(hour * 3_600).available_kw[sun] for hour in (12, 8))
    np.testing.assert_array_equal(by_noon, rated_kw[sun])
    assert (by_morning < rated_kw[sun]).all()
    assert (by_morning > 0.0).all()


def test_a_forecast_made_twice_is_the_same() -> None:
    one, other = tiny(), tiny()
    other.expected(0, -600)
    assert same(one.expected(900, 700), other.expected(900, 700))
    assert not same(one.expected(900, 700), one.expected(900, -600))
    assert not same(one.expected(900, 700), tiny("seed=2").expected(900, 700))


def test_the_forecast_of_the_day_before_is_the_common_one_issued_at_ten() -> None:
    """17:00 is 31 hours after ten o'clock of the day before, beyond the 12 hours in which errors grow."""
    lda, other = tiny(), tiny("forecast.kind=perfect")
    issue = lda.study.clock.day_ahead_issue(0)
    before, expected = lda.day_ahead_demand(900, 300), lda.expected(900, issue)
    assert np.array_equal(before.kw, expected.demand_kw)
    assert np.array_equal(before.kvar, expected.demand_kvar)
    assert before.sigma == pytest.approx(lda.study.forecast.sigma_day, rel=EXACT)
    perfect = other.day_ahead_demand(900, 300)
    assert perfect.sigma == 0.0
    assert not np.array_equal(perfect.kw, before.kw)


def test_a_day_ahead_forecast_has_24_hours_with_sun_only_by_day() -> None:
    lda = tiny(lda="lda1")
    hours = lda.expected_day(0, lda.study.clock.day_ahead_issue(0))
    sun = [float(h.available_kw[lda.fleet.of_kind("pv")].sum()) for h in hours]
    assert len(hours) == 24
    assert sun[2] == sun[22] == 0.0
    assert sun[12] > 0.5 * max(sun) > 0.0
    assert all((h.least_kw <= h.available_kw).all() for h in hours)


@pytest.mark.parametrize(("hour", "share"), [(12, 0.5), (20, 0.5), (12, 1.0), (20, 0.0)])
def test_an_uncoordinated_battery_covers_its_site_within_rating_and_energy(hour: int, share: float) -> None:
    lda = tiny(lda="lda1")
    fleet = lda.fleet
    store = fleet.of_kind("battery")
    conditions = lda.expected_day(0, lda.study.clock.day_ahead_issue(0))[hour]
    soc = share * fleet.energy_kwh
    p, left = lda.uncoordinated_kw(conditions, FleetState(energy_kwh=soc, p_kw=np.zeros(len(fleet))))
    after = left.energy_kwh
    np.testing.assert_allclose(p[fleet.of_kind("pv")], conditions.available_kw[fleet.of_kind("pv")])
    np.testing.assert_allclose(p[fleet.of_kind("flexible")], conditions.least_kw[fleet.of_kind("flexible")])
    assert (np.abs(p[store]) <= fleet.power_kw[store] * (1 + EXACT)).all()
    assert (after >= 0.0).all()
    assert (after <= fleet.energy_kwh).all()
    eta = fleet.charge_efficiency
    stored = np.where(p > 0.0, -p / fleet.discharge_efficiency, -p * eta)
    np.testing.assert_allclose((after - soc)[store], stored[store], atol=1e-9)
    assert not (after - soc)[~store].any()
    # never against its site: it gives where the site draws, takes where the site gives
    alone = p.copy()
    alone[store] = 0.0
    site = lda._site_kw(conditions.demand_kw, alone)
    assert (p[store] * site[store] >= 0.0).all()
    assert (np.abs(p[store]) <= np.abs(site[store]) * (1 + EXACT)).all()
    if share == 0.5:
        assert np.abs(p[store]).max() > 0.0


def test_batteries_that_share_a_bus_do_not_cover_it_twice() -> None:
    lda = LdaScenario(study(RTS_DAY), "city")
    buses = [lda.fleet.bus[k] for k in np.flatnonzero(lda.fleet.of_kind("battery"))]
    assert len(set(buses)) == len(buses)


def test_a_site_is_demand_less_sun_at_one_bus() -> None:
    lda = tiny(lda="lda1")
    n = len(lda.fleet)
    actual = lda.actual(0)
    none = lda.site_kw(0, np.zeros(n))
    sunny = lda.site_kw(0, np.where(lda.fleet.of_kind("pv"), 1.0, 0.0))
    sun_at = dict.fromkeys(lda.fleet.bus, 0)
    for bus, kind in zip(lda.fleet.bus, lda.fleet.kind, strict=True):
        sun_at[bus] += kind == "pv"
    np.testing.assert_allclose(none - sunny, [sun_at[bus] for bus in lda.fleet.bus], atol=1e-9)
    assert 0.0 < sum(dict(zip(lda.fleet.bus, none, strict=True)).values()) <= actual.demand_kw.sum() + 1e-9


def test_charging_is_what_demand_has_beyond_that_of_the_same_feeders_without_vehicles() -> None:
    evening_s = 2 * 3_600
    day = (*sets(horizon__duration="3 h"), "ldas.1.feeders.0.count=2", "ldas.1.multiplicity=1")
    lda, without = tiny(*day), tiny(*day, "ldas.1.feeders.0.ders.ev.count=0")
    for t in (-600, 0, evening_s):
        more_kw = lda.actual(t).demand_kw - without.actual(t).demand_kw
        of_feeder = np.bincount(lda.model.load_feeder, weights=more_kw)
        np.testing.assert_allclose(lda.vehicles_kw(t), of_feeder, atol=1e-9)
        assert not without.vehicles_kw(t).any()
    charging = lda.vehicles_kw(evening_s)
    assert charging.min() > 0.0
    assert charging[0] != charging[1]


def test_simulated_feeders_of_an_area_differ() -> None:
    lda = LdaScenario(study(RTS_DAY), "suburb")
    assert lda.feeder_names == ("f1", "f2", "f3", "f4", "f5")
    sun = lda.fleet.of_kind("pv")
    per_feeder = [lda.fleet.power_kw[sun & (lda._der_feeder == k)].sum() for k in range(5)]
    assert len(set(per_feeder)) == 5
    # 5.5 MW each, jittered by 8 % either way
    assert all(0.91 * 5_500 < kw < 1.09 * 5_500 for kw in per_feeder)


def test_a_clear_sky_is_dark_at_night_and_symmetric_about_half_past_twelve() -> None:
    hours = np.array([3, 22, 12.5]) * 3_600
    dark_and_noon = clear_sky(hours.astype(np.int64))
    np.testing.assert_allclose(dark_and_noon, [0.0, 0.0, GREATEST])
    offset = np.arange(0, 21_600, 600)
    np.testing.assert_allclose(clear_sky(45_000 - offset), clear_sky(45_000 + offset), atol=1e-12)


def test_the_share_that_does_not_participate_serves_its_own_sites() -> None:
    lda = tiny("ldas.0.feeders.0.ders.participation=50 %", lda="lda1")
    led = lda.directed(0)
    assert 0.2 < led.mean() < 0.8
    asked = np.full(len(lda.fleet), -1e3)
    state = initial_state(lda.fleet)
    used = lda.set_points_kw(0, state, asked)
    assert (used[led] == -1e3).all()
    own, _ = lda.uncoordinated_kw(lda.actual(0), state)
    assert np.array_equal(used[~led], own[~led])
    everybody = tiny(lda="lda1")
    assert everybody.directed(0).all()
    assert everybody.set_points_kw(0, state, asked) is asked


def test_who_opts_out_is_drawn_on_seeds_and_comes_back() -> None:
    event = "{kind: der_opt_out, at: 600, duration: 300, lda: lda1, ders: solar/battery, share: 40 %}"
    lda = tiny(f"events=[{event}]", lda="lda1")
    battery = lda.fleet.of_kind("battery")
    assert lda.directed(599).all()
    assert lda.directed(900).all()
    out = ~lda.directed(600)
    assert 0 < out.sum() < battery.sum()
    assert not out[~battery].any()
    assert np.array_equal(out, ~lda.directed(899))
    assert tiny(f"events=[{event}]", lda="lda2").directed(600).all()
