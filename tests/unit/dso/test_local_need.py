"""Energy that batteries keep for hours in which a feeder's own demand exceeds the limit of its head."""

from __future__ import annotations

import numpy as np

from federates.dso.local_need import AHEAD_S, LocalNeed, needed_kwh
from federates.dso.roles.kept_energy import KeptEnergy
from federates.scenario.lda import LdaScenario
from tests.build import RTS_DAY, study

HOUR_S = 3_600


def test_what_is_needed_is_all_that_lies_above_the_limit_from_then_on() -> None:
    """Above 100 kW stand 20 kW in the second half-hour and 30 kW in the fourth: 10 and 15 kWh."""
    demand_kw = np.array([[90.0], [120.0], [100.0], [130.0]])
    needed = needed_kwh(demand_kw, np.full((4, 1), 100.0), 0.5)
    np.testing.assert_allclose(needed[:, 0], [25.0, 25.0, 15.0, 15.0, 0.0])


def test_a_battery_injects_what_it_does_not_keep_and_is_not_made_to_charge() -> None:
    """At 17:00 each battery holds twice what it keeps, half of it, or all it can; the rest is not limited."""
    scenario = LdaScenario(study(RTS_DAY), "city")
    need, fleet = LocalNeed(scenario, 0.98), scenario.fleet
    batteries, at = fleet.of_kind("battery"), 17 * HOUR_S
    kept = need.kept_kwh(at + 300)
    keeping = KeptEnergy(scenario, need, None, scenario.study.clock)
    twice, half = (keeping.most_kw(at - 120, at, 300, share * kept) for share in (2.0, 0.5))
    np.testing.assert_allclose(twice[batteries], (kept * fleet.discharge_efficiency)[batteries] * 12.0)
    np.testing.assert_array_equal(half[batteries], 0.0)
    full = keeping.most_kw(at - 120, at, 300, fleet.energy_kwh)
    assert (full[batteries] > fleet.power_kw[batteries]).all()
    assert np.isinf(twice[~batteries]).all()


def test_the_city_keeps_energy_in_its_batteries_for_the_evening_and_lets_it_go_then() -> None:
    scenario = LdaScenario(study(RTS_DAY), "city")
    need = LocalNeed(scenario, 0.98)
    batteries = scenario.fleet.of_kind("battery")
    at = {hour: need.kept_kwh(hour * HOUR_S) for hour in (3, 12, 17, 19, 22)}
    assert all((kept[~batteries] == 0.0).all() for kept in at.values())
    assert (at[3] == 0.0).all()
    assert AHEAD_S == 12 * HOUR_S
    share = at[17][batteries] / scenario.fleet.energy_kwh[batteries]
    assert (share > 0.01).all()
    assert (share < 0.5).all()
    np.testing.assert_allclose(at[12], at[17])
    assert (at[19][batteries] < at[17][batteries]).all()
    assert (at[22] == 0.0).all()


def test_no_energy_is_kept_where_no_head_is_short() -> None:
    scenario = LdaScenario(study(RTS_DAY), "strong")
    need = LocalNeed(scenario, 0.98)
    assert not need.kept_kwh(17 * HOUR_S).any()
    keeping = KeptEnergy(scenario, need, None, scenario.study.clock)
    empty = np.zeros(len(scenario.fleet))
    assert np.isinf(keeping.most_kw(17 * HOUR_S - 120, 17 * HOUR_S, 300, empty)).all()
