"""Runs beside each other: who compares, what differs, and what the figures support."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from federates.core import tables as t
from federates.core.errors import ConfigError, MissingInputError
from runner.post.compare.comparison import Comparison, compare_runs, differing_settings
from runner.post.compare.files import as_csv, as_fields, as_markdown, verdicts_json
from runner.post.compare.judging import Verdict
from runner.post.compare.verdicts import Rank, ranking, verdicts
from runner.post.metrics.catalog import METRICS
from tests.build import KEYS
from tests.unit.runner_post.compared_runs import chosen_run, finished, idle_days
from tests.unit.runner_post.run_folders import record, run_folder

MODEL_KEYS = {
    "cost_forward_usd", "cost_realised_usd", "unwound_mwh", "override_mwh", "violation_node_min",
    "overload_element_h", "curtailed_mwh", "unserved_mwh", "bypass_messages", "conflicts",
    "settlement_unexplained_usd",
}  # fmt: skip
"""Keys that programs may rely on."""


def verdict(comparison: Comparison, key: str) -> Verdict:
    (found,) = [v for v in verdicts(comparison) if v.key == key]
    return found


def ranks(comparison: Comparison) -> dict[str, Rank]:
    return {rank.code: rank for rank in ranking(comparison)}


def test_differences_are_from_the_model_that_sees_everything(tmp_path: Path) -> None:
    runs = [
        chosen_run(tmp_path / "m5", "M5", cost_usd=1_030.0),
        chosen_run(tmp_path / "m4", "M4", cost_usd=1_010.0),
        chosen_run(tmp_path / "m1", "M1", cost_usd=900.0, forward_usd=950.0, steps_broken=30),
    ]
    compared = compare_runs(runs)
    assert [c.code for c in compared.contenders] == ["M5", "M4", "M1"]
    assert compared.reference.code == "M4"
    assert compared.difference("M5", "cost_compared_usd") == pytest.approx(20.0)
    assert compared.difference("M1", "violated_feeder_time_pct") == pytest.approx(30.0)
    m1 = compared.of("M1")
    assert m1 is not None
    assert m1.value("phantom_saving_usd") == pytest.approx(-50.0)


@pytest.mark.parametrize("left_in", ["battery", "ev"])
def test_what_is_left_in_storage_is_credited_at_the_references_day_ahead_price(
    tmp_path: Path, left_in: str
) -> None:
    compared = compare_runs(
        [
            chosen_run(tmp_path / "m0", "M0", cost_usd=1_000.0),
            chosen_run(tmp_path / "m5", "M5", cost_usd=1_030.0, left_kwh=200.0, left_in=left_in),
        ]
    )
    m5 = compared.of("M5")
    assert m5 is not None
    # ten times 0.2 MWh at 20 $/MWh
    assert m5.value("storage_left_usd") == pytest.approx(40.0)
    assert m5.value("cost_compared_usd") == pytest.approx(990.0)
    assert m5.value("cost_realised_usd") == pytest.approx(1_030.0)


def test_a_run_that_breaks_limits_has_a_cost_and_no_place(tmp_path: Path) -> None:
    compared = compare_runs(
        [
            chosen_run(tmp_path / "m0", "M0", cost_usd=800.0, steps_broken=1),
            chosen_run(tmp_path / "m4", "M4", cost_usd=1_000.0),
            chosen_run(tmp_path / "m5", "M5", cost_usd=1_002.0),
        ]
    )
    found = ranks(compared)
    assert (found["M0"].place, found["M4"].place, found["M5"].place) == (None, 1, 2)
    assert found["M0"].cost_usd == pytest.approx(800.0)
    assert found["M0"].why.startswith("not ranked: limits broken in 1 %")


def test_costs_that_cannot_be_told_apart_share_a_place(tmp_path: Path) -> None:
    compared = compare_runs(
        [
            chosen_run(tmp_path / "m4", "M4", cost_usd=1_000.0),
            chosen_run(tmp_path / "m5", "M5", cost_usd=1_000.09),
        ]
    )
    assert compared.resolution_usd == pytest.approx(0.1)
    assert {rank.place for rank in ranking(compared)} == {1}
    assert verdict(compared, "layered_near_full_visibility").result == "not resolved"
    assert verdict(compared, "layered_is_cheapest").result == "not resolved"


@pytest.mark.parametrize(
    ("key", "m1", "m4", "m5", "result"),
    [
        ("accounts_close", {}, {}, {}, "supported"),
        ("accounts_close", {}, {"unexplained_usd": -0.02}, {}, "not supported"),
        ("layered_precludes_bypass", {"bypass": 3}, {"bypass": 3}, {}, "supported"),
        ("layered_precludes_bypass", {"bypass": 3}, {"bypass": 3}, {"bypass": 1}, "not supported"),
        ("layered_precludes_bypass", {}, {}, {}, "not tested"),
        ("blind_breaks_limits", {"steps_broken": 5}, {}, {}, "supported"),
        ("blind_breaks_limits", {}, {}, {}, "not supported"),
        ("layered_breaks_less", {"steps_broken": 5}, {}, {"steps_broken": 4}, "supported"),
        ("layered_breaks_less", {"steps_broken": 5}, {}, {"steps_broken": 5}, "not supported"),
        ("layered_breaks_less", {}, {}, {}, "not tested"),
        ("layered_holds_limits", {}, {}, {}, "supported"),
        ("layered_holds_limits", {}, {}, {"steps_broken": 1}, "not supported"),
        # of awards of 10 MW: ten times 0.004 MW are 0.4 %, ten times 0.006 MW 0.6 %
        ("layered_delivers", {}, {}, {"shortfall_mw": 0.004}, "supported"),
        ("layered_delivers", {}, {}, {"shortfall_mw": -0.006}, "not supported"),
        ("layered_near_full_visibility", {}, {}, {"cost_usd": 1_000.9}, "supported"),
        ("layered_near_full_visibility", {}, {}, {"cost_usd": 1_001.1}, "not supported"),
        ("layered_near_full_visibility", {}, {"steps_broken": 1}, {}, "not tested"),
        ("layered_is_cheapest", {}, {}, {"cost_usd": 999.0}, "supported"),
        ("layered_is_cheapest", {}, {}, {"cost_usd": 1_001.0}, "not supported"),
        ("layered_is_cheapest", {}, {}, {"cost_usd": 900.0, "steps_broken": 1}, "not tested"),
        ("no_constraint_central_alike", {}, {}, {}, "not tested"),
        ("no_constraint_layered_alike", {}, {}, {}, "not tested"),
        # half a dollar of 1,000 is more than can be told apart
        ("forward_blind_below_full", {"forward_usd": 990.0}, {}, {}, "supported"),
        ("forward_blind_below_full", {"forward_usd": 1_000.5}, {}, {}, "not supported"),
        ("forward_full_below_envelope", {}, {}, {}, "not tested"),
        ("forward_layered_near_full", {}, {}, {}, "not tested"),
        ("override_costs", {}, {}, {}, "not tested"),
        ("flexibility_matters", {}, {}, {}, "not tested"),
        ("feeders_are_stressed", {}, {}, {"minutes_bound": 30}, "supported"),
        ("feeders_are_stressed", {}, {}, {"minutes_bound": 25}, "not supported"),
        ("override_unwinds", {}, {}, {}, "not tested"),
    ],
)
def test_every_verdict_fires_both_ways(
    tmp_path: Path, key: str, m1: dict[str, float], m4: dict[str, float], m5: dict[str, float], result: str
) -> None:
    figures = {"M1": m1, "M4": m4, "M5": m5}
    runs = [chosen_run(tmp_path / code, code, **own) for code, own in figures.items()]  # type: ignore[arg-type]
    assert verdict(compare_runs(runs), key).result == result


@pytest.mark.parametrize(
    ("overridden_kw", "unwinds", "delivers"),
    [
        (9.0, "supported", "supported"),
        (3.0, "supported", "not supported"),
        (0.0, "not supported", "supported"),
    ],
)
def test_what_overrides_unwind_is_held_to_what_a_total_dso_cannot_deliver(
    tmp_path: Path, overridden_kw: float, unwinds: str, delivers: str
) -> None:
    """Of awards of 10 MW M5 misses ten times 4 kW, 0.4 %; overrides take ten times what is named."""
    compared = compare_runs(
        [
            chosen_run(tmp_path / "m2", "M2", overridden_kw=overridden_kw),
            chosen_run(tmp_path / "m5", "M5", shortfall_mw=0.004),
        ]
    )
    assert verdict(compared, "override_unwinds").result == unwinds
    assert verdict(compared, "layered_delivers").result == delivers


def test_forward_costs_compare_with_what_schedules_leave_in_storage_credited(tmp_path: Path) -> None:
    """M1's day costs 40 less, its DERs 10 more, and it takes 1 MWh from each of ten stores, at 20 $/MWh."""
    m1 = chosen_run(
        tmp_path / "m1", "M1", forward_usd=960.0, forward_ders_usd=10.0, forward_stored_kwh=-1_000.0
    )
    compared = compare_runs([chosen_run(tmp_path / "m4", "M4"), m1]).of("M1")
    assert compared is not None
    assert compared.value("cost_forward_usd") == pytest.approx(970.0)
    assert compared.value("storage_left_forward_usd") == pytest.approx(-200.0)
    assert compared.value("cost_forward_compared_usd") == pytest.approx(1_170.0)
    assert compared.value("phantom_saving_usd") == pytest.approx(170.0)
    # as it came, it cost 1,000 and left nothing in storage
    assert compared.value("cost_over_forward_usd") == pytest.approx(-170.0)


@pytest.mark.parametrize(
    ("m5_usd", "result"), [(1_000.9, "supported"), (1_001.1, "not supported"), (1_000.05, "not resolved")]
)
def test_the_gap_to_full_visibility_is_held_to_the_value_of_flexibility(
    tmp_path: Path, m5_usd: float, result: str
) -> None:
    """Idle, the same day costs 1,020, so that flexibility is worth 20: 5 % of it are 1."""
    m5 = chosen_run(tmp_path / "m5", "M5", cost_usd=m5_usd, forward_usd=m5_usd + 1.0)
    compared = compare_runs(
        [chosen_run(tmp_path / "m4", "M4"), m5], idle=idle_days(tmp_path / "idle", 1_020.0)
    )
    assert compared.flexibility_value.value == pytest.approx(20.0)
    assert verdict(compared, "layered_near_full_visibility").result == result
    assert verdict(compared, "flexibility_matters").value == pytest.approx(2.0)
    assert verdict(compared, "flexibility_matters").result == "supported"
    layered = compared.of("M5")
    assert layered is not None
    gap = 100.0 * (m5_usd - 1_000.0) / 20.0
    assert layered.value("gap_of_value_pct") == pytest.approx(gap)
    assert layered.value("gap_forward_of_value_pct") == pytest.approx(gap + 5.0)


@pytest.mark.parametrize(
    ("m3_usd", "m5_usd", "order", "near"),
    [
        (1_010.0, 1_000.9, "supported", "supported"),
        (999.5, 1_001.1, "not supported", "not supported"),
        (1_000.0, 998.9, "supported", "not supported"),
    ],
)
def test_promises_are_held_to_those_of_full_visibility(
    tmp_path: Path, m3_usd: float, m5_usd: float, order: str, near: str
) -> None:
    """Idle, the day costs 1,020: flexibility is worth 20, 5 % of it are 1, whichever way M5 differs."""
    figures = {"M3": m3_usd, "M4": 1_000.0, "M5": m5_usd}
    runs = [chosen_run(tmp_path / code, code, forward_usd=usd) for code, usd in figures.items()]
    compared = compare_runs(runs, idle=idle_days(tmp_path / "idle", 1_020.0))
    assert verdict(compared, "forward_full_below_envelope").result == order
    held = verdict(compared, "forward_layered_near_full")
    assert held.result == near
    assert held.value == pytest.approx(100.0 * (m5_usd - 1_000.0) / 20.0), "with its sign"


def unbound_runs(folder: Path, idle_usd: float, **others: dict[str, float]) -> Comparison:
    """M1 to M4 and M5 with exact cuts at a cost of 1,000 $, others as named, and what idle days cost."""
    runs = []
    for code in dict.fromkeys(("M1", "M2", "M3", "M4", "exact_cuts", *others)):
        bid = {"bid": {"kind": code}}
        model = code if code in KEYS else "M5"
        runs.append(chosen_run(folder / code, model, market=bid, **others.get(code, {})))  # type: ignore[arg-type]
    return compare_runs(runs, idle=idle_days(folder / "idle", idle_usd))


@pytest.mark.parametrize(
    ("idle_usd", "m2_usd", "exact_usd", "threshold_usd", "result"),
    [
        # 0.01 % of the cost are 0.1 $, 1 % of a value of 20 $ are 0.2 $
        (1_020.0, 1_000.05, 1_000.0, 0.1, "supported"),
        (1_020.0, 1_000.15, 1_000.0, 0.1, "not supported"),
        (1_020.0, 1_000.0, 1_000.15, 0.1, "not supported"),
        # 1 % of a value of 4 $ are 0.04 $
        (1_004.0, 1_000.03, 1_000.0, 0.04, "supported"),
        (1_004.0, 1_000.05, 1_000.0, 0.04, "not supported"),
    ],
)
def test_without_a_constraint_central_models_and_exact_bids_promise_the_same(
    tmp_path: Path, idle_usd: float, m2_usd: float, exact_usd: float, threshold_usd: float, result: str
) -> None:
    compared = unbound_runs(
        tmp_path, idle_usd, M2={"forward_usd": m2_usd}, exact_cuts={"forward_usd": exact_usd}
    )
    found = verdict(compared, "no_constraint_central_alike")
    assert found.result == result
    assert found.threshold == pytest.approx(threshold_usd, rel=1e-3)


@pytest.mark.parametrize(
    ("idle_usd", "m3", "why"),
    [
        (1_001.9, {}, "flexibility is worth 1.9 $, less than 0.2 % of the cost"),
        (1_020.0, {"steps_broken": 1}, "a feeder limit was reached"),
        (1_020.0, {"minutes_bound": 5}, "a feeder limit was reached"),
    ],
)
def test_models_that_agree_for_another_reason_show_nothing(
    tmp_path: Path, idle_usd: float, m3: dict[str, float], why: str
) -> None:
    compared = unbound_runs(tmp_path, idle_usd, M3=m3)
    for key in ("no_constraint_central_alike", "no_constraint_layered_alike"):
        found = verdict(compared, key)
        assert (found.result, found.why) == ("not tested", why)


@pytest.mark.parametrize(("curve_usd", "result"), [(999.1, "supported"), (1_001.1, "not supported")])
def test_without_a_constraint_every_bid_of_a_total_dso_promises_what_full_sight_does(
    tmp_path: Path, curve_usd: float, result: str
) -> None:
    """0.1 % of the cost are 1 $, as are 5 % of a value of 20 $."""
    compared = unbound_runs(tmp_path, 1_020.0, interval_curve={"forward_usd": curve_usd})
    assert verdict(compared, "no_constraint_layered_alike").result == result
    assert verdict(compared, "no_constraint_central_alike").result == "supported"


@pytest.mark.parametrize(("overridden_kw", "result"), [(3.0, "supported"), (-3.0, "not supported")])
def test_overrides_cost_what_they_take_at_the_price_of_the_time(
    tmp_path: Path, overridden_kw: float, result: str
) -> None:
    """Injection taken away is bought again; at a positive price, demand taken away is sold."""
    runs = [chosen_run(tmp_path / "m2", "M2", overridden_kw=overridden_kw), chosen_run(tmp_path / "m5", "M5")]
    assert verdict(compare_runs(runs), "override_costs").result == result


def test_the_value_in_the_study_is_that_of_its_hours(tmp_path: Path) -> None:
    """The market day has an hour before the study, in which flexibility saves 30 more."""
    full, idle = chosen_run(tmp_path / "m4", "M4"), idle_days(tmp_path / "idle", 1_020.0)
    for folder, cost in ((full, 500.0), (idle, 530.0)):
        record(folder, t.DA_CLEARING, [(-3_600, "system")], {"true_cost_usd_per_h": [cost]}, "before")
    compared = compare_runs([full, chosen_run(tmp_path / "m5", "M5")], idle=idle)
    assert compared.flexibility_value.value == pytest.approx(50.0)
    assert compared.flexibility_value_in_study.value == pytest.approx(20.0)


def test_no_gap_is_given_of_a_value_that_cannot_be_told(tmp_path: Path) -> None:
    """At a cost of 1,000, 0.1 is what can be told apart."""
    compared = compare_runs(
        [chosen_run(tmp_path / "m4", "M4"), chosen_run(tmp_path / "m5", "M5", cost_usd=1_010.0)],
        idle=idle_days(tmp_path / "idle", 1_000.09),
    )
    m5 = compared.of("M5")
    assert m5 is not None
    for key in ("gap_of_value_pct", "gap_forward_of_value_pct"):
        assert m5.value(key) is None
        assert "too little" in m5.metrics[key].why_not


def test_without_idle_days_the_value_says_why_it_is_not_told(tmp_path: Path) -> None:
    runs = [chosen_run(tmp_path / "m4", "M4"), chosen_run(tmp_path / "m5", "M5")]
    compared = compare_runs(runs, idle="the market was on strike")
    assert compared.flexibility_value.value is None
    assert verdict(compared, "flexibility_matters").why == "the market was on strike"


def test_flexibility_that_is_worth_little_is_said_to(tmp_path: Path) -> None:
    compared = compare_runs(
        [chosen_run(tmp_path / "m4", "M4"), chosen_run(tmp_path / "m5", "M5")],
        idle=idle_days(tmp_path / "idle", 1_001.0),
    )
    assert verdict(compared, "flexibility_matters").result == "not supported"


def test_runs_of_different_scenarios_do_not_compare(tmp_path: Path) -> None:
    runs = [
        chosen_run(tmp_path / "m0", "M0", seed=1),
        chosen_run(tmp_path / "m5", "M5", seed=2, scenario_hash="3" * 64),
    ]
    with pytest.raises(ConfigError, match="different scenarios: they differ in coordination, seed"):
        compare_runs(runs)


def test_only_whole_runs_compare_each_once_and_two_at_least(tmp_path: Path) -> None:
    whole = chosen_run(tmp_path / "m0", "M0")
    with pytest.raises(ConfigError, match="two runs at least"):
        compare_runs([whole])
    with pytest.raises(ConfigError, match="named twice"):
        compare_runs([whole, whole])
    with pytest.raises(ConfigError, match="did not finish"):
        compare_runs([whole, run_folder(tmp_path / "half")])
    with pytest.raises(MissingInputError, match=r"run\.json is not there"):
        compare_runs([whole, tmp_path])


def test_two_runs_of_one_model_are_named_by_their_bid(tmp_path: Path) -> None:
    bids = [{"kind": "interval_curve", "blocks": 8}, {"kind": "fixed_quantity"}, {"kind": "fixed_quantity"}]
    runs = [chosen_run(tmp_path / str(k), "M5", market={"bid": bid}) for k, bid in enumerate(bids)]
    codes = [c.code for c in compare_runs(runs).contenders]
    assert codes == ["M5 interval_curve:8", "M5 fixed_quantity", "M5 fixed_quantity #2"]


def test_runs_of_one_model_and_bid_are_named_by_their_rounds_or_by_the_rule_of_their_envelopes(
    tmp_path: Path,
) -> None:
    bid = {"kind": "interval_curve", "blocks": 8}
    runs = [
        chosen_run(tmp_path / f"m5{rounds}", "M5", market={"bid": bid, "day_ahead_rounds": rounds})
        for rounds in (1, 3)
    ]
    runs += [chosen_run(tmp_path / rule, "M3", envelope_rule=rule) for rule in ("equal", "proportional")]
    codes = [c.code for c in compare_runs(runs).contenders]
    assert codes == ["M5 interval_curve:8", "M5 interval_curve:8@3", "M3 equal", "M3 proportional"]


def test_only_settings_that_differ_are_told(tmp_path: Path) -> None:
    runs = [
        finished(run_folder(tmp_path / "a"), "uncoordinated", seed=1, ldas=[{"name": "x"}]),
        finished(run_folder(tmp_path / "b"), "layered_total_dso", seed=1, ldas=[{"name": "x", "more": 2}]),
    ]
    assert differing_settings(runs) == {
        "coordination": ("uncoordinated", "layered_total_dso"),
        "ldas.0.more": ("-", "2"),
    }


def test_the_files_hold_every_metric_of_every_run(tmp_path: Path) -> None:
    compared = compare_runs(
        [chosen_run(tmp_path / "m0", "M0", cost_usd=990.0), chosen_run(tmp_path / "m5", "M5")]
    )
    fields = json.loads(json.dumps(as_fields(compared)))
    assert MODEL_KEYS | {"cost_compared_usd"} <= fields["models"]["M5"].keys()
    assert fields["models"].keys() == {"M0", "M5"}
    assert json.loads(verdicts_json(compared)) == fields["verdicts"]
    rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(as_csv(compared)))}
    assert METRICS.keys() < rows.keys()
    assert float(rows["cost_units_usd"]["M5 - M0"]) == pytest.approx(10.0)
    for row in rows.values():
        assert all(row[code] or f"{code}: " in row["why_not"] for code in ("M0", "M5"))
    text = as_markdown(compared)
    assert "| coordination | uncoordinated | layered_total_dso |" in text
    for family in compared.families:
        assert f"## {family.title}" in text
