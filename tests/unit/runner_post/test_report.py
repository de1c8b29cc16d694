"""Laws of the report: it fetches nothing, its figures have their place and its numbers are the summary's."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from federates.core.errors import MissingInputError
from federates.core.tables import TABLES
from runner.manifest import Status, write_status
from runner.post.figures.catalog import FIGURES, SECTIONS
from runner.post.headline import CARDS, number, unit_of
from runner.post.page import Html, document
from runner.post.report import report, write_report
from runner.post.run_tables import RunTables
from runner.post.summary import FIGURES as KEY_FIGURES
from runner.post.summary import LDA_FIGURES, summary
from tests.unit.runner_post.report_runs import Page, full_run
from tests.unit.runner_post.run_folders import run_folder

FETCHING_ELEMENTS = {
    "link", "img", "iframe", "frame", "object", "embed", "form", "base", "audio", "video", "source", "track",
    "area", "image", "svg", "input",
}  # fmt: skip
FETCHING_CALLS = (
    r"\bfetch\s*\(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", r"\bimport\b",
    "importScripts", r"\.src\b", r"\blocation\b", r"window\.open", "Worker", "https?:",
)  # fmt: skip
HOSTILE = """</script><img src="https://x.test/a" onerror='alert(1)'><a href="https://x.test">&amp;"""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def page(run_dir: Path) -> Page:
    return Page(report(run_dir))


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _policy(page: Page) -> dict[str, list[str]]:
    (meta,) = [e for e in page.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy"]
    directives = (part.split() for part in meta.attributes["content"].split(";"))
    return {name: sources for name, *sources in directives}


def test_the_policy_forbids_all_that_it_does_not_name_by_hash(page: Page) -> None:
    policy = _policy(page)
    assert policy.pop("default-src") == ["'none'"]
    assert sorted(policy.pop("script-src")) == sorted(map(_source, page.scripts))
    (style,) = page.all("style")
    assert policy.pop("style-src") == [_source(style.text), _source("")]
    assert policy == {"img-src": ["data:"], "base-uri": ["'none'"], "form-action": ["'none'"]}


def test_the_policy_comes_before_whatever_it_governs(page: Page) -> None:
    governed = next(k for k, e in enumerate(page.elements) if e.name in {"style", "script", "body"})
    assert any("http-equiv" in e.attributes for e in page.elements[:governed])


def test_no_element_fetches(page: Page) -> None:
    assert not FETCHING_ELEMENTS & {element.name for element in page.elements}
    for element in page.elements:
        assert (
            not {"src", "srcset", "action", "data", "ping", "background", "style"} & element.attributes.keys()
        )
        assert not [name for name in element.attributes if name.startswith("on")]
    assert all(e.attributes["href"].startswith("#") for e in page.with_attribute("href"))


def test_no_style_fetches(page: Page) -> None:
    (style,) = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_no_script_of_ours_fetches(page: Page) -> None:
    ours = [script for script in page.scripts if "plotly.js v" not in script[:200]]
    assert len(ours) == len(page.scripts) - 1 == 2
    for script in ours:
        assert not [call for call in FETCHING_CALLS if re.search(call, script)]


def test_plotly_gets_no_button_that_sends_a_chart_away(page: Page) -> None:
    assert "showSendToCloud: false" in page.scripts[-1]
    assert "modeBarButtons: [[" in page.scripts[-1]


def test_every_figure_has_a_place_and_its_data(page: Page) -> None:
    ids = [element.attributes["id"] for element in page.with_attribute("id")]
    assert len(ids) == len(set(ids))
    places = {e.attributes["data-plot"] for e in page.with_attribute("data-plot")}
    assert places == {figure.key for figure in FIGURES}
    for key in places:
        assert {f"plot-{key}", f"data-{key}", key} <= set(ids)
        views = page.data(key)
        chosen = [e for e in page.with_attribute("data-view") if e.attributes["data-of"] == key]
        assert views
        assert all(views.values()), key
        assert [e.text for e in chosen] in ([], list(views))


def test_every_anchor_leads_somewhere(page: Page) -> None:
    ids = {element.attributes["id"] for element in page.with_attribute("id")}
    anchors = {e.attributes["href"].removeprefix("#") for e in page.with_attribute("href")}
    assert {section.key for section in SECTIONS} | {"overview", "events", "provenance"} <= anchors <= ids


def test_the_headline_gives_the_summarys_numbers(page: Page, run_dir: Path) -> None:
    found = summary(run_dir)
    shown = page.with_attribute("data-key")
    cards = {e.attributes["data-key"]: float(e.attributes["value"]) for e in shown if "class" in e.attributes}
    assert cards == {key: found.figures[key] for key in CARDS}
    rest = {
        e.attributes["data-key"]: float(e.attributes["value"]) for e in shown if "class" not in e.attributes
    }
    by_lda = {f"{lda}/{key}": value for lda, own in found.by_lda.items() for key, value in own.items()}
    assert rest == {**found.figures, **by_lda}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (12.3456, "12.35"),
        (768_029.4, "768,029"),
        (9.993e-10, "9.993 × 10⁻¹⁰"),
        (-2e-5, "-2 × 10⁻⁵"),
    ],
)
def test_numbers_are_written_for_people(value: float, shown: str) -> None:
    assert number(value) == shown


def test_every_key_figure_has_its_unit() -> None:
    keys = [figure.key for figure in (*KEY_FIGURES, *LDA_FIGURES)]
    assert {key for key in keys if not unit_of(key)} == {key for key in keys if key.endswith("_count")}
    assert {
        key: unit_of(key) for key in ("violation_a_node_min", "feeder_v_min_pu", "lmp_min_usd_per_mwh")
    } == {
        "violation_a_node_min": "node-min",
        "feeder_v_min_pu": "pu",
        "lmp_min_usd_per_mwh": "$/MWh",
    }


def test_every_table_that_a_figure_names_is_one_of_ours() -> None:
    assert {name for figure in FIGURES for name in (*figure.needs, *figure.also)} <= TABLES.keys()


def test_multiplicity_is_said_before_any_figure(page: Page) -> None:
    first = next(k for k, e in enumerate(page.elements) if "data-plot" in e.attributes)
    said = [e.text for e in page.elements[:first] if e.name == "b"]
    assert said == ["a × 10", "b × 1"]


def test_prices_of_both_markets_stand_side_by_side_in_the_same_colours(page: Page) -> None:
    views = page.data("lmp")
    assert list(views) == ["LMP", "energy part", "congestion part", "loss part"]
    ahead, now, flag = views["LMP"]
    assert (ahead["pane"], now["pane"], flag["pane"]) == (0, 1, 1)
    assert now["y"] == ["9", "110"]
    assert now["z"] == [[40] * 12, [20] * 12]
    assert ahead["z"] == [[25], [25]]
    assert (ahead["zmin"], ahead["zmax"]) == (now["zmin"], now["zmax"])


def test_intervals_priced_by_a_penalty_are_marked_above_the_prices(page: Page) -> None:
    *_, flag = page.data("lmp")["LMP"]
    assert flag["y"] == ["penalty set"] * 3
    # the second, sixth and tenth interval, each at its middle
    assert flag["x"] == [f"2020-07-15T00:{minute:02d}:30" for minute in (7, 27, 47)]


def test_relaxed_prices_stand_beside_fixed_ones(page: Page) -> None:
    views = page.data("pricing-runs")
    means = {trace["name"]: trace["y"] for trace in views["Mean of all buses"]}
    assert means["day-ahead, fixed commitment"] == [25]
    assert means["day-ahead, relaxed commitment"] == [29]
    (difference,) = views["Difference"]
    assert difference["y"] == [4]


def test_reserves_show_what_is_required_held_and_short(page: Page) -> None:
    views = page.data("reserves-held")
    assert list(views) == ["reg_up", "spin_R1", "total"]
    lines = {trace["name"]: trace["y"] for trace in views["spin_R1"]}
    assert (lines["required, real time"], lines["held, real time"]) == ([6] * 12, [5] * 12)
    assert lines["short, real time"] == [1] * 12
    assert (lines["required, day-ahead"], lines["short, day-ahead"]) == ([4], [0])


def test_reserve_prices_are_shown_by_requirement_and_by_product(page: Page) -> None:
    views = page.data("reserve-prices")
    lines = {trace["name"]: trace["y"] for trace in views["Requirements, real time"]}
    assert lines["spin_R1"] == [250] * 12
    (products,) = views["Products, real time"]
    assert products["y"] == ["spin/R1", "reg_up/R1"]
    assert products["z"] == [[250] * 12, [259] * 12]


def test_reserves_are_stacked_by_the_kind_of_unit_that_holds_them(page: Page) -> None:
    (layer,) = page.data("reserve-providers")["spinning reserve, real time"]
    assert (layer["name"], layer["y"]) == ("CT", [3] * 12)


def test_what_dsos_sold_is_shown_with_what_was_asked_and_delivered(page: Page) -> None:
    views = page.data("reserve-of-dsos")
    lines = {trace["name"]: trace["y"] for trace in views["a"]}
    assert (lines["sold: less import"], lines["sold: more import"]) == ([4] * 12, [-2] * 12)
    assert (lines["asked for"], lines["delivered"]) == ([2.5] * 12, [2.4] * 12)


def test_a_call_of_capacity_is_shown_below_the_baseline_beside_the_meters(page: Page) -> None:
    """From 9 MW, 4 awarded and 2 called; 7.5 are metered."""
    lines = {trace["name"]: trace["y"] for trace in page.data("capacity-of-dsos")["a"]}
    assert lines["baseline less award"] == [5] * 12
    assert lines["baseline less what is called"] == [7] * 12
    assert lines["metered"] == [7.5] * 12


def test_stores_stand_beside_their_day_ahead_schedule(page: Page) -> None:
    now, ahead = page.data("stores")["313_STORAGE_1"]
    assert now["y"] == [50, 60] * 6
    assert ahead["y"] == [55]


def test_losses_of_the_market_stand_beside_those_of_ac(page: Page) -> None:
    lines = {trace["name"]: trace["y"] for trace in page.data("imbalance")["Losses"]}
    assert lines["AC losses"] == [1] * 60
    assert lines["market, real time"] == [2] * 12
    assert lines["market, day-ahead"] == [1.5]


def test_load_is_net_load_and_what_der_inject_times_multiplicity(page: Page) -> None:
    lines = {trace["name"]: trace["y"] for trace in page.data("demand")["a"]}
    # 10 times (100 + 200) kW of PV, of which 10 times 10 kW more were available; 10 times -50 kW of storage
    assert lines["PV"] == [3] * 60
    assert lines["PV available"] == [3.1] * 60
    assert lines["storage, + discharge"] == [-0.5] * 60
    assert lines["net load"] == [11] * 60
    assert lines["load"] == [13.5] * 60
    # vehicles are within the load, and on a line of their own: 10 times 20 kW
    assert lines["EVs, + charging"] == [0.2] * 60
    assert "small generators" not in lines
    other = {trace["name"]: trace["y"] for trace in page.data("demand")["b"]}
    assert (other["small generators"], other["load"]) == ([0.3] * 60, [2.3] * 60)
    assert "EVs, + charging" not in other


def test_interchange_shows_the_bids_range_award_and_meter(page: Page) -> None:
    lines = {trace["name"]: trace["y"] for trace in page.data("interchange")["b"]}
    assert lines["bid range, least"] == [1] * 12
    assert lines["bid range"] == [3] * 12
    assert lines["award"] == [2] * 12
    assert lines["metered"] == [2] * 60


def test_bid_curves_are_steps_with_the_award_at_its_price_on_them(page: Page) -> None:
    views = page.data("bid-curves")
    assert list(views) == ["a", "b"]
    curves = [trace for trace in views["a"] if trace["mode"] == "lines"]
    cleared = [trace for trace in views["a"] if trace["mode"] == "markers"]
    assert len(curves) == len(cleared) == 6, "six of twelve intervals"
    # To 12 MW the next MW is worth 10 $/MWh: a step that begins with the drop at 8 MW.
    assert curves[0]["line"]["shape"] == "vh"
    assert (curves[0]["x"], curves[0]["y"]) == ([8, 12], [30, 10])
    assert (cleared[0]["x"], cleared[0]["y"]) == ([10], [20])
    names = [trace["name"][-5:] for trace in curves]
    assert names == sorted(names)
    assert len(set(names)) == 6


def test_distribution_prices_are_mapped_by_feeder_with_the_parts_that_are_there(page: Page) -> None:
    views = page.data("dlmp")
    names = ["DLMP", "voltage part", "loss part", "a", "b", "thermal part (none)"]
    assert list(views) == names
    (price,) = views["DLMP"]
    assert price["y"] == ["a/f1", "a/f2", "b/f1"]
    assert [row[0] for row in price["z"]] == [21, 24, 20]
    assert [row[0] for row in views["voltage part"][0]["z"]] == [0, 3, 0]
    lines = {trace["name"]: trace["y"] for trace in views["a"]}
    assert lines["all loads and DERs, least"] == [15] * 12
    assert lines["all loads and DERs"] == [28] * 12
    assert lines["mean of the feeders' loads"] == [22.5] * 12
    assert lines["LMP at the interface"] == [20] * 12


def test_an_ldas_voltage_envelope_holds_all_its_feeders(page: Page) -> None:
    views = page.data("voltage")
    assert list(views) == ["a", "b", "a/f1", "a/f2", "b/f1"]
    least = {name: traces[0]["y"] for name, traces in views.items()}
    assert least["a"] == [0.94] * 60
    assert least["a/f2"] == [0.96] * 60


def test_units_whose_names_tell_their_kind_are_summed_by_kind(page: Page) -> None:
    layers = {trace["name"]: trace["y"] for trace in page.data("dispatch")["Real time"]}
    assert layers["CT"] == [11] * 12
    assert layers["WIND"] == [30] * 12
    assert layers["load and AC losses"] == [41] * 12


def test_an_exact_zero_is_a_gap_on_a_logarithmic_axis(page: Page) -> None:
    residuals = {trace["name"]: trace["y"] for trace in page.data("coupling")["Residual"]}
    assert residuals["power [pu of 100 MVA]"] == [2e-10, None] * 30


def test_violations_list_only_feeders_that_have_some(page: Page) -> None:
    (trace,) = page.data("violations")["Outside range A"]
    assert (trace["y"], trace["x"]) == (["a/f1"], [60])


def test_messages_are_counted_from_whom_to_whom(page: Page) -> None:
    (trace,) = page.data("messages")["From whom to whom"]
    assert trace["y"] == ["ISO", "DSO", "aggregator"]
    assert trace["z"] == [[None, 12, None], [12, None, None], [12, None, None]]


def test_events_are_listed_with_their_time(page: Page) -> None:
    cells = [element.text for element in page.all("td")]
    place = cells.index("line out")
    assert cells[place - 2 : place + 2] == ["2020-07-15 00:10:00", "A1", "line out", "42"]


def test_voltage_limits_are_said_to_hold_at_load_nodes_on_the_primary(page: Page) -> None:
    assert "Limits apply at load nodes on the primary" in page.words


def test_a_figure_without_its_table_says_which_it_needs(tmp_path: Path) -> None:
    page = Page(report(run_folder(tmp_path / "run")))
    assert not page.with_attribute("data-plot")
    assert {f.key for f in FIGURES} <= {e.attributes["id"] for e in page.with_attribute("id")}
    assert page.words.count("is not shown: this run recorded no table") == len(FIGURES)
    assert "this run recorded no table binding." in page.words


def test_names_and_words_of_users_files_stay_words(tmp_path: Path) -> None:
    page = Page(report(full_run(tmp_path / "run", bus=HOSTILE, event=HOSTILE)))
    assert not page.all("img")
    assert all(e.attributes["href"].startswith("#") for e in page.with_attribute("href"))
    assert HOSTILE in [element.text for element in page.all("td")]
    _, now, _ = page.data("lmp")["LMP"]
    names = now["y"]
    assert isinstance(names, list)
    # plotly would take mark-up in a name for mark-up
    assert not [name for name in names if "<" in name]
    assert [name for name in names if "&lt;/script&gt;" in name]


def test_data_and_scripts_cannot_end_the_element_that_holds_them() -> None:
    views = [{"name": "</script><img>", "traces": [1]}]
    page = Page(document("t", Html("x"), {"data-x": {"views": views}}, "'</script><img>'"))
    assert not page.all("img")
    assert page.data("x") == {"</script><img>": [1]}
    assert "'<\\/script><img>'" in page.scripts
    assert set(map(_source, page.scripts)) == set(_policy(page)["script-src"])


def test_a_run_that_broke_off_is_drawn_and_said_not_to_count(tmp_path: Path) -> None:
    run_dir = full_run(tmp_path / "run")
    reason = "feeder_a: the circuit did not converge"
    write_status(
        run_dir,
        Status(state="failed", study_s=1_200, duration_s=3_600, span=0, updated="", reason=reason),
    )
    page = Page(report(run_dir))
    (banner,) = [e.text for e in page.with_attribute("class") if e.attributes["class"] == "banner"]
    assert banner == f"This run does not count: it is failed, study second 1,200 of 3,600. {reason}"
    assert page.with_attribute("data-plot")


def test_what_a_run_did_not_come_to_is_a_gap(tmp_path: Path) -> None:
    page = Page(report(full_run(tmp_path / "run", steps_s=1_200)))
    assert {e.attributes["data-plot"] for e in page.with_attribute("data-plot")} == {f.key for f in FIGURES}
    (low, *_) = page.data("voltage")["a"]
    assert low["y"] == [0.94] * 20 + [None] * 40


def test_the_report_lies_in_the_runs_folder_and_is_the_same_again(run_dir: Path) -> None:
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    assert path.read_text(encoding="utf-8") == report(run_dir)


def test_a_column_that_another_version_did_not_write_is_named(run_dir: Path) -> None:
    with pytest.raises(MissingInputError, match=r"table 'lmp' of .* has no price; columns: t_s, id, lmp_usd"):
        RunTables(run_dir).column("lmp", "price")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"run\.json is not there"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())
