"""Energy that batteries keep: each MWh for the heads' evening, for capacity or for reserve, never for two."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.reserve_offer import DURATION_H
from federates.core.settings import CapacitySettings
from federates.core.time import SimTime
from federates.dso.local_need import LocalNeed
from federates.dso.reserve import held
from federates.dso.roles.kept_energy import KeptEnergy
from federates.dso.roles.sold_capacity import SoldCapacity
from federates.scenario.lda import LdaScenario
from tests.build import TINY, study

TERMS = CapacitySettings.model_validate(
    {"price": 300, "target": "20 MW", "shortfall_price": 200, "begin": "18 h", "duration": "2 h"}
)
HOUR_S, INTERVAL_S = 3_600, 300
NOW_S = 1_920
"""17:32; the interval from 17:35 to 17:40 is bid, and a call in it is held until 18:40."""
BEGIN_S, END_S = 2_100, 2_400
SOLD_SHARE, COMMITTED_H = 0.2, 2.0
"""Of each battery's power, that capacity is sold on, and for how long."""
SHARES = (0.1, 0.5, 0.75, 1.0)
"""Of each battery's energy, that is stored."""
NEAR_KWH = 1e-9


@cache
def area() -> LdaScenario:
    """The smallest study's second area, whose head is short of room in the evening."""
    evening = ("horizon.duration=6 h", "ldas.1.feeders.0.import_limit=3.9 MVA")
    return LdaScenario(study(TINY, *evening), "lda2")


@cache
def batteries() -> np.ndarray:
    return area().fleet.of_kind("battery")


def capacity(awarded: float = 1.0) -> SoldCapacity:
    """Capacity on a share of each battery's power, awarded in part."""
    mine = SoldCapacity(TERMS, area(), area().study.clock)
    power = np.where(batteries(), area().fleet.power_kw, 0.0)
    mine.restore(
        {
            "capacity_days": np.zeros(1),
            "capacity_0_mw": np.array([1.0, awarded]),
            "capacity_0_baseline_mw": np.zeros(24),
            "capacity_0_discharge_kw": SOLD_SHARE * power,
        }
    )
    return mine


def keeping(sold: SoldCapacity | None) -> KeptEnergy:
    return KeptEnergy(area(), LocalNeed(area(), 0.98), sold, area().study.clock)


def used_kwh(most_kw: FloatArray, hours: float) -> FloatArray:
    """What an injection takes out of each battery. [kWh]"""
    fleet = area().fleet
    return np.where(batteries(), np.maximum(most_kw, 0.0) / fleet.discharge_efficiency * hours, 0.0)


def kept_kwh(kept: KeptEnergy) -> tuple[FloatArray, FloatArray]:
    """Evening's, and most for capacity while a call is held."""
    return kept.evening_kwh(NOW_S, END_S), kept.capacity_kwh(END_S, END_S + HOUR_S)


@pytest.mark.parametrize("share", SHARES)
def test_what_is_sold_as_reserve_and_what_is_kept_are_no_more_than_what_is_stored(share: float) -> None:
    """Spin leaves what evening and capacity keep and takes all the rest: the law binds where there is any."""
    kept, stored = keeping(capacity()), share * area().fleet.energy_kwh
    hours = (END_S - NOW_S) / HOUR_S + DURATION_H
    sold = held(area().fleet, np.zeros(len(area().fleet)), kept.room(NOW_S, END_S, stored), hours)
    used, (evening, for_capacity) = used_kwh(sold.most_kw, hours), kept_kwh(kept)
    assert (evening[batteries()] > 0.0).all()
    assert (for_capacity[batteries()] > 0.0).all()
    whole = (used + evening + for_capacity)[batteries()]
    np.testing.assert_allclose(whole, np.maximum(stored, evening + for_capacity)[batteries()])
    assert used[batteries()].any() == bool((stored > evening + for_capacity)[batteries()].any())


def test_the_energy_of_the_law_lies_between_the_shares_tried() -> None:
    """Some of the stores of the law above have nothing to sell, and some have."""
    needed = sum(kept_kwh(keeping(capacity())))[batteries()]
    energy = area().fleet.energy_kwh[batteries()]
    assert (needed > SHARES[0] * energy).all()
    assert (needed < SHARES[-1] * energy).all()


def test_capacity_needs_most_as_its_commitment_begins() -> None:
    """From 17:40 on that is 18:00: 0.2 P for 2 h, and what leaks; at 17:40 it may still charge."""
    fleet, sold = area().fleet, capacity()
    drawn = SOLD_SHARE * fleet.power_kw / fleet.discharge_efficiency * COMMITTED_H
    drawn = (drawn * np.exp(fleet.leak_per_h * COMMITTED_H))[batteries()]
    while_held = sold.kept_kwh(END_S, END_S + HOUR_S)[batteries()]
    np.testing.assert_allclose(while_held, drawn)
    assert (sold.kept_kwh(END_S, END_S)[batteries()] < drawn).all()
    assert not capacity(awarded=0.0).kept_kwh(END_S, END_S + HOUR_S).any()


@pytest.mark.parametrize("begin", [BEGIN_S, 2 * HOUR_S])
def test_energy_that_the_market_may_have_leaves_both_what_evening_and_capacity_keep(begin: SimTime) -> None:
    """Before and in the commitment; keeping the greater of the two would give one MWh two uses."""
    fleet, end = area().fleet, begin + INTERVAL_S
    both, evening, sold = keeping(capacity()), keeping(None), capacity()
    stored = 0.9 * fleet.energy_kwh
    used = used_kwh(both.most_kw(begin, begin, INTERVAL_S, stored), INTERVAL_S / HOUR_S)
    kept = evening.evening_kwh(begin, end) + sold.kept_kwh(end, end)
    np.testing.assert_allclose((used + kept)[batteries()], stored[batteries()], atol=NEAR_KWH)
    alone = used_kwh(evening.most_kw(begin, begin, INTERVAL_S, stored), INTERVAL_S / HOUR_S)
    assert (used < alone - NEAR_KWH)[batteries()].all()


def test_batteries_are_made_to_charge_for_capacity_but_not_for_the_evening() -> None:
    empty, at = np.zeros(len(area().fleet)), 2 * HOUR_S
    for_both = keeping(capacity()).most_kw(at, at, INTERVAL_S, empty)[batteries()]
    for_evening = keeping(None).most_kw(at, at, INTERVAL_S, empty)[batteries()]
    needed = capacity().kept_kwh(at + INTERVAL_S, at + INTERVAL_S)
    charge_kw = needed / area().fleet.charge_efficiency / (INTERVAL_S / HOUR_S)
    np.testing.assert_allclose(for_both, -charge_kw[batteries()])
    assert (for_both < 0.0).all()
    np.testing.assert_array_equal(for_evening, 0.0)


def test_a_day_ahead_evening_comes_before_capacity_and_capacity_before_reserve() -> None:
    """Capacity has what can be stored by 18:00 less the evening, reserve of 19 h what a full store leaves."""
    fleet, kept, stored = area().fleet, keeping(capacity()), 0.5 * area().fleet.energy_kwh
    evening = LocalNeed(area(), 0.98).left_on_day_kwh(HOUR_S, 6 * HOUR_S)
    room = kept.room_for_capacity(0, -1, stored)
    reached = capacity().reached_kwh(0, -1, stored)
    assert (evening[batteries()] > 0.0).all()
    np.testing.assert_allclose((room.spare_kwh + evening)[batteries()], reached[batteries()])
    hour = kept.room_in_hour(0, -1, 2 * HOUR_S, stored)
    claimed = capacity().claimed_kwh(0, room, 2 * HOUR_S, 3 * HOUR_S)
    left = LocalNeed(area(), 0.98).left_on_day_kwh(2 * HOUR_S, 6 * HOUR_S)
    whole = (hour.spare_kwh + claimed + left)[batteries()]
    np.testing.assert_allclose(whole, fleet.energy_kwh[batteries()])
    assert (claimed[batteries()] > 0.0).all()
    free = keeping(None).room_in_hour(0, -1, 2 * HOUR_S, stored)
    assert (hour.spare_kwh < free.spare_kwh)[batteries()].all()
