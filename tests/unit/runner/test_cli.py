"""The command: what it loads, what it prints where, and what it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from federates.core.exit_codes import ExitCode
from runner.cli import EXIT_CODES, _code, tandem
from runner.shipped import shipped_configs
from tests.unit.runner.texts import VALID, changed, written

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "pydantic",
    "yaml",
    "numpy",
    "pandapower",
    "helics",
    "pandas",
    "pyarrow",
    "highspy",
    "altdss",
    "dss",
    "rich",
)


def loaded_by(*arguments: str) -> set[str]:
    """Top-level packages that the command loads in a process of its own."""
    code = (
        "import sys; from runner.cli import _code; code = _code(sys.argv[1:]); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments", [("--help",), ("run", "--help"), ("--version",), ("check", "--help"), ("clear", "--help")]
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert "click" in loaded
    assert not loaded & set(HEAVY)


def test_check_loads_no_engine_itself(tmp_path: Path) -> None:
    path, _ = written(tmp_path, VALID)
    loaded = loaded_by("check", str(path))
    assert {"pydantic", "yaml"} <= loaded
    assert not loaded & {"pandapower", "helics", "pandas", "pyarrow", "highspy", "altdss", "dss"}


def test_every_command_has_an_example_and_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ["check", "clear", "commit", "compare", "doctor", "feeder", "init", "report", "run", "schema"]
    assert sorted(tandem.commands) == commands
    for name in tandem.commands:
        assert _code([name, "--help"]) == 0
        text = capsys.readouterr().out
        assert f"    tandem {name}" in text
        assert "130  interrupted" in text
        assert "\\b" not in text


def test_every_exit_code_is_documented() -> None:
    listed = {int(line.split()[0]) for line in EXIT_CODES.splitlines() if line.strip()[:1].isdecimal()}
    assert listed == {int(code) for code in ExitCode}


@pytest.mark.parametrize(
    "arguments",
    [
        ["walk"],
        ["run"],
        ["run", "x.yaml", "--resume", "."],
        ["check"],
        ["run", "x", "--transport", "tcp"],
        ["commit", "7/25"],
    ],
)
def test_a_command_that_is_not_understood_ends_with_its_own_code(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _code(arguments) == ExitCode.USAGE
    told = capsys.readouterr()
    assert "Error:" in told.err
    assert not told.out


def test_json_is_one_object_even_when_the_command_is_not_understood(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _code(["run", "--json"]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().out)["status"] == "usage_error"


def test_check_says_what_a_study_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = written(tmp_path, VALID)
    assert _code(["check", str(path), "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "ok"
    assert found["faults"] == []
    assert found["counts"] == {"buses": 5, "units": 5, "ldas": 2, "simulated_feeders": 2}
    assert found["federates"][:2] == ["iso", "transmission"]
    assert found["wires_count"] > 0
    assert _code(["check", str(path), "--quick"]) == ExitCode.DONE
    assert "nothing wrong" in capsys.readouterr().out


def test_resuming_what_is_no_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["run", "--resume", str(tmp_path), "--json"]) == ExitCode.CONFIG
    told = capsys.readouterr()
    assert "is this the folder of a run?" in told.err
    assert json.loads(told.out)["status"] == "config_error"


def test_a_result_folder_that_cannot_be_made_is_a_plain_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = written(tmp_path, VALID)
    (tmp_path / "file").write_text("")
    code = _code(["run", str(path), "--out", str(tmp_path / "file" / "below"), "--no-progress"])
    told = capsys.readouterr().err
    assert code == ExitCode.RESOURCES
    assert "Traceback" not in told
    assert "Not a directory" in told


def test_init_writes_a_study_that_is_valid_where_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    assert _code(["init", str(folder), "--template", "rts_day"]) == ExitCode.DONE
    study = folder / "studies" / "rts_day.yaml"
    assert _code(["check", str(study), "--quick"]) == ExitCode.DONE, capsys.readouterr().err
    first = study.read_text().splitlines()[0]
    assert (study.parent / first.partition("$schema=")[2]).resolve().is_file()
    assert (folder / "README.md").is_file()


def test_init_takes_the_feeders_along(tmp_path: Path) -> None:
    from runner.study import load_study

    folder = tmp_path / "mine"
    assert _code(["init", str(folder)]) == ExitCode.DONE
    inputs = load_study(folder / "studies" / "tiny.yaml").inputs
    assert inputs
    assert all(item.path.is_relative_to(folder.resolve()) for item in inputs)
    ground = load_study(shipped_configs() / "studies" / "tiny.yaml")
    assert load_study(folder / "studies" / "tiny.yaml").config_hash == ground.config_hash


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert _code(["init", str(tmp_path)]) == ExitCode.CONFIG
    assert "exists already" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_init_knows_its_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["init", str(tmp_path), "--template", "tinny"]) == ExitCode.CONFIG
    assert "no template 'tinny'; did you mean 'tiny'?" in capsys.readouterr().err


def test_schema_goes_to_standard_output_or_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["schema"]) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert _code(["schema", "--out", str(tmp_path / "s.json")]) == ExitCode.DONE
    assert (tmp_path / "s.json").read_text() == printed


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    command = f"{sys.executable} -m runner.cli schema | head -c 10"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not done.stderr


def test_a_fault_of_the_tool_itself_is_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # a study whose tables are no tables: the message is the reader's own, at the study's line
    broken = tmp_path / "feeder"
    broken.mkdir()
    (broken / "lines.csv").write_text("nonsense\n")
    path, place = written(tmp_path, changed(("path: ieee13", "path: §feeder")))
    assert _code(["check", str(path)]) == ExitCode.CONFIG
    told = capsys.readouterr().err
    assert "ldas[0].feeders[0].model" in told
    assert f"{path}:{place.partition(':')[0]}:" in told
    assert "Traceback" not in told
