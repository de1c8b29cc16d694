"""From the tables of a run to its violations with their causes, and to what the report says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core import tables as t
from federates.core.tables import EVENT
from federates.recording.parquet import ParquetRecorder
from runner.post.report import report
from runner.post.run_tables import RunTables
from runner.post.summary import summary
from runner.post.violations import panel
from runner.post.violations.read import Histories, explained_violations, plants
from runner.post.violations.violation import Kind
from tests.unit.runner_post.report_runs import Page, full_run
from tests.unit.runner_post.run_folders import record, run_folder

STEPS = range(0, 900, 60)
MARKET = range(0, 900, 300)


def run_with_two_feeders(folder: Path, *, coordination: str = "layered_total_dso") -> Path:
    """15 minutes of feeders ``a/f1``, too low from minute 6 to 11, and ``b/f1``, too high in minute 5."""
    run_dir = run_folder(folder, coordination=coordination)
    rows = [(s, feeder) for s in STEPS for feeder in ("b/f1", "a/f1")]
    is_low = [feeder == "a/f1" and 360 <= s < 720 for s, feeder in rows]
    is_high = [feeder == "b/f1" and s == 300 for s, feeder in rows]
    columns = {
        "p_kw": [1_000.0 if feeder == "a/f1" else 500.0 for _, feeder in rows],
        "v_min_pu": [0.94 if low else 0.98 for low in is_low],
        "v_max_pu": [1.06 if high else 1.02 for high in is_high],
        "nodes_outside_a_count": [2.0 * low + high for low, high in zip(is_low, is_high, strict=True)],
        "nodes_outside_b_count": [1.0 * high for high in is_high],
    }
    record(run_dir, t.FEEDER, rows, columns)
    return run_dir


def add_the_rest(run_dir: Path) -> None:
    """Awards, bus, DERs and the DSO's own tables; what is ``b``'s differs from what is ``a``'s."""
    areas = [(s, lda) for s in STEPS for lda in ("b", "a")]
    jump = [0.02 * (lda == "b" and s >= 300) for s, lda in areas]
    record(run_dir, t.INTERFACE, areas, {"v_pu": [1.0 + more for more in jump]})
    record(run_dir, t.HEAD, areas, {"p_mw": [-7.0 if lda == "b" else 12.0 for _, lda in areas]})
    awards = [(s, lda) for s in MARKET for lda in ("b", "a")]
    record(run_dir, t.AWARD, awards, {"award_mw": [s / 100 + (lda == "a") for s, lda in awards]})
    kinds = [(s, f"{feeder}/{kind}") for s in STEPS for feeder in ("b/f1", "a/f1") for kind in ("pv", "ev")]
    record(
        run_dir, t.DER_TYPE, kinds,
        {
            "p_kw": [{"a/f1/pv": 40.0, "a/f1/ev": -15.0}.get(id_, 0.0) for _, id_ in kinds],
            "available_kw": [50.0 if id_ == "a/f1/pv" else 0.0 for _, id_ in kinds],
        },
    )  # fmt: skip
    feeders = [(s, feeder) for s in MARKET for feeder in ("b/f1", "a/f1")]
    expected = {
        "p_kw": [1_000.0] * 6,
        "v_min_pu": [0.96] * 6,
        "v_max_pu": [1.02] * 6,
        "room_less_kw": [7.0] * 6,
    }
    record(run_dir, t.EXPECTATION, feeders, expected)
    seen = {"v_min_pu": [0.951], "v_max_pu": [1.01], "head_p_kw": [300.0], "head_q_kvar": [400.0]}
    record(run_dir, t.ESTIMATE, [(420, "a/f1")], seen)
    checks = {"voltage_count": [0.0, 1.0], "head_count": [2.0, 3.0], "left_count": [0.0, 4.0]}
    record(run_dir, t.OVERRIDE_CHECK, [(300, "b/f1"), (300, "a/f1")], checks)
    record(run_dir, t.DEPLOYMENT, [(300, "a")], {"spin_mw": [2.0], "regulation_mw": [-0.5]})
    recorder = ParquetRecorder(run_dir, "events", 0)
    for at, id_, what in (
        (60, "agg_a_supplier>dso_a/offers", "message lost"),
        (120, "dso_b", "held: the ISO's award is for 0 s"),
        (180, "dso_a", "infeasible: states of the bid at which the twin collapses, dropped"),
        (240, "dso_ab", "held: not this area"),
    ):
        recorder.add(EVENT, at, (id_,), [1.0], text=[what])
    recorder.close()


def test_each_table_comes_to_its_feeder_its_area_and_its_minute(tmp_path: Path) -> None:
    run_dir = run_with_two_feeders(tmp_path / "run")
    add_the_rest(run_dir)
    tables = RunTables(run_dir)
    of_a, of_b = (Histories(tables).of(plant) for plant in plants(tables))
    assert (of_a.plant.feeder, of_b.plant.feeder) == ("a/f1", "b/f1")
    assert of_a.plant.p_kw.tolist() == [1_000.0] * 15
    np.testing.assert_allclose(of_b.bus_pu, [1.0] * 5 + [1.02] * 10)
    assert (of_a.most_mw, of_b.most_mw) == (12.0, 7.0)
    assert of_a.award_mw.tolist() == [1.0] * 5 + [4.0] * 5 + [7.0] * 5
    assert of_a.sun_kw.tolist() == [40.0] * 15
    assert of_a.steered_kw.tolist() == [-15.0 - 10.0] * 15  # 10 kW of sun are not injected
    assert of_b.steered_kw.tolist() == [0.0] * 15
    assert of_a.outlook.room_less_kw.tolist() == [7.0] * 15
    assert of_a.reserve_mw[5] == 1.5
    assert np.isnan(np.delete(of_a.reserve_mw, 5)).all()
    assert (of_a.insight.v_min_pu[7], of_a.insight.head_kva[7]) == (0.951, 500.0)
    assert np.isnan(np.delete(of_a.insight.v_min_pu, 7)).all()
    assert of_a.insight.broken_count[5:10].tolist() == [4.0] * 5
    assert np.isnan(of_a.insight.broken_count[:5]).all()
    assert of_a.insight.left_count[9] == 4.0
    assert [at for at, _ in of_a.events] == [60]
    assert [at for at, _ in of_b.events] == [120]


@pytest.mark.parametrize(
    ("coordination", "dispatched", "by_dso", "after_clearing"),
    [
        ("uncoordinated", False, False, False),
        ("price_reactive", False, False, False),
        ("grand_central_blind", True, False, False),
        ("grand_central_override", True, True, True),
        ("grand_central_envelope", True, True, False),
        ("grand_central_full", True, True, False),
        ("layered_total_dso", True, True, True),
    ],
)
def test_who_has_a_say_is_read_from_the_models_wiring(
    tmp_path: Path, coordination: str, dispatched: bool, by_dso: bool, after_clearing: bool
) -> None:
    tables = RunTables(run_with_two_feeders(tmp_path / "run", coordination=coordination))
    say = Histories(tables).of(plants(tables)[0]).say
    assert (say.dispatched, say.by_dso, say.after_clearing) == (dispatched, by_dso, after_clearing)


def test_causes_come_from_the_tables_that_are_there(tmp_path: Path) -> None:
    run_dir = run_with_two_feeders(tmp_path / "run")
    bare = [(e.violation.feeder, e.cause.key) for e in explained_violations(RunTables(run_dir))]
    assert bare == [("a/f1", "unexplained"), ("b/f1", "unexplained"), ("b/f1", "unexplained")]
    add_the_rest(run_dir)
    found = [
        (e.violation.feeder, e.violation.kind, e.cause.key) for e in explained_violations(RunTables(run_dir))
    ]
    assert found == [
        ("a/f1", Kind.RANGE_A, "unresolved"),
        ("b/f1", Kind.RANGE_A, "bus"),
        ("b/f1", Kind.RANGE_B, "bus"),
    ]


def test_the_amounts_of_all_causes_and_of_all_areas_are_the_runs_key_figures(tmp_path: Path) -> None:
    run_dir = full_run(tmp_path / "run")
    figures = summary(run_dir).figures
    shown = {
        e.attributes["data-violations"]: float(e.attributes["value"])
        for e in Page(report(run_dir)).with_attribute("data-violations")
    }
    assert shown["all/range_a"] == figures["violation_a_node_min"] == 60.0
    assert shown["all/range_b"] == figures["violation_b_node_min"] == 0.0
    assert shown["all/rating"] == figures["overload_element_min"] == 0.0
    assert shown["all/head"] == figures["head_limit_violation_min"] == 0.0
    assert shown["a/range_a"] == 60.0
    assert "b/range_a" not in shown


def test_the_page_lists_the_greatest_violations_and_says_how_many_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest is a/f1's, of twelve node-minutes; b/f1's two are of one each."""
    run_dir = run_with_two_feeders(tmp_path / "run")
    monkeypatch.setattr(panel, "ROWS_MOST", 1)
    words = Page(panel.violations_panel(RunTables(run_dir))).words
    assert "Every violation (3)" in words
    assert "The 1 greatest are listed; 2 smaller ones are left out." in words
    assert "12 node-min" in words
    assert "1.0600 pu" not in words
    monkeypatch.undo()
    words = Page(panel.violations_panel(RunTables(run_dir))).words
    assert "left out" not in words
    assert "2020-07-15 00:06" in words
    assert "2020-07-15 00:12" in words
    assert "1.0600 pu" in words


def test_one_line_counts_violations_by_cause_the_most_frequent_first(tmp_path: Path) -> None:
    run_dir = run_with_two_feeders(tmp_path / "run")
    add_the_rest(run_dir)
    found = explained_violations(RunTables(run_dir))
    assert panel.in_one_line(found) == (
        "3 violations: the bus voltage jumped 2, overrides could not resolve it 1"
    )
    assert panel.in_one_line(()) == "no feeder left a limit"


def test_a_run_without_violations_says_so(tmp_path: Path) -> None:
    run_dir = run_folder(tmp_path / "run")
    record(run_dir, t.FEEDER, [(s, "a/f1") for s in STEPS], {"v_min_pu": [1.0] * 15, "v_max_pu": [1.0] * 15})
    assert "No feeder left a limit." in Page(panel.violations_panel(RunTables(run_dir))).words
