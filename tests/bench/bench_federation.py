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
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

from federates.core.hostspec import TransportName
from federates.core.settings import federate_names
from federates.core.tables import TIMING
from runner.supervise import Progress, supervise
from tests.bench.empty import KINDS, SLEEPER
from tests.federation.runs import children
from tests.federation.toy import study

INSTANTS = 5 * 5 + 3 + 2
"""Instants of a market interval: 4-8 in each step, 0-2 at its beginning, 52 and 53 at its gate."""
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def cost(ldas: int, transport: TransportName, intervals: int = 12) -> dict[str, object]:
    """Median cost of a market interval, as the transmission federate's own clock has it."""
    federates = len(federate_names(study(ldas=ldas)))
    with tempfile.TemporaryDirectory() as folder:
        outcome = supervise(
            study(ldas=ldas, duration=300 * intervals), Path(folder), transport=transport, kinds=KINDS
        )
        assert outcome.status == "done", outcome
        interval_ms = 1e3 * median(interval_s(Path(folder), "transmission"))
    return {
        "ldas": ldas,
        "federates": federates,
        "transport": transport,
        "start_up_s": round(outcome.start_up_s, 2),
        "wall_s": round(outcome.wall_s, 2),
        "interval_ms": round(interval_ms, 1),
        "instant_ms": round(interval_ms / INSTANTS, 2),
        "four_phase_step_ms": round(4 * interval_ms / INSTANTS, 1),
        "allowed_four_phase_step_ms": 0.5 * federates + 4.0,
    }


def interval_s(folder: Path, federate: str) -> list[float]:
    """Wall time of each market interval of the study. [s]"""
    return [
        row["busy_s"] + row["wait_s"]
        for path in (folder / "tables" / TIMING.name).glob(f"{federate}.*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["t_s"] >= 0
    ]


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
        with tempfile.TemporaryDirectory() as folder:
            supervise(study(ldas=ldas), Path(folder), transport="helics", kinds=KINDS, on_progress=sample)
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
