"""Models of one study run side by side, each by a child `tandem run`, and compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from federates.core.errors import ConfigError, MissingInputError, ModelError
from federates.core.hostspec import TransportName
from runner.check import check, planned
from runner.entrants import Entrant, entrants, every_model
from runner.forward import kept_plan, provide_plan
from runner.manifest import machine, new_run_dir, read_run, read_status
from runner.progress import Board
from runner.scenario import scenario_hash
from runner.study import LoadedStudy, load_study
from runner.tool import child_environment

POLL_S = 0.5
PATIENCE_S = 20.0
"""How long children that are asked to leave may take. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison that was written."""

    folder: Path
    """Where its files are."""
    fields: Mapping[str, object]
    """What came of it, for programs."""
    summary: str
    """Key figures and verdicts, for a terminal."""


@dataclass(slots=True)
class _Child:
    """One run in a process of its own."""

    entrant: Entrant
    process: subprocess.Popen[bytes]
    answer: IO[bytes]
    log: IO[bytes]
    run_dir: Path | None = None
    share: float = 0.0


@dataclass(slots=True)
class Race:
    """Runs that wait, go on and are over."""

    waiting: list[Entrant]
    running: list[_Child] = field(default_factory=list)
    run_dirs: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def told(self) -> str:
        """What failed, and what can be done with the rest."""
        lines = [f"{code}: {reason}" for code, reason in self.failures.items()]
        if len(self.run_dirs) > 1:
            rest = " ".join(str(path) for path in self.run_dirs.values())
            lines.append(f"the others are whole: tandem compare {rest}")
        return "; ".join(lines)


def compare_study(
    study: Path,
    sets: Sequence[str],
    named: Sequence[str],
    *,
    transport: TransportName,
    results: Path,
    fresh_plan: bool,
    board: Board,
) -> Compared:
    """Run models of a study, as many at once as there are cores for, and compare them.

    Parameters
    ----------
    study, sets
        File of the study, and what is put into it for all models.
    named
        Models to run, as ``entrants`` takes them; empty: those that the study names, else all.
    transport, results, fresh_plan, board
        How they run, where their folders go, whether a kept forward plan is passed over, who is told.

    Raises
    ------
    TandemError
        If the study is at fault, the models differ in more than their own settings, or a run failed: the
        others go on to their end, and can be compared by their folders.
    """
    chosen = entrants(named or load_study(study, sets).study.compare or every_model())
    if len(chosen) < 2:
        raise ConfigError("a comparison needs two models at least; name them: --models M0,M5")
    loaded = check(study, [*sets, *chosen[0].sets], transport=transport).loaded
    for entrant in chosen[1:]:
        other = load_study(study, [*sets, *entrant.sets])
        planned(other, transport)
        if scenario_hash(other) != scenario_hash(loaded):
            raise ConfigError(f"{entrant.code}: {' '.join(entrant.sets)} changes the scenario")
    board.say("committing units and forecasting first prices, once for all models")
    kept = kept_plan(loaded, results, fresh=fresh_plan)
    with tempfile.TemporaryDirectory(prefix="tandem-") as scratch:
        remark = "" if kept.files is not None else provide_plan(loaded, Path(scratch), kept)
    if remark:
        board.say(remark)
    name = loaded.study.name
    folder = new_run_dir(results / name, "compare", datetime.now(UTC), scenario_hash(loaded))
    race = Race(waiting=list(chosen))
    alone = sharing(loaded, machine().cpu_count, len(chosen)) if transport == "helics" else ()
    with _children(race):
        _go(race, study, (*sets, *alone), transport=transport, results=results, study_name=name, board=board)
    if race.failures:
        raise ModelError(race.told())
    return compare_folders([race.run_dirs[entrant.code] for entrant in chosen], folder)


def compare_folders(run_dirs: Sequence[Path], folder: Path | None = None) -> Compared:
    """Compare runs by their folders.

    Where one sees everything, its market days are cleared again with the DERs idle, to tell the value of
    their flexibility.

    Parameters
    ----------
    run_dirs
        Folders of the runs.
    folder
        Where to write; None: beside the first run.

    Raises
    ------
    ConfigError
        If the runs do not compare.
    MissingInputError
        If a folder holds no run.
    """
    from runner.idle import idle_days
    from runner.post.compare.comparison import comparable
    from runner.post.compare.write import write_comparison

    runs = comparable(run_dirs)
    if folder is None:
        first = run_dirs[0].resolve()
        digest = read_run(first).scenario.scenario_hash
        folder = new_run_dir(first.parent, "compare", datetime.now(UTC), digest)
    fields, summary = write_comparison(run_dirs, folder, idle_days(runs, folder))
    return Compared(folder=folder, fields=fields, summary=summary)


def _go(
    race: Race,
    study: Path,
    sets: Sequence[str],
    *,
    transport: TransportName,
    results: Path,
    study_name: str,
    board: Board,
) -> None:
    """Start runs as cores come free, until all are over.

    One a core: within a run ISO, transmission and LDAs wait for each other. Those named last go first, for
    models stand in the order of what they compute, and a long run that begins last is one that all wait for.
    """
    begun = datetime.now(UTC)
    while race.waiting or race.running:
        while race.waiting and len(race.running) < machine().cpu_count:
            entrant = race.waiting.pop()
            race.running.append(_started(entrant, study, sets, transport, results))
        time.sleep(POLL_S)
        for child in list(race.running):
            _look(child, results / study_name, begun)
            if child.process.poll() is not None:
                race.running.remove(child)
                _note(race, child)
        shares = {child.entrant.code: child.share for child in race.running}
        over = dict.fromkeys((*race.run_dirs, *race.failures), 1.0)
        board.show({**over, **shares, **{e.code: 0.0 for e in race.waiting}})


def sharing(loaded: LoadedStudy, cores: int, runs: int) -> tuple[str, ...]:
    """Options by which runs side by side share cores, where the study leaves the number of processes open."""
    if loaded.study.federation.hosts != "auto":
        return ()
    return (f"federation.hosts={max(cores // min(cores, runs), 1)}",)


def _started(
    entrant: Entrant, study: Path, sets: Sequence[str], transport: TransportName, results: Path
) -> _Child:
    command = [sys.executable, "-m", "runner.followed", "run", str(study)]
    command += [part for option in (*sets, *entrant.sets) for part in ("--set", option)]
    command += ["--transport", transport, "--out", str(results), "--no-progress", "--no-report", "--json"]
    answer, log = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_note`
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=answer, stderr=log, env=child_environment(),
        start_new_session=True,
    )  # fmt: skip
    return _Child(entrant=entrant, process=process, answer=answer, log=log)


def _look(child: _Child, folder: Path, begun: datetime) -> None:
    """Take note of how far a run has come."""
    if child.run_dir is None:
        child.run_dir = folder_of(child.process.pid, folder, begun)
    if child.run_dir is None:
        return
    try:
        status = read_status(child.run_dir)
    except MissingInputError:
        return
    child.share = min(max(status.study_s / status.duration_s, 0.0), 1.0)


def folder_of(process_id: int, folder: Path, begun: datetime) -> Path | None:
    """Folder in which a process writes its run, begun since; None: not yet.

    Folders that cannot be read are not of this comparison: older versions wrote them, or they are damaged.
    """
    for path in folder.glob("*/run.json"):
        try:
            run = read_run(path.parent)
        except (MissingInputError, OSError):
            continue
        if run.process_id == process_id and datetime.fromisoformat(run.started) >= begun:
            return path.parent
    return None


def _note(race: Race, child: _Child) -> None:
    """How a run ended."""
    child.answer.seek(0)
    child.log.seek(0)
    code = child.entrant.code
    try:
        end = json.loads(child.answer.read().splitlines()[-1])
        if end["status"] == "done":
            race.run_dirs[code] = Path(end["run_dir"])
        else:
            race.failures[code] = str(end["exit_reason"])
    except (ValueError, IndexError, KeyError):
        tail = child.log.read().decode(errors="replace").strip().splitlines()[-3:]
        race.failures[code] = f"ended with code {child.process.returncode}: {' | '.join(tail)}"
    finally:
        _let_go(child)


def _let_go(child: _Child) -> None:
    for stream in (child.process.stdin, child.answer, child.log):
        if stream is not None:
            stream.close()


@contextmanager
def _children(race: Race) -> Iterator[None]:
    """Whatever happens, no child outlives us."""
    try:
        yield
    finally:
        for child in race.running:
            if child.process.poll() is None:
                os.kill(child.process.pid, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE_S
        for child in race.running:
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            _let_go(child)
