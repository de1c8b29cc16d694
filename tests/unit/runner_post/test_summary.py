"""Key figures against numbers worked out by hand; what was not recorded has no figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federates.core.errors import MissingInputError
from federates.core.tables import (
    ACCOUNT,
    AWARD,
    BID,
    CLEARING,
    DAY_AHEAD,
    DER_TYPE,
    FEEDER,
    HEAD,
    LMP,
    MESSAGE,
    RESERVE,
    SYSTEM,
    TABLES,
    TIMING,
)  # fmt: skip
from runner.post.summary import FIGURES, LDA_FIGURES, WALL_FIGURES, summary
from tests.unit.runner_post.run_folders import record, run_folder


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "run")


def test_a_run_without_tables_has_no_figures(run_dir: Path) -> None:
    found = summary(run_dir)
    assert found.figures == {}
    assert found.by_lda == {}
    assert found.wall_s == {}


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    record(tmp_path, CLEARING, [(0, "system")], {"demand_mw": [1.0]})
    with pytest.raises(MissingInputError, match=r"run\.json is not there"):
        summary(tmp_path)


def test_costs_and_energy_are_integrals_over_market_intervals(run_dir: Path) -> None:
    record(
        run_dir, CLEARING, [(0, "system"), (300, "system")],
        {"true_cost_usd_per_h": [1_200.0, 2_400.0], "co2_t_per_h": [12.0, 0.0], "shed_mw": [0.0, 6.0],
         "lines_bound_count": [2.0, 0.0], "penalty_set": [0.0, 1.0], "loss_mw": [12.0, 24.0],
         "loss_held": [1.0, 0.0], "reserve_short_mw": [1e-7, 2.0]},
    )  # fmt: skip
    figures = summary(run_dir).figures
    assert figures["intervals_cleared_count"] == 2
    assert figures["true_cost_usd"] == pytest.approx(300.0)
    assert figures["co2_t"] == pytest.approx(1.0)
    assert figures["unserved_mwh"] == pytest.approx(0.5)
    assert figures["line_binding_intervals_count"] == 1
    assert figures["penalty_priced_intervals_count"] == 1
    assert figures["market_losses_mwh"] == pytest.approx(3.0)
    assert figures["losses_held_intervals_count"] == 1
    # what the solver's tolerance leaves open is no shortage
    assert figures["reserve_short_intervals_count"] == 1
    assert "lmp_mean_usd_per_mwh" not in figures


def test_reserves_cost_what_both_markets_pay_for_them(run_dir: Path) -> None:
    markets = [(0, "day_ahead"), (0, "real_time")]
    record(run_dir, ACCOUNT, markets, {"reserve_cost_usd": [500.0, -20.0]})
    requirements = [(0, "spin_R1"), (0, "total")]
    record(run_dir, RESERVE, requirements, {"price_usd_per_mw_h": [250.0, 7.0]})
    record(run_dir, DAY_AHEAD, [(0, "system")], {"penalty_set_count": [3.0]})
    figures = summary(run_dir).figures
    assert figures["reserve_cost_usd"] == 480.0
    assert figures["reserve_price_max_usd_per_mw_h"] == 250.0
    assert figures["day_ahead_penalty_hours_count"] == 3


def test_ac_losses_are_an_integral_over_physical_steps(run_dir: Path) -> None:
    record(run_dir, SYSTEM, [(0, "system"), (60, "system")], {"losses_mw": [60.0, 120.0]})
    assert summary(run_dir).figures["ac_losses_mwh"] == pytest.approx(3.0)


def test_prices_and_fixed_point(run_dir: Path) -> None:
    rows = [(0, "x"), (0, "y"), (300, "x"), (300, "y")]
    record(run_dir, LMP, rows, {"lmp_usd_per_mwh": [20.0, 30.0, -5.0, 35.0]})
    record(
        run_dir, SYSTEM, [(0, "system"), (60, "system"), (120, "system")],
        {"passes": [2.0, 3.0, 9.0], "residual_v_pu": [1e-9, 3e-7, 1e-8], "residual_s_pu": [4e-8, 0.0, 0.0],
         "accepted": [1.0, 1.0, 0.0]},
    )  # fmt: skip
    figures = summary(run_dir).figures
    assert figures["lmp_min_usd_per_mwh"] == -5.0
    assert figures["lmp_mean_usd_per_mwh"] == 20.0
    assert figures["lmp_max_usd_per_mwh"] == 35.0
    assert figures["passes_median_count"] == 3.0
    assert figures["passes_max_count"] == 9.0
    assert figures["td_residual_v_max_pu"] == 3e-7
    assert figures["td_residual_s_max_pu"] == 4e-8
    assert figures["fixed_points_missed_count"] == 1.0


def test_settlement_adds_up_both_markets_and_never_nets_what_is_unexplained(run_dir: Path) -> None:
    record(
        run_dir, ACCOUNT, [(0, "day_ahead"), (0, "real_time")],
        {"unexplained_usd": [0.004, -0.003], "make_whole_usd": [100.0, 20.0],
         "congestion_rent_usd": [1_800.0, -800.0]},
    )  # fmt: skip
    figures = summary(run_dir).figures
    assert figures["settlement_unexplained_usd"] == pytest.approx(0.007)
    assert figures["make_whole_usd"] == 120.0
    assert figures["congestion_rent_usd"] == 1_000.0


def test_violations_are_minutes_and_are_not_multiplied(run_dir: Path) -> None:
    rows = [(0, "a/f1"), (0, "a/f2"), (60, "a/f1"), (60, "a/f2")]
    record(
        run_dir, FEEDER, rows,
        {"nodes_outside_a_count": [4.0, 0.0, 1.0, 0.0], "nodes_outside_b_count": [1.0, 0.0, 0.0, 0.0],
         "lines_over_count": [0.0, 2.0, 0.0, 1.0], "head_over_kva": [0.0, 3.0, 0.0, 9.0]},
    )  # fmt: skip
    record(run_dir, HEAD, [(0, "a"), (60, "a")], {"substation_loading_pct": [100.0, 101.0]})
    figures = summary(run_dir).figures
    assert figures["violation_a_node_min"] == 5.0
    assert figures["violation_b_node_min"] == 1.0
    assert figures["overload_element_min"] == 3.0
    assert figures["head_limit_violation_min"] == 2.0
    assert figures["substation_overload_min"] == 1.0


def test_curtailment_is_multiplied_and_kept_apart_by_kind(run_dir: Path) -> None:
    rows = [(0, "a/f1/pv"), (0, "b/f1/pv"), (0, "a/f1/flexible"), (0, "a/f1/battery")]
    record(run_dir, DER_TYPE, rows, {"curtailed_kw": [60.0, 600.0, 120.0, 7.0]})
    figures = summary(run_dir).figures
    assert figures["curtailed_mwh"] == pytest.approx((60.0 * 10 + 600.0) / 1_000 / 60)
    assert figures["flexible_reduced_mwh"] == pytest.approx(120.0 * 10 / 1_000 / 60)


def test_energy_of_each_lda_bid_awarded_and_metered(run_dir: Path) -> None:
    bids = [(0, "a/0/0"), (0, "a/0/1"), (0, "a/0/2"), (300, "a/300/0"), (0, "b/0/0"), (0, "a/300/0")]
    record(run_dir, BID, bids, {"import_mw": [-12.0, 6.0, 24.0, 12.0, 6.0, 999.0]})
    record(
        run_dir, AWARD, [(0, "a"), (0, "b"), (300, "a")],
        {"award_mw": [12.0, 6.0, 12.0], "lmp_usd_per_mwh": [10.0, 20.0, 30.0]},
    )  # fmt: skip
    record(run_dir, HEAD, [(0, "a"), (60, "a"), (0, "b")], {"p_mw": [30.0, 60.0, 120.0]})
    by_lda = summary(run_dir).by_lda
    assert by_lda["a"] == pytest.approx(
        {
            "bid_least_mwh": 0.0,
            "bid_greatest_mwh": 3.0,
            "award_mwh": 2.0,
            "metered_mwh": 1.5,
            "payment_usd": 40.0,
        }
    )
    assert by_lda["b"] == pytest.approx(
        {
            "bid_least_mwh": 0.5,
            "bid_greatest_mwh": 0.5,
            "award_mwh": 0.5,
            "metered_mwh": 2.0,
            "payment_usd": 10.0,
        }
    )


def test_messages_that_skip_the_dso_are_counted(run_dir: Path) -> None:
    rows = [
        (0, "agg_a_own>iso/der_offers"), (0, "iso>agg_a_own/awards"), (1, "iso>agg_a_own/awards"),
        (0, "dso_a>iso/bids"), (0, "agg_a_own>feeder_a/set_points"),
    ]  # fmt: skip
    record(run_dir, MESSAGE, rows, {"size_bytes": [10.0, 20.0, 30.0, 40.0, 50.0]})
    figures = summary(run_dir).figures
    assert figures["messages_count"] == 5
    assert figures["messages_bytes"] == 150
    assert figures["bypass_messages_count"] == 3


def test_wall_time_is_added_up_by_federate(run_dir: Path) -> None:
    record(run_dir, TIMING, [(0, "iso"), (300, "iso")], {"busy_s": [1.0, 2.0], "wait_s": [0.5, 0.0]})
    assert summary(run_dir).wall_s == {"iso": {"busy": 3.0, "wait": 0.5}}


def test_figures_have_keys_of_their_own_and_real_tables() -> None:
    every = [*FIGURES, *LDA_FIGURES, *WALL_FIGURES]
    assert len({figure.key for figure in every}) == len(every)
    assert {figure.table for figure in every} <= set(TABLES)


def test_a_summary_is_plain_json(run_dir: Path) -> None:
    record(run_dir, LMP, [(0, "x")], {"lmp_usd_per_mwh": [20.0]})
    assert json.loads(json.dumps(summary(run_dir).as_dict()))["figures"]["lmp_max_usd_per_mwh"] == 20.0
