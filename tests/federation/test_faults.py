"""Whatever breaks, the run ends soon, names who broke it, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from federates.core.exit_codes import ExitCode
from federates.core.heartbeat import Heartbeat
from federates.core.hostspec import BrokerAddress, HostSpec, TransportName
from runner.plan import SLOT, claimed_ports
from runner.supervise import HelicsBroker, Outcome, resume, supervise
from tests.federation.runs import (
    aftermath,
    broker_port,
    children,
    everything,
    host_processes,
    listeners,
    run,
    toys,
)
from tests.federation.toy import KINDS, SETTING, Toy, study

pytestmark = pytest.mark.federation

AT_S = 301
GONE_S = 2.0
"""From a fault that can be noticed at once to the end of the last process. [s]"""
AFTER_LIMIT_S = 3.0
"""From the end of a limit to the end of the last process. [s]"""
STEP_LIMIT_S = 5
STARTUP_LIMIT_S = 8
"""Long enough for a busy machine: only the federate that never comes back may pass them. [s]"""
LOOPBACK = "0100007F"
"""127.0.0.1 as the kernel's table has it."""


def assert_nothing_left(folder: Path, transport: TransportName) -> None:
    """No process, no port, no marker of the end; what was recorded is readable."""
    assert children() == []
    assert host_processes(folder) == []
    if transport == "helics":
        assert not sockets_of(folder)
    for path in (folder / "tables").glob("*/[!.]*.parquet"):
        assert pq.read_table(path).num_rows > 0


def sockets_of(folder: Path) -> dict[int, str]:
    """Listening sockets in the port block of a run's federation."""
    port = broker_port(folder)
    return listeners(range(port, port + SLOT))


def assert_failed(outcome: Outcome, culprit: str, code: ExitCode) -> None:
    assert (outcome.status, outcome.exit_code) == ("failed", code)
    assert outcome.culprit == culprit
    assert culprit in outcome.exit_reason


@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_an_error_ends_the_run_in_the_words_of_the_federate_that_raised_it(
    tmp_path: Path, transport: TransportName
) -> None:
    outcome = run(study(), tmp_path, transport, Toy(federate="dso_l1", fault="raise", at_s=AT_S))
    assert aftermath(tmp_path, outcome).gone_s <= GONE_S
    assert_failed(outcome, "dso_l1", ExitCode.NOT_SOLVED)
    assert "dso_l1 at 301 s: NotConvergedError" in outcome.exit_reason
    assert "try a smaller step" in outcome.exit_reason
    assert not (tmp_path / "done/0000/dso_l1.json").exists()
    assert everything(tmp_path)["event"]
    assert_nothing_left(tmp_path, transport)


def test_a_bug_is_a_federate_that_died_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    outcome = run(study(), tmp_path, "helics", Toy(federate="iso", fault="bug", at_s=300))
    assert aftermath(tmp_path, outcome).gone_s <= GONE_S
    assert_failed(outcome, "iso", ExitCode.FEDERATE_DIED)
    assert "Traceback" not in outcome.exit_reason
    assert "Traceback" in (tmp_path / "logs/iso.log").read_text()
    assert_nothing_left(tmp_path, "helics")


@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_a_killed_process_is_noticed_and_named(tmp_path: Path, transport: TransportName) -> None:
    outcome = run(study(), tmp_path, transport, Toy(federate="transmission", fault="kill", at_s=AT_S))
    assert aftermath(tmp_path, outcome).gone_s <= GONE_S
    assert_failed(outcome, "transmission", ExitCode.FEDERATE_DIED)
    assert "SIGKILL" in outcome.exit_reason
    assert_nothing_left(tmp_path, transport)


@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_a_federate_that_hangs_is_named_after_its_limit(tmp_path: Path, transport: TransportName) -> None:
    limited = study(step_limit=STEP_LIMIT_S)
    outcome = run(limited, tmp_path, transport, Toy(federate="feeder_l0", fault="hang", at_s=AT_S))
    assert aftermath(tmp_path, outcome).gone_s <= STEP_LIMIT_S + AFTER_LIMIT_S
    assert_failed(outcome, "feeder_l0", ExitCode.FEDERATE_DIED)
    assert "304 s" in outcome.exit_reason
    assert_nothing_left(tmp_path, transport)


@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_a_federate_that_never_starts_is_named_after_the_limit(
    tmp_path: Path, transport: TransportName
) -> None:
    limited = study(startup_limit=STARTUP_LIMIT_S)
    outcome = run(limited, tmp_path, transport, Toy(federate="transmission", fault="never starts"))
    assert_failed(outcome, "transmission", ExitCode.FEDERATE_DIED)
    assert outcome.wall_s <= STARTUP_LIMIT_S + AFTER_LIMIT_S
    assert_nothing_left(tmp_path, transport)


def test_a_federate_that_leaves_early_without_an_error_does_not_count_as_done(tmp_path: Path) -> None:
    outcome = run(study(), tmp_path, "loopback", Toy(federate="iso", fault="leave", at_s=300))
    assert outcome.status == "failed"
    assert "without an error" in outcome.exit_reason


RUNNER = """
import json, sys
from pathlib import Path
from runner.supervise import supervise
from tests.federation.toy import KINDS, study

outcome = supervise(study(duration=36_000, ldas=1), Path(sys.argv[1]), transport=sys.argv[2], kinds=KINDS)
print(json.dumps([outcome.status, int(outcome.exit_code), outcome.wall_s - outcome.noticed_s]))
"""


@contextmanager
def runner_at_work(folder: Path, transport: TransportName) -> Iterator[subprocess.Popen[bytes]]:
    """A runner of its own, in the middle of a study."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(folder), transport],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, SETTING: Toy(delay_s=0.002).environment()},
        start_new_session=True,
    ) as runner:
        try:
            host = "transmission" if transport == "helics" else "all"
            wait_until(lambda: has_passed(folder, host, "transmission", 300))
            yield runner
        finally:
            runner.kill()


def has_passed(folder: Path, host: str, federate: str, t: int) -> bool:
    """Whether a federate of a run that goes on was granted an instant after ``t``."""
    path = folder / "hosts" / f"{host}.json"
    if not path.exists() or not (folder / "heartbeat" / host).exists():
        return False
    with Heartbeat(folder / "heartbeat" / host, HostSpec.read(path).federates) as heartbeat:
        return heartbeat.read()[federate].granted_s > t


def wait_until(met: Callable[[], bool], limit_s: float = 20.0) -> float:
    """Time until the condition holds. [s]"""
    begun = time.monotonic()
    while not met():
        assert time.monotonic() - begun < limit_s, "the condition is never met"
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_no_host_outlives_a_killed_runner(tmp_path: Path, transport: TransportName) -> None:
    with runner_at_work(tmp_path, transport) as runner:
        assert host_processes(tmp_path)
        runner.kill()
        assert wait_until(lambda: not host_processes(tmp_path)) <= GONE_S
    if transport == "helics":
        # the kernel closes a killed process' sockets a moment after its command line is gone
        wait_until(lambda: not sockets_of(tmp_path))
    assert_nothing_left(tmp_path, transport)
    assert not list(tmp_path.glob("done/*/*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_an_interrupted_runner_ends_its_hosts_and_says_so(
    tmp_path: Path, transport: TransportName, number: signal.Signals
) -> None:
    with runner_at_work(tmp_path, transport) as runner:
        runner.send_signal(number)
        output, _ = runner.communicate(timeout=20)
    status, code, gone_s = json.loads(output)
    assert (status, code) == ("interrupted", ExitCode.INTERRUPTED)
    assert gone_s <= GONE_S
    assert everything(tmp_path)["event"]
    assert_nothing_left(tmp_path, transport)


def test_all_sockets_of_a_federation_are_on_loopback(tmp_path: Path) -> None:
    with runner_at_work(tmp_path, "helics"):
        found = sockets_of(tmp_path)
        assert broker_port(tmp_path) in found
        assert set(found.values()) == {LOOPBACK}


def test_a_broker_whose_port_is_taken_says_so() -> None:
    with claimed_ports(1) as port, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(OSError, match=f"port {port}"):
            HelicsBroker(BrokerAddress(port=port, key="other", federates=1))


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    outcomes: dict[str, Outcome] = {}

    def one(name: str) -> None:
        outcomes[name] = supervise(
            study(duration=300, ldas=1), tmp_path / name, transport="helics", kinds=KINDS
        )

    with toys(Toy()):
        threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [outcomes[n].status for n in ("a", "b")] == ["done", "done"]
    assert broker_port(tmp_path / "a") != broker_port(tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    assert run(study(duration=300, ldas=1), tmp_path, "loopback").status == "done"
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("tables/*/*")}
    assert resume(tmp_path, transport="loopback", kinds=KINDS).status == "done"
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("tables/*/*")} == before
