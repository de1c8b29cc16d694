"""What is written down about a run comes back, and is enough to repeat it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import pytest

from federates.core.errors import MissingInputError
from runner.manifest import (
    Checkout,
    Done,
    ScenarioRecord,
    Status,
    checkout,
    manifest,
    new_run_dir,
    read_done,
    read_run,
    read_status,
    run_id,
    versions,
    write_done,
    write_run,
    write_status,
    write_study,
)
from runner.study import LoadedStudy, load_study
from tests.unit.runner_post.run_folders import run_folder

STARTED = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
SCENARIO = ScenarioRecord(scenario_hash="1" * 64, plan_hash="2" * 64, plan_reused=True)
STUDY = """
schema_version: 1
name: small
coordination: layered_total_dso
seed: 7
horizon: {start: 2020-07-15T18:00, duration: 1 h}
transmission: {kind: pjm5}
ldas:
  - name: lda1
    bus: B
    multiplicity: 12
    feeders:
      - {name: f1, seed_id: 3, model: {kind: table, path: feeder}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedStudy:
    (tmp_path / "feeder").mkdir()
    (tmp_path / "feeder" / "lines.csv").write_text("a,b\n")
    (tmp_path / "study.yaml").write_text(STUDY)
    return load_study(tmp_path / "study.yaml")


def test_a_resolved_study_is_the_same_study_again(tmp_path: Path, loaded: LoadedStudy) -> None:
    run = tmp_path / "somewhere" / "else"
    run.mkdir(parents=True)
    again = load_study(write_study(run, loaded))
    assert again.study == loaded.study
    assert again.config_hash == loaded.config_hash


def test_a_manifest_names_seeds_inputs_multiplicity_and_clock(tmp_path: Path, loaded: LoadedStudy) -> None:
    run = manifest(loaded, tmp_path / "run", STARTED, ["tandem", "run", "study.yaml"], SCENARIO)
    assert run.multiplicity == {"lda1": 12}
    assert (run.seed, run.seed_ids) == (7, {"lda1/f1": 3})
    assert list(run.inputs) == [(tmp_path / "feeder").as_posix()]
    assert (run.clock.start, run.clock.duration_s) == ("2020-07-15T18:00:00", 3_600)
    assert (run.config_hash, run.started) == (loaded.config_hash, "2026-03-01T12:30:05+00:00")


def test_what_is_written_comes_back(tmp_path: Path, loaded: LoadedStudy) -> None:
    run = manifest(loaded, tmp_path, STARTED, ["tandem"], SCENARIO)
    run = replace(run, checkout=Checkout(commit="0" * 40, dirty=True))
    write_run(tmp_path, run)
    assert read_run(tmp_path) == run
    for study_s in (0, 60):
        status = Status(state="running", study_s=study_s, duration_s=3_600, span=0, updated="")
        write_status(tmp_path, status)
        assert read_status(tmp_path) == status
    done = Done(ended="", table_hashes={"bus": "ab"}, wall_s={"run": 1.5}, remarks=("time_limited",))
    write_done(tmp_path, done)
    assert read_done(tmp_path) == done
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("read", "hint"), [(read_run, "folder of a run"), (read_done, "did not finish")])
def test_what_is_not_there_is_named(tmp_path: Path, read: object, hint: str) -> None:
    with pytest.raises(MissingInputError, match=hint):
        read(tmp_path)  # type: ignore[operator]


def test_a_manifest_of_another_form_is_refused(tmp_path: Path) -> None:
    path = run_folder(tmp_path) / "run.json"
    path.write_text(path.read_text().replace('"format_version": 2', '"format_version": 1'))
    with pytest.raises(MissingInputError, match="format_version"):
        read_run(tmp_path)


def test_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    paths = [new_run_dir(tmp_path, "small", STARTED, "abcdef0123456789") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.is_dir() for path in paths)
    assert paths[0] == tmp_path / "small" / "20260301T123005Z-abcdef01"


def test_run_ids_sort_by_time_and_are_in_utc() -> None:
    ids = [
        run_id(datetime.fromisoformat(text), "ab" * 32)
        for text in ("2026-03-01T23:00-05:00", "2026-03-02T05:00+00:00")
    ]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260302T040000Z")


def test_versions_name_python_and_the_engines_that_are_installed() -> None:
    found = versions()
    assert {"python", "numpy", "pyarrow"} <= set(found)
    assert "not-installed" not in found


@pytest.mark.skipif(which("git") is None, reason="needs git")
def test_a_checkout_is_dirty_when_a_file_differs(tmp_path: Path) -> None:
    git = which("git")
    assert git is not None

    def run(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@t")
        subprocess.run([git, "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    assert checkout(tmp_path) is None
    run("init")
    (tmp_path / "file").write_text("1")
    run("add", "file")
    run("commit", "-m", "one")
    clean = checkout(tmp_path)
    assert clean is not None
    assert not clean.dirty
    assert len(clean.commit) == 40
    (tmp_path / "file").write_text("2")
    assert checkout(tmp_path) == Checkout(commit=clean.commit, dirty=True)
