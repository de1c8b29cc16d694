"""Metrics against figures worked out by hand on small tables; what was not recorded has a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from federates.core import tables as t
from federates.recording.parquet import ParquetRecorder
from runner.post.metrics.architecture import seen_by_iso
from runner.post.metrics.catalog import FAMILIES, METRICS
from runner.post.metrics.economics import (
    forward_bulk_stored_mwh,
    forward_stored_mwh,
    forward_usd,
    hours_within,
    stored_mwh,
)
from runner.post.metrics.metric import measured
from runner.post.metrics.payments import der_revenue_usd, der_worth_usd
from runner.post.metrics.unwinding import Entry, ledger
from runner.post.run_tables import RunTables
from tests.unit.runner_post.run_folders import HOUR, record, run_folder

MARKET = (0, 300)
"""Beginnings of two market intervals of 300 s. [s]"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of one hour with LDA ``a``, ten times at its interface, and ``b``."""
    return run_folder(tmp_path / "run")


def value(run_dir: Path, key: str) -> float:
    """What a metric comes to; it must come to something."""
    found = measured(RunTables(run_dir), [METRICS[key]])[key]
    assert found.value is not None, found.why_not
    return found.value


def test_a_run_without_tables_has_a_reason_for_every_metric(run_dir: Path) -> None:
    found = measured(RunTables(run_dir), METRICS.values())
    assert list(found) == list(METRICS)
    assert all(one.value is None and one.why_not.startswith("no table") for one in found.values())


def test_every_metric_is_named_once_and_takes_tables_that_there_are() -> None:
    keys = [metric.key for family in FAMILIES for metric in family.metrics]
    assert len(keys) == len(set(keys)) >= 25
    assert {name for metric in METRICS.values() for name in metric.needs} <= t.TABLES.keys()


def test_limits_broken_are_counted_in_nodes_elements_heads_and_feeder_time(run_dir: Path) -> None:
    # four feeder-steps of 60 s: one has two nodes outside B, one a line over, one a head 0.5 kVA over
    record(
        run_dir, t.FEEDER, [(0, "a/f1"), (0, "b/f1"), (60, "a/f1"), (60, "b/f1")],
        {"nodes_outside_a_count": [5.0, 0.0, 0.0, 1.0], "nodes_outside_b_count": [2.0, 0.0, 0.0, 0.0],
         "lines_over_count": [0.0, 0.0, 3.0, 0.0], "head_over_kva": [0.0, 0.5, 0.0, 60.0],
         "line_loading_max_pct": [90.0, 95.0, 130.0, 80.0]},
    )  # fmt: skip
    assert value(run_dir, "violation_node_min") == pytest.approx(6.0)
    assert value(run_dir, "violation_b_node_min") == pytest.approx(2.0)
    assert value(run_dir, "overload_element_h") == pytest.approx(3.0 / 60.0)
    assert value(run_dir, "head_limit_min") == pytest.approx(1.0)
    assert value(run_dir, "head_excess_kvah") == pytest.approx(60.5 / 60.0)
    # half a kVA does not count: three of four are left
    assert value(run_dir, "violated_feeder_time_pct") == pytest.approx(75.0)


def test_interchange_off_schedule_is_measured_interval_by_interval(run_dir: Path) -> None:
    record(run_dir, t.AWARD, [(0, "a"), (300, "a")], {"award_mw": [10.0, 10.0]})
    record(
        run_dir, t.HEAD, [(0, "a"), (60, "a"), (300, "a")],
        {"p_mw": [12.0, 14.0, 6.0]},
    )  # fmt: skip
    # +3 MW and -4 MW over a twelfth of an hour each
    assert value(run_dir, "td_imbalance_rms_mw") == pytest.approx((12.5) ** 0.5)
    assert value(run_dir, "td_imbalance_mwh") == pytest.approx(7.0 / 12.0)
    assert value(run_dir, "td_on_schedule_pct") == 0.0
    assert value(run_dir, "ldas_peak_mw") == pytest.approx(13.0)


def test_an_lda_that_exports_has_reverse_flow(run_dir: Path) -> None:
    record(run_dir, t.HEAD, [(0, "a"), (60, "a"), (120, "a")], {"p_mw": [-6.0, -3.0, 5.0]})
    assert value(run_dir, "reverse_flow_h") == pytest.approx(2.0 / 60.0)
    assert value(run_dir, "reverse_flow_mwh") == pytest.approx(9.0 / 60.0)


def test_forward_cost_is_units_ders_and_load_not_served_of_whole_market_days(run_dir: Path) -> None:
    """The study is one hour from 0 s; of LDA a there are ten sets."""
    record(
        run_dir, t.DA_CLEARING, [(-3_600, "system"), (0, "system"), (3_600, "system")],
        {"true_cost_usd_per_h": [100.0, 250.0, 100.0], "shed_mw": [0.0, 0.1, 0.0]},
    )  # fmt: skip
    record(
        run_dir, t.DA_DER, [(-3_600, "a/f1/battery/supplier"), (0, "a/f1/pv/supplier")],
        {"cost_usd": [2.0, 3.0], "stored_kwh": [200.0, 0.0]},
    )  # fmt: skip
    record(
        run_dir, t.DA_STORE, [(-3_600, "u"), (0, "u")],
        {"energy_mwh": [5.0, 9.0], "end_mwh": [9.0, 8.0]},
    )  # fmt: skip
    assert value(run_dir, "cost_forward_units_usd") == pytest.approx(450.0)
    assert value(run_dir, "cost_forward_ders_usd") == pytest.approx(50.0)
    assert value(run_dir, "cost_forward_usd") == pytest.approx(450.0 + 50.0 + 0.1 * 3_500.0)
    assert value(run_dir, "forward_stored_mwh") == pytest.approx(2.0)
    tables = RunTables(run_dir)
    assert forward_usd(tables, hours_within) == pytest.approx(250.0 + 30.0 + 350.0)
    assert forward_stored_mwh(tables, hours_within) == {"a": 0.0}
    assert forward_bulk_stored_mwh(tables) == pytest.approx(3.0)
    assert forward_bulk_stored_mwh(tables, hours_within) == pytest.approx(-1.0)


def test_realised_cost_is_units_ders_participation_and_load_not_served(run_dir: Path) -> None:
    record(
        run_dir, t.CLEARING, [(now, "system") for now in MARKET],
        {"true_cost_usd_per_h": [1_200.0, 2_400.0], "shed_mw": [0.0, 1.2]},
    )  # fmt: skip
    record(run_dir, t.DER_SERVICE, [(0, "a/f1/battery"), (0, "b/f1/pv")], {"cost_usd": [2.0, 3.0]})
    record(run_dir, t.LMP, [(now, "1") for now in MARKET], {"energy_usd_per_mwh": [20.0, 50.0]})
    record(run_dir, t.SYSTEM, [(now, "system") for now in MARKET], {"participation_mw": [6.0, -1.2]})
    assert value(run_dir, "cost_units_usd") == pytest.approx(300.0)
    assert value(run_dir, "cost_ders_usd") == pytest.approx(10 * 2.0 + 3.0)
    # 0.5 MWh at 20 less 0.1 MWh at 50
    assert value(run_dir, "cost_participation_usd") == pytest.approx(5.0)
    assert value(run_dir, "cost_unserved_usd") == pytest.approx(0.1 * 3_500.0)
    assert value(run_dir, "cost_realised_usd") == pytest.approx(300.0 + 23.0 + 5.0 + 350.0)


def test_what_is_left_in_batteries_is_the_last_level_less_that_before_the_first_step(run_dir: Path) -> None:
    ids = ("a/f1/battery", "a/f1/pv", "b/f1/battery")
    record(run_dir, t.DER_START, [(0, name) for name in ids], {"soc_kwh": [99.0, 6.0, 50.0]})
    record(
        run_dir, t.DER_TYPE, [(now, name) for now in (0, 60, 120) for name in ids],
        {"soc_kwh": [100.0, 7.0, 50.0, 120.0, 8.0, 50.0, 90.0, 9.0, 80.0],
         "p_kw": [-60.0, 6.0, 0.0, 30.0, 6.0, 0.0, 30.0, 6.0, 0.0]},
    )  # fmt: skip
    # ten times 90 less 99 kWh, the kWh of the first step included, and 80 less 50; the sun's are none
    assert stored_mwh(RunTables(run_dir)) == pytest.approx({"a": -0.09, "b": 0.03})
    assert value(run_dir, "stored_mwh") == pytest.approx(-0.06)
    assert value(run_dir, "battery_throughput_mwh") == pytest.approx(10 * 120.0 / 60.0 / 1_000.0)


def test_payments_are_sums_of_statement_lines(run_dir: Path) -> None:
    amounts = {
        "load/1/day_ahead/energy": -700.0,
        "load/1/real_time/loss_share": 10.0,
        "lda/a/day_ahead/energy": -300.0,
        "lda/a/real_time/make_whole_share": -5.0,
        "unit/g/day_ahead/energy": 900.0,
        "der/agg_a_x/day_ahead/energy": 80.0,
        "der/agg_a_x/real_time/energy": -30.0,
        "der/agg_a_x/real_time/spin": 4.0,
    }
    record(run_dir, t.SETTLEMENT, [(0, name) for name in amounts], {"amount_usd": list(amounts.values())})
    assert value(run_dir, "consumer_payment_usd") == pytest.approx(995.0)
    assert value(run_dir, "lda_payment_usd") == pytest.approx(305.0)
    assert value(run_dir, "unit_revenue_usd") == pytest.approx(900.0)
    assert value(run_dir, "der_revenue_usd") == pytest.approx(54.0)
    assert der_revenue_usd(RunTables(run_dir)) == pytest.approx({"agg_a_x/energy": 50.0, "agg_a_x/spin": 4.0})


def test_ders_energy_is_worth_the_price_of_its_bus(run_dir: Path) -> None:
    record(run_dir, t.AWARD, [(0, "a"), (0, "b")], {"lmp_usd_per_mwh": [30.0, 40.0]})
    record(
        run_dir, t.DER_TYPE, [(0, "a/f1/pv"), (0, "a/f1/battery"), (0, "b/f1/pv")],
        {"p_kw": [600.0, -300.0, 60.0]},
    )  # fmt: skip
    # ten times 10 kWh at 30 and 1 kWh at 40; ten times -5 kWh at 30
    assert der_worth_usd(RunTables(run_dir)) == pytest.approx({"pv": 3.0 + 0.04, "battery": -1.5})


def test_what_passes_between_the_iso_and_the_inside_of_an_lda_bypasses_its_dso(run_dir: Path) -> None:
    sizes = {
        "dso_a>iso/bids": 100.0,
        "iso>dso_a/awards": 50.0,
        "agg_a_x>iso/der_offers": 1_000.0,
        "iso>agg_a_x/awards": 400.0,
        "feeder_a>iso/der_meters": 30.0,
        "agg_a_x>dso_a/offers": 900.0,
        "agg_a_x>feeder_a/set_points": 70.0,
        "feeder_a>dso_a/telemetry": 500.0,
        "feeder_a>transmission/power": 70.0,
        "transmission>iso/meters": 60.0,
    }
    record(run_dir, t.MESSAGE, [(0, name) for name in sizes], {"size_bytes": list(sizes.values())})
    assert value(run_dir, "bypass_messages") == 3
    assert value(run_dir, "bypass_bytes") == pytest.approx(1_430.0)
    # the grid, its meters and the devices' own owner are no coordination
    assert value(run_dir, "coordination_messages_count") == 6
    assert value(run_dir, "td_interval_bytes") == pytest.approx(1_580.0 / 12.0)
    assert seen_by_iso(RunTables(run_dir)) == {"dso_a", "agg_a_x", "feeder_a"}
    assert value(run_dir, "conflicts") == 0


def test_conflicts_are_the_rows_in_which_the_plant_was_asked_two_things(run_dir: Path) -> None:
    record(run_dir, t.MESSAGE, [(0, "dso_a>iso/bids")], {})
    asked = [(0, "a/f1/x"), (300, "a/f1/x"), (300, "a/f1/y")]
    record(run_dir, t.CONFLICT, asked, {"asked_kw": [5.0] * 3})
    assert value(run_dir, "conflicts") == 3


def positions(run_dir: Path, *, der_mwh: float = 0.0) -> None:
    """LDA ``a``: 12 MW awarded day-ahead, 13 bid in real time; awards of 9 and 8, meters of 9.5 and 9."""
    record(run_dir, t.DA_INTERFACE, [(0, "a")], {"award_mw": [12.0]})
    record(run_dir, t.AWARD, [(now, "a") for now in MARKET], {"award_mw": [9.0, 8.0],
           "lmp_usd_per_mwh": [20.0, 30.0]})  # fmt: skip
    record(run_dir, t.HEAD, [(now, "a") for now in MARKET], {"p_mw": [9.5, 9.0]})
    record(run_dir, t.BID, [(now, f"a/{now}/00") for now in MARKET], {"import_mw": [13.0, 13.0]})
    record(run_dir, t.SETTLEMENT, [(0, "der/agg_a_x/day_ahead/energy")], {"quantity_mwh": [der_mwh]})


def entries(run_dir: Path) -> dict[str, Entry]:
    return {entry.part: entry for entry in ledger(RunTables(run_dir))}


def test_under_a_total_dso_a_new_award_is_redispatch_and_what_meters_add_is_forecast(run_dir: Path) -> None:
    positions(run_dir)
    found = entries(run_dir)
    assert found["redispatch"].net_mwh == pytest.approx((-3.0 - 4.0) / 12.0)
    assert found["forecast"].net_mwh == pytest.approx((0.5 + 1.0) / 12.0)
    assert found["redispatch"].cost_usd == pytest.approx((-3.0 * 20.0 - 4.0 * 30.0) / 12.0)
    assert found["override"].mwh == 0.0
    assert {entry.payer for entry in found.values()} == {"DSO"}


def test_where_nobody_offers_anything_all_is_forecast(tmp_path: Path) -> None:
    run_dir = run_folder(tmp_path, coordination="uncoordinated")
    positions(run_dir)
    found = entries(run_dir)
    assert found["redispatch"].mwh == 0.0
    assert found["forecast"].net_mwh == pytest.approx((9.5 + 9.0 - 24.0) / 12.0)


def test_under_a_central_iso_the_inflexible_part_is_told_from_ders_awards(tmp_path: Path) -> None:
    """Day-ahead 12 MW of demand less 3 of DERs; real time 13 less 4 and 5; the meters take 0.5 and 1 more."""
    run_dir = run_folder(tmp_path, coordination="grand_central_blind")
    positions(run_dir, der_mwh=3.0)
    found = entries(run_dir)
    assert found["forecast"].net_mwh == pytest.approx((1.5 + 2.0) / 12.0)
    assert found["redispatch"].net_mwh == pytest.approx((-1.0 - 2.0) / 12.0)
    total = sum(entry.net_mwh for entry in found.values())
    assert total == pytest.approx((9.5 + 9.0 - 2 * (12.0 - 3.0)) / 12.0)
    assert (found["forecast"].payer, found["redispatch"].payer) == ("LDA", "aggregator")


@pytest.mark.parametrize("more_usd", [0.0, 5.0])
def test_what_the_iso_settles_of_deviations_is_in_the_ledger(tmp_path: Path, more_usd: float) -> None:
    """2.5 and 3 MW less than day-ahead at 20 and 30 $/MWh for five minutes each: 11.67 $ back, no more."""
    run_dir = run_folder(tmp_path, coordination="uncoordinated")
    positions(run_dir)
    paid = {"lda/a/real_time/energy": 11.67 + more_usd, "lda/a/day_ahead/energy": -400.0}
    record(run_dir, t.SETTLEMENT, [(0, name) for name in paid], {"amount_usd": list(paid.values())}, "iso")
    assert value(run_dir, "unwinding_unbooked_usd") == pytest.approx(-more_usd, abs=0.005)


def test_of_an_hour_that_is_partly_in_the_study_its_power_is_told(tmp_path: Path) -> None:
    """1.5 MWh settled of a study of half an hour are the same 3 MW as 3 MWh of an hour."""
    run_dir = run_folder(tmp_path, coordination="grand_central_blind")
    positions(run_dir, der_mwh=3.0)
    whole = entries(run_dir)["redispatch"].net_mwh
    half_hour = replace(HOUR, duration_s=1_800)
    half = run_folder(tmp_path / "half", coordination="grand_central_blind", clock=half_hour)
    positions(half, der_mwh=1.5)
    assert entries(half)["redispatch"].net_mwh == pytest.approx(whole)


def test_what_overrides_take_is_a_part_of_its_own(tmp_path: Path) -> None:
    """Of 80 kW that a DER was asked for its DSO allows 50: ten times 30 kW more are drawn at the head."""
    run_dir = run_folder(tmp_path, coordination="grand_central_override")
    positions(run_dir, der_mwh=3.0)
    recorder = ParquetRecorder(run_dir, "dso_a_override", 0)
    recorder.add(t.OVERRIDE, 300, ["a/f1/pv1"], [80.0], [50.0], [0.025], text=["head"])
    recorder.close()
    found = entries(run_dir)
    assert found["override"].net_mwh == pytest.approx(0.3 / 12.0)
    assert found["override"].cost_usd == pytest.approx(0.3 / 12.0 * 30.0)
    assert found["forecast"].net_mwh == pytest.approx((1.5 + 2.0 - 0.3) / 12.0)
    assert value(run_dir, "override_mwh") == pytest.approx(0.025)
    assert value(run_dir, "unwound_mwh") == pytest.approx(0.025)


def test_an_award_that_no_set_points_can_meet_is_undelivered(run_dir: Path) -> None:
    positions(run_dir)
    record(run_dir, t.DISPATCH, [(now, "a") for now in MARKET], {"shortfall_mw": [0.0, -0.06]})
    # ten times 0.06 MW for five minutes, of 17 MW awarded for as long
    assert value(run_dir, "undelivered_mwh") == pytest.approx(0.05)
    assert value(run_dir, "undelivered_pct") == pytest.approx(100.0 * 0.6 / 17.0)


def test_what_the_fast_loop_leaves_unmet_is_undelivered_in_the_interval_before_its_row(run_dir: Path) -> None:
    """Unmet at the ends, a row later: 0.05, -0.01 and, of an interval that has no row, 0.07 MW.

    The first interval counts 0.05 (no shortfall), the second 0.06 (of 0.06 and 0.01, which is what the loop
    left of it), the third its shortfall of 0.02 alone; 0.07 belongs to an interval before the study.
    """
    rows = [(now, "a") for now in (0, 300, 600)]
    positions(run_dir)
    record(
        run_dir, t.DISPATCH, rows,
        {"shortfall_mw": [0.0, -0.06, 0.02], "unmet_mw": [0.07, 0.05, -0.01]},
    )  # fmt: skip
    assert value(run_dir, "undelivered_mwh") == pytest.approx(10 * (0.05 + 0.06 + 0.02) / 12.0)
    assert value(run_dir, "unwound_mwh") == pytest.approx(10 * (0.05 + 0.06 + 0.02) / 12.0)


def test_what_is_unmet_counts_for_its_own_lda(run_dir: Path) -> None:
    rows = [(now, lda) for now in MARKET for lda in ("a", "b")]
    positions(run_dir)
    record(
        run_dir, t.DISPATCH, rows,
        {"shortfall_mw": [0.0, 0.24, 0.0, 0.0], "unmet_mw": [0.0, 0.0, 0.06, 0.12]},
    )  # fmt: skip
    # LDA a ten times 0.06 MW, LDA b once the greater of 0.24 and 0.12 MW
    assert value(run_dir, "undelivered_mwh") == pytest.approx((0.6 + 0.24) / 12.0)


def test_the_evenings_export_is_that_of_the_lda_with_most_batteries(tmp_path: Path) -> None:
    """The study begins a minute before 18 h."""
    run_dir = run_folder(tmp_path / "run", clock=replace(HOUR, start="2020-07-15T17:59:00"))
    record(
        run_dir, t.DER_START, [(0, "a/f1/battery"), (0, "b/f1/battery"), (0, "b/f1/pv")],
        {"soc_kwh": [10.0, 99.0, 500.0]},
    )  # fmt: skip
    # of a there are ten sets: 100 kWh against 99
    record(run_dir, t.HEAD, [(0, "a"), (60, "a"), (120, "a"), (60, "b")], {"p_mw": [-60.0, -6.0, 3.0, -9.0]})
    record(
        run_dir, t.FEEDER, [(0, "a/f1"), (60, "a/f1"), (60, "a/f2"), (120, "a/f1"), (60, "b/f1")],
        {"p_kw": [-5.0, -5.0, -5.0, 5.0, -5.0], "head_over_kva": [9.0, 9.0, 0.5, 9.0, 9.0]},
    )  # fmt: skip
    assert value(run_dir, "evening_export_mwh") == pytest.approx(0.1)
    assert value(run_dir, "evening_over_export_min") == pytest.approx(1.0)


def test_a_study_without_an_evening_has_no_export_in_it(run_dir: Path) -> None:
    record(run_dir, t.DER_START, [(0, "a/f1/battery")], {"soc_kwh": [10.0]})
    record(run_dir, t.HEAD, [(0, "a")], {"p_mw": [-60.0]})
    (found,) = measured(RunTables(run_dir), [METRICS["evening_export_mwh"]]).values()
    assert found.value is None
