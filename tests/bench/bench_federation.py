"""Cost of the federation itself, with empty models: ``python -m tests.bench.bench_federation [LDAS ...]``.

For each number of LDAs: wall time of one market interval (five physical steps of two T-D passes each) on both
transports, its instants, and what is allowed: 0.5 ms a federate and 1 ms a phase for each market sequence of
four phases, in proportion to the instants. Then the CPU that all others use while one feeder sleeps.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from federates.core.hostspec import TransportName
from federates.core.settings import federate_names
from runner.supervise import Progress, supervise
from tests.bench.empty import KINDS, SLEEPER
from tests.federation.runs import children
from tests.federation.toy import study

INSTANTS = 5 * 5 + 3 + 2
"""Instants of a market interval: 4-8 in each step, 0-2 at its beginning, 52 and 53 at its gate."""
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def wall_of(
    ldas: int, duration: int, transport: TransportName, show: Callable[[Progress], None] | None = None
) -> tuple[float, float]:
    """Start-up and running time of a study of empty federates. [s]"""
    with tempfile.TemporaryDirectory() as folder:
        outcome = supervise(
            study(ldas=ldas, duration=duration),
            Path(folder),
            transport=transport,
            kinds=KINDS,
            on_progress=show,
        )
    assert outcome.status == "done", outcome
    return outcome.start_up_s, outcome.wall_s - outcome.start_up_s


def cost(ldas: int, transport: TransportName, intervals: int = 12) -> dict[str, object]:
    """Cost of a market interval: the difference of a long and a short run."""
    start_up_s, short = wall_of(ldas, 300, transport)
    _, long = wall_of(ldas, 300 + 300 * intervals, transport)
    federates = len(federate_names(study(ldas=ldas)))
    interval_ms = 1e3 * (long - short) / intervals
    return {
        "ldas": ldas,
        "federates": federates,
        "transport": transport,
        "start_up_s": round(start_up_s, 2),
        "interval_ms": round(interval_ms, 1),
        "instant_ms": round(interval_ms / INSTANTS, 2),
        "four_phase_step_ms": round(4 * interval_ms / INSTANTS, 1),
        "allowed_four_phase_step_ms": 0.5 * federates + 4.0,
    }


def idle_cores(ldas: int) -> float:
    """Cores that all processes of a federation use while one feeder sleeps."""
    samples: list[tuple[float, float]] = []
    mine = os.getpid()

    def sample(progress: Progress) -> None:
        busy = [name for name, state in progress.states.items() if state == "computing"]
        if busy == ["feeder_l0"]:
            pids = [mine, *children()]
            samples.append((time.monotonic(), sum(map(cpu_s, pids))))

    os.environ[SLEEPER] = "feeder_l0"
    try:
        wall_of(ldas, 900, "helics", sample)
    finally:
        del os.environ[SLEEPER]
    (begun, before), (ended, after) = samples[1], samples[-1]
    assert ended - begun > 1.0, "the sleep was not seen"
    return (after - before) / (ended - begun)


def cpu_s(pid: int) -> float:
    """CPU time of a process. [s]"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return TICK_S * (int(fields[11]) + int(fields[12]))


def main() -> None:
    """Print one JSON object a line."""
    for ldas in [int(a) for a in sys.argv[1:]] or [4, 20, 50]:
        for transport in ("loopback", "helics"):
            print(json.dumps(cost(ldas, transport)), flush=True)
    print(json.dumps({"idle_cores_while_one_feeder_sleeps": round(idle_cores(4), 3)}))


if __name__ == "__main__":
    main()
