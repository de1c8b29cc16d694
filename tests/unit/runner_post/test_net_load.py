"""The duck's curve: its figures by hand, and H4's verdicts, each of which can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.post.compare.comparison import Comparison, compare_runs
from runner.post.compare.judging import Verdict
from runner.post.compare.verdicts import verdicts
from runner.post.metrics.catalog import METRICS
from runner.post.metrics.metric import measured
from runner.post.metrics.net_load import ramp_mw, swing_mw
from runner.post.run_tables import RunTables
from tests.unit.runner_post.compared_runs import chosen_run

DUCK = [600.0] * 8 + [300.0] * 8 + [500.0, 900.0, 1_000.0, *[800.0] * 5]
"""Net load, hour by hour: it climbs from 300 to 1,000 MW between the hours that begin at 15 and at 18."""
SHAVED = [650.0] * 8 + [400.0] * 8 + [550.0, 850.0, 900.0, *[780.0] * 5]
HALF = [620.0] * 8 + [350.0] * 8 + [520.0, 880.0, 950.0, *[790.0] * 5]
FLAT = [700.0] * 24


def verdict(comparison: Comparison, key: str) -> Verdict:
    (found,) = [v for v in verdicts(comparison) if v.key == key]
    return found


def test_peak_swing_ramp_curtailment_and_share_by_hand(tmp_path: Path) -> None:
    run = RunTables(chosen_run(tmp_path / "m0", "M0", net_load_mw=DUCK, spilt_mw=50.0))
    found = {key: one.value for key, one in measured(run, METRICS.values()).items()}
    assert found["net_load_peak_mw"] == pytest.approx(1_000.0)
    assert found["net_load_swing_mw"] == pytest.approx(1_000.0 - 300.0)
    assert found["net_load_ramp_3h_mw"] == pytest.approx(1_000.0 - 300.0)
    assert found["renewables_curtailed_mwh"] == pytest.approx(24 * 50.0)
    demand_mwh = sum(DUCK) + 24 * 1_000.0
    assert found["renewables_share_pct"] == pytest.approx(100.0 * 24 * 1_000.0 / demand_mwh)


def test_a_part_of_a_day_has_neither_swing_nor_ramp_and_two_days_have_the_mean() -> None:
    assert np.isnan(swing_mw(np.array([1.0, 5.0]), 3))
    assert np.isnan(ramp_mw(np.array([1.0, 5.0]), 3))
    # swings 4 and 2; the half of a third day does not count
    assert swing_mw(np.array([1.0, 5.0, 3.0, 1.0, 99.0]), 2) == pytest.approx(3.0)
    # rises over two intervals: 2, -4, 96: a fall is no ramp
    assert ramp_mw(np.array([1.0, 5.0, 3.0, 1.0, 99.0]), 2) == pytest.approx(96.0)
    assert ramp_mw(np.array([5.0, 3.0, 1.0]), 1) == pytest.approx(-2.0)


@pytest.mark.parametrize(
    ("key", "base", "m2", "m4", "m5", "result"),
    [
        ("net_load_is_a_duck", DUCK, HALF, SHAVED, SHAVED, "supported"),
        ("net_load_is_a_duck", FLAT, HALF, SHAVED, SHAVED, "not supported"),
        ("layered_cuts_net_load_peak", DUCK, HALF, SHAVED, SHAVED, "supported"),
        ("layered_cuts_net_load_peak", DUCK, HALF, SHAVED, DUCK, "not supported"),
        ("layered_cuts_net_load_peak", FLAT, HALF, SHAVED, SHAVED, "not tested"),
        ("layered_flattens_net_load", DUCK, HALF, SHAVED, SHAVED, "supported"),
        ("layered_flattens_net_load", DUCK, HALF, SHAVED, [0.0, *SHAVED[1:]], "not supported"),
        ("full_sight_flattens_net_load", DUCK, HALF, SHAVED, DUCK, "supported"),
        ("full_sight_flattens_net_load", DUCK, HALF, DUCK, SHAVED, "not supported"),
        ("override_cuts_part_of_the_peak", DUCK, HALF, SHAVED, SHAVED, "supported"),
        ("override_cuts_part_of_the_peak", DUCK, SHAVED, SHAVED, HALF, "not supported"),
        ("override_cuts_part_of_the_peak", DUCK, DUCK, SHAVED, SHAVED, "not supported"),
    ],
)
def test_every_verdict_on_the_duck_fires_both_ways(
    tmp_path: Path,
    key: str,
    base: list[float],
    m2: list[float],
    m4: list[float],
    m5: list[float],
    result: str,
) -> None:
    loads, spilt = {"M0": base, "M2": m2, "M4": m4, "M5": m5}, {"M0": 50.0}
    runs = [
        chosen_run(tmp_path / code, code, net_load_mw=load, spilt_mw=spilt.get(code, 20.0))
        for code, load in loads.items()
    ]
    assert verdict(compare_runs(runs), key).result == result


def test_a_day_on_which_nothing_is_curtailed_shows_nothing(tmp_path: Path) -> None:
    loads = {"M0": DUCK, "M5": SHAVED}
    compared = compare_runs([chosen_run(tmp_path / c, c, net_load_mw=load) for c, load in loads.items()])
    assert verdict(compared, "net_load_is_a_duck").result == "not supported"
    assert verdict(compared, "layered_cuts_net_load_peak").result == "not tested"


def test_more_curtailment_is_no_flatter_net_load(tmp_path: Path) -> None:
    runs = [
        chosen_run(tmp_path / code, code, net_load_mw=load, spilt_mw=spilt)
        for code, load, spilt in (("M0", DUCK, 50.0), ("M5", SHAVED, 60.0))
    ]
    found = verdict(compare_runs(runs), "layered_flattens_net_load")
    assert found.result == "not supported"
    assert found.value == pytest.approx(100.0 * (1.0 - 60.0 / 50.0))
