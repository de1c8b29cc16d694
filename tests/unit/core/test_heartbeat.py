"""The rows by which the runner sees who computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from federates.core.heartbeat import Activity, Heartbeat

READS = 100_000
WRITER = """
import sys
from pathlib import Path
from federates.core.heartbeat import Activity, Heartbeat
with Heartbeat(Path(sys.argv[1]), ("dso",)) as writer:
    writer.beat("dso", Activity.COMPUTING, 1, 1)
    print("writing", flush=True)
    t = 1
    while True:
        t += 1
        writer.beat("dso", Activity.COMPUTING, t, t)
"""


def test_a_reader_never_sees_half_a_row(tmp_path: Path) -> None:
    path = tmp_path / "host"
    Heartbeat.create(path, ("dso",))
    command = [sys.executable, "-c", WRITER, str(path)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as writer,
        Heartbeat(path, ("dso",)) as reader,
    ):
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            beats = [reader.read()["dso"] for _ in range(READS)]
        finally:
            writer.kill()
    assert {beat.activity for beat in beats} == {Activity.COMPUTING}
    assert all(beat.granted_s == beat.until_s > 0 for beat in beats)
    assert len({beat.granted_s for beat in beats}) > 10
