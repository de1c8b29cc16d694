"""YAML files as trees that remember where every key and value stands.

YAML 1.2 (core schema): only ``true`` and ``false`` are booleans, ``010`` is ten, ``12:30`` and dates are
text, ``1e-3`` is a number. Doubled keys, tags, merge keys and lists as keys are refused. Anchors and
aliases are allowed; how much they may unfold to is capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml
from yaml.resolver import BaseResolver

from runner.faults import Fault, KeyPath, Place, StudyError, did_you_mean, fault_at

if TYPE_CHECKING:
    from yaml.parser import Parser as _Parser

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_VALUES = 250_000
MAX_DEPTH = 60
TOO_DEEP = f"values nest deeper than {MAX_DEPTH} levels"
_MAX_NUMBER_CHARS = 100
_NO_TAGS = "remove it: a study is plain values"

Scalar = None | bool | int | float | str
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
"""A value without its places."""

_TAG = "tag:yaml.org,2002:"
_COLLECTION_TAGS = {_TAG + "map", _TAG + "seq"}
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_RESOLVERS = (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT))


class _Yaml12(BaseResolver):
    """Implicit types of the YAML 1.2 core schema; refuses what nests too deep.

    libyaml's composer calls itself for every level and would run out of stack.
    """

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Go one level down."""
        super().descend_resolver(current_node, current_index)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooDeepError(current_node)

    def ascend_resolver(self) -> None:
        """Come back one level."""
        super().ascend_resolver()
        self._depth -= 1


class _TooDeepError(Exception):
    """Values nest too deep, below ``node``."""

    def __init__(self, node: yaml.Node | None) -> None:
        super().__init__()
        self.mark = node.start_mark if node is not None else None


for _name, _pattern in _RESOLVERS:
    _Yaml12.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern.pattern})$"), None)


if TYPE_CHECKING:

    class _Composer(_Parser): ...
elif yaml.__with_libyaml__:

    class _Composer(yaml.cyaml.CParser, _Yaml12):
        """Node composer on libyaml."""

        def __init__(self, text: str) -> None:
            yaml.cyaml.CParser.__init__(self, text)
            _Yaml12.__init__(self)
else:

    class _Composer(
        yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _Yaml12
    ):
        """Node composer in Python, where PyYAML was built without libyaml."""

        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)
            _Yaml12.__init__(self)


class Yaml12Dumper(yaml.SafeDumper):
    """Dumper that quotes what YAML 1.2 would read as something else than text."""

    yaml_implicit_resolvers = _Yaml12.yaml_implicit_resolvers

    def ignore_aliases(self, data: object) -> bool:
        """No anchors in what is written."""
        del data
        return True


@dataclass(frozen=True, slots=True)
class Node:
    """One value with the places of its key and of itself."""

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    """A scalar, the items of a list, or the values of a mapping by key."""
    place: Place
    """Where the value stands."""
    key_place: Place
    """Where its key stands; the value's own place for a list item."""
    size: int = 1
    """Values in it when every alias is unfolded."""

    def keyed(self, place: Place) -> Node:
        """The same value under a key at ``place``."""
        return Node(self.value, self.place, place, self.size)

    def child(self, part: str | int) -> Node | None:
        """Value under a key or at a list place, or None."""
        if isinstance(self.value, Mapping):
            return self.value.get(str(part))
        if isinstance(self.value, tuple) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def at(self, path: KeyPath) -> Node | None:
        """Value at a path below, or None."""
        node: Node | None = self
        for part in path:
            node = node.child(part) if node is not None else None
        return node

    def nearest(self, path: KeyPath) -> Node:
        """Value at a path below, or the deepest one on the way to it."""
        node = self
        for part in path:
            below = node.child(part)
            if below is None:
                break
            node = below
        return node

    def plain(self) -> Plain:
        """Value without places."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value


def mapping(children: Mapping[str, Node], place: Place, key_place: Place) -> Node:
    """Mapping node."""
    return Node(dict(children), place, key_place, 1 + sum(n.size for n in children.values()))


def sequence(children: tuple[Node, ...], place: Place, key_place: Place) -> Node:
    """List node."""
    return Node(children, place, key_place, 1 + sum(n.size for n in children))


def read_file(path: Path, name: str) -> tuple[Node, tuple[Fault, ...]]:
    """Tree of a YAML file and what it holds that a study may not; ``name`` is how messages call it.

    A value at fault is null in the tree; of a doubled key the first value counts.

    Raises
    ------
    StudyError
        If the file cannot be read or is no YAML: nothing in it can be trusted then.
    """
    start = Place(file=name, line=1, column=1)
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
    except OSError as error:
        what = f"the file cannot be read: {(error.strerror or str(error)).lower()}"
        raise StudyError([fault_at(Place(file=name), (), what, _neighbours(path))]) from error
    if data is None:
        raise StudyError([fault_at(start, (), f"the file is larger than {MAX_FILE_BYTES // 1024**2} MB")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        place = Place(file=name, line=line, column=column)
        raise StudyError([fault_at(place, (), "the file is not UTF-8 text", "save it as UTF-8")]) from error
    return _scanned(text, name)


def parse(text: str, name: str) -> Node:
    """Tree of a YAML text; an empty text is an empty mapping.

    Raises
    ------
    StudyError
        If the text is no YAML, or with everything in it that a study may not hold.
    """
    node, faults = _scanned(text, name)
    if faults:
        raise StudyError(faults)
    return node


def _scanned(text: str, name: str) -> tuple[Node, tuple[Fault, ...]]:
    reader = _Reader(name)
    root = _compose(text, name)
    start = Place(file=name, line=1, column=1)
    if root is None:
        return mapping({}, start, start), ()
    node = reader.node(root, ())
    if node.size > MAX_VALUES:
        what = f"the file unfolds to more than {MAX_VALUES} values"
        raise StudyError([fault_at(start, (), what, "use fewer aliases")])
    return node, tuple(reader.faults)


def parse_option(text: str, option: str) -> Node:
    """Tree of the value of a ``--set`` option, read as a file would be.

    Raises
    ------
    StudyError
        If the text is no YAML value.
    """
    place = Place(file=option)
    try:
        node = parse(text, option)
    except StudyError as error:
        raise StudyError(fault_at(place, (), f.what, f.remedy) for f in error.faults) from error
    if not text.strip():
        return Node(None, place, place)
    return _placed(node, place)


def _placed(node: Node, place: Place) -> Node:
    if isinstance(node.value, Mapping):
        return mapping({k: _placed(n, place) for k, n in node.value.items()}, place, place)
    if isinstance(node.value, tuple):
        return sequence(tuple(_placed(n, place) for n in node.value), place, place)
    return Node(node.value, place, place)


def _neighbours(path: Path) -> str:
    """Did-you-mean for a file that is not there."""
    if path.exists() or not path.parent.is_dir():
        return ""
    names = [p.name for p in path.parent.iterdir() if p.suffix == path.suffix]
    hint = did_you_mean(path.name, names)
    return hint if hint.startswith("did you mean") else ""


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        composer = cast("Any", _Composer)(text)
        return cast("yaml.Node | None", composer.get_single_node())
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - (before.rfind("\n") + 1) + 1
        place = Place(file=name, line=before.count("\n") + 1, column=column)
        raise StudyError([fault_at(place, (), "a character that YAML does not allow")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(name, mark) if mark else Place(file=name, line=1, column=1)
        raise StudyError([fault_at(place, (), *_syntax(error))]) from error
    except _TooDeepError as error:
        place = _place(name, error.mark) if error.mark else Place(file=name, line=1, column=1)
        raise StudyError([fault_at(place, (), TOO_DEEP)]) from error


def _syntax(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    if "nesting depth" in (error.problem or ""):
        # PyYAML's own limit, there from 6.0.4 on and met first where it looks far ahead
        return TOO_DEEP, ""
    problem = f"{error.context}, {error.problem}" if error.context else str(error.problem)
    remedy = ""
    if "'\\t'" in problem or "tab" in problem:
        remedy = "indent with spaces"
    elif "mapping values are not allowed" in problem or "could not find expected ':'" in problem:
        remedy = "check the indentation, and quote a text that holds ': '"
    elif "single document" in problem:
        remedy = "a study is one document; remove the '---'"
    return f"this is not YAML: {problem}", remedy


def _place(name: str, mark: yaml.Mark) -> Place:
    return Place(file=name, line=mark.line + 1, column=mark.column + 1)


class _Reader:
    """Turns composed YAML nodes into ``Node``s, gathering faults."""

    def __init__(self, name: str) -> None:
        self.faults: list[Fault] = []
        self._name = name
        self._done: dict[int, Node] = {}
        self._open: set[int] = set()

    def node(self, raw: yaml.Node, path: KeyPath) -> Node:
        """Node of a composed one; where it is at fault, a null in its place."""
        known = self._done.get(id(raw))
        if known is not None:
            return known
        place = _place(self._name, raw.start_mark)
        if id(raw) in self._open:
            return self._refuse(place, path, "an alias that holds itself")
        self._open.add(id(raw))
        if isinstance(raw, yaml.CollectionNode) and raw.tag not in _COLLECTION_TAGS:
            node = self._refuse(place, path, f"the tag {raw.tag!r} is not allowed", _NO_TAGS)
        elif isinstance(raw, yaml.MappingNode):
            node = self._mapping(raw, place, path)
        elif isinstance(raw, yaml.SequenceNode):
            items = tuple(self.node(item, (*path, i)) for i, item in enumerate(raw.value))
            node = sequence(items, place, place)
        else:
            node = self._scalar(raw, place, path)
        self._open.discard(id(raw))
        self._done[id(raw)] = node
        return node

    def _refuse(self, place: Place, path: KeyPath, what: str, remedy: str = "") -> Node:
        self.faults.append(fault_at(place, path, what, remedy))
        return Node(None, place, place)

    def _mapping(self, raw: yaml.MappingNode, place: Place, path: KeyPath) -> Node:
        found: dict[str, Node] = {}
        for raw_key, raw_value in self._pairs(raw, path):
            key, key_place = str(raw_key.value), _place(self._name, raw_key.start_mark)
            if key in found:
                first = found[key].key_place
                what = f"key {key!r} is given twice (first at line {first.line})"
                self._refuse(key_place, (*path, key), what, "keep one of them")
                continue
            found[key] = self.node(raw_value, (*path, key)).keyed(key_place)
        return mapping(found, place, place)

    def _pairs(self, raw: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        for raw_key, raw_value in raw.value:
            key_place = _place(self._name, raw_key.start_mark)
            if not isinstance(raw_key, yaml.ScalarNode):
                self._refuse(key_place, path, "a key must be a word, not a list or a mapping")
            elif raw_key.value == "<<" and not raw_key.style:
                remedy = "use 'include', or an alias for the whole value"
                self._refuse(key_place, path, "merge keys ('<<') are not part of YAML 1.2", remedy)
            else:
                yield raw_key, raw_value

    def _scalar(self, raw: yaml.Node, place: Place, path: KeyPath) -> Node:
        kind = raw.tag.removeprefix(_TAG)
        text = str(raw.value)
        if kind in {"int", "float"} and len(text) > _MAX_NUMBER_CHARS:
            return self._refuse(place, path, f"a number of {len(text)} digits")
        value: Scalar
        try:
            match kind:
                case "str":
                    value = text
                case "null":
                    value = None
                case "bool":
                    value = {"true": True, "false": False}[text.lower()]
                case "int":
                    value = _whole(text)
                case "float":
                    value = _number(text)
                case _:
                    return self._refuse(place, path, f"the tag {raw.tag!r} is not allowed", _NO_TAGS)
        except (ValueError, KeyError):
            return self._refuse(place, path, f"{text!r} does not fit the tag !!{kind}")
        return Node(value, place, place)


def _whole(text: str) -> int:
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text, 10)


def _number(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
