"""Runs of shipped studies: begun, disturbed, broken off, gone on with."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from federates.catalog import build as build_kind
from federates.coordination.catalog import MODELS
from federates.core.context import Context, seatings
from federates.core.forward import FILE
from federates.core.heartbeat import Heartbeat
from federates.core.hostspec import HostSpec, TransportName
from federates.core.ports import PORTS
from federates.core.protocol import Federate, Grant, Handler, Outbox
from federates.core.run_folder import RunFolder
from federates.core.settings import Study, federate_names
from federates.core.time import market_day_spans
from federates.core.wiring import Link, expand
from federates.recording.parquet import ParquetRecorder
from federates.transport.impairment import Impairment, loss_windows
from federates.transport.loopback_host import run_on_loopback
from federates.transport.seating import Workshop
from runner.progress import display
from runner.run import RunEnd, resume_run, start_run
from runner.study import load_study
from runner.supervise import Outcome, supervise
from tests.build import ROOT
from tests.federation.runs import host_processes
from tests.instead import Instead

Runs = Callable[[str], Path]
"""Run folder of a study by the key of a coordination model."""
NOON_OF_SUN = (
    "horizon.start=2020-03-27T12:00:00",
    "horizon.duration=20 min",
    "ldas.0.feeders.0.ders.pv.power=5 MW",
    "ldas.0.feeders.0.load_scale=0.4",
)
"""More sun at noon than the head of lda1/solar1 may export."""
DELAYED_KINDS = tuple((kind, "tests.federation.study_runs") for kind in PORTS)
DELAY = "TANDEM_TEST_DELAY"
DELAY_S = 0.01
"""Greatest delay before an act: more than an act of tiny takes."""
LATE_S = 1.0
"""Greatest delay of a federate's building: more than building takes, so that any order comes about."""
LIMIT_S = 60.0
"""How long a run may take to come to where it is to be killed."""


def run(path: Path, out: Path, *sets: str, transport: TransportName = "loopback") -> RunEnd:
    """A whole run, as `tandem run` does it; it must come to its end."""
    end = start_run(path, sets, transport=transport, results=out, shown=display(silent=True))
    assert end.status == "done", end.exit_reason
    return end


def resumed(run_dir: Path, transport: TransportName) -> RunEnd:
    """The rest of a broken run, as `tandem run --resume` does it; it must come to its end."""
    end = resume_run(run_dir, transport=transport, shown=display(silent=True))
    assert end.status == "done", end.exit_reason
    return end


def study_of(run_dir: Path) -> Study:
    """The study that a run ran."""
    return load_study(run_dir / "study.yaml").study


def shuffled(base: Path, folder: Path, seed: int) -> Path:
    """The study of run ``base`` again on loopback, federates of one instant in another order."""
    folder.mkdir()
    shutil.copy(base / FILE, folder / FILE)
    command = [sys.executable, "-m", "tests.federation.study_runs", str(base), str(folder), str(seed)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


def run_in_this_process(
    study: Study,
    folder: Path,
    build: Callable[[Context], Federate],
    order: random.Random | None = None,
    past: tuple[Link, ...] = (),
) -> None:
    """Run a study on loopback here; a process of one's own gives engines one thread from their import on.

    ``order``: shuffles federates of one instant; ``past``: links beside those of its coordination model.
    """
    names, everyone, run_folder = federate_names(study), seatings(study), RunFolder(folder)
    Heartbeat.create(run_folder.heartbeat("all"), names)
    with Heartbeat(run_folder.heartbeat("all"), names) as heartbeat:
        shop = Workshop(
            folder=run_folder,
            study=study,
            seatings=everyone,
            wires=expand((*MODELS[study.coordination].all_links, *past), everyone),
            build=build,
            open_recorder=lambda name, span: ParquetRecorder(folder, name, span),
            impairment=Impairment(loss_windows(study), study.seed),
            heartbeat=heartbeat,
        )
        run_on_loopback(shop, names, market_day_spans(study.clock), order)


def delayed(base: Path, folder: Path, transport: TransportName, seed: int) -> Outcome:
    """The study of run ``base`` again, with random delays in starting and acting."""
    folder.mkdir()
    shutil.copy(base / FILE, folder / FILE)
    before = os.environ.get(DELAY)
    os.environ[DELAY] = str(seed)
    try:
        return supervise(study_of(base), folder, transport=transport, kinds=DELAYED_KINDS)
    finally:
        if before is None:
            del os.environ[DELAY]
        else:
            os.environ[DELAY] = before


class Delayed(Instead):
    """A federate that takes a random while before it acts."""

    def __init__(self, federate: Federate, seed: str) -> None:
        super().__init__(federate, self._late)
        self._random = random.Random(seed)

    def _late(self, act: Handler) -> Handler:
        def acts_late(grant: Grant) -> Outbox:
            time.sleep(self._random.random() * DELAY_S)
            return act(grant)

        return acts_late


def build(context: Context) -> Delayed:
    """The real federate of a seat, built late and acting late."""
    seed = f"{os.environ[DELAY]} {context.name}"
    time.sleep(random.Random(seed).random() * LATE_S)
    return Delayed(build_kind(context), seed)


@contextmanager
def started(path: Path, out: Path, *sets: str, transport: TransportName) -> Iterator[subprocess.Popen[bytes]]:
    """The command `tandem run` as a process of its own; what is left of it at the end is killed."""
    command = [sys.executable, "-m", "runner.cli", "run", str(path), "--transport", transport]
    command += ["--out", str(out), "--no-progress", *(part for s in sets for part in ("--set", s))]
    runner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield runner
    finally:
        runner.kill()
        runner.wait()


def kill_in_day_two(runner: subprocess.Popen[bytes], out: Path, past_midnight_s: int) -> Path:
    """Folder of a run whose runner is killed by SIGKILL once all federates are that far into day two."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        assert runner.poll() is None, "the run ended before it could be killed"
        for study_file in out.glob("*/*/study.json"):
            folder = study_file.parent
            study = Study.model_validate_json(study_file.read_bytes())
            if _study_time_s(folder) >= study.clock.midnight(1) + past_midnight_s:
                os.kill(runner.pid, signal.SIGKILL)
                runner.wait()
                _await_silence(folder, deadline)
                return folder
        time.sleep(0.01)
    raise AssertionError(f"the run did not come to its second day within {LIMIT_S:g} s")


def _study_time_s(folder: Path) -> int:
    """Instant that every federate has been granted. [s]"""
    granted = []
    for spec in (folder / "hosts").glob("*.json"):
        host = HostSpec.read(spec)
        if not RunFolder(folder).heartbeat(host.host).exists():
            return -(10**9)
        with Heartbeat(RunFolder(folder).heartbeat(host.host), host.federates) as heartbeat:
            granted += [beat.granted_s for beat in heartbeat.read().values()]
    return min(granted, default=-(10**9))


def _await_silence(folder: Path, deadline: float) -> None:
    """Wait until no process of the run is left."""
    while host_processes(folder):
        assert time.monotonic() < deadline, "processes outlive their runner"
        time.sleep(0.01)


if __name__ == "__main__":
    run_in_this_process(
        study_of(Path(sys.argv[1])), Path(sys.argv[2]), build_kind, random.Random(int(sys.argv[3]))
    )
