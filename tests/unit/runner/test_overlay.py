"""Several files and options as one study."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.faults import StudyError
from runner.overlay import MAX_FILES, read_tree, with_sets
from runner.yaml_source import Plain, parse


def tree_of(folder: Path, **files: str) -> Plain:
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    read = read_tree(folder / "top.yaml")
    assert not read.faults
    return read.root.plain()


def test_mappings_merge_and_everything_else_is_replaced(tmp_path: Path) -> None:
    found = tree_of(
        tmp_path,
        ground="a: {x: 1, y: 2}\nb: [1, 2, 3]\nc: 5\n",
        over="a: {y: 20}\nd: 7\n",
        top="include: [ground.yaml, over.yaml]\nb: [9]\na: {z: 30}\n",
    )
    assert found == {"a": {"x": 1, "y": 20, "z": 30}, "b": [9], "c": 5, "d": 7}


def test_a_value_keeps_the_place_of_the_file_that_gave_it(tmp_path: Path) -> None:
    (tmp_path / "ground.yaml").write_text("a:\n  x: 1\n")
    (tmp_path / "top.yaml").write_text("include: ground.yaml\na: {y: 2}\n")
    read = read_tree(tmp_path / "top.yaml")
    places = [str(read.root.nearest(("a", key)).key_place) for key in ("x", "y")]
    assert places == [f"{tmp_path}/ground.yaml:2:3", f"{tmp_path}/top.yaml:2:5"]
    assert read.files == (f"{tmp_path}/top.yaml", f"{tmp_path}/ground.yaml")


def test_includes_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.yaml").write_text("x: 1\n")
    (tmp_path / "sub" / "mid.yaml").write_text("include: deep.yaml\n")
    assert tree_of(tmp_path, top="include: sub/mid.yaml\n") == {"x": 1}


def test_the_same_ground_twice_is_no_loop(tmp_path: Path) -> None:
    found = tree_of(
        tmp_path,
        ground="x: 1\n",
        a="include: ground.yaml\n",
        b="include: ground.yaml\n",
        top="include: [a.yaml, b.yaml]\n",
    )
    assert found == {"x": 1}


def test_files_that_include_without_end_are_refused(tmp_path: Path) -> None:
    files = {f"f{k}": f"include: [f{k + 1}.yaml, f{k + 1}.yaml]\n" for k in range(12)}
    with pytest.raises(StudyError, match=f"more than {MAX_FILES} files are included"):
        tree_of(tmp_path, top="include: f0.yaml\n", f12="x: 1\n", **files)


def test_faults_of_all_included_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        tree_of(tmp_path, a="x: 1\nx: 2\n", b="- 1\n", top="include: [a.yaml, b.yaml, 3, c.yaml]\n")
    told = [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults]
    assert len(told) == 4
    assert told[0].startswith("a.yaml:2:1: x: key 'x' is given twice")
    assert told[1].startswith("b.yaml:1:1: a study is a mapping of keys to values")
    assert told[2].startswith("top.yaml:1:27: include[2]: the name of a YAML file is expected")
    assert told[3].startswith("top.yaml:1:30: include[3]: the included file")


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ("a.x=5", {"a": {"x": 5}, "b": [1, {"c": 2}]}),
        ("b.1.c=true", {"a": {"x": 1}, "b": [1, {"c": True}]}),
        ("b[1].c=1e-3", {"a": {"x": 1}, "b": [1, {"c": 1e-3}]}),
        ("b.2=[7]", {"a": {"x": 1}, "b": [1, {"c": 2}, [7]]}),
        ("d.e.f=x=y", {"a": {"x": 1}, "b": [1, {"c": 2}], "d": {"e": {"f": "x=y"}}}),
        ("a={}", {"a": {}, "b": [1, {"c": 2}]}),
    ],
)
def test_an_option_puts_one_value_in(option: str, found: Plain) -> None:
    node, faults = with_sets(parse("a: {x: 1}\nb: [1, {c: 2}]\n", "t"), [option])
    assert not faults
    assert node.plain() == found


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("a.x", "no 'key=value'"),
        ("=5", "no 'key=value'"),
        ("b.7=1", "b is a list of 2; use a place from 0 to 2"),
        ("b.c=1", "b is a list of 2"),
        ("a.x.y=1", "a.x is the value 1, it holds no keys"),
        ("a={", "this is not YAML"),
    ],
)
def test_an_option_that_leads_nowhere_is_a_fault(option: str, what: str) -> None:
    node, faults = with_sets(parse("a: {x: 1}\nb: [1, {c: 2}]\n", "t"), [option, "a.x=3"])
    (fault,) = faults
    assert what in str(fault)
    assert str(fault).startswith(f"--set {option}: ")
    assert node.plain() == {"a": {"x": 3}, "b": [1, {"c": 2}]}
