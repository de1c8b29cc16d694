"""The command ``tandem``: the only file that prints.

Nothing heavier than click is imported before a command needs it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, cast

import click

from federates.core.errors import MissingInputError, TandemError
from federates.core.exit_codes import ExitCode, exit_code_of

if TYPE_CHECKING:
    from datetime import datetime

    from runner.check import Checked
    from runner.compare import Compared
    from runner.faults import StudyError
    from runner.run import RunEnd

EXIT_CODES = """\b
Exit codes:
    0  done
    1  a fault of Tandem itself; please report it
    2  the command was not understood
    3  the study, case or date cannot be used as given; every fault was named
    4  a federate died; the message names it
    5  a power flow, the T-D fixed point or a market was not solved
    7  no port, disk or memory was left
  130  interrupted"""

STUDY = click.Path(path_type=Path)
_WHOLE_FROM = 1_000
"""Figures from here on are shown without decimals."""
FOLDER = click.Path(file_okay=False, path_type=Path)
FEEDER_KEYS = (
    *("n_nodes", "n_loads", "n_regulators", "load_kw", "loss_kw", "v_min_pu", "v_max_pu"),
    *("max_loading_pct", "map_error_pu", "n_uncovered_nodes"),
)
"""Figures of a feeder in the order in which they are shown."""
CLEAR_KEYS = (
    *("objective_usd_per_h", "lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh"),
    *("loss_usd_per_mwh", "dispatch_mw", "binding", "loss_mw", "unserved_mw", "surplus_mw", "overload_mw"),
    "penalty_priced",
)
COMMIT_KEYS = (
    *("date", "cpu_s", "objective_usd", "bound_usd", "gap_pct", "nodes_count", "time_limited", "pricing_run"),
    *("lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh", "commitment"),
    *("dispatch_mw", "reserve_mw", "reserve_usd_per_mw_h", "binding", "loss_mw", "penalty_priced"),
    *("unserved_mwh", "surplus_mwh", "overload_mwh", "reserve_short_mwh"),
)
sets_option = click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="Put a value into the study, such as ldas.0.bus='118' or horizon.duration='2 h'. Repeatable.",
)
fresh_plan_option = click.option(
    "--fresh-plan", is_flag=True,
    help="Commit units anew, also where DIR/.forward keeps the plan of an earlier run of this scenario.",
)  # fmt: skip
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print exactly one JSON object on standard output."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command ends with."""

    text: str = ""
    """For people, on standard output."""
    complaint: str = ""
    """For people, on standard error."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """For programs: keys of the one JSON object."""
    code: ExitCode = ExitCode.DONE


class _Manual(click.Command):
    r"""Command whose docstring is raw: ``\b`` alone on a line keeps the paragraph after it as it is."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring, its marks in click's own form."""
        self.help = (self.help or "").replace("\\b\n", "\b\n")
        super().format_help_text(ctx, formatter)


class _ManualGroup(_Manual, click.Group):
    """Group of such commands."""

    command_class = _Manual


@click.group(
    cls=_ManualGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, help="Show the version and exit.",
    callback=lambda context, _, wanted: _show_version(context, wanted),
)  # fmt: skip
def tandem() -> None:
    r"""Transmission, distribution and market in one simulation.

    A study (one YAML file) names a transmission grid, the Local Distribution Areas below it, their feeders
    and distributed resources, and how all of them are coordinated. Tandem runs it as a federation of
    processes on HELICS and writes tables that say what each way of coordination costs and what it does to
    the grid.

    \b
    Begin with:
        tandem doctor                          do the engines work here?
        tandem init my_study --template tiny   a folder with a study to edit
        tandem check my_study/studies/tiny.yaml
        tandem run my_study/studies/tiny.yaml

    \b
    Several models on one scenario:
        tandem compare my_study/studies/tiny.yaml

    \b
    The market alone:
        tandem clear pjm5                      a case of your own, cleared once
        tandem commit 2020-07-25               a day of RTS-GMLC, units committed a day ahead
    """


@tandem.command(epilog=EXIT_CODES)
@click.argument("study", type=STUDY, required=False)
@sets_option
@click.option(
    "--transport",
    type=click.Choice(["helics", "loopback"]),
    default="helics",
    show_default=True,
    help="helics: federates in processes of their own. loopback: all in one process, same numbers.",
)
@click.option(
    "--out", type=FOLDER, default=Path("results"), show_default=True,
    help="Folder for results; a run writes to DIR/STUDY-NAME/RUN-ID/.",
)  # fmt: skip
@click.option(
    "--resume", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN_DIR",
    help="Go on with a broken run from its last market-day boundary; STUDY is then not needed.",
)  # fmt: skip
@fresh_plan_option
@click.option("--no-progress", is_flag=True, help="Show nothing while the run goes on.")
@click.option("--no-report", is_flag=True, help="Do not draw the run's report.html, some 5 MB, at its end.")
@json_option
def run(
    study: Path | None,
    sets: tuple[str, ...],
    transport: Literal["helics", "loopback"],
    out: Path,
    resume: Path | None,
    fresh_plan: bool,
    no_progress: bool,
    no_report: bool,
    as_json: bool,
) -> None:
    r"""Run STUDY to its end and say where the results are.

    The study is checked first, as `tandem check` does; nothing starts while anything is wrong with it. Then
    units are committed and first prices forecast, once for all coordination models of a scenario:
    DIR/.forward keeps the plan for the next run.
    Progress goes to standard error: a live table on a terminal, one line a second elsewhere.

    \b
    Examples:
        tandem run configs/studies/tiny.yaml
        tandem run configs/studies/rts_day.yaml --set horizon.duration='2 h' --transport loopback
        tandem run my.yaml --set coordination=uncoordinated --out /data/runs --json
        tandem run --resume results/tiny/20260101T000000Z-1a2b3c4d
    """
    if (study is None) == (resume is None):
        raise click.UsageError("give either STUDY or --resume RUN_DIR")
    if resume is not None and sets:
        raise click.UsageError("--set changes a study; a run that is resumed has its own")

    def work() -> Answer:
        from runner.progress import display
        from runner.run import resume_run, start_run

        shown, report = display(silent=no_progress or as_json), not no_report
        if resume is not None:
            return _run_answer(resume_run(resume, transport=transport, shown=shown, report=report))
        assert study is not None
        end = start_run(
            study, sets, transport=transport, results=out, shown=shown, report=report, fresh_plan=fresh_plan
        )
        return _run_answer(end)

    blank: dict[str, object] = {
        "run_dir": None,
        "status": "",
        "exit_reason": "",
        "table_hashes": {},
        "wall_s": {},
    }
    _conclude(work, as_json=as_json, blank=blank)


@tandem.command(epilog=EXIT_CODES)
@click.argument("run_dir", metavar="RUN", type=FOLDER)
@json_option
def report(run_dir: Path, as_json: bool) -> None:
    r"""Draw RUN, the folder of a run, as one HTML page: RUN/report.html.

    The page opens from its file, without a network, and fetches nothing. A run that goes on or broke off is
    drawn as far as it came.

    \b
    Example:
        tandem report results/tiny/20260101T000000Z-1a2b3c4d
    """

    def work() -> Answer:
        from runner.post.report import write_report

        path = write_report(run_dir)
        fields = {"status": "done", "report": str(path), "size_bytes": path.stat().st_size}
        return Answer(text=f"written: {path}", fields=fields)

    _conclude(work, as_json=as_json, blank={"status": "", "exit_reason": "", "report": None})


@tandem.command(epilog=EXIT_CODES)
@click.argument("what", metavar="STUDY | RUN RUN...", type=STUDY, nargs=-1, required=True)
@click.option(
    "--models", metavar="M0,M1,...",
    help="Models to run, by code or key; default: those that STUDY names under `compare`, else all. "
    "M5/fixed_quantity or M5/interval_curve:8 names a bid, M5@3 three day-ahead rounds.",
)  # fmt: skip
@sets_option
@click.option(
    "--transport", type=click.Choice(["loopback", "helics"]), default="loopback", show_default=True,
    help="loopback: each run in one process; same numbers as helics.",
)  # fmt: skip
@click.option(
    "--out", type=FOLDER, default=None,
    help="STUDY: folder for results, default results; RUNs: folder for the comparison, default beside them.",
)  # fmt: skip
@fresh_plan_option
@click.option("--no-progress", is_flag=True, help="Show nothing while runs go on.")
@json_option
def compare(
    what: tuple[Path, ...],
    models: str | None,
    sets: tuple[str, ...],
    transport: Literal["loopback", "helics"],
    out: Path | None,
    fresh_plan: bool,
    no_progress: bool,
    as_json: bool,
) -> None:
    r"""Run STUDY under several coordination models and say what each cost, broke, paid and communicated.

    As many models run at once as there are cores for, all from one commitment; or runs that are there are
    compared by their folders. Written to DIR/STUDY-NAME/compare/ID/: compare.html, one page that opens from
    its file (settings that differ, key figures, verdicts, the same figures of every model and as
    differences); compare.md; compare.csv and compare.json, every metric; verdicts.json, computed statements
    with figure and threshold. Differences are from M4, else from the first model. A run that breaks feeder
    limits has a cost and no place by cost.

    \b
    Examples:
        tandem compare configs/studies/tiny.yaml --models M0,M1,M5
        tandem compare my.yaml --models M4,M5,M5/fixed_quantity --out /data/runs
        tandem compare results/tiny/RUN-ID results/tiny/OTHER-RUN-ID --json

    \b
    Keys with --json, besides status and exit_reason:
        out_dir, reference, scenario_hash, runs {model: folder}
        models {model: {metric: figure}}          null where there is none; units end the metrics' names
        flexibility_value_usd                     of whole market days, and flexibility_value_in_study_usd
        idle_days                                 folder of the market days cleared with DERs idle
        resolution_usd                            costs closer than this are not told apart
        ranking [{code, cost_usd, place, why}]
        verdicts {key: {statement, result, value, threshold, unit, why}}
    """
    folders = all(path.is_dir() for path in what)
    if not folders and len(what) > 1:
        raise click.UsageError("give one STUDY, or the folders of two runs or more")
    if folders and (models or sets or fresh_plan):
        raise click.UsageError("--models, --set and --fresh-plan are for a STUDY; runs are what they are")

    def work() -> Answer:
        from runner.compare import compare_folders, compare_study
        from runner.progress import Board

        if folders:
            return _compare_answer(compare_folders(what, out))
        found = compare_study(
            what[0], sets, _listed(models), transport=transport, results=out or Path("results"),
            fresh_plan=fresh_plan, board=Board(silent=no_progress or as_json),
        )  # fmt: skip
        return _compare_answer(found)

    blank: dict[str, object] = {
        "status": "",
        "exit_reason": "",
        "out_dir": None,
        "models": {},
        "flexibility_value_usd": None,
        "verdicts": {},
    }
    _conclude(work, as_json=as_json, blank=blank)


@tandem.command(epilog=EXIT_CODES)
@click.argument("study", type=STUDY)
@sets_option
@click.option("--quick", is_flag=True, help="Leave out what only data and engines can tell; takes 0.3 s.")
@json_option
def check(study: Path, sets: tuple[str, ...], quick: bool, as_json: bool) -> None:
    r"""Name everything that is wrong with STUDY, each with file, line and column.

    Looked at: YAML and every key; rules between keys; the wiring of the federation; and, by the engines
    themselves in a child process, whether buses, units, feeders and series are there.

    \b
    Examples:
        tandem check configs/studies/tiny.yaml
        tandem check my.yaml --set ldas.1.bus=C
        tandem check my.yaml --json
    """

    def work() -> Answer:
        from runner.check import check as checked

        return _check_answer(checked(study, sets, deep=not quick))

    blank = {"status": "", "exit_reason": "", "faults": [], "federates": [], "wires_count": 0, "counts": {}}
    _conclude(work, as_json=as_json, blank=blank)


@tandem.command(epilog=EXIT_CODES)
@click.argument("folder", type=FOLDER)
@click.option(
    "--template", default="tiny", show_default=True, metavar="NAME", help="Shipped study to begin with."
)
def init(folder: Path, template: str) -> None:
    r"""Write a study to begin with into FOLDER.

    FOLDER gets the study, the feeders that it names, the JSON Schema by which an editor checks it while you
    type, and a README. Nothing is overwritten.

    \b
    Examples:
        tandem init my_study
        tandem init my_day --template rts_day
    """

    def work() -> Answer:
        from runner.init import start_folder

        written = start_folder(folder, template)
        listed = "\n".join(f"  {path}" for path in written)
        return Answer(text=f"written:\n{listed}\nnext: tandem run {written[0]}")

    _conclude(work)


@tandem.command(epilog=EXIT_CODES)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else standard output."
)
@click.option("--markdown", is_flag=True, help="A table of every key instead of JSON Schema.")
@click.option("--overlay", is_flag=True, help="The form of a file to be included: no key is required.")
def schema(out: Path | None, markdown: bool, overlay: bool) -> None:
    r"""Give the form of a study as JSON Schema, for editors and other programs.

    \b
    Examples:
        tandem schema --out study.schema.json
        tandem schema --markdown | less
    """

    def work() -> Answer:
        from runner.schema import reference, schema_text

        text = reference() if markdown else schema_text(overlay=overlay)
        if out is None:
            return Answer(text=text.rstrip("\n"))
        out.write_text(text, encoding="utf-8")
        return Answer(text=f"written: {out}")

    _conclude(work)


@tandem.command(epilog=EXIT_CODES)
@json_option
def doctor(as_json: bool) -> None:
    r"""Try every engine and data set that Tandem needs, on this machine.

    \b
    Example:
        tandem doctor
    """

    def work() -> Answer:
        from runner.doctor import probe_engines

        probes = probe_engines()
        well = all(probe.ok for probe in probes)
        lines = [
            f"{'ok  ' if p.ok else 'FAIL'}  {p.engine:<14} {p.version:<10} {p.found}".rstrip() for p in probes
        ]
        engines = [{"engine": p.engine, "version": p.version, "ok": p.ok, "found": p.found} for p in probes]
        return Answer(
            text="\n".join(lines),
            complaint=""
            if well
            else "an engine does not work here; reinstall tandem-grid, or see its message above",
            fields={"status": "ok" if well else "failed", "engines": engines},
            code=ExitCode.DONE if well else ExitCode.NOT_SOLVED,
        )

    _conclude(work, as_json=as_json, blank={"status": "", "exit_reason": "", "engines": []})


@tandem.command(epilog=EXIT_CODES)
@click.argument("master", type=STUDY)
@json_option
def feeder(master: Path, as_json: bool) -> None:
    r"""Screen an OpenDSS MASTER file, solve it and say what it holds.

    Only what a circuit needs is passed to OpenDSS; every other line is refused with its place and a reason.
    Regulators act until they settle. The linear map's error is the greatest one of its voltages when a tenth
    of every load goes; the study's market rests on that map.

    \b
    Examples:
        tandem feeder my_feeder/master.dss
        tandem feeder my_feeder/master.dss --json
    """

    def work() -> Answer:
        from runner.tool import call_tool

        found = call_tool("feeder", {"path": str(master)})
        lines = [f"{_number(found[key]):>14}  {key}" for key in FEEDER_KEYS]
        fault = f"no linear map: {found['map_fault']}" if found["map_fault"] else ""
        return Answer(text="\n".join(lines), complaint=fault, fields=found)

    blank = {"status": "", "exit_reason": "", **dict.fromkeys(FEEDER_KEYS)}
    _conclude(work, as_json=as_json, blank=blank)


@tandem.command(epilog=EXIT_CODES)
@click.argument("case", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--blocks", type=click.IntRange(1, 10_000), default=100, show_default=True,
    help="Equal blocks into which a quadratic or higher cost is cut, exact at their ends.",
)  # fmt: skip
@click.option(
    "--hard-limits", is_flag=True,
    help="Keep ratings and serve all load at any cost that a dispatch can bring, and cap no price.",
)  # fmt: skip
@click.option("--losses", is_flag=True, help="Draw the losses of the flows too, and price them.")
@json_option
def clear(case: Path, blocks: int, hard_limits: bool, losses: bool, as_json: bool) -> None:
    r"""Clear CASE once as a market: what every unit gives and what a MWh costs at every bus.

    CASE is a MATPOWER case (.m), a network saved with pandapower.to_json (.json), or the name of a shipped
    case (pjm5). Every unit in service is on and offers its cost between its limits; loads are fixed; flows
    are direct current, lossless unless asked otherwise. A price is what the next MW costs at its bus: energy
    (the load-weighted mean) + congestion + loss. A line's shadow price is what one more MW of its rating
    would save in an hour. Where keeping a rating or serving load costs more than the market's penalties, it
    gives way, with a warning.

    \b
    Examples:
        tandem clear pjm5
        tandem clear my_grid.m --losses --hard-limits
        tandem clear my_grid.json --json

    \b
    Keys with --json, besides status and exit_reason:
        objective_usd_per_h                       cost of the dispatch
        lmp_usd_per_mwh {bus: price}              energy_, congestion_ and loss_usd_per_mwh add up to it
        dispatch_mw {unit: output}                negative: drawn
        binding {line: shadow price}
        loss_mw, unserved_mw, surplus_mw, overload_mw, penalty_priced
    """

    def work() -> Answer:
        from runner.market_tables import cleared_text, shortfalls
        from runner.shipped import located_case
        from runner.tool import call_tool

        arguments = {"path": str(located_case(case)), "blocks": blocks, "hard_limits": hard_limits}
        found = call_tool("clear", {**arguments, "losses": losses})
        answer = cast("dict[str, object]", found["answer"])
        return Answer(text=cleared_text(found), complaint=shortfalls(answer), fields=answer)

    _conclude(work, as_json=as_json, blank={"status": "", "exit_reason": "", **dict.fromkeys(CLEAR_KEYS)})


@tandem.command(epilog=EXIT_CODES)
@click.argument("day", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]))
@click.option(
    "--gap", "gap_pct", type=click.FloatRange(0.0, 100.0), default=0.5, show_default=True, metavar="PERCENT",
    help="The search ends once the cost is proven to be within this of the least.",
)  # fmt: skip
@click.option(
    "--pricing", type=click.Choice(["fixed", "relaxed"]), default="fixed", show_default=True,
    help="Pricing run: commitment fixed, or relaxed between 0 and 1, so that starts are in the prices.",
)  # fmt: skip
@json_option
def commit(day: datetime, gap_pct: float, pricing: str, as_json: bool) -> None:
    r"""Commit the units of RTS-GMLC for DATE, a day of 2020, a day ahead and with its network.

    Energy is cleared with four nested reserves at the data's requirements and the losses of the flows. The
    state before the day is that of the relaxed day itself. Shown are the cost, the gap that the search
    certifies, each unit hour by hour, and the prices of the pricing run that is asked for.

    \b
    Examples:
        tandem commit 2020-07-25
        tandem commit 2020-03-27 --gap 0.1
        tandem commit 2020-09-14 --pricing relaxed --json

    \b
    Keys with --json, besides status and exit_reason; lists run over the 24 hours:
        date, cpu_s, objective_usd, bound_usd, gap_pct, nodes_count, time_limited, pricing_run
        lmp_usd_per_mwh {bus: [price]}            and energy_, congestion_, loss_usd_per_mwh
        commitment {unit: [0 or 1]}, dispatch_mw {unit: [output]}
        reserve_mw {product: {unit: [award]}}     reserve_usd_per_mw_h {product: [greatest price]}
        binding {line: [shadow price]}, loss_mw [], penalty_priced []
        unserved_mwh, surplus_mwh, overload_mwh, reserve_short_mwh
    """

    def work() -> Answer:
        from runner.market_tables import committed_text, shortfalls
        from runner.tool import call_tool

        arguments = {"date": day.date().isoformat(), "gap": gap_pct / 100.0, "pricing": pricing}
        found = call_tool("commit", arguments)
        answer = cast("dict[str, object]", found["answer"])
        return Answer(text=committed_text(found), complaint=shortfalls(answer), fields=answer)

    _conclude(work, as_json=as_json, blank={"status": "", "exit_reason": "", **dict.fromkeys(COMMIT_KEYS)})


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "-"


def _show_version(context: click.Context, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("tandem-grid")
        except PackageNotFoundError:
            number = "(a checkout that is not installed)"
        click.echo(f"tandem {number}")
        context.exit()


def _run_answer(end: RunEnd) -> Answer:
    fields = {
        "run_dir": str(end.run_dir),
        "status": end.status,
        "exit_reason": end.exit_reason,
        "table_hashes": dict(end.table_hashes),
        "wall_s": {phase: round(seconds, 3) for phase, seconds in end.wall_s.items()},
    }
    if end.code is not ExitCode.DONE:
        complaint = f"error: {end.exit_reason}\nwhat was written so far: {end.run_dir}"
        return Answer(complaint=complaint, fields=fields, code=end.code)
    complaint = f"warning: {end.warning}" if end.warning else ""
    return Answer(text=_run_text(end), complaint=complaint, fields=fields)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _compare_answer(found: Compared) -> Answer:
    fields = {"status": "done", "exit_reason": "done", "out_dir": str(found.folder), **found.fields}
    return Answer(text=f"{found.summary}\n\ncompared: {found.folder / 'compare.html'}", fields=fields)


def _run_text(end: RunEnd) -> str:
    from runner.post.run_tables import RunTables
    from runner.post.summary import FIGURES, LDA_FIGURES, summary
    from runner.post.violations.panel import in_one_line
    from runner.post.violations.read import explained_violations

    found, tables = summary(end.run_dir), RunTables(end.run_dir)
    lines = [_line(found.figures[f.key], f.key, f.meaning) for f in FIGURES if f.key in found.figures]
    for lda, own in found.by_lda.items():
        lines += ["", lda]
        lines += [_line(own[f.key], f.key, f.meaning) for f in LDA_FIGURES if f.key in own]
    remarks = [f"note: {remark}" for remark in end.remarks]
    if "feeder" in tables.names:
        remarks.append(f"feeders: {in_one_line(explained_violations(tables))}")
    if "report" in end.wall_s and not end.warning:
        remarks.append(f"report: {end.run_dir / 'report.html'}")
    return "\n".join([*lines, "", *remarks, f"done in {sum(end.wall_s.values()):.1f} s: {end.run_dir}"])


def _line(value: float, key: str, meaning: str) -> str:
    number = f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.4g}"
    return f"{number:>14}  {key:<30} {meaning}"


def _check_answer(checked: Checked) -> Answer:
    study = checked.loaded.study
    plan = checked.plan
    shape = (
        f"{len(checked.federates)} federates, {len(plan.topology.wires)} wires, {len(plan.hosts)} processes, "
        f"{len(plan.spans)} federation(s) in turn of at most {max(plan.instants_count)} instants"
    )
    lines = [
        f"{checked.loaded.file}: nothing wrong",
        f"  {study.name}, {study.coordination}, {study.horizon.duration_s} s from {study.horizon.start}",
        f"  {shape}",
    ]
    if checked.counts:
        lines.append(
            "  " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in checked.counts.items())
        )
    fields = {
        "status": "ok",
        "federates": list(checked.federates),
        "wires_count": len(plan.topology.wires),
        "instants_count": list(plan.instants_count),
        "counts": dict(checked.counts),
        "config_hash": checked.loaded.config_hash,
    }
    return Answer(text="\n".join(lines), fields=fields)


def _conclude(
    work: Callable[[], Answer], *, as_json: bool = False, blank: Mapping[str, object] | None = None
) -> NoReturn:
    """Do a command's work, print what it came to and exit; a user's error is one clear text."""
    answer = _attempted(work)
    if answer.complaint:
        click.echo(answer.complaint, err=True)
    if as_json:
        click.echo(json.dumps({**(blank or {}), **answer.fields}))
    elif answer.text:
        click.echo(answer.text)
    raise click.exceptions.Exit(int(answer.code))


def _attempted(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except KeyboardInterrupt:
        return _failure("interrupted", "interrupted", ExitCode.INTERRUPTED)
    except TandemError as error:
        from runner.faults import StudyError

        if isinstance(error, StudyError):
            return _faults_answer(error)
        # no federate speaks here: what is missing is what the command was given
        code = ExitCode.CONFIG if isinstance(error, MissingInputError) else exit_code_of(error)
        return _failure("config_error" if code is ExitCode.CONFIG else "failed", f"error: {error}", code)
    except (OSError, MemoryError) as error:
        return _failure("failed", f"error: {error or 'out of memory'}", ExitCode.RESOURCES)


def _failure(status: str, reason: str, code: ExitCode) -> Answer:
    return Answer(complaint=reason, fields={"status": status, "exit_reason": reason}, code=code)


def _faults_answer(error: StudyError) -> Answer:
    from dataclasses import asdict

    count = len(error.faults)
    closing = f"{count} fault{'s' if count > 1 else ''}; nothing was started"
    return Answer(
        complaint=f"{error.report()}\n{closing}",
        fields={
            "status": "config_error",
            "exit_reason": str(error),
            "faults": [asdict(fault) for fault in error.faults],
        },
        code=ExitCode.CONFIG,
    )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Entry point of the command."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_code(sys.argv[1:]))


def _code(arguments: list[str]) -> int:
    try:
        code = tandem.main(args=arguments, prog_name="tandem", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if "--json" in arguments:
            click.echo(json.dumps({"status": "usage_error", "exit_reason": error.format_message()}))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # who reads has gone: nothing more can be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNEXPECTED
    except Exception as error:  # noqa: BLE001 - the top of the process
        traceback.print_exc()
        reason = f"a fault of Tandem itself ({type(error).__name__}); please report the lines above"
        click.echo(reason, err=True)
        if "--json" in arguments:
            click.echo(json.dumps({"status": "failed", "exit_reason": reason}))
        return ExitCode.UNEXPECTED
    return int(code or 0)


if __name__ == "__main__":
    main()
