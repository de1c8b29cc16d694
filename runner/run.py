"""One run from study to results: checked, written down, supervised, hashed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from federates.core.errors import ConfigError, TandemError
from federates.core.exit_codes import ExitCode, exit_code_of
from federates.core.forward import FILE, ForwardPlan
from federates.core.hostspec import TransportName
from federates.core.run_folder import RunFolder
from federates.core.settings import Study
from federates.core.time import Span
from runner.check import check
from runner.forward import Kept, kept_plan, provide_plan
from runner.manifest import (
    Done,
    RunManifest,
    ScenarioRecord,
    State,
    Status,
    manifest,
    new_run_dir,
    read_run,
    write_done,
    write_run,
    write_status,
    write_study,
)
from runner.plan import make_plan
from runner.post.hashes import table_hashes
from runner.progress import Display
from runner.reporting import draw_report
from runner.scenario import scenario_hash
from runner.study import LoadedStudy
from runner.supervise import OnProgress, Outcome, Progress, resume, supervise

STATUS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    run_dir: Path
    """Folder of the run."""
    status: str
    """``done``, ``failed`` or ``interrupted``."""
    exit_reason: str
    """What, where, what to do; ``done`` where all went well."""
    code: ExitCode
    """Exit code."""
    table_hashes: Mapping[str, str]
    """SHA-256 by table; empty where the run does not count."""
    wall_s: Mapping[str, float]
    """Time of the machine by phase. [s]"""
    remarks: tuple[str, ...] = ()
    """What a reader must know."""
    warning: str = ""
    """Why there is no report; empty where there is one or none was asked for."""


class _Stopwatch:
    """Time of the machine by phase."""

    def __init__(self) -> None:
        self.wall_s: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.wall_s[name] = time.monotonic() - begun


class _Bulletin:
    """Passes progress on to the display and, every other second, to ``status.json``."""

    def __init__(self, run_dir: Path, run: RunManifest, spans: Sequence[Span], shown: Display) -> None:
        self._run_dir = run_dir
        self._run = run
        self._spans = spans
        self.shown = shown
        """Where progress is shown."""
        self._next_s = 0.0
        self._study_s = 0

    def __call__(self, progress: Progress) -> None:
        """Take note of how the run stands."""
        self.shown.show(progress)
        self._study_s = progress.study_s
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + STATUS_EVERY_S
            self.write("running")

    def write(self, state: State, reason: str = "") -> None:
        """Replace ``status.json``."""
        clock = self._run.clock
        write_status(
            self._run_dir,
            Status(
                state=state,
                study_s=clock.duration_s if state == "finished" else self._study_s,
                duration_s=clock.duration_s,
                span=sum(span.begin_s < self._study_s for span in self._spans[1:]),
                updated=datetime.now(UTC).isoformat(),
                reason=reason,
            ),
        )


def start_run(
    path: Path,
    sets: Sequence[str],
    *,
    transport: TransportName,
    results: Path,
    shown: Display,
    report: bool = False,
    fresh_plan: bool = False,
) -> RunEnd:
    """Run a study from its start, in a new folder below ``results``.

    Parameters
    ----------
    path
        File of the study.
    sets
        Options that change it.
    transport
        On what the federation runs.
    results
        Folder of results; forward plans are kept there as well.
    shown
        Where progress goes.
    report
        Whether the report is drawn at the end.
    fresh_plan
        Whether the forward plan is made even where one is kept.

    Raises
    ------
    StudyError
        If anything is wrong with the study; nothing was started or written.
    """
    watch = _Stopwatch()
    with watch.phase("check"):
        checked = check(path, sets, transport=transport)
    loaded = checked.loaded
    started = datetime.now(UTC)
    run_dir = new_run_dir(results, loaded.study.name, started, loaded.config_hash)
    kept = kept_plan(loaded, results, fresh=fresh_plan)
    run = manifest(loaded, run_dir, started, sys.argv, _scenario(loaded, kept))
    write_run(run_dir, run)
    write_study(run_dir, loaded)
    bulletin = _Bulletin(run_dir, run, checked.plan.spans, shown)
    bulletin.write("starting")
    with watch.phase("forward"):
        try:
            remark = provide_plan(loaded, run_dir, kept)
        except TandemError as error:
            return _broken_off(run_dir, bulletin, f"the forward plan: {error}", exit_code_of(error))
        except KeyboardInterrupt:
            return _broken_off(run_dir, bulletin, "interrupted", ExitCode.INTERRUPTED)
    study = loaded.study

    def go_on(on_progress: OnProgress) -> Outcome:
        return supervise(study, run_dir, transport=transport, on_progress=on_progress)

    remarks = (remark,) if remark else ()
    return _carried_out(go_on, run_dir, bulletin, watch, report=report, remarks=remarks)


def resume_run(run_dir: Path, *, transport: TransportName, shown: Display, report: bool = False) -> RunEnd:
    """Go on with a broken run from its last market-day boundary, in its own folder.

    Raises
    ------
    ConfigError
        If the folder holds no run, or one that is finished.
    MissingInputError
        If what the run wrote down at its start is not there.
    """
    run = read_run(run_dir)
    if (run_dir / "done.json").exists():
        raise ConfigError(f"{run_dir} is finished; there is nothing to resume")

    folder = RunFolder(run_dir)
    if not folder.study.exists():
        raise ConfigError(
            f"{run_dir} broke off before its federation began; run {run_dir / 'study.yaml'} anew"
        )
    spans = make_plan(Study.model_validate_json(folder.study.read_bytes()), transport).spans

    def go_on(on_progress: OnProgress) -> Outcome:
        return resume(run_dir, transport=transport, on_progress=on_progress)

    bulletin = _Bulletin(run_dir, run, spans, shown)
    return _carried_out(go_on, run_dir, bulletin, _Stopwatch(), report=report)


def _broken_off(run_dir: Path, bulletin: _Bulletin, reason: str, code: ExitCode) -> RunEnd:
    """End of a run whose federation never started."""
    bulletin.write("failed", reason)
    status = "interrupted" if code is ExitCode.INTERRUPTED else "failed"
    return RunEnd(run_dir=run_dir, status=status, exit_reason=reason, code=code, table_hashes={}, wall_s={})


def _carried_out(
    go_on: Callable[[OnProgress], Outcome],
    run_dir: Path,
    bulletin: _Bulletin,
    watch: _Stopwatch,
    *,
    report: bool,
    remarks: tuple[str, ...] = (),
) -> RunEnd:
    with watch.phase("run"), bulletin.shown:
        outcome = go_on(bulletin)
    hashes: dict[str, str] = {}
    warning = ""
    if outcome.status == "done":
        with watch.phase("hash"):
            hashes = table_hashes(run_dir)
        remarks = (*remarks, *_remarks(run_dir))
        bulletin.write("finished")
        ended = datetime.now(UTC).isoformat()
        done = Done(ended=ended, table_hashes=hashes, wall_s=watch.wall_s, remarks=remarks)
        write_done(run_dir, done)
        if report:
            with watch.phase("report"):
                warning = draw_report(run_dir)
    else:
        bulletin.write("failed", outcome.exit_reason)
    return RunEnd(
        run_dir=run_dir,
        status=outcome.status,
        exit_reason=outcome.exit_reason,
        code=outcome.exit_code,
        table_hashes=hashes,
        wall_s=watch.wall_s,
        remarks=remarks,
        warning=warning,
    )


def _scenario(loaded: LoadedStudy, kept: Kept) -> ScenarioRecord:
    return ScenarioRecord(
        scenario_hash=scenario_hash(loaded), plan_hash=kept.plan_hash, plan_reused=kept.files is not None
    )


def _remarks(run_dir: Path) -> tuple[str, ...]:
    if ForwardPlan.read(run_dir / FILE).is_time_limited.any():
        return ("time_limited: the clock ended a search for a commitment; a second run may differ",)
    return ()
