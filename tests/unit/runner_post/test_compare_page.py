"""Laws of the page of a comparison: it fetches nothing, and shows every run's figures and differences."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from runner.post.compare.comparison import Comparison, compare_runs
from runner.post.compare.figures import FIGURES
from runner.post.compare.page import SECTIONS, page
from runner.post.compare.write import write_comparison
from tests.unit.runner_post.compared_runs import chosen_run
from tests.unit.runner_post.report_runs import Page
from tests.unit.runner_post.test_report import FETCHING_ELEMENTS, HOSTILE


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """M1 breaks limits and is cheap, M4 and M5 break none; M5 alone exports at the interface."""
    folder = tmp_path_factory.mktemp("compare")
    return compare_runs(
        [
            chosen_run(folder / "m1", "M1", cost_usd=900.0, steps_broken=30, note=HOSTILE),
            chosen_run(folder / "m4", "M4", cost_usd=1_000.0),
            chosen_run(folder / "m5", "M5", cost_usd=1_010.0),
        ]
    )


@pytest.fixture(scope="module")
def shown(compared: Comparison) -> Page:
    return Page(page(compared))


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_forbids_all_that_it_does_not_name_by_hash(shown: Page) -> None:
    (meta,) = [e for e in shown.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy"]
    policy = dict(part.strip().partition(" ")[::2] for part in meta.attributes["content"].split(";"))
    assert policy["default-src"] == "'none'"
    assert sorted(policy["script-src"].split()) == sorted(map(_source, shown.scripts))
    (style,) = shown.all("style")
    assert policy["style-src"].split() == [_source(style.text), _source("")]


def test_no_element_fetches_whatever_a_study_says(shown: Page) -> None:
    assert not FETCHING_ELEMENTS & {element.name for element in shown.elements}
    for element in shown.elements:
        assert not {"src", "srcset", "action", "ping", "style"} & element.attributes.keys()
        assert not [name for name in element.attributes if name.startswith("on")]
    assert all(e.attributes["href"].startswith("#") for e in shown.with_attribute("href"))
    assert "alert(1)" in shown.words


def test_sections_come_in_order_and_what_differs_comes_first(shown: Page) -> None:
    ids = [e.attributes["id"] for e in shown.with_attribute("id")]
    assert len(ids) == len(set(ids))
    assert [key for key in ids if key in SECTIONS] == list(SECTIONS)
    first = next(e for e in shown.all("td"))
    assert first.text == "coordination"


def test_no_cost_stands_without_what_it_broke(shown: Page) -> None:
    values = {
        e.attributes["data-key"]: float(e.attributes["value"]) for e in shown.with_attribute("data-key")
    }
    assert values["M1/cost_compared_usd"] == pytest.approx(900.0)
    assert values["M1/violated_feeder_time_pct"] == pytest.approx(30.0)
    assert values["M5/cost_compared_usd"] == pytest.approx(1_010.0)
    places = [e.text for e in shown.elements if e.name == "td"]
    at = places.index("not ranked: limits broken in 30 % of feeder time, 0 MWh not served")
    assert places[at - 3 : at] == ["M1", "-", "900"]


def test_every_figure_has_all_runs_and_all_differences(shown: Page) -> None:
    for figure in FIGURES:
        views = shown.data(figure.key)
        names = list(views)
        assert len(names) % 2 == 0
        for whole, less in zip(names[::2], names[1::2], strict=True):
            assert less == f"{whole}, less M4"
            assert [trace["name"] for trace in views[whole]] == ["M1", "M4", "M5"]
            assert [trace["name"] for trace in views[less]] == ["M1", "M5"]


def test_a_difference_is_a_run_less_the_reference(shown: Page) -> None:
    costs = {trace["name"]: trace["y"] for trace in shown.data("cost")["units, less M4"]}
    assert costs["M1"][-1] == pytest.approx(-100.0)  # type: ignore[index]
    assert costs["M5"][-1] == pytest.approx(10.0)  # type: ignore[index]


def test_a_figure_whose_table_a_run_lacks_says_so(tmp_path: Path) -> None:
    lean = chosen_run(tmp_path / "lean", "M0")
    full = chosen_run(tmp_path / "full", "M5")
    for table in (lean / "tables" / "feeder").glob("*.parquet"):
        table.unlink()
    found = Page(page(compare_runs([lean, full])))
    absent = {e.attributes["id"] for e in found.elements if e.attributes.get("class") == "absent"}
    assert {"voltages", "loading", "head-excess"} == absent


def test_a_comparison_writes_its_five_files_whole(compared: Comparison, tmp_path: Path) -> None:
    fields, text = write_comparison([c.run_dir for c in compared.contenders], tmp_path)
    names = {"compare.csv", "compare.md", "compare.json", "verdicts.json", "compare.html"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert fields["reference"] == "M4"
    assert "not ranked" in text
