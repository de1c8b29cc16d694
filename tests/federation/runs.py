"""Builders for federation tests: run toys, read what they left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from federates.core.hostspec import HostSpec, TransportName
from federates.core.settings import Study
from federates.core.tables import EVENT, MESSAGE, TIMING, Table
from runner.supervise import Outcome, supervise
from tests.federation.toy import FAULT_AT, KINDS, SETTING, Toy


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """How long after a fault what happened. [s]"""

    noticed_s: float
    gone_s: float


Rows = dict[tuple[int, str, int], tuple[object, ...]]


@contextmanager
def toys(toy: Toy) -> Iterator[None]:
    """What goes wrong in the federates started inside."""
    before = os.environ.get(SETTING)
    os.environ[SETTING] = toy.environment()
    try:
        yield
    finally:
        if before is None:
            del os.environ[SETTING]
        else:
            os.environ[SETTING] = before


def run(study: Study, folder: Path, transport: TransportName, toy: Toy | None = None) -> Outcome:
    """Outcome of a federation of toys."""
    with toys(toy or Toy()):
        return supervise(study, folder, transport=transport, kinds=KINDS)


def aftermath(folder: Path, outcome: Outcome) -> Aftermath:
    """How a run that just ended came to its end after its fault."""
    now_s = time.monotonic()
    fault_s = float((folder / FAULT_AT).read_text())
    assert outcome.noticed_s is not None
    return Aftermath(noticed_s=now_s - outcome.wall_s + outcome.noticed_s - fault_s, gone_s=now_s - fault_s)


def rows_of(folder: Path, table: Table) -> Rows:
    """Rows of a table by instant, id and place among equals; wall-clock columns are left out."""
    rows: Rows = {}
    for path in sorted((folder / "tables" / table.name).glob("[!.]*.parquet")):
        for row in pq.read_table(path).to_pylist():
            t_s, name = row.pop("t_s"), row.pop("id")
            place = 0
            while (t_s, name, place) in rows:
                place += 1
            rows[t_s, name, place] = () if table.wall_clock else tuple(row.values())
    return rows


def everything(folder: Path) -> dict[str, Rows]:
    """All that toys record: what they read, what was sent, and the intervals that were timed."""
    return {table.name: rows_of(folder, table) for table in (EVENT, MESSAGE, TIMING)}


def children() -> list[int]:
    """Processes whose parent is this one; the interpreter's own tracker of a process pool is none of ours."""
    mine = os.getpid()
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
            command = path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if b"multiprocessing.resource_tracker" in command:
            continue
        if int(after_name[1]) == mine and after_name[0] != "Z":
            found.append(int(path.parent.name))
    return found


def host_processes(folder: Path) -> list[int]:
    """Host processes of the run in ``folder``, whoever started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and "federates" in command:
            found.append(int(path.parent.name))
    return found


def listeners(ports: range) -> dict[int, str]:
    """Address by port of a range that somebody listens at on this machine."""
    found = {}
    for version in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{version}").read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            address, _, port = local.rpartition(":")
            if state == "0A" and int(port, 16) in ports:
                found[int(port, 16)] = address
    return found


def broker_port(folder: Path) -> int:
    """First port of a run's federation, from the spec of one of its hosts."""
    spec = HostSpec.read(next((folder / "hosts").glob("*.json")))
    assert spec.broker is not None
    return spec.broker.port
