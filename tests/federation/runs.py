"""Builders for federation tests: run toys, read what they left."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from federates.core.hostspec import TransportName
from federates.core.settings import Study
from federates.core.tables import EVENT, MESSAGE, TIMING, Table
from runner.plan import FIRST_PORT, LAST_PORT
from runner.supervise import Outcome, supervise
from tests.federation.toy import KINDS, SETTING, Toy

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
    """Processes whose parent is this one."""
    mine = os.getpid()
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:
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


def listening(ports: range = range(FIRST_PORT, LAST_PORT + 500)) -> set[int]:
    """Ports of a range that somebody listens at on this machine."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {port for f in fields if f[3] == "0A" and (port := int(f[1].rpartition(":")[2], 16)) in ports}


def is_free(port: int) -> bool:
    """Whether a port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def broker_port(folder: Path) -> int:
    """First port of a run's federation, from the spec of one of its hosts."""
    from federates.core.hostspec import HostSpec

    spec = HostSpec.read(next((folder / "hosts").glob("*.json")))
    assert spec.broker is not None
    return spec.broker.port
