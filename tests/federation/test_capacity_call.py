"""Capacity on the smallest study: offered, bought, called, delivered, paid and borne."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.exit_codes import ExitCode
from federates.dso.total import IMPORT_STEP_SHARE
from runner.post.load import load
from runner.post.summary import summary
from runner.progress import display
from runner.run import start_run
from runner.study import load_study
from tests import asserts
from tests.build import TINY

pytestmark = pytest.mark.federation

STUDY = """\
include: [{tiny}]
name: tiny_capacity
horizon: {{duration: 15 min}}
market:
  capacity: {{price: 300, target: 10 MW, shortfall_price: 200, begin: 17 h, duration: 15 min}}
events:
  - {{kind: reserve_call, product: capacity, at: 5 min, duration: 10 min}}
"""
"""Fifteen minutes for four hours: `tests/unit/dso/test_capacity.py` has these."""
TARGET_MW = 10.0
CALL_S = 300
DELIVERED_PCT = 98.0
CENT = 0.011
SETS, SUBSTATION_MVA = 5, 5.0


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("capacity")
    study = folder / "capacity.yaml"
    study.write_text(STUDY.format(tiny=TINY))
    end = start_run(study, [], transport="loopback", results=folder / "results", shown=display(silent=True))
    assert end.code is ExitCode.DONE, end.exit_reason
    return end.run_dir


def test_the_target_is_bought_of_more_that_is_offered(called: Path) -> None:
    rows = load(called, "capacity").to_pylist()
    assert sum(r["offered_mw"] for r in rows) > TARGET_MW
    assert sum(r["award_mw"] for r in rows) == pytest.approx(TARGET_MW)


def test_a_call_is_delivered_where_it_asks_for_another_import_than_the_market_would(called: Path) -> None:
    figures = summary(called).by_lda
    for name in ("lda1", "lda2"):
        assert figures[name]["capacity_delivered_pct"] >= DELIVERED_PCT
    for name in ("lda1", "lda2"):
        rows = [r for r in load(called, "capacity_interval").to_pylist() if r["id"] == name]
        assert [r["called_mw"] > 0.0 for r in rows] == [r["t_s"] >= CALL_S for r in rows]
        before, *during = (r["baseline_mw"] - r["award_mw"] - r["import_mw"] for r in rows)
        assert before < -0.1  # uncalled, more was imported than a call leaves
        assert min(during) > -0.02 * rows[0]["award_mw"]


def test_a_call_is_delivered_in_its_first_interval_though_it_is_more_than_a_step_away(called: Path) -> None:
    """Of five sets with substations of 5 MVA each a step is 2.5 MW."""
    rows = [r for r in load(called, "capacity_interval").to_pylist() if r["id"] == "lda2"]
    before, first = rows[0], rows[1]
    step_mw = IMPORT_STEP_SHARE * SETS * SUBSTATION_MVA
    assert before["import_mw"] - first["import_mw"] > step_mw
    assert first["delivered_mw"] >= DELIVERED_PCT / 100.0 * first["called_mw"]


def test_a_call_breaks_no_limit(called: Path) -> None:
    rows = load(called, "feeder").to_pylist()
    for column in ("nodes_outside_a_count", "lines_over_count"):
        during, before = ([r[column] for r in rows if (r["t_s"] >= CALL_S) == late] for late in (True, False))
        assert max(during) <= max(before)


def test_capacity_is_paid_and_borne_to_the_cent_and_nothing_stays_unexplained(called: Path) -> None:
    asserts.assert_settled(called, load_study(called / "study.yaml").study)
    lines = {r["id"]: r["amount_usd"] for r in load(called, "settlement").to_pylist()}
    sold = {r["id"]: r for r in load(called, "capacity").to_pylist()}
    paid = 0.0
    for name, row in sold.items():
        assert row["paid_usd"] == pytest.approx(300.0 * row["award_mw"])
        assert row["charged_usd"] == pytest.approx(200.0 * (row["called_mwh"] - row["delivered_mwh"]))
        assert lines[f"lda/{name}/day_ahead/capacity"] == pytest.approx(row["paid_usd"], abs=CENT)
        paid += lines[f"lda/{name}/day_ahead/capacity"]
    borne = sum(usd for id_, usd in lines.items() if id_.endswith("day_ahead/capacity_share"))
    books = {r["id"]: r for r in load(called, "account").to_pylist()}
    assert borne == pytest.approx(-paid, abs=0.05)
    assert books["day_ahead"]["capacity_cost_usd"] == pytest.approx(paid, abs=0.02)
    for book in books.values():
        assert abs(book["unexplained_usd"]) <= 0.01
