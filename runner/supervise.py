"""Starts a study's processes, watches them, and ends every one of them.

The HELICS broker lives in this process. A federation counts only if every process ended with code 0 and every
federate wrote its completion marker at the final time.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from federates.core.errors import ConfigError
from federates.core.exit_codes import ExitCode
from federates.core.heartbeat import Activity, Beat, Heartbeat
from federates.core.hostspec import BrokerAddress, HostSpec, TransportName
from federates.core.run_folder import HostError, RunFolder
from federates.core.settings import Study
from federates.core.time import Span
from runner.plan import Plan, claimed_ports, make_plan
from runner.tool import child_environment
from runner.topology import Host
from runner.watch import NOT_IN, Fault, Limits, fault_in, study_time

POLL_S = 0.02
PROGRESS_S = 0.25
GRACE_S = 1.0
"""How long processes may take to write what they have after the federation was ended. [s]"""
BROKER_OPTIONS = (
    "--globaltime --terminate_on_error --error_on_unmatched --tick=1s --timeout=5s --networktimeout=3s "
    "--querytimeout=2s --loglevel=no_print"
)

_ECHOES = frozenset({"PeerLostError", "KeyboardInterrupt"})
"""Errors by which a host only says that others ended the run."""
BROKER_ATTEMPTS = 3

_BROKER_GONE = Fault(
    reason="the run's HELICS broker was destroyed; run again, or resume",
    culprit="",
    exit_code=ExitCode.FEDERATE_DIED,
)

Kinds = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a run stands."""

    study_s: int
    """Study time that every federate has reached; negative in the lead-in. [s]"""
    begin_s: int
    """First instant of the study. [s]"""
    end_s: int
    """Last instant of the study. [s]"""
    states: Mapping[str, str]
    """What each federate does: absent, building, joining, waiting, computing, done."""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    status: Literal["done", "failed", "interrupted"]
    exit_reason: str
    """What, where, what to do; 'done' where all went well."""
    culprit: str
    """Federate that ended the run; empty where there is none."""
    exit_code: ExitCode
    wall_s: float
    """Time of the machine from start to end. [s]"""
    start_up_s: float
    """Part of it until all federates were there, over all federations. [s]"""
    noticed_s: float | None = None
    """Time from start to the notice of a fault. [s]"""
    spans_done: int = 0
    """Spans of the chain that are complete."""


def supervise(
    study: Study,
    run_dir: Path,
    *,
    transport: TransportName = "helics",
    kinds: Kinds = (),
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Run a study from its start in the folder ``run_dir`` and return how it ended.

    Raises
    ------
    ConfigError
        If the study cannot be run as written; nothing was started.
    """
    folder = RunFolder(run_dir)
    plan = make_plan(study, transport)
    run_dir.mkdir(parents=True, exist_ok=True)
    folder.study.write_text(study.model_dump_json(), encoding="utf-8")
    return _run_from(0, study, plan, folder, kinds, on_progress)


def resume(
    run_dir: Path,
    *,
    transport: TransportName = "helics",
    kinds: Kinds = (),
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Go on with a run from the last market-day boundary that every federate reached.

    What was recorded after that boundary is dropped.

    Raises
    ------
    ConfigError
        If the folder holds no run.
    """
    folder = RunFolder(run_dir)
    if not folder.study.exists():
        raise ConfigError(f"{run_dir} holds no run: {folder.study.name} is missing; name a run's own folder")
    study = Study.model_validate_json(folder.study.read_bytes())
    plan = make_plan(study, transport)
    first = next((s.index for s in plan.spans if not _is_complete(folder, plan, s)), len(plan.spans))
    return _run_from(first, study, plan, folder, kinds, on_progress)


def _run_from(
    first: int,
    study: Study,
    plan: Plan,
    folder: RunFolder,
    kinds: Kinds,
    on_progress: OnProgress | None,
) -> Outcome:
    """Run the spans from ``first`` on: on HELICS one federation each, on loopback all in one process."""
    begun_s = time.monotonic()
    left = plan.spans[first:]
    shutil.rmtree(folder.path / "errors", ignore_errors=True)
    for span in left:
        shutil.rmtree(folder.markers(span.index), ignore_errors=True)
        shutil.rmtree(folder.states(span.index), ignore_errors=True)
    groups = [left] if plan.transport == "loopback" and left else [(span,) for span in left]
    start_up_s = 0.0
    with _signals() as caught:
        for group in groups:
            federation = Federation(study, plan, folder, group, kinds, on_progress, caught)
            fault = federation.run()
            start_up_s += federation.start_up_s
            if fault is not None:
                interrupted = fault.exit_code is ExitCode.INTERRUPTED
                return Outcome(
                    status="interrupted" if interrupted else "failed",
                    exit_reason=fault.reason,
                    culprit=fault.culprit,
                    exit_code=fault.exit_code,
                    wall_s=time.monotonic() - begun_s,
                    start_up_s=start_up_s,
                    noticed_s=federation.noticed_s - begun_s,
                    spans_done=sum(_is_complete(folder, plan, s) for s in plan.spans),
                )
    return Outcome(
        status="done",
        exit_reason="done",
        culprit="",
        exit_code=ExitCode.DONE,
        wall_s=time.monotonic() - begun_s,
        start_up_s=start_up_s,
        spans_done=len(plan.spans),
    )


class Federation:
    """The processes of one federation, from start to end."""

    def __init__(
        self,
        study: Study,
        plan: Plan,
        folder: RunFolder,
        spans: Sequence[Span],
        kinds: Kinds,
        on_progress: OnProgress | None,
        caught: Sequence[int],
    ) -> None:
        self.noticed_s = 0.0
        """Monotonic time at which a fault was noticed. [s]"""
        self.start_up_s = 0.0
        """Time until all federates were there; 0 if they never were. [s]"""
        self._study = study
        self._plan = plan
        self._folder = folder
        self._spans = tuple(spans)
        self._kinds = kinds
        self._on_progress = on_progress
        self._caught = caught
        self._limits = Limits.of(study.federation)
        self._hosts: list[HostProcess] = []

    def run(self) -> Fault | None:
        """Run to the end; None if all went well. No process is left either way."""
        with ExitStack() as stack:
            broker = None
            try:
                if self._plan.transport == "helics":
                    broker = stack.enter_context(_broker(self._plan))
                self._start(None if broker is None else broker.address)
                fault = self._watch(broker)
                self.noticed_s = time.monotonic()
                if fault is not None:
                    self._end(broker, fault)
                    fault = self._first_error(fault)
            except OSError as error:
                self.noticed_s = time.monotonic()
                where = error.filename or self._folder.path
                reason = (
                    f"{error.strerror}: {where}; make room, then resume" if error.strerror else str(error)
                )
                fault = Fault(reason=reason, culprit="", exit_code=ExitCode.RESOURCES)
            finally:
                for host in self._hosts:
                    host.kill()
        return fault or self._unfinished()

    def _start(self, broker: BrokerAddress | None) -> None:
        self._launched_s = time.monotonic()
        for host in self._plan.hosts:
            spec = HostSpec(
                host=host.name,
                run_dir=self._folder.path.resolve(),
                transport=self._plan.transport,
                federates=host.federates,
                spans=self._spans,
                broker=broker,
                kinds=self._kinds,
            )
            self._hosts.append(HostProcess(host, spec, self._folder))

    def _watch(self, broker: HelicsBroker | None) -> Fault | None:
        """Wait until all have ended or something is wrong."""
        shown_s = 0.0
        while True:
            codes = {host: host.poll() for host in self._hosts}
            now_s = time.monotonic()
            beats = self._beats()
            if not self.start_up_s and all(beat.activity not in NOT_IN for beat in beats.values()):
                self.start_up_s = now_s - self._launched_s
            if now_s - shown_s >= PROGRESS_S:
                shown_s = now_s
                self._show(beats)
            # first: without it a federate may wait inside HELICS for ever
            lost = None if broker is None or broker.is_there else _BROKER_GONE
            fault = self._interrupted() or lost or self._died(codes) or self._overdue(beats, now_s)
            if fault is not None:
                return fault
            if all(code == 0 for code in codes.values()):
                self._show(beats)
                return None
            time.sleep(POLL_S)

    def _interrupted(self) -> Fault | None:
        if not self._caught:
            return None
        name = signal.Signals(self._caught[0]).name
        return Fault(reason=f"interrupted by {name}", culprit="", exit_code=ExitCode.INTERRUPTED)

    def _died(self, codes: Mapping[HostProcess, int | None]) -> Fault | None:
        dead = [(code, host) for host, code in codes.items() if code]
        if not dead:
            return None
        # a process that was killed, or for which nothing was left, comes before those that heard of it
        code, host = min(dead, key=lambda entry: (entry[0] > 0, entry[0] != ExitCode.RESOURCES, entry[0]))
        return host.post_mortem(code)

    def _overdue(self, beats: Mapping[str, Beat], now_s: float) -> Fault | None:
        return fault_in(
            beats,
            now_s=now_s,
            launched_s=self._launched_s,
            begin_s=self._spans[0].begin_s,
            limits=self._limits,
            kind_of=self._plan.topology.kind_of,
        )

    def _end(self, broker: HelicsBroker | None, fault: Fault) -> None:
        """Tell all, wait a little, kill who is left."""
        if broker is not None:
            broker.fail(fault.reason)
        else:
            for host in self._hosts:
                host.interrupt()
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(host.poll() is None for host in self._hosts):
            time.sleep(POLL_S)
        for host in self._hosts:
            host.kill()

    def _first_error(self, fault: Fault) -> Fault:
        """The first error that a host wrote in its own words; otherwise what was noticed from outside."""
        if fault.exit_code is ExitCode.INTERRUPTED:
            return fault
        errors = sorted((e for h in self._hosts if (e := h.error()) is not None), key=lambda e: e.at_s)
        own = [e for e in errors if e.type not in _ECHOES]
        if own:
            first = own[0]
            at = "" if first.t is None else f" at {first.t} s"
            return Fault(
                reason=f"{first.federate}{at}: {first.type}: {_in_one_line(first.message)}",
                culprit=first.federate,
                exit_code=ExitCode(first.exit_code),
            )
        if fault.is_echo and errors:
            return Fault(
                reason=f"the federation broke: {_in_one_line(errors[0].message)}; "
                f"see {self._folder.path / 'logs'}",
                culprit="",
                exit_code=ExitCode.FEDERATE_DIED,
            )
        return fault

    def _unfinished(self) -> Fault | None:
        """Who ended with code 0 and yet did not come to the end."""
        for span in self._spans:
            if not _is_complete(self._folder, self._plan, span):
                missing = _unmarked(self._folder, self._plan, span)
                self.noticed_s = time.monotonic()
                return Fault(
                    reason=f"{', '.join(missing)} left before the end at {span.end_s} s without an error; "
                    f"see {self._folder.path / 'logs'}",
                    culprit=", ".join(missing),
                    exit_code=ExitCode.FEDERATE_DIED,
                )
        return None

    def _beats(self) -> dict[str, Beat]:
        mine = {name: beat for host in self._hosts for name, beat in host.beats().items()}
        return {s.name: mine[s.name] for s in self._plan.topology.seatings}

    def _show(self, beats: Mapping[str, Beat]) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    study_s=study_time(beats, self._spans[0].begin_s),
                    begin_s=self._plan.spans[0].begin_s,
                    end_s=self._plan.spans[-1].end_s,
                    states={name: beat.activity.name.lower() for name, beat in beats.items()},
                )
            )


class HostProcess:
    """One child process and the files by which it is understood."""

    def __init__(self, host: Host, spec: HostSpec, folder: RunFolder) -> None:
        self.host = host
        self._folder = folder
        path = folder.spec(host.name)
        spec.write(path)
        Heartbeat.create(folder.heartbeat(host.name), host.federates)
        self._heartbeat = Heartbeat(folder.heartbeat(host.name), host.federates)
        folder.log(host.name).parent.mkdir(parents=True, exist_ok=True)
        with folder.log(host.name).open("ab") as log:
            # a session of its own: Ctrl-C reaches the runner alone, which then ends its children in order
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "federates", str(path)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=child_environment(),
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.poll()

    def beats(self) -> dict[str, Beat]:
        """What its federates do."""
        return self._heartbeat.read()

    def error(self) -> HostError | None:
        """First error that it wrote, if any."""
        path = self._folder.error(self.host.name)
        return HostError.read(path) if path.exists() else None

    def post_mortem(self, code: int) -> Fault:
        """What is known from outside of a process that ended with ``code``."""
        beats = self.beats()
        busy = [n for n, b in beats.items() if b.activity in {Activity.COMPUTING, Activity.BUILDING}]
        who = ", ".join(busy or self.host.federates)
        at = max(beat.granted_s for beat in beats.values())
        starved = code == ExitCode.RESOURCES
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
        hint = f"see {self._folder.log(self.host.name)}"
        if code == -signal.SIGKILL:
            hint = "is there memory enough?"
        elif starved:
            hint = f"the disk is full or memory ran out; make room at {self._folder.path}, then resume"
        return Fault(
            reason=f"{who}: its process {how} at {at} s; {hint}",
            culprit=who,
            exit_code=ExitCode.RESOURCES if starved else ExitCode.FEDERATE_DIED,
            is_echo=code > 0 and not starved,
        )

    def interrupt(self) -> None:
        """Ask it to write what it has and leave."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Leave no process and no open file behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._folder.heartbeat(self.host.name).unlink(missing_ok=True)


class HelicsBroker:
    """The broker of one federation, in this process."""

    def __init__(self, address: BrokerAddress) -> None:
        import helics

        self.address = address
        self._helics = helics
        options = f"-f{address.federates} --port={address.port} --brokerkey={address.key} {BROKER_OPTIONS}"
        try:
            self._broker = helics.helicsCreateBroker("zmq", f"{address.key}-broker", options)
        except helics.HelicsException as error:
            raise OSError(f"no HELICS broker could listen at port {address.port}: {error}") from error
        if not helics.helicsBrokerIsConnected(self._broker):
            raise OSError(f"no HELICS broker could listen at port {address.port}")

    @property
    def is_there(self) -> bool:
        """Whether it has not been destroyed."""
        return bool(self._helics.helicsBrokerIsValid(self._broker))

    def fail(self, text: str) -> None:
        """Tell every federate that the federation is over."""
        # HELICS refuses where the broker has been destroyed
        with suppress(self._helics.HelicsException):
            # bytes: this call of the Python binding does not encode
            self._helics.helicsBrokerGlobalError(self._broker, ExitCode.FEDERATE_DIED, text[:500].encode())

    def close(self) -> None:
        """Leave no socket behind."""
        with suppress(self._helics.HelicsException):
            self._helics.helicsBrokerDisconnect(self._broker)
            self._helics.helicsBrokerWaitForDisconnect(self._broker, 2_000)
            self._helics.helicsBrokerFree(self._broker)


@contextmanager
def _broker(plan: Plan) -> Iterator[HelicsBroker]:
    """A listening broker on ports of its own; other ports are tried where somebody was faster."""
    with ExitStack() as stack:
        for attempt in range(BROKER_ATTEMPTS):
            port = stack.enter_context(claimed_ports(len(plan.hosts)))
            key = f"tandem-{uuid.uuid4().hex[:12]}"
            try:
                broker = HelicsBroker(
                    BrokerAddress(port=port, key=key, federates=len(plan.topology.seatings))
                )
                break
            except OSError:
                if attempt == BROKER_ATTEMPTS - 1:
                    raise
        stack.callback(broker.close)
        yield broker


@contextmanager
def _signals() -> Iterator[Sequence[int]]:
    """Signals that asked the run to end, in order of arrival; only where this is the main thread."""
    caught: list[int] = []

    def catch(number: int, _: FrameType | None) -> None:
        caught.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _unmarked(folder: RunFolder, plan: Plan, span: Span) -> list[str]:
    """Federates without a completion marker at the span's end."""
    missing = []
    for seating in plan.topology.seatings:
        path = folder.marker(span.index, seating.name)
        if not path.exists() or json.loads(path.read_bytes())["end_s"] != span.end_s:
            missing.append(seating.name)
    return missing


def _is_complete(folder: RunFolder, plan: Plan, span: Span) -> bool:
    return not _unmarked(folder, plan, span)
