"""Batteries as one store: sums, means, and when they are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.der_settings import BatterySettings, DerMix, PvSettings
from federates.core.messages import StorageOffer
from federates.der.catalog import Behaviour, build_fleet
from federates.der.fleet import Fleet
from federates.der.mix import Mix
from federates.der.model import FleetState, Interval, Surroundings, initial_state
from federates.der.virtual_store import battery_offer, merged_store
from tests.unit.der.builders import row_feeder

HOURS = 3
MIX = Mix(ders=DerMix(pv=PvSettings(power=900.0), battery=BatterySettings(power=400.0, energy=1_000.0)))


def intervals(fleet: Fleet) -> list[Interval]:
    sun, none = np.full(len(fleet), 0.5), np.full(len(fleet), np.nan)
    around = [
        Surroundings(t_s=3_600 * h, length_s=3_600, sun=sun, profile=none, level=0.5) for h in range(HOURS)
    ]
    return [Behaviour(fleet).expected(one, 0) for one in around]


def offer_of(fleet: Fleet, state: FleetState) -> StorageOffer:
    who = fleet.of_kind("battery")
    return battery_offer(fleet, who, state, intervals(fleet), 33.0, interval_s=7_200)


def test_powers_and_energies_are_sums_over_the_batteries() -> None:
    fleet = build_fleet(row_feeder(), MIX, 3)
    battery = fleet.of_kind("battery")
    assert 1 < battery.sum() < len(fleet)
    one = offer_of(fleet, initial_state(fleet))
    assert (one.interval_s, one.length_s, one.end_usd_per_mwh) == (7_200, 3_600, 33.0)
    np.testing.assert_allclose(one.charge_mw, np.full(HOURS, 0.4))
    np.testing.assert_allclose(one.discharge_mw, np.full(HOURS, 0.4))
    np.testing.assert_allclose(one.most_mwh, np.full(HOURS, 1.0))
    assert one.begin_mwh == pytest.approx(fleet.initial_kwh[battery].sum() / 1_000.0)
    assert one.charge_efficiency == pytest.approx(fleet.charge_efficiency[battery][0])
    assert one.wear_usd_per_mwh == pytest.approx(fleet.wear_usd_per_mwh[battery][0])


def test_efficiencies_and_wear_are_means_by_power() -> None:
    fleet = build_fleet(row_feeder(), MIX, 3)
    battery = np.flatnonzero(fleet.of_kind("battery"))
    eta, wear = fleet.charge_efficiency.copy(), fleet.wear_usd_per_mwh.copy()
    eta[battery[0]], wear[battery[0]] = 0.5, 50.0
    mixed = replace(fleet, charge_efficiency=eta, wear_usd_per_mwh=wear)
    share = fleet.power_kw[battery[0]] / fleet.power_kw[battery].sum()
    one = offer_of(mixed, initial_state(mixed))
    others = fleet.charge_efficiency[battery[1]]
    assert one.charge_efficiency == pytest.approx(share * 0.5 + (1.0 - share) * others)
    assert one.wear_usd_per_mwh == pytest.approx(
        share * 50.0 + (1.0 - share) * fleet.wear_usd_per_mwh[battery[1]]
    )


def test_without_batteries_nothing_is_offered_and_nothing_is_lost_in_it() -> None:
    fleet = build_fleet(row_feeder(), Mix(ders=DerMix(pv=PvSettings(power=900.0))), 3)
    none = offer_of(fleet, initial_state(fleet))
    assert not none.charge_mw.any()
    assert not none.most_mwh.any()
    assert (none.kept_share, none.charge_efficiency, none.discharge_efficiency) == (1.0, 1.0, 1.0)


def test_stores_of_several_aggregators_are_merged_and_multiplied() -> None:
    one = offer_of(fleet := build_fleet(row_feeder(), MIX, 3), initial_state(fleet))
    other = replace(one, charge_mw=3.0 * one.charge_mw, charge_efficiency=0.8, begin_mwh=0.1)
    nobody = offer_of(
        bare := build_fleet(row_feeder(), Mix(ders=DerMix(pv=PvSettings(power=900.0))), 3),
        initial_state(bare),
    )
    both = merged_store([one, nobody, other], 5.0)
    np.testing.assert_allclose(both.charge_mw, 5.0 * 4.0 * one.charge_mw)
    np.testing.assert_allclose(both.most_mwh, 5.0 * 2.0 * one.most_mwh)
    assert both.begin_mwh == pytest.approx(5.0 * (one.begin_mwh + 0.1))
    # who has no batteries does not count
    assert both.charge_efficiency == pytest.approx(0.25 * one.charge_efficiency + 0.75 * 0.8)
