"""Laws of the report's panels: the AC check's and the boundary's numbers are those of their functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.post.ac_check import ROWS_SHOWN_COUNT, AcCheck, ac_check
from runner.post.ac_panel import KEY as AC
from runner.post.ac_panel import meaning
from runner.post.boundary import KEY as BOUNDARY
from runner.post.boundary import unbalance
from runner.post.report import PANELS, report
from runner.post.run_tables import RunTables
from runner.post.settlement_panel import KEY as SETTLEMENT
from runner.post.summary import summary
from runner.post.violations.panel import KEY as CAUSES
from tests.unit.runner_post.report_runs import Page, full_run, many_overloads
from tests.unit.runner_post.run_folders import run_folder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_run(tmp_path_factory.mktemp("panels") / "run")


@pytest.fixture(scope="module")
def page(run_dir: Path) -> Page:
    return Page(report(run_dir))


@pytest.fixture(scope="module")
def check(run_dir: Path) -> AcCheck:
    return ac_check(run_dir)


def _values(page: Page, attribute: str) -> dict[str, float]:
    """Full values by their key; each key is there once."""
    shown = page.with_attribute(attribute)
    found = {e.attributes[attribute]: float(e.attributes["value"]) for e in shown}
    assert len(found) == len(shown)
    return found


def test_the_accounts_fall_from_payments_to_what_is_left(page: Page) -> None:
    views = page.data("accounts")
    assert list(views) == ["both markets", "day-ahead", "real time"]
    (trace,) = views["both markets"]
    moves = dict(zip(trace["y"], trace["x"], strict=True))  # type: ignore[call-overload]
    assert moves["paid by loads outside LDAs"] == 690
    assert moves["to units"] == -912
    assert moves["congestion rent"] == -100
    assert moves["AC-DC loss difference"] == 2
    # 690 + 325 - 912 - 100 - 5 + 2 = 0: nothing is left
    assert sum(moves.values()) == 0
    assert "pricing run with fixed commitment" in page.words


def test_the_settlement_panel_sums_up_accounts_and_statements(page: Page) -> None:
    values = _values(page, "data-settlement")
    assert values["lda_payment_usd/both markets"] == 325.0
    assert values["unit_revenue_usd/real time"] == 12.0
    assert values["units/energy_mwh"] == 31.0
    assert values["units/make_whole_usd"] == 40.0
    assert values["LDA a/shares_usd"] == 60.0
    assert values["LDA a/total_usd"] == -300.0 - 25.0 + 60.0
    assert values["units/total_usd"] == 952.0


def test_the_ac_panel_gives_the_checks_numbers(page: Page, check: AcCheck) -> None:
    values = _values(page, "data-check")
    plain = check.to_dict()
    expected = {key: value for key, value in plain.items() if key not in {"branches", "buses"}}
    for rows, name in ((plain["branches"], "branch"), (plain["buses"], "bus")):
        assert isinstance(rows, tuple)
        for row in rows:
            owner = row.pop(name)
            expected |= {f"{owner}/{key}": value for key, value in row.items() if value is not None}
    assert values == expected


def test_the_ac_panels_numbers_are_those_worked_out_by_head(page: Page) -> None:
    shown = {e.attributes["data-check"]: e.text for e in page.with_attribute("data-check")}
    # 12 intervals with A1 at its 100 MW in the market and 102.5 MW in AC; A3 overloaded unseen
    assert (shown["branch_violations_count"], shown["unforeseen_violations_count"]) == ("24", "12")
    assert (shown["A1/market_bound_count"], shown["A1/overloaded_count"]) == ("12", "12")
    assert (shown["A1/loading_when_bound_pct"], shown["A1/flow_beyond_market_mw"]) == ("103.0", "2.5")
    assert (shown["A3/market_bound_count"], shown["A3/overloaded_count"]) == ("0", "12")
    assert "A3/flow_beyond_market_mw" not in shown
    assert "A2/loading_max_pct" not in shown
    assert (shown["110/v_max_pu"], shown["110/outside_narrow_count"]) == ("1.0600", "12")
    assert shown["redispatch_mean_mw"] == "3.0"


def test_the_most_loaded_branch_comes_first(page: Page) -> None:
    keys = [e.attributes["data-check"] for e in page.with_attribute("data-check")]
    assert [key for key in keys if key.endswith("/loading_max_pct")] == [
        "A1/loading_max_pct",
        "A3/loading_max_pct",
    ]


def test_the_rows_are_few_and_the_others_are_counted(tmp_path: Path) -> None:
    run_dir = many_overloads(full_run(tmp_path / "run"), count=ROWS_SHOWN_COUNT + 5)
    page, check = Page(report(run_dir)), ac_check(run_dir)
    shown = [key for key in _values(page, "data-check") if key.endswith("/loading_max_pct")]
    assert shown == [f"{b.branch}/loading_max_pct" for b in check.branches[:ROWS_SHOWN_COUNT]]
    more = len(check.branches) - ROWS_SHOWN_COUNT
    assert more > 0
    assert f"And {more} more branches." in page.words


def test_one_sentence_says_what_the_counts_mean(page: Page, check: AcCheck) -> None:
    assert meaning(check) in page.words
    assert meaning(check).startswith("12 of 24 overloads")
    assert "the other 12 are on branches below their rating in the market" in meaning(check)
    seen = replace(check, unforeseen_violations_count=0)
    assert meaning(seen).startswith(
        "Every overload is on a branch whose flow in the market was at the rating"
    )
    volts = replace(seen, branch_violations_count=0)
    assert meaning(volts).startswith("No branch was above its rating in AC; but buses left")
    quiet = replace(volts, bus_narrow_violations_count=0)
    assert meaning(quiet).startswith("What the market cleared, the AC grid carried")


def test_the_summary_counts_the_checks_overloads(run_dir: Path, check: AcCheck) -> None:
    figures = summary(run_dir).figures
    assert figures["branch_overloads_count"] == check.branch_violations_count == 24
    assert figures["branch_loading_max_pct"] == check.loading_max_pct == 103.0


def test_the_boundary_panel_gives_the_heads_shares(page: Page, run_dir: Path) -> None:
    values = _values(page, "data-boundary")
    keys = ("i2_median_pct", "i2_max_pct", "i0_max_pct", "s2_max_mva", "left_out_pu")
    assert values == {
        f"{found.lda}/{key}": getattr(found, key) for found in unbalance(RunTables(run_dir)) for key in keys
    }
    assert (values["a/i2_median_pct"], values["a/i2_max_pct"], values["a/i0_max_pct"]) == (14.0, 19.0, 0.0)
    assert (values["b/i2_median_pct"], values["b/i2_max_pct"], values["b/i0_max_pct"]) == (6.0, 8.0, 0.5)
    # 19 % of 11 MW and 8 % of 2 MW, without reactive power; 0.054 pu on 100 MVA
    assert values["a/s2_max_mva"] == pytest.approx(2.09)
    assert values["b/s2_max_mva"] == pytest.approx(0.16)
    assert values["a/left_out_pu"] == pytest.approx(0.054 * 0.0209)


def test_the_boundary_panel_states_what_the_decision_measured(page: Page) -> None:
    decision = Path(__file__).parents[3] / "docs" / "decisions" / "0010-balanced-interface.md"
    told = decision.read_text(encoding="utf-8")
    for figure in ("0.054 pu", "0.0023 pu", "0.0028 pu", "27 MW", "1e-4", "0.3 %"):
        assert figure in told
        assert figure in page.words


def test_a_panel_without_its_tables_says_which_it_wants(tmp_path: Path) -> None:
    page = Page(report(run_folder(tmp_path / "run")))
    ids = {e.attributes["id"] for e in page.with_attribute("id")}
    keys = {panel.key for panels in PANELS.values() for panel in panels}
    assert {AC, BOUNDARY, CAUSES, SETTLEMENT} == keys <= ids
    assert "cannot be told without the tables branch, bus, lmp, unit, unit_award." in page.words
    assert "cannot be told without the tables head." in page.words
    assert "cannot be told without the tables account, settlement." in page.words
    assert not page.with_attribute("data-check")
    assert not page.with_attribute("data-boundary")
