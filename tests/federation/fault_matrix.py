"""Every fault on processes of the study tiny: how soon it is noticed, how soon all is gone, what it says.

``python -m tests.federation.fault_matrix [TIMES] [NAME ...]`` carries each fault out that often, two at a
time, and prints a table; a fault whose end is not as it should be has its faults in the last column.
"""

from __future__ import annotations

import gc
import json
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import helics

import runner.watch
from federates.core.exit_codes import ExitCode
from federates.core.forward import FILE
from federates.core.hostspec import BrokerAddress, HostSpec, TransportName
from runner.plan import SLOT
from runner.post.hashes import table_hashes
from runner.post.load import load, tables_of
from runner.supervise import HelicsBroker, Outcome, Progress, supervise
from runner.tool import call_tool
from tests.build import ROOT, TINY, study
from tests.federation.faulty import FAULT_AT, KINDS, OWN_WORDS, Fault
from tests.federation.runs import broker_port, host_processes, listeners

GONE_S = 2.0
"""From a fault that can be noticed at once to the end of the last process. [s]"""
AFTER_LIMIT_S = 3.0
"""From the end of a limit to the end of the last process. [s]"""
STEP_LIMIT_S = 4
STARTUP_LIMIT_S = 15
"""Long enough for a busy machine: only the federate that never comes may pass it. [s]"""
AT_ONCE = 2
"""Federations that run at a time."""
BASE = ("horizon.duration=5min", "federation.hosts=2")
EARLY = -(10**6)
"""From the first act on, in the lead-in."""
DISK = "200k"
"""Less than a run of five minutes writes."""
PATIENCE_S = 60.0
CLOSING_S = 1.0
"""HELICS closes its sockets in threads of its own; the port block is free this soon after a run. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault and the end that it must have."""

    name: str
    what: str = ""
    federate: str = ""
    at_s: int = EARLY
    transport: TransportName = "helics"
    sets: tuple[str, ...] = ()
    limit_s: float = 0.0
    """Limit that has to pass before the fault can be noticed. [s]"""
    code: ExitCode = ExitCode.FEDERATE_DIED
    culprit: str | None = None
    """Who must be named; None: the federate that goes wrong."""
    says: tuple[str, ...] = ()
    """What the message must hold."""

    @property
    def named(self) -> str:
        return self.federate if self.culprit is None else self.culprit

    @property
    def within_s(self) -> float:
        """Longest time from the fault to the end of the last process. [s]"""
        return self.limit_s + AFTER_LIMIT_S if self.limit_s else GONE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of a fault."""

    noticed_s: float
    """From the fault to its notice. [s]"""
    gone_s: float
    """From the fault to the end of the last process. [s]"""
    code: int
    culprit: str
    message: str
    left: tuple[str, ...]
    """What was left behind or cannot be read."""


KIND = {
    "iso": "iso",
    "transmission": "transmission",
    "feeder": "feeder_lda1",
    "dso": "dso_lda2",
    "aggregator": "agg_lda1_supplier",
}
"""One federate of each kind."""
_LIMITED = (f"federation.step_limit={STEP_LIMIT_S}s", f"federation.solver_limit={STEP_LIMIT_S - 1}s")

KILLED = (
    *(Case(name=f"SIGKILL of {k}", what="kill", federate=KIND[k]) for k in ("iso", "transmission", "feeder")),
    Case(name="SIGKILL on loopback", what="kill", federate="dso_lda2", transport="loopback"),
)
RAISED = tuple(
    Case(name=f"error in {kind}", what="raise", federate=KIND[kind], at_s=at_s, transport=transport)
    for kind, transport, at_s in (
        ("iso", "loopback", 0), ("transmission", "helics", 0), ("feeder", "helics", 60),
        ("dso", "loopback", 0), ("aggregator", "helics", 0),
    )
)  # fmt: skip
HUNG = tuple(
    Case(name=f"hang of {kind}", what="hang", federate=KIND[kind], transport=transport, sets=_LIMITED)
    for kind, transport in (
        ("iso", "helics"), ("transmission", "helics"), ("feeder", "loopback"), ("dso", "helics"),
        ("aggregator", "loopback"),
    )
)  # fmt: skip
WIRES = (
    Case(
        name="missing federate",
        what="never comes",
        federate="transmission",
        sets=(f"federation.startup_limit={STARTUP_LIMIT_S}s",),
        limit_s=STARTUP_LIMIT_S,
        says=("missing is transmission",),
    ),
    Case(
        name="subscription to nothing",
        what="publishes elsewhere",
        federate="feeder_lda2",
        culprit="",
        says=("unmatched", "feeder_lda2.power>transmission.power"),
    ),
    Case(
        name="wrong unit",
        what="kilowatts",
        federate="feeder_lda1",
        culprit="transmission",
        says=("CodecError", "feeder_lda1.power>transmission.power", "expected BoundaryPower"),
    ),
    Case(
        name="wrong message",
        what="wrong message",
        federate="dso_lda2",
        culprit="iso",
        transport="loopback",
        says=("CodecError", "dso_lda2.", "expected InterfaceBid, got GridState"),
    ),
    Case(
        name="doubled name",
        what="another's name",
        federate="dso_lda1",
        says=("cannot join", "duplicate federate name"),
    ),
    Case(name="broker destroyed", culprit="", says=("broker", "destroyed")),
)
UNSOLVED = (
    Case(
        name="diverging plant",
        what="thirtyfold",
        federate="feeder_lda2",
        at_s=60,
        says=("DivergedError", "circuit 'lda2'", "loading is beyond"),
    ),
    Case(
        name="diverging feeder",
        culprit="dso_lda1",
        sets=("ldas.0.feeders.0.load_scale=30",),
        says=("DivergedError", "circuit 'lda1'", "loading is beyond"),
    ),
    Case(
        name="unsolvable AC flow",
        what="thousandfold",
        federate="feeder_lda1",
        culprit="transmission",
        says=("DivergedError", "pjm5", "add voltage support or lower the load"),
    ),
    Case(name="non-optimal LP of the ISO", what="infeasible", federate="iso", says=("InfeasibleError",)),
    Case(
        name="non-optimal LP of a DSO",
        what="infeasible",
        federate="dso_lda2",
        transport="loopback",
        says=("InfeasibleError", "lda2/urban", "look at"),
    ),
)
CASES = (
    *(replace(case, says=("SIGKILL",)) for case in KILLED),
    *(replace(case, code=ExitCode.NOT_SOLVED, says=("NotConvergedError", OWN_WORDS)) for case in RAISED),
    Case(name="bug in iso", what="bug", federate="iso", says=("ZeroDivisionError: division by zero; in",)),
    *(
        replace(case, limit_s=STEP_LIMIT_S, says=(f"more than its limit of {STEP_LIMIT_S} s",))
        for case in HUNG
    ),
    *WIRES,
    *(replace(case, code=ExitCode.NOT_SOLVED) for case in UNSOLVED),
)


def _shorten_margin() -> None:
    """From now on the ISO's limit in this process is its solver's limit and a second."""
    runner.watch._SOLVER_EXTRA_S = 1.0


def forward_plan(folder: Path) -> Path:
    """Forward plan of the study, made once for all."""
    folder.mkdir(parents=True, exist_ok=True)
    resolved = json.loads(study(TINY, *BASE).model_dump_json())
    call_tool("forward", {"study": resolved, "run_dir": str(folder)})
    return folder / FILE


def carry_out(case: Case, folder: Path, forward: Path) -> Finding:
    """What becomes of a fault."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(forward, folder / FILE)
    on_progress = _breaking_the_broker(folder) if case.name == "broker destroyed" else None
    if case.what:
        Fault(federate=case.federate, what=case.what, at_s=case.at_s).write(folder)
    outcome = supervise(
        study(TINY, *BASE, *case.sets), folder, transport=case.transport, kinds=KINDS, on_progress=on_progress
    )
    now_s = time.monotonic()
    fault_s = _fault_s(folder)
    noticed_s = math.inf if outcome.noticed_s is None else now_s - outcome.wall_s + outcome.noticed_s
    return Finding(
        noticed_s=noticed_s - fault_s,
        gone_s=now_s - fault_s,
        code=outcome.exit_code,
        culprit=outcome.culprit,
        message=outcome.exit_reason,
        left=left_behind(folder, case.transport),
    )


def shortcomings(case: Case, finding: Finding) -> list[str]:
    """Where the end of a fault is not as it should be."""
    found = list(finding.left)
    if finding.gone_s > case.within_s:
        found.append(f"gone after {finding.gone_s:.1f} s instead of {case.within_s:g} s")
    if finding.code != case.code:
        found.append(f"exit code {finding.code} instead of {int(case.code)}")
    if finding.culprit != case.named or case.named not in finding.message:
        found.append(f"blames {finding.culprit!r} instead of {case.named!r}")
    found += [f"does not say {words!r}" for words in case.says if words not in finding.message]
    if "\n" in finding.message or "Traceback" in finding.message:
        found.append("more than one line")
    return found


def _fault_s(folder: Path) -> float:
    """Monotonic time of the fault as noted, else of the first error raised; 0 if there is none. [s]"""
    if (folder / FAULT_AT).exists():
        return float((folder / FAULT_AT).read_text())
    raised_s = (float(json.loads(path.read_bytes())["at_s"]) for path in folder.glob("errors/*.json"))
    return min(raised_s, default=0.0)


def _breaking_the_broker(folder: Path) -> Callable[[Progress], None]:
    """Destroys the run's broker once the study has begun."""

    def destroy(progress: Progress) -> None:
        if progress.study_s < 0 or (folder / FAULT_AT).exists():
            return
        (mine,) = (
            o for o in gc.get_objects() if isinstance(o, HelicsBroker) and o.address == address(folder)
        )
        (folder / FAULT_AT).write_text(str(time.monotonic()))
        helics.helicsBrokerDestroy(mine._broker)

    return destroy


def address(folder: Path) -> BrokerAddress | None:
    """Where the broker of a run listened."""
    return HostSpec.read(next((folder / "hosts").glob("*.json"))).broker


def left_behind(folder: Path, transport: TransportName) -> tuple[str, ...]:
    """Processes, sockets and marks of success that a broken run left, and tables that cannot be read."""
    found = [f"process {pid}" for pid in host_processes(folder)]
    if transport == "helics" and any((folder / "hosts").glob("*.json")):
        port = broker_port(folder)
        block = range(port, port + SLOT)
        deadline = time.monotonic() + CLOSING_S
        while listeners(block) and time.monotonic() < deadline:
            time.sleep(0.01)
        found += [f"listens at {p}" for p in listeners(block)]
    if (folder / "done.json").exists():
        found.append("done.json")
    for table in tables_of(folder):
        if load(folder, table).num_rows == 0:
            found.append(f"table {table} has no rows")
    return tuple(found)


def command(out: Path, *sets: str, transport: TransportName = "helics") -> list[str]:
    """The command that runs the study, results below ``out``."""
    words = [sys.executable, "-m", "runner.cli", "run", str(TINY), "--out", str(out), "--no-progress"]
    return [*words, "--transport", transport, *(w for s in (*BASE, *sets) for w in ("--set", s))]


def killed_while_writing(out: Path) -> Finding:
    """The runner is killed while its hosts write their tables."""
    with subprocess.Popen(
        command(out), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            until(lambda: any(out.glob("*/*/tables/*/*.parquet")))
            os.kill(process.pid, signal.SIGKILL)
            fault_s = time.monotonic()
        finally:
            process.kill()
    (folder,) = (path.parent for path in out.glob("*/*/study.json"))
    until(lambda: not host_processes(folder))
    gone_s = time.monotonic() - fault_s
    # the kernel closes a killed process' sockets a moment after its command line is gone
    until(lambda: not [text for text in left_behind(folder, "helics") if text.startswith("listens")])
    return Finding(
        noticed_s=gone_s,
        gone_s=gone_s,
        code=process.returncode,
        culprit="",
        message="",
        left=left_behind(folder, "helics"),
    )


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own with hardly any room.

    Raises
    ------
    PermissionError
        If this process may not mount one.
    """
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, check=False, capture_output=True).returncode != 0
    ):
        raise PermissionError("mounting a file system needs a privilege")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def run_on_a_full_disk(out: Path) -> Finding:
    """The disk has no more room while tables are written."""
    with small_disk(out) as disk:
        begun_s = time.monotonic()
        process = subprocess.run(
            command(disk), check=False, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
        )
        took_s = time.monotonic() - begun_s
        (folder,) = (path.parent for path in disk.glob("*/*/study.json"))
        return Finding(
            noticed_s=took_s,
            gone_s=took_s,
            code=process.returncode,
            culprit="",
            message=process.stderr,
            left=left_behind(folder, "helics"),
        )


def at_once(count: int, out: Path, forward: Path) -> list[dict[str, str]]:
    """Hashes of the same study's tables from several federations at once."""
    outcomes: dict[int, Outcome] = {}

    def one(place: int) -> None:
        outcomes[place] = plain_run(out / str(place), forward, "helics")

    threads = [threading.Thread(target=one, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, outcome in sorted(outcomes.items()):
        assert outcome.status == "done", f"{place}: {outcome.exit_reason}"
    ports = {broker_port(out / str(place)) for place in range(count)}
    assert len(ports) == len(outcomes) == count
    return [table_hashes(out / str(place)) for place in range(count)]


def plain_run(folder: Path, forward: Path, transport: TransportName) -> Outcome:
    """The study without a fault."""
    folder.mkdir(parents=True)
    shutil.copy(forward, folder / FILE)
    return supervise(study(TINY, *BASE), folder, transport=transport, kinds=KINDS)


HOLD = """
import socket, sys
held = []
for port in range(int(sys.argv[1]), int(sys.argv[2])):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("127.0.0.1", port))
        one.listen()
    except OSError:
        continue
    held.append(one)
print(len(held), flush=True)
sys.stdin.read()
"""


@contextmanager
def held_ports(ports: range) -> Iterator[int]:
    """Ports that another process listens at, as far as they were free; how many."""
    words = [sys.executable, "-c", HOLD, str(ports.start), str(ports.stop)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def until(met: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
    """Wait for a condition."""
    begun = time.monotonic()
    while not met():
        assert time.monotonic() - begun < limit_s, "the condition is never met"
        time.sleep(0.002)


def all_findings(cases: Sequence[Case], folder: Path, forward: Path) -> dict[str, Finding]:
    """Findings by the case's name; ``AT_ONCE`` processes, so that none takes the ports another just left."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, mp_context=spawned, initializer=_shorten_margin) as pool:
        going_on = {
            case.name: pool.submit(carry_out, case, folder / case.name.replace(" ", "_"), forward)
            for case in cases
        }
        return {name: one.result() for name, one in going_on.items()}


def _table(times: int, names: Sequence[str]) -> None:
    cases = [case for case in CASES if not names or case.name in names]
    with tempfile.TemporaryDirectory(prefix="tandem-faults-") as place:
        folder = Path(place)
        forward = forward_plan(folder / "forward")
        found = [all_findings(cases, folder / str(turn), forward) for turn in range(times)]
    print(
        "| fault | transport | times | noticed s (median, most) | gone s (median, most) | message | amiss |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        mine = [turn[case.name] for turn in found]
        noticed, gone = (sorted(values) for values in ([f.noticed_s for f in mine], [f.gone_s for f in mine]))
        amiss = sorted({text for f in mine for text in shortcomings(case, f)})
        message = mine[0].message.replace(str(folder), "RESULTS").replace("|", "/")
        print(
            f"| {case.name} | {case.transport} | {times} | {noticed[times // 2]:.2f}, {noticed[-1]:.2f} "
            f"| {gone[times // 2]:.2f}, {gone[-1]:.2f} | {message} | {'; '.join(amiss) or '-'} |"
        )


if __name__ == "__main__":
    _table(int(sys.argv[1]) if sys.argv[1:] else 20, sys.argv[2:])
