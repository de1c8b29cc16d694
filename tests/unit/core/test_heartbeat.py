"""The rows by which the runner sees who computes."""

from __future__ import annotations

import threading
from pathlib import Path

from federates.core.heartbeat import Activity, Heartbeat

READS = 20_000


def test_a_reader_never_sees_half_a_row(tmp_path: Path) -> None:
    path = tmp_path / "host"
    Heartbeat.create(path, ("dso",))
    stop = threading.Event()
    with Heartbeat(path, ("dso",)) as writer, Heartbeat(path, ("dso",)) as reader:
        writer.beat("dso", Activity.COMPUTING, 1, 1)

        def write() -> None:
            t = 1
            while not stop.is_set():
                t += 1
                writer.beat("dso", Activity.COMPUTING, t, t)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            beats = [reader.read()["dso"] for _ in range(READS)]
        finally:
            stop.set()
            thread.join()
    assert {beat.activity for beat in beats} == {Activity.COMPUTING}
    assert all(beat.granted_s == beat.until_s > 0 for beat in beats)
    assert len({beat.granted_s for beat in beats}) > 100
