"""A short run through the command: what it writes, what it prints, and that it can be repeated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from federates.core.exit_codes import ExitCode
from runner.cli import _code
from runner.manifest import read_done, read_run, read_status
from tests.unit.runner.texts import VALID, written

ROOT = Path(__file__).resolve().parents[3]
SHORT = ("--set", "horizon.duration=10 min", "--transport", "loopback")
DEADLINE_S = 60.0

pytestmark = pytest.mark.federation


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    code = _code(["run", *arguments, "--json"])
    told = capsys.readouterr()
    assert code == ExitCode.DONE, told.err
    found = json.loads(told.out)
    assert isinstance(found, dict)
    return found


def test_a_run_writes_its_records_and_can_be_repeated_from_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, _ = written(tmp_path, VALID)
    first = run_json(capsys, str(study), *SHORT, "--out", str(tmp_path / "out"))
    assert list(first) == ["run_dir", "status", "exit_reason", "table_hashes", "wall_s"]
    assert first["status"] == "done"
    folder = Path(str(first["run_dir"]))
    assert folder.parent == tmp_path / "out" / "trial"
    assert read_done(folder).table_hashes == first["table_hashes"]
    assert first["table_hashes"]
    assert read_status(folder).state == "finished"
    assert read_status(folder).study_s == 600
    assert read_run(folder).clock.duration_s == 600
    again = run_json(
        capsys, str(folder / "study.yaml"), "--transport", "loopback", "--out", str(tmp_path / "again")
    )
    assert again["table_hashes"] == first["table_hashes"]
    assert read_run(Path(str(again["run_dir"]))).config_hash == read_run(folder).config_hash
    assert _code(["run", "--resume", str(folder)]) == ExitCode.CONFIG
    assert "is finished; there is nothing to resume" in capsys.readouterr().err


def test_an_interrupted_run_ends_with_its_code_and_nothing_that_looks_complete(tmp_path: Path) -> None:
    study, _ = written(tmp_path, VALID)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "runner.cli", "run", str(study), "--transport", "loopback"]
    with subprocess.Popen(
        [*command, "--out", str(out), "--set", "horizon.duration=5 h", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as runner:
        deadline_s = time.monotonic() + DEADLINE_S
        while not list(out.glob("trial/*/heartbeat/all")) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        runner.send_signal(signal.SIGINT)
        printed, complaint = runner.communicate(timeout=DEADLINE_S)
    assert runner.returncode == ExitCode.INTERRUPTED, complaint
    found = json.loads(printed)
    assert found["status"] == "interrupted"
    assert "Traceback" not in complaint
    folder = Path(found["run_dir"])
    assert not (folder / "done.json").exists()
    assert read_status(folder).state == "failed"
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert os.fsencode(folder) not in process.read_bytes()
        except OSError:
            continue
