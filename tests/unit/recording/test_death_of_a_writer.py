"""What a recorder has shown stays readable, whatever happens to its process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from federates.core.tables import BUS
from federates.recording.memory import MemoryRecorder
from federates.recording.parquet import ParquetRecorder
from runner.post.hashes import table_hashes
from runner.post.load import load

ROOT = Path(__file__).parents[3]
IDS = tuple(f"b{k}" for k in range(200))
ROWS_PER_PART = 1_000
WRITER = f"""
import sys
from pathlib import Path
import numpy as np
from federates.core.tables import BUS
from federates.recording.parquet import ParquetRecorder
recorder = ParquetRecorder(Path(sys.argv[1]), "transmission", 0, rows_per_part={ROWS_PER_PART})
ids = tuple(f"b{{k}}" for k in range({len(IDS)}))
for step in range(10**9):
    recorder.add(BUS, 60 * step, ids, *(np.arange({len(IDS)}) + step + k for k in range(4)))
    if step % 5 == 0:
        print(step, flush=True)
        sys.stdin.readline()
"""
"""Goes on by five steps for every line that it is given, and freely once its input is closed."""


def parts(run_dir: Path) -> list[Path]:
    return sorted(run_dir.glob("tables/bus/*.parquet"))


def expected(steps: int) -> dict[str, str]:
    memory = MemoryRecorder()
    for step in range(steps):
        memory.add(BUS, 60 * step, IDS, *(np.arange(len(IDS)) + step + k for k in range(4)))
    return memory.table_hashes()


def test_parts_survive_kill_9_and_can_be_read_while_they_are_written(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert writer.stdout is not None
    assert writer.stdin is not None
    counts = []
    for _ in range(10):
        assert writer.stdout.readline()
        if parts(tmp_path):
            counts.append(load(tmp_path, "bus", ["v_pu"]).num_rows)
        print(file=writer.stdin, flush=True)
    writer.stdin.close()
    for line in writer.stdout:
        if len(parts(tmp_path)) > 20 or not line:
            break
    writer.send_signal(signal.SIGKILL)
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    shown = parts(tmp_path)
    assert [pq.read_metadata(path).num_rows for path in shown] == [ROWS_PER_PART] * len(shown)
    rows = load(tmp_path, "bus").num_rows
    assert rows == ROWS_PER_PART * len(shown)
    assert table_hashes(tmp_path) == expected(rows // len(IDS))


def test_a_half_written_file_is_not_read_and_goes_when_the_span_begins_again(tmp_path: Path) -> None:
    recorder = ParquetRecorder(tmp_path, "transmission", 0)
    recorder.add(BUS, 0, ("a",), *([1.0],) * 4)
    recorder.close()
    half = tmp_path / "tables" / "bus" / ".transmission.000.00001.parquet.tmp"
    half.write_bytes(b"PAR1 and no end")
    assert load(tmp_path, "bus").num_rows == 1
    ParquetRecorder(tmp_path, "transmission", 0)
    assert not half.exists()
