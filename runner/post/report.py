"""The report of a run: one HTML page that opens from its file, without a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plotly.offline import get_plotlyjs

from federates.core.errors import MissingInputError
from federates.core.run_folder import write_whole
from runner.manifest import RunManifest, read_done, read_status
from runner.post import ac_panel, boundary, headline, plots, settlement_panel
from runner.post.figures.catalog import SECTIONS
from runner.post.figures.drawing import Figure, Section
from runner.post.figures.grid import clock_text
from runner.post.load import load
from runner.post.page import Html, document, element, joined, table
from runner.post.plots import Data
from runner.post.run_tables import RunTables
from runner.post.summary import Summary, summary
from runner.post.violations import panel as violations_panel

FILE = "report.html"
EVENTS_MOST = 500
"""Events that the page lists; the table has the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Words and tables at the end of a section, drawn without scripts."""

    key: str
    """Stable name, the anchor on the page."""
    title: str
    """Heading."""
    needs: tuple[str, ...]
    """Tables without which it is left out."""
    write: Callable[[RunTables], Html]
    """How it is written."""


PANELS: dict[str, tuple[Panel, ...]] = {
    "feeders": (
        Panel(
            key=violations_panel.KEY,
            title=violations_panel.TITLE,
            needs=violations_panel.NEEDS,
            write=violations_panel.violations_panel,
        ),
    ),
    "settlement": (
        Panel(
            key=settlement_panel.KEY,
            title=settlement_panel.TITLE,
            needs=settlement_panel.NEEDS,
            write=settlement_panel.settlement_panel,
        ),
    ),
    "bulk": (Panel(key=ac_panel.KEY, title=ac_panel.TITLE, needs=ac_panel.NEEDS, write=ac_panel.ac_panel),),
    "federation": (
        Panel(key=boundary.KEY, title=boundary.TITLE, needs=boundary.NEEDS, write=boundary.boundary_panel),
    ),
}
"""Panels by the section that they end."""


def write_report(run_dir: Path) -> Path:
    """Write the report of a run and return its path; the run may have failed, or go on meanwhile.

    Raises
    ------
    MissingInputError
        If the folder holds no run.
    """
    path = run_dir / FILE
    write_whole(path, report(run_dir).encode())
    return path


def report(run_dir: Path) -> str:
    """The page.

    Raises
    ------
    MissingInputError
        If the folder holds no run.
    """
    tables = RunTables(run_dir)
    run = tables.run
    found = summary(run_dir)
    data: Data = {}
    sections = [_section(tables, section, data) for section in SECTIONS]
    main = element(
        "main",
        _first(run_dir, run, found),
        *sections,
        _events(tables),
        _provenance(run_dir, run),
        element("footer", f"Written by Tandem from {run.study}/{run.run_id}. The page fetches nothing."),
    )
    frame = element("div", _navigation(), main, class_="frame")
    return document(f"{run.study} - {run.coordination} - Tandem", frame, data, get_plotlyjs())


def _first(run_dir: Path, run: RunManifest, found: Summary) -> Html:
    """What ran, how it ended, and what came of it."""
    return element(
        "section",
        headline.what_ran(run_dir, run),
        _banner(run_dir),
        headline.cards(found),
        element(
            "div",
            element("h3", "LDAs"),
            element("p", "Energy and money include the multiplicity; positive is net import.", class_="sees"),
            headline.lda_table(run_dir, run, found),
            class_="panel",
        ),
        element(
            "div",
            element("h3", "Was anything put to the test?"),
            element(
                "p", "A run in which nothing binds and nobody errs compares nothing.", class_="sees"
            ),
            headline.stress(run_dir),
            headline.key_figures(found),
            class_="panel",
        ),
        id="overview",
    )  # fmt: skip


def _banner(run_dir: Path) -> Html:
    """What a reader must know of a run that did not finish, or finished with remarks."""
    said: list[str] = []
    if (run_dir / "done.json").exists():
        said = list(read_done(run_dir).remarks)
    elif (run_dir / "status.json").exists():
        status = read_status(run_dir)
        reached = f"study second {status.study_s:,} of {status.duration_s:,}"
        said = [f"This run does not count: it is {status.state}, {reached}. {status.reason}".strip()]
    return joined(element("p", words, class_="banner") for words in said)


def _section(tables: RunTables, section: Section, data: Data) -> Html:
    figures = (_figure(tables, figure, data) for figure in section.figures)
    panels = (_panel(tables, panel) for panel in PANELS.get(section.key, ()))
    return element("section", element("h2", section.title), *figures, *panels, id=section.key)


def _panel(tables: RunTables, panel: Panel) -> Html:
    """A panel; or which tables it wants for."""
    missing = [name for name in panel.needs if name not in tables.names]
    if not missing:
        return panel.write(tables)
    why = f" cannot be told without the tables {', '.join(missing)}."
    return element("p", element("b", panel.title), why, class_="absent", id=panel.key)


def _figure(tables: RunTables, figure: Figure, data: Data) -> Html:
    """A figure with its words, its views and its data; or why it is left out."""
    missing = [name for name in figure.needs if name not in tables.names]
    if missing:
        return _absent(figure, f"this run recorded no table {' and no table '.join(missing)}.")
    also = [name for name in figure.also if name in tables.names]
    views = figure.draw(tables)
    if not views:
        return _absent(figure, "the tables hold nothing of the kind.")
    return plots.figure(
        figure.key,
        figure.title,
        figure.sees,
        views,
        file=f"{tables.run.study}-{tables.run.run_id}-{figure.key}",
        tables=(*figure.needs, *also),
        data=data,
    )


def _absent(figure: Figure, why: str) -> Html:
    return element("p", element("b", figure.title), f" is not shown: {why}", class_="absent", id=figure.key)


def _navigation() -> Html:
    def entry(key: str, title: str, kind: str) -> Html:
        return element("li", element("a", title, href=f"#{key}"), class_=kind)

    entries = [entry("overview", "Overview", "section")]
    for section in SECTIONS:
        entries.append(entry(section.key, section.title, "section"))
        entries += [entry(figure.key, figure.title, "part") for figure in section.figures]
        entries += [entry(panel.key, panel.title, "part") for panel in PANELS.get(section.key, ())]
    entries += [entry("events", "Events", "section"), entry("provenance", "Provenance", "section")]
    mark = element("p", "Tandem", class_="mark")
    return element("nav", mark, element("ul", *entries), aria_label="Contents")


def _events(tables: RunTables) -> Html:
    """Events of the study and policies that took effect."""
    words = "Events of the study and policies that took effect, from tables/event."
    content = [element("h2", "Events")]
    if "event" not in tables.names:
        content.append(
            element(
                "p",
                "None: no unit tripped, no message was lost, no policy took effect (no table event).",
                class_="absent",
            )
        )
        return element("section", *content, id="events")
    events = load(tables.run_dir, "event").slice(0, EVENTS_MOST).to_pylist()
    rows = [
        (clock_text(tables, row["t_s"]).replace("T", " "), str(row["id"]), row["what"],
         headline.number(row["value"]))
        for row in events
    ]  # fmt: skip
    listed = table(("local standard time", "concerns", "what", "value"), rows, numbers=(3,))
    content.append(element("div", element("p", words, class_="sees"), listed, class_="panel"))
    return element("section", *content, id="events")


def _provenance(run_dir: Path, run: RunManifest) -> Html:
    """Where the figures come from, such that they can be had again."""
    checkout = run.checkout
    code = "installed" if checkout is None else f"{checkout.commit}{', changed' if checkout.dirty else ''}"
    facts = [
        ("run", run.run_id),
        ("started", run.started),
        ("command", " ".join(run.command)),
        ("source tree", code),
        ("machine", f"{run.machine.host}, {run.machine.system}, {run.machine.cpu_count} cores"),
        ("root of randomness", str(run.seed)),
        ("hash of the study", run.config_hash),
    ]
    parts = [
        table(("what", "value"), facts),
        _folded("Versions", ("package", "version"), sorted(run.versions.items())),
        _folded("Seeds", ("LDA/feeder group", "seed"), [(k, str(v)) for k, v in run.seed_ids.items()]),
        _folded("Hashes of inputs", ("input", "SHA-256"), sorted(run.inputs.items())),
    ]
    try:
        done = read_done(run_dir)
    except MissingInputError as error:
        parts.append(element("p", str(error), class_="sees"))
    else:
        seconds = [(phase, f"{wall:.1f} s") for phase, wall in done.wall_s.items()]
        parts += [
            _folded("Duration by phase", ("phase", "wall-clock time"), seconds),
            _folded("Hashes of tables", ("table", "SHA-256"), sorted(done.table_hashes.items())),
        ]
    again = element(
        "p", "The run can be had again from ", element("code", "study.yaml"), " in its folder: equal versions"
        " on the same machine give equal hashes of tables.", class_="sees",
    )  # fmt: skip
    panel = element("div", again, *parts, class_="panel hash")
    return element("section", element("h2", "Provenance"), panel, id="provenance")


def _folded(title: str, heads: tuple[str, ...], rows: list[tuple[str, str]]) -> Html:
    return element("details", element("summary", f"{title} ({len(rows)})"), table(heads, rows))
