"""Validation errors in plain words, at the places where they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from federates.core.form import MisfitsError
from runner.faults import Fault, KeyPath, did_you_mean, fault_at
from runner.fields import KIND, keys, kinds_of, settings_at, settings_in
from runner.yaml_source import Node

_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "path_type": "the name of a file or folder",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "datetime_type": "an instant such as 2020-03-27T18:00",
}
_BOUND = {
    "greater_than": ("too small", "it must be more than {gt}"),
    "greater_than_equal": ("too small", "the least is {ge}"),
    "less_than": ("too large", "it must be less than {lt}"),
    "less_than_equal": ("too large", "the greatest is {le}"),
}
_TRAPS = {"yes": "true", "no": "false", "on": "true", "off": "false", "y": "true", "n": "false"}
_DESCRIBED_CHARS = 100
_NOT = " is expected, not "


def faults_of(error: ValidationError, root: type[BaseModel], tree: Node) -> list[Fault]:
    """Every fault of a validation, at its place in the tree."""
    found: list[Fault] = []
    tried: dict[KeyPath, list[Fault]] = {}
    for detail in error.errors(include_url=False):
        path = _settled(tree, detail["loc"])
        if _follows_from_others(detail):
            continue
        if detail["type"] in _EXPECTED or detail["type"] == "literal_error":
            tried.setdefault(path, []).extend(f for _, f in _explained(detail, path, root, tree))
        else:
            found += [fault for _, fault in _explained(detail, path, root, tree)]
    return found + [_joined(same) for same in tried.values()]


def _follows_from_others(detail: ErrorDetails) -> bool:
    """Whether a list is called short only because its items are at fault."""
    value = detail["input"]
    context = detail.get("ctx", {})
    return detail["type"] == "too_short" and isinstance(value, list) and len(value) >= context["min_length"]


def _settled(tree: Node, loc: tuple[str | int, ...]) -> KeyPath:
    """Location without what pydantic puts in for unions: the chosen kind, the tried types."""
    path: KeyPath = ()
    node = tree
    for part in loc:
        kind = node.child(KIND)
        below = node.child(part)
        if below is None or (kind is not None and kind.value == part):
            continue
        path, node = (*path, part), below
    return path


def _joined(same: list[Fault]) -> Fault:
    """One fault of the several that the branches of a union report for one value."""
    if len(same) == 1:
        return same[0]
    first = same[0]
    wanted = [f.what.partition(_NOT)[0] for f in same[:-1]]
    what = " or ".join([*wanted, same[-1].what])
    remedy = next((f.remedy for f in same if f.remedy), "")
    return Fault(
        file=first.file, line=first.line, column=first.column, path=first.path, what=what, remedy=remedy
    )


def _explained(
    detail: ErrorDetails, path: KeyPath, root: type[BaseModel], tree: Node
) -> Iterator[tuple[KeyPath, Fault]]:
    context = detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, MisfitsError):
        for misfit in cause.found:
            at = (*path, *misfit.at)
            yield at, _at_value(tree, at, str(misfit))
        return
    special = _SPECIAL.get(detail["type"])
    if special is not None:
        at, fault = special(detail, path, root, tree)
        yield at, fault
        return
    what, remedy = _plain_words(detail, context)
    yield path, _at_value(tree, path, what, remedy)


def _at_value(tree: Node, path: KeyPath, what: str, remedy: str = "") -> Fault:
    """Fault at a value, or at its key where the value spans lines."""
    node = tree.nearest(path)
    place = node.key_place if isinstance(node.value, tuple | Mapping) else node.place
    return fault_at(place, path, what, remedy)


def _unknown_key(
    detail: ErrorDetails, path: KeyPath, root: type[BaseModel], tree: Node
) -> tuple[KeyPath, Fault]:
    del detail
    model = settings_at(root, tree, path[:-1])
    key = str(path[-1])
    remedy = did_you_mean(key, keys(model)) if model is not None else ""
    return path, fault_at(tree.nearest(path).key_place, path, f"unknown key {key!r}", remedy)


def _missing_key(
    detail: ErrorDetails, path: KeyPath, root: type[BaseModel], tree: Node
) -> tuple[KeyPath, Fault]:
    key = str(detail["loc"][-1])
    model = settings_at(root, tree, path)
    field = keys(model).get(key) if model is not None else None
    described = " ".join((field.description or "").split()) if field is not None else ""
    remedy = f"add it: {described[:_DESCRIBED_CHARS]}" if described else "add it"
    at = (*path, key)
    return at, fault_at(tree.nearest(path).key_place, at, f"key {key!r} is missing", remedy)


def _unknown_kind(
    detail: ErrorDetails, path: KeyPath, root: type[BaseModel], tree: Node
) -> tuple[KeyPath, Fault]:
    at = (*path, KIND)
    known = _kinds_at(root, tree, path)
    node = tree.at(at)
    if detail["type"] == "union_tag_not_found" or node is None:
        key_place = tree.nearest(path).key_place
        return at, fault_at(key_place, at, f"key {KIND!r} is missing", f"add it: {', '.join(known)}")
    hint = did_you_mean(str(node.value), known)
    return at, fault_at(node.place, at, f"unknown kind {node.value!r}", hint)


def _kinds_at(root: type[BaseModel], tree: Node, path: KeyPath) -> tuple[str, ...]:
    named = [i for i, part in enumerate(path) if isinstance(part, str)]
    if not named:
        return ()
    model = settings_at(root, tree, path[: named[-1]])
    field = keys(model).get(str(path[named[-1]])) if model is not None else None
    return tuple(kinds_of(settings_in(field.annotation))) if field is not None else ()


_SPECIAL: dict[str, Callable[[ErrorDetails, KeyPath, type[BaseModel], Node], tuple[KeyPath, Fault]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    "union_tag_invalid": _unknown_kind,
    "union_tag_not_found": _unknown_kind,
}


def _plain_words(detail: ErrorDetails, context: Mapping[str, object]) -> tuple[str, str]:
    kind, value = detail["type"], detail["input"]
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}{_NOT}{_shown(value)}", _advice(kind, value)
    if kind in _BOUND:
        what, remedy = _BOUND[kind]
        return f"{_shown(value)} is {what}", remedy.format_map(context)
    match kind:
        case "literal_error":
            words = str(context["expected"]).replace(" or ", ", ").split(", ")
            hint = did_you_mean(str(value), [w.strip("'") for w in words])
            hint = hint if hint.startswith("did you mean") else ""
            return f"{context['expected']}{_NOT}{_shown(value)}", hint
        case "string_pattern_mismatch":
            remedy = "use small letters, digits and '_', a letter first, at most 31"
            return f"{_shown(value)} is no name", remedy
        case "too_short":
            return f"at least {context['min_length']} must be given", "add one"
        case "value_error":
            what, _, remedy = str(context["error"]).partition("; ")
            return what, remedy
    return f"{detail['msg']}, not {_shown(value)}", ""


def _advice(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return f"put it in quotes: '{value}'"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in _TRAPS:
        return f"write {_TRAPS[value.lower()]}"
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return "write it without quotes and without a unit"
    return ""


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    return repr(value) if len(repr(value)) <= _DESCRIBED_CHARS else f"{repr(value)[:_DESCRIBED_CHARS]}..."
