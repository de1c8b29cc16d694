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
