"""A study's hash says what it computes, and its resolved form is the same study."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.shipped import shipped_configs, shipped_studies
from runner.study import content_hash, load_study
from tests.unit.runner.texts import VALID, changed, written


def hash_of(folder: Path, text: str, *sets: str) -> str:
    path, _ = written(folder, text)
    return load_study(path, sets).config_hash


@pytest.mark.parametrize(
    "change",
    [
        ("step: 60 s", "step: 1 min"),
        ("step: 60 s", "step: 60"),
        ("step: 60 s", "market_interval: 300"),
        ("power: 2.0 MW", "power: 2e3"),
        ("start: 2020-03-27T17:00:00", "start: 2020-03-27 17:00"),
        ("kind: pjm5", "rating_factors: {}\n  kind: 'pjm5'  # PJM"),
    ],
)
def test_the_same_study_written_otherwise_has_the_same_hash(change: tuple[str, str], tmp_path: Path) -> None:
    assert hash_of(tmp_path, changed(change)) == hash_of(tmp_path, VALID)


@pytest.mark.parametrize("option", ["horizon.gate_lead=180", "seed=2", "ldas.1.feeders.0.model.nodes=101"])
def test_another_value_gives_another_hash(option: str, tmp_path: Path) -> None:
    assert hash_of(tmp_path, VALID, option) != hash_of(tmp_path, VALID)


def test_the_hash_follows_what_named_files_hold_and_not_where_they_are(tmp_path: Path) -> None:
    text = changed(("path: ieee13", "path: my/feeder"))
    source = shipped_configs() / "feeders" / "ieee13"
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        shutil.copytree(source, folder / "my" / "feeder")
    first = hash_of(one, text)
    assert hash_of(two, text) == first == hash_of(tmp_path, VALID)
    some = next(p for p in (two / "my" / "feeder").iterdir() if p.suffix == ".csv")
    some.write_text(some.read_text() + "\n")
    assert hash_of(two, text) != first


def test_a_renamed_file_of_a_folder_changes_its_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    before = content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_hash(tmp_path) != before


def test_the_resolved_study_is_the_same_study(tmp_path: Path) -> None:
    path, _ = written(tmp_path, VALID)
    loaded = load_study(path)
    again = tmp_path / "elsewhere" / "study.yaml"
    again.parent.mkdir()
    again.write_text(loaded.as_yaml())
    assert load_study(again).config_hash == loaded.config_hash
    assert load_study(again).study == loaded.study


def test_paths_are_absolute_and_listed_with_their_hash(tmp_path: Path) -> None:
    path, _ = written(tmp_path, VALID)
    (item,) = load_study(path).inputs
    assert item.key == "ldas[0].feeders[0].model.path"
    assert item.path == (shipped_configs() / "feeders" / "ieee13").resolve()
    assert item.sha256 == content_hash(item.path)


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_every_shipped_study_is_valid(name: str) -> None:
    path = shipped_studies()[name]
    assert load_study(path).study.name == name
