"""AC state and market of a run side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federates.core.errors import MissingInputError
from federates.core.tables import BRANCH, BUS, LINE_PRICE, LMP, UNIT, UNIT_AWARD
from runner.post.ac_check import AcCheck, ac_check
from tests.unit.runner_post.run_folders import record, run_folder

INSTANTS = (0, 60, 300, 360)
INTERVALS = (0, 300)


def checked(folder: Path, *, is_priced: bool = True) -> AcCheck:
    """Lines ``tight`` (bound in the market at 300 s), ``quiet`` and ``hidden`` (overloaded in AC alone)."""
    run = run_folder(folder)
    lines = {
        "tight": ([90.0, 95.0, 100.0, 100.0], [92.0, 97.0, 104.0, 101.0]),
        "quiet": ([10.0] * 4, [12.0] * 4),
        "hidden": ([-40.0] * 4, [99.0, 100.0, 106.0, 110.0]),
    }
    rows = [(t, name) for t in INSTANTS for name in lines]
    flow = [lines[name][0][INSTANTS.index(t)] for t, name in rows]
    record(
        run,
        BRANCH,
        rows,
        {
            "from_mw": flow,
            "to_mw": [-1.02 * mw for mw in flow],
            "loading_pct": [lines[name][1][INSTANTS.index(t)] for t, name in rows],
        },
    )
    volts = {"a": [1.0] * 4, "b": [0.949, 0.951, 0.89, 1.0], "c": [1.06] * 4}
    at_buses = [(t, name) for t in INSTANTS for name in volts]
    record(run, BUS, at_buses, {"v_pu": [volts[name][INSTANTS.index(t)] for t, name in at_buses]})
    prices = [(t, name) for t in INTERVALS for name in volts]
    record(run, LMP, prices, {"lmp_usd_per_mwh": [20.0, 30.0, 40.0, 20.0, 50.0, 40.0]})
    if is_priced:
        record(
            run, LINE_PRICE, [(300, "tight")],
            {"flow_mw": [-99.0], "rating_mw": [99.0], "shadow_price_usd_per_mwh": [12.5]},
        )  # fmt: skip
    units = [(t, name) for t in INSTANTS for name in ("g1", "g2")]
    record(run, UNIT, units, {"output_mw": [101.0, 48.0] * 4})
    awards = [(t, name) for t in INTERVALS for name in ("g1", "g2")]
    record(run, UNIT_AWARD, awards, {"set_point_mw": [100.0, 50.0] * 2})
    return ac_check(run)


def test_overloads_are_counted_and_those_the_market_did_not_see_told_apart(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert found.instants_count == 4
    assert found.branch_violations_count == 4
    assert found.unforeseen_violations_count == 2
    assert found.loading_max_pct == 110.0
    hidden, tight = found.branches
    assert (hidden.branch, hidden.overloaded_count, hidden.market_bound_count) == ("hidden", 2, 0)
    assert hidden.is_unforeseen
    assert hidden.loading_when_bound_pct is None
    assert (tight.branch, tight.overloaded_count, tight.market_bound_count) == ("tight", 2, 1)
    assert not tight.is_unforeseen


def test_a_bound_line_is_shown_beside_its_market_flow(tmp_path: Path) -> None:
    tight = checked(tmp_path).branches[1]
    assert tight.loading_when_bound_pct == pytest.approx(102.5)
    assert tight.flow_beyond_market_mw == pytest.approx(102.0 - 99.0)
    assert tight.shadow_price_max_usd_per_mwh == 12.5


def test_voltages_outside_each_band_are_counted_by_bus_with_its_price(tmp_path: Path) -> None:
    found = checked(tmp_path)
    assert found.bus_narrow_violations_count == 6
    assert found.bus_wide_violations_count == 1
    high, low = found.buses
    assert (high.bus, high.outside_narrow_count, high.outside_wide_count) == ("c", 4, 0)
    assert (low.bus, low.outside_narrow_count, low.outside_wide_count) == ("b", 2, 1)
    assert (low.v_min_pu, low.v_max_pu, low.lmp_mean_usd_per_mwh) == (0.89, 1.0, 40.0)
    assert (found.v_min_pu, found.v_max_pu) == (0.89, 1.06)


def test_units_beside_their_awards_are_added_up(tmp_path: Path) -> None:
    assert checked(tmp_path).redispatch_mean_mw == pytest.approx(1.0 + 2.0)


def test_without_a_line_at_its_rating_every_overload_is_unforeseen(tmp_path: Path) -> None:
    found = checked(tmp_path, is_priced=False)
    assert found.unforeseen_violations_count == found.branch_violations_count == 4


def test_markdown_and_dict_tell_the_same_figures(tmp_path: Path) -> None:
    found = checked(tmp_path)
    text = found.to_markdown()
    assert "4 branch overloads in AC (2 where the market did not bind)" in text
    assert "| hidden | 0 | 2 | 110.0 |  |  | 0.0 |" in text
    assert "| tight | 1 | 2 | 104.0 | 102.5 | 3.0 | 12.5 |" in text
    assert "| b | 0.8900 | 1.0000 | 2 | 1 | 40.0 |" in text
    plain = found.to_dict()
    assert plain["branch_violations_count"] == 4
    assert json.loads(json.dumps(plain, allow_nan=False))["branches"][1]["branch"] == "tight"


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    with pytest.raises(MissingInputError, match="branch"):
        ac_check(run)
