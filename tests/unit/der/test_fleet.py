"""Fleets: totals are kept, places are loads, and nothing hangs on names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.der_settings import FLEXIBLE_CEILING, BatterySettings, DerMix, FlexibleSettings
from federates.der.battery import BATTERY_SITES
from federates.der.catalog import build_fleet
from federates.der.fleet import flexible_kw_by_load, joined
from federates.der.mix import Mix, jittered
from federates.der.placement import PV_SITES, load_nodes
from tests.unit.der.builders import EVERY_KIND, EVERYTHING, PEAK_KW, row_feeder


def test_totals_are_those_of_the_mix() -> None:
    fleet = build_fleet(row_feeder(), EVERYTHING, 3)
    power = {kind: fleet.power_kw[fleet.of_kind(kind)].sum() for kind in ("pv", "battery", "flexible")}
    assert power == pytest.approx({"pv": 1_500.0, "battery": 400.0, "flexible": 0.15 * PEAK_KW})
    assert fleet.energy_kwh.sum() == pytest.approx(800.0)
    assert fleet.initial_kwh.sum() == pytest.approx(400.0)
    assert fleet.of_kind("pv").sum() == PV_SITES
    assert fleet.of_kind("battery").sum() == BATTERY_SITES


def test_every_device_stands_at_a_load_in_the_order_of_loads_and_kinds() -> None:
    feeder = row_feeder()
    fleet = build_fleet(feeder, EVERY_KIND, 3)
    nodes = load_nodes(feeder)
    for k, load in enumerate(fleet.load.tolist()):
        assert fleet.bus[k] == feeder.loads[load].bus
        assert fleet.phases[k] == feeder.loads[load].phases
        assert fleet.node[k] == nodes[load]
    assert (np.diff(fleet.load) >= 0).all()
    assert len(set(fleet.ids)) == len(fleet)


def test_names_do_not_change_a_fleet() -> None:
    one = build_fleet(row_feeder(), EVERY_KIND, 3)
    other = build_fleet(row_feeder(prefix="zz"), EVERY_KIND, 3)
    assert one.ids != other.ids
    assert (one.load == other.load).all()
    assert one.power_kw.tobytes() == other.power_kw.tobytes()
    assert one.yield_factor.tobytes() == other.yield_factor.tobytes()


def test_seed_changes_places() -> None:
    one, other = (build_fleet(row_feeder(), EVERYTHING, seed) for seed in (3, 4))
    assert one.load.tolist() != other.load.tolist()


def test_batteries_stand_with_photovoltaics() -> None:
    fleet = build_fleet(row_feeder(), EVERYTHING, 3)
    assert set(fleet.load[fleet.of_kind("battery")]) < set(fleet.load[fleet.of_kind("pv")])


def test_flexible_part_never_exceeds_its_share_of_a_load() -> None:
    feeder = row_feeder()
    mix = Mix(ders=DerMix(flexible=FlexibleSettings(share=0.7)), load_scale=0.75)
    fleet = build_fleet(feeder, mix, 3)
    part = flexible_kw_by_load(fleet, len(feeder.loads)) / [0.75 * load.kw for load in feeder.loads]
    assert part.max() <= FLEXIBLE_CEILING + 1e-9
    assert part.max() > 0.7
    assert fleet.power_kw.sum() == pytest.approx(0.7 * 0.75 * PEAK_KW)


def test_jitter_stays_within_its_share_and_differs_between_feeders() -> None:
    mixes = [jittered(EVERYTHING, 0.1, seed) for seed in range(30)]
    sizes = np.array([mix.ders.pv.power_kw for mix in mixes if mix.ders.pv is not None])
    assert np.abs(sizes / 1_500.0 - 1.0).max() <= 0.1
    assert np.unique(sizes).size == 30
    assert jittered(EVERYTHING, 0.0, 5) == EVERYTHING


def test_participation_is_the_share_that_takes_part() -> None:
    fleet = build_fleet(
        row_feeder(), replace(EVERYTHING, ders=EVERYTHING.ders.model_copy(update={"participation": 0.5})), 3
    )
    assert 0.3 < fleet.participates.mean() < 0.7
    assert build_fleet(row_feeder(), EVERYTHING, 3).participates.all()


def test_mean_yield_is_one() -> None:
    fleet = build_fleet(row_feeder(), EVERYTHING, 3).select(
        build_fleet(row_feeder(), EVERYTHING, 3).of_kind("pv")
    )
    assert fleet.power_kw @ fleet.yield_factor == pytest.approx(1_500.0)
    assert np.ptp(fleet.yield_factor) > 0.05


def test_joined_fleets_keep_order_and_carry_prefixes() -> None:
    parts = [build_fleet(row_feeder(), EVERY_KIND, seed) for seed in (3, 4)]
    both = joined(parts, ["a_", "b_"])
    assert len(both) == len(parts[0]) + len(parts[1])
    assert both.ids[len(parts[0])] == "b_" + parts[1].ids[0]
    assert len(set(both.ids)) == len(both)


def test_empty_mix_gives_an_empty_fleet() -> None:
    assert len(build_fleet(row_feeder(), Mix(), 3)) == 0


def test_half_a_battery_is_refused() -> None:
    with pytest.raises(ValueError, match="power and energy"):
        BatterySettings(power=100.0, energy=0.0)
