"""Forward plans that are kept: taken again by the same scenario, never by another, never half."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from federates.core.forward import FILE, ForwardPlan
from runner.forward import COMMITMENT, FOLDER, KEY, Kept, kept_plan, provide_plan
from runner.study import LoadedStudy, load_study
from tests.build import TINY

SOLVED = ["market.commitment={kind: solve}"]


@pytest.fixture(scope="module")
def loaded() -> LoadedStudy:
    return load_study(TINY, SOLVED)


@pytest.fixture(scope="module")
def results(loaded: LoadedStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of results in which a first run has left its plan."""
    folder = tmp_path_factory.mktemp("results")
    kept = kept_plan(loaded, folder)
    assert kept.files is None
    assert provide_plan(loaded, _run(folder, "first"), kept) == ""
    return folder


def _run(folder: Path, name: str) -> Path:
    run_dir = folder / name
    run_dir.mkdir()
    return run_dir


def _spoiled(results: Path, tmp_path: Path, loaded: LoadedStudy, content: bytes) -> Kept:
    path = tmp_path / FOLDER / kept_plan(loaded, results).path.name
    path.parent.mkdir()
    path.write_bytes(content)
    return kept_plan(loaded, tmp_path)


def test_the_next_run_takes_the_plan_that_the_first_made(loaded: LoadedStudy, results: Path) -> None:
    other = load_study(TINY, [*SOLVED, "coordination=uncoordinated"])
    kept = kept_plan(other, results)
    assert kept.files is not None
    again = _run(results, "again")
    assert provide_plan(other, again, kept) == ""
    for name in (FILE, COMMITMENT):
        assert (again / name).read_bytes() == (results / "first" / name).read_bytes()
    assert ForwardPlan.read(again / FILE).committed.shape == (1, 24, 5)


def test_a_fresh_plan_is_the_kept_one_made_again(loaded: LoadedStudy, results: Path, tmp_path: Path) -> None:
    kept = kept_plan(loaded, results, fresh=True)
    assert kept.files is None
    assert provide_plan(loaded, tmp_path, kept) == ""
    made, first = (ForwardPlan.read(folder / FILE) for folder in (tmp_path, results / "first"))
    for name in ForwardPlan.__slots__:
        assert np.array_equal(getattr(made, name), getattr(first, name))
    assert [path.name for path in kept.path.parent.iterdir()] == [kept.path.name]


def test_a_plan_cut_short_is_not_taken(loaded: LoadedStudy, results: Path, tmp_path: Path) -> None:
    whole = kept_plan(loaded, results).path.read_bytes()
    kept = _spoiled(results, tmp_path, loaded, whole[: len(whole) // 2])
    assert kept.files is None
    assert "cannot be used" in kept.remark
    assert "made anew" in kept.remark


def test_a_plan_with_a_bit_turned_is_not_taken(loaded: LoadedStudy, results: Path, tmp_path: Path) -> None:
    content = bytearray(kept_plan(loaded, results).path.read_bytes())
    content[len(content) // 2] ^= 1
    assert _spoiled(results, tmp_path, loaded, bytes(content)).files is None


def test_a_plan_of_another_scenario_is_not_taken(loaded: LoadedStudy, results: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zip"
    with (
        zipfile.ZipFile(kept_plan(loaded, results).path) as whole,
        zipfile.ZipFile(foreign, "w") as archive,
    ):
        for name in (FILE, COMMITMENT):
            archive.writestr(name, whole.read(name))
        archive.writestr(KEY, "0" * 64)
    kept = _spoiled(results, tmp_path, loaded, foreign.read_bytes())
    assert kept.files is None
    assert "of another scenario" in kept.remark


def test_what_is_no_plan_is_not_taken(loaded: LoadedStudy, results: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.zip"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr(KEY, kept_plan(loaded, results).plan_hash)
        for name in (FILE, COMMITMENT):
            archive.writestr(name, b"not a plan")
    assert _spoiled(results, tmp_path, loaded, foreign.read_bytes()).files is None


def test_where_no_plan_can_be_kept_the_run_has_its_own(loaded: LoadedStudy, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    remark = provide_plan(loaded, _run(tmp_path, "run"), kept_plan(loaded, tmp_path))
    assert "could not be kept" in remark
    assert (tmp_path / "run" / FILE).is_file()
