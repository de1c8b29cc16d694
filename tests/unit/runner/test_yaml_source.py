"""YAML 1.2 as it is written: types, places, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.faults import StudyError
from runner.yaml_source import MAX_FILE_BYTES, Plain, Yaml12Dumper, parse, parse_option, read_file


def value_of(text: str) -> Plain:
    plain = parse(f"a: {text}", "t").plain()
    assert isinstance(plain, dict)
    return plain["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("12:30", "12:30"),
        ("1:00:00", "1:00:00"),
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", "1_000"),
        ("2020-03-27", "2020-03-27"),
        ("2020-03-27T17:00:00", "2020-03-27T17:00:00"),
        ("", None),
        ("~", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("-.inf", -math.inf),
        ("=", "="),
    ],
)
def test_scalars_are_read_as_yaml_1_2(text: str, value: Plain) -> None:
    read = value_of(text)
    assert read == value
    assert type(read) is type(value)


def test_keys_are_always_text() -> None:
    assert parse("no: 1\n5: 2\n~: 3", "t").plain() == {"no": 1, "5": 2, "~": 3}


def test_keys_and_values_know_their_places() -> None:
    root = parse("a:\n  - x: 1\n    é: {k:   2}\n", "t")
    node = root.at(("a", 0, "é", "k"))
    assert node is not None
    assert str(node.key_place) == "t:3:9"
    assert str(node.place) == "t:3:14"


def test_an_alias_gives_the_value_again_under_its_own_key() -> None:
    root = parse("a: &x {k: 1}\nb: *x\n", "t")
    assert root.plain() == {"a": {"k": 1}, "b": {"k": 1}}
    node = root.at(("b",))
    assert node is not None
    assert node.key_place.line == 2


REFUSED = {
    "list as key": ("? [a, b]\n: 1", "a key must be a word", 1),
    "mapping as key": ("{a: 1}: 2", "a key must be a word", 1),
    "alias that holds itself": ("a: &x [*x]", "an alias that holds itself", 1),
    "two documents": ("a: 1\n---\nb: 2", "single document", 2),
    "unclosed quote": ("a: 'x\n", "this is not YAML", 2),
    "unknown alias": ("a: *x", "undefined alias", 1),
    "control character": ("a: 1\nb: \x01", "a character that YAML does not allow", 2),
    "long number": (f"a: {'9' * 5000}", "a number of 5000 digits", 1),
    "tag that does not fit": ("a: !!int ten", "'ten' does not fit the tag !!int", 1),
    "deep nesting": ("[" * 100 + "]" * 100, "nest deeper", 1),
    "very deep lists": ("[" * 50_000 + "]" * 50_000, "nest deeper than 60 levels", 1),
    "very deep dashes": ("- " * 50_000, "nest deeper than 60 levels", 1),
    "very deep mappings": ("a: 1\nb: " + "{a: " * 50_000, "nest deeper than 60 levels", 2),
    "very deep keys": ("? " * 50_000, "nest deeper than 60 levels", 1),
    "text, not keys": ("a: b: c", "this is not YAML", 1),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_study_may_not_hold_is_a_fault_with_its_line(case: str) -> None:
    text, what, line = REFUSED[case]
    with pytest.raises(StudyError) as caught:
        parse(text, "t")
    assert what in str(caught.value)
    assert caught.value.faults[0].line == line


def test_aliases_that_unfold_without_end_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 30)]
    with pytest.raises(StudyError, match="unfolds to more than 250000 values"):
        parse("\n".join(lines), "t")


def test_all_faults_of_a_file_are_named() -> None:
    with pytest.raises(StudyError) as caught:
        parse("a: 1\na: 2\nb: !!set {x}\nc: {d: 1, d: 2}\n", "t")
    assert [(f.line, f.path) for f in caught.value.faults] == [(2, "a"), (3, "b"), (4, "c.d")]


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    large, latin = tmp_path / "large.yaml", tmp_path / "latin.yaml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    latin.write_bytes("a: 1\nb: ö".encode("latin-1"))
    with pytest.raises(StudyError, match="larger than 4 MB"):
        read_file(large, "large")
    with pytest.raises(StudyError, match="latin:2:4: the file is not UTF-8 text; save it as UTF-8"):
        read_file(latin, "latin")
    with pytest.raises(StudyError, match="is a directory"):
        read_file(tmp_path, "folder")


def test_an_option_is_read_as_a_file_would_be() -> None:
    assert parse_option("2 h", "--set a=2 h").plain() == "2 h"
    assert parse_option("[1, {a: true}]", "o").plain() == [1, {"a": True}]
    assert parse_option("", "o").plain() is None
    with pytest.raises(StudyError, match=r"^--set a=\[: this is not YAML"):
        parse_option("[", "--set a=[")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12)
    | st.sampled_from(["yes", "12:30", "0o17", "010", "1e-3", "null", "~", "", ".inf", "2020-03-27", "<<"]),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text("abyn_0", max_size=4), below, max_size=3)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_what_is_dumped_is_read_back(value: Plain) -> None:
    text = yaml.dump({"a": value}, Dumper=Yaml12Dumper, allow_unicode=True)
    assert parse(text, "t").plain() == {"a": value}
