"""A study from several files: ``include`` and ``--set``.

Included files are the ground: they are laid in their order, and the including file over them. Mappings
merge key by key, everything else is replaced, lists whole. Paths are relative to the file that names them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.faults import Fault, KeyPath, Place, StudyError, dotted, fault_at
from runner.yaml_source import MAX_VALUES, Node, mapping, parse_option, read_file, sequence

INCLUDE = "include"
MAX_FILES = 50


@dataclass(slots=True)
class _Gathering:
    """State of reading a study with its includes."""

    files: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """What leaves the tree without a part."""
    blemishes: list[Fault] = field(default_factory=list)
    """What leaves the tree whole."""


@dataclass(frozen=True, slots=True)
class StudyTree:
    """A study with everything that it includes."""

    root: Node
    """The tree."""
    files: tuple[str, ...]
    """Names of the files read, the study's first."""
    faults: tuple[Fault, ...]
    """What the files hold that a study may not, such as a doubled key."""


def read_tree(path: Path) -> StudyTree:
    """A study file with everything that it includes.

    Raises
    ------
    StudyError
        If the tree lacks a part: a syntax error, a missing file, an include loop (its files are named). The
        faults of all files are named.
    """
    state = _Gathering()
    node = _read(path, os.path.normpath(path), (), state)
    if not state.faults and node.size > MAX_VALUES:
        what = f"the study unfolds to more than {MAX_VALUES} values"
        state.faults.append(fault_at(node.place, (), what))
    if state.faults:
        raise StudyError([*state.faults, *state.blemishes])
    return StudyTree(node, tuple(state.files), tuple(state.blemishes))


def _read(path: Path, name: str, above: tuple[str, ...], state: _Gathering) -> Node:
    state.files.append(name)
    start = Place(file=name, line=1, column=1)
    try:
        own, blemishes = read_file(path, name)
    except StudyError as error:
        state.faults += error.faults
        return mapping({}, start, start)
    state.blemishes += blemishes
    if not isinstance(own.value, Mapping):
        state.faults.append(
            fault_at(own.place, (), "a study is a mapping of keys to values, not a list or text")
        )
        return mapping({}, start, start)
    children = dict(own.value)
    wanted = children.pop(INCLUDE, None)
    node = mapping(children, own.place, own.key_place)
    ground: Node | None = None
    for at, item in _includes(wanted, state):
        below = _included(at, item, name, above, state)
        ground = below if ground is None or below is None else merged(ground, below)
    return node if ground is None else merged(ground, node)


def _includes(wanted: Node | None, state: _Gathering) -> list[tuple[KeyPath, Node]]:
    if wanted is None:
        return []
    items = wanted.value if isinstance(wanted.value, tuple) else (wanted,)
    named = [(((INCLUDE, i) if wanted is not item else (INCLUDE,)), item) for i, item in enumerate(items)]
    for at, item in named:
        if not isinstance(item.value, str):
            state.faults.append(fault_at(item.place, at, "the name of a YAML file is expected"))
    return [(at, item) for at, item in named if isinstance(item.value, str)]


def _included(at: KeyPath, item: Node, name: str, above: tuple[str, ...], state: _Gathering) -> Node | None:
    below = os.path.normpath(Path(name).parent / str(item.value))
    chain = (*above, name)
    same = [i for i, upper in enumerate(chain) if Path(upper).resolve() == Path(below).resolve()]
    if same:
        loop = " includes ".join((*chain[same[0] :], below))
        state.faults.append(
            fault_at(item.place, at, f"an include loop: {loop}", "remove one of these includes")
        )
        return None
    if len(state.files) >= MAX_FILES:
        if len(state.files) == MAX_FILES:
            state.faults.append(fault_at(item.place, at, f"more than {MAX_FILES} files are included"))
            state.files.append(below)
        return None
    try:
        Path(below).stat()
    except OSError:
        what = f"the included file {below!r} does not exist"
        remedy = f"names are relative to the folder of {name}"
        state.faults.append(fault_at(item.place, at, what, remedy))
        return None
    return _read(Path(below), below, chain, state)


def merged(ground: Node, over: Node) -> Node:
    """Two trees as one: mappings key by key, everything else from ``over``."""
    if not (isinstance(ground.value, Mapping) and isinstance(over.value, Mapping)):
        return over
    children = dict(ground.value)
    for key, node in over.value.items():
        children[key] = merged(children[key], node) if key in children else node
    return mapping(children, over.place, over.key_place)


def with_sets(root: Node, options: Sequence[str]) -> tuple[Node, tuple[Fault, ...]]:
    """Tree with every ``a.0.b=value`` put in, and the faults of those that could not be.

    An option is at fault when it has no ``=``, no YAML value, or a path that leads nowhere.
    """
    faults: list[Fault] = []
    for option in options:
        name = f"--set {option}"
        key, equals, text = option.partition("=")
        path = _path(key)
        if not equals or not path:
            place = Place(file=name)
            faults.append(fault_at(place, (), "no 'key=value'", "write --set horizon.duration='2 h'"))
            continue
        try:
            root = _put(root, path, parse_option(text, name), ())
        except StudyError as error:
            faults += error.faults
    return root, tuple(faults)


def _path(key: str) -> KeyPath:
    parts: Iterable[str] = key.strip().replace("[", ".").replace("]", "").split(".")
    path = tuple(int(part) if part.isdecimal() else part for part in parts)
    return () if "" in path else path


def _put(root: Node, path: KeyPath, new: Node, above: KeyPath) -> Node:
    if not path:
        return new.keyed(new.place)
    part, rest = path[0], path[1:]
    here = (*above, part)
    if isinstance(root.value, tuple):
        if not isinstance(part, int) or part > len(root.value):
            what = f"{dotted(above)} is a list of {len(root.value)}"
            raise StudyError([fault_at(new.place, here, what, f"use a place from 0 to {len(root.value)}")])
        items = list(root.value)
        old = items[part] if part < len(items) else mapping({}, new.place, new.place)
        items[part : part + 1] = [_put(old, rest, new, here)]
        return sequence(tuple(items), root.place, root.key_place)
    if isinstance(root.value, Mapping) or root.value is None:
        children = dict(root.value or {})
        old = children.get(str(part), mapping({}, new.place, new.place))
        children[str(part)] = _put(old, rest, new, here)
        return mapping(children, root.place, root.key_place)
    raise StudyError(
        [fault_at(new.place, here, f"{dotted(above)} is the value {root.value!r}, it holds no keys")]
    )
