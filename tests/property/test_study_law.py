"""Whatever is written into a study, it is either valid or a fault at a place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.faults import Fault, KeyPath, StudyError
from runner.shipped import shipped_studies
from runner.study import load_study
from runner.yaml_source import Plain, Yaml12Dumper, read_file

_STRANGE = ["", "../..", "a/b", "0x10", "99999-01-01", "kind", "lda1", "é", "\x00", "\ud83d"]
TEXTS = st.sampled_from([*_STRANGE, "5 MW", "-1 s", "1e999 h", "yes", "2020-03-27"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 10**90, 0.5, 1e308, float("inf"), float("nan")])
    | TEXTS,
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(st.sampled_from(["kind", "path", "name", "x", "include"]), below, max_size=2)
    ),
    max_leaves=4,
)


def paths(value: Plain, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Paths of every value below ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, below in items:
        yield (*above, part)
        yield from paths(below, (*above, part))


STUDIES = {name: read_file(path, name)[0].plain() for name, path in shipped_studies().items()}
PLACES = [(name, path) for name, study in STUDIES.items() for path in paths(study)]


def with_value(value: Plain, path: KeyPath, new: Plain) -> Plain:
    """The same value with another one at ``path``."""
    if not path:
        return new
    if isinstance(value, dict):
        return {k: with_value(v, path[1:], new) if k == path[0] else v for k, v in value.items()}
    assert isinstance(value, list)
    return [with_value(v, path[1:], new) if k == path[0] else v for k, v in enumerate(value)]


def faults_of(file: Path, *options: str) -> tuple[Fault, ...]:
    """What is wrong with a study; nothing if it is valid. Any other error comes through."""
    try:
        load_study(file, options)
    except StudyError as error:
        error.report()
        return error.faults
    return ()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_a_wrong_value_anywhere_is_a_fault_and_never_another_error(
    place: tuple[str, KeyPath], new: Plain
) -> None:
    name, path = place
    text = yaml.dump(with_value(STUDIES[name], path, new), Dumper=Yaml12Dumper)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "study.yaml"
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        for fault in faults_of(file):
            assert fault.what
            assert fault.line >= 1 or not fault.path


WRONG_TEXTS = ["", "{", "a: b: c", "- 1", "'", "&a *a", "\t", "!!map 5", "5 MW"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(WRONG_TEXTS))
def test_a_wrong_option_is_a_fault_and_never_another_error(place: tuple[str, KeyPath], value: str) -> None:
    name, path = place
    option = f"{'.'.join(map(str, path))}={value}"
    for fault in faults_of(shipped_studies()[name], option):
        assert fault.what
        assert fault.file == f"--set {option}" or fault.line >= 1
