"""DERs of a user's table in a study: sizes, owners, their own sun, buses without a load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.scenario.lda import LdaScenario
from tests.build import TINY, study
from tests.unit.distribution.masters import HEADER

ROWS = "roof,pv,680,123,300,,330,ann,,south\nshed,pv,611,3,50,,,bob,,\nstore,battery,684,1,40,90,42,cem,,\n"
SUN = "time,south\n2020-03-27T00:00,0.25\n2020-03-27T12:00,0.75\n2020-03-27T23:00,0.25\n"


def tabled(folder: Path, rows: str = ROWS, sun: str = SUN) -> LdaScenario:
    """The smallest study's first LDA with a table of DERs on its 13-node feeder."""
    (folder / "ders.csv").write_text(HEADER + rows)
    (folder / "sun.csv").write_text(sun)
    sets = (
        f"ldas.0.feeders.0.der_table={folder / 'ders.csv'}",
        f"ldas.0.feeders.0.der_profiles={folder / 'sun.csv'}",
    )
    return LdaScenario(study(TINY, *sets), "lda1")


def test_tabled_devices_stand_after_the_mix_and_are_what_the_table_says(tmp_path: Path) -> None:
    plain = LdaScenario(study(TINY), "lda1")
    lda = tabled(tmp_path)
    first = len(plain.fleet)
    fleet = lda.fleet
    assert fleet.ids[first:] == ("solar1_roof", "solar1_shed", "solar1_store")
    assert fleet.kind[first:] == ("pv", "pv", "battery")
    assert fleet.phases[first:] == ((1, 2, 3), (3,), (1,))
    assert list(fleet.power_kw[first:]) == [300.0, 50.0, 40.0]
    assert fleet.s_kva[first:] == pytest.approx([330.0, 55.0, 42.0])
    assert list(fleet.energy_kwh[first:]) == [0.0, 0.0, 90.0]
    assert list(fleet.load[first:] >= 0) == [False, True, False]
    assert set(fleet.owner[first:]) == {"supplier"}
    assert fleet.ids[:first] == plain.fleet.ids
    np.testing.assert_array_equal(fleet.power_kw[:first], plain.fleet.power_kw)


def test_a_device_follows_its_profile_or_its_feeders_own_sun(tmp_path: Path) -> None:
    """Tiny begins at 17:00: five elevenths of the way from 0.75 down to 0.25, and 30 s on at mid-step."""
    lda = tabled(tmp_path)
    now = lda.actual(0).ders.available_kw
    roof, shed = (lda.fleet.ids.index(f"solar1_{name}") for name in ("roof", "shed"))
    hours = lda.study.horizon.start.hour + 30 / 3_600
    share = 0.75 - 0.5 * (hours - 12) / 11
    assert now[roof] == pytest.approx(300 * share, rel=1e-9)
    mix = next(k for k, kind in enumerate(lda.fleet.kind) if kind == "pv")
    own_sun = now[mix] / (lda.fleet.power_kw[mix] * lda.fleet.yield_factor[mix])
    assert now[shed] == pytest.approx(50 * own_sun, rel=1e-9)
    assert abs(own_sun - share) > 0.05


def test_a_fault_in_the_table_ends_the_study_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ders\.csv:2: bus: the feeder has no bus '999' below its head"):
        tabled(tmp_path, "roof,pv,999,123,300,,330,ann,,south\n")
    with pytest.raises(ConfigError, match="'west' is no column of the profiles"):
        tabled(tmp_path, "roof,pv,680,123,300,,330,ann,,west\n")


EVERY_KIND = (
    "roof,pv,680,123,300,,330,ann,solarco,south,\n"
    "store,battery,684,1,40,90,42,cem,flexco,,efficiency=90 %; initial_charge=20 %\n"
    "car,ev,652,1,11,60,,dee,flexco,,v2g=true; daily_energy=12\n"
    "shop,flexible,680,123,80,,,eva,flexco,shop,value_of_use=45\n"
    "house,hvac,611,3,12,,,fay,,,mode=heat; count=2; comfort_low=19 C\n"
    "tank,water_heater,611,3,9,,,fay,,,count=2\n"
    "mill,process,671,123,100,500,,gus,flexco,mill,window_begin=6 h; window_end=20 h\n"
    "plant,generator,675,123,200,,,hal,flexco,,fuel_cost=70; least_output=40 %\n"
)
SHARES = "time,south,shop,mill\n2020-03-27T00:00,0.25,0.5,0.2\n2020-03-27T23:00,0.25,0.5,0.2\n"


def every_kind(folder: Path) -> LdaScenario:
    """The smallest study's first LDA with one row of every kind and two more aggregators."""
    header = HEADER.rstrip() + ",settings\n"
    (folder / "ders.csv").write_text(header + EVERY_KIND)
    (folder / "shares.csv").write_text(SHARES)
    sets = (
        f"ldas.0.feeders.0.der_table={folder / 'ders.csv'}",
        f"ldas.0.feeders.0.der_profiles={folder / 'shares.csv'}",
        "ldas.0.aggregators=[{name: flexco}, {name: solarco}]",
    )
    return LdaScenario(study(TINY, *sets), "lda1")


def test_a_row_of_any_kind_is_what_its_model_builds_of_its_settings(tmp_path: Path) -> None:
    lda = every_kind(tmp_path)
    fleet = lda.fleet
    first = len(LdaScenario(study(TINY), "lda1").fleet)
    names = ("roof", "store", "car", "shop", "house", "tank", "mill", "plant")
    assert fleet.ids[first:] == tuple(f"solar1_{name}" for name in names)
    assert fleet.kind[first:] == (
        "pv", "battery", "ev", "flexible", "hvac", "water_heater", "process", "generator",
    )  # fmt: skip
    assert list(fleet.power_kw[first:]) == [300.0, 40.0, 11.0, 80.0, 12.0, 9.0, 100.0, 200.0]
    assert fleet.s_kva[first : first + 3] == pytest.approx([330.0, 42.0, 12.1])
    # two rooms of 2 kWh/K and 3 + 1 K, two tanks of 0.22 kWh/K and 20 K, a fifth more than a mean day's work
    assert fleet.energy_kwh[first:] == pytest.approx([0, 90, 60, 0, 2 * 2 * 4, 2 * 0.22 * 20, 600, 0])
    assert fleet.initial_kwh[first + 1] == pytest.approx(18.0)
    assert fleet.charge_efficiency[first + 1] == 0.9
    assert list(fleet.value_usd_per_mwh[first + 3]) == [45.0, 90.0]
    assert fleet.own["generator_least_kw"][-1] == pytest.approx(80.0)
    assert fleet.own["ev_discharge_kw"][first + 2] == 11.0
    assert fleet.owner[first:] == (
        "solarco", "flexco", "flexco", "flexco", "supplier", "supplier", "flexco", "flexco",
    )  # fmt: skip
    assert fleet.customer[first:] == ("ann", "cem", "dee", "eva", "fay", "fay", "gus", "hal")
    assert set(fleet.customer[:first]) == {""}


def test_a_profile_says_what_a_load_draws_and_how_much_of_a_process_may_run(tmp_path: Path) -> None:
    """Tiny begins at 17:00, in the mill's window; a load of the table is none of the circuit's own loads."""
    lda, plain = every_kind(tmp_path), LdaScenario(study(TINY), "lda1")
    places = {name: lda.fleet.ids.index(f"solar1_{name}") for name in ("roof", "shop", "mill")}
    now, ahead = lda.actual(0), lda.expected(300, 0)
    assert now.ders.available_kw[places["roof"]] == pytest.approx(0.25 * 300.0)
    assert now.ders.least_kw[places["shop"]] == pytest.approx(-0.5 * 80.0)
    assert now.ders.least_kw[places["mill"]] == pytest.approx(-0.2 * 100.0)
    # expected with the error of the area's demand, which is not nothing
    factor = ahead.ders.least_kw[places["shop"]] / (-0.5 * 80.0)
    assert 0.8 < factor < 1.2
    assert factor != 1.0
    np.testing.assert_array_equal(now.demand_kw, plain.actual(0).demand_kw)


def test_tabled_devices_go_on_in_the_draws_of_their_kind(tmp_path: Path) -> None:
    """Two rooms of one table differ in their insulation, as two of a mix do."""
    rows = "a,hvac,680,123,20,,,ann,,,mode=heat\nb,hvac,680,123,20,,,ann,,,mode=heat\n"
    (tmp_path / "ders.csv").write_text(HEADER.rstrip() + ",settings\n" + rows)
    lda = LdaScenario(study(TINY, f"ldas.0.feeders.0.der_table={tmp_path / 'ders.csv'}"), "lda1")
    assert list(lda.fleet.rank[-2:]) == [0, 1]
    assert lda.fleet.leak_per_h[-1] != lda.fleet.leak_per_h[-2]
