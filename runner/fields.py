"""The keys that a study may hold, read from the settings: for did-you-mean, paths and the manual."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runner.faults import KeyPath
from runner.yaml_source import Node

KIND = "kind"


def key_of(name: str, field: FieldInfo) -> str:
    """Key in a study of a settings field."""
    return field.alias or name


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of settings by their key in a study."""
    return {key_of(name, field): field for name, field in model.model_fields.items()}


def settings_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    """Every settings class that an annotation can hold, through lists, unions and mappings."""
    if isinstance(annotation, type) and not get_args(annotation):
        return (annotation,) if issubclass(annotation, BaseModel) else ()
    origin = get_origin(annotation)
    if origin is Literal:
        return ()
    args = get_args(annotation)[:1] if origin is Annotated else get_args(annotation)
    found: list[type[BaseModel]] = []
    for arg in args:
        found += [model for model in settings_in(arg) if model not in found]
    return tuple(found)


def holds(annotation: Any, wanted: type[object]) -> bool:
    """Whether an annotation is, or as a union can be, ``wanted``."""
    if annotation is wanted:
        return True
    origin = get_origin(annotation)
    if origin is Annotated:
        return holds(get_args(annotation)[0], wanted)
    if origin in {Union, types.UnionType}:
        return any(holds(arg, wanted) for arg in get_args(annotation))
    return False


def kinds_of(models: tuple[type[BaseModel], ...]) -> dict[str, type[BaseModel]]:
    """Settings of a tagged union by their ``kind``."""
    return {
        str(get_args(model.model_fields[KIND].annotation)[0]): model
        for model in models
        if KIND in model.model_fields and get_origin(model.model_fields[KIND].annotation) is Literal
    }


def chosen(models: tuple[type[BaseModel], ...], node: Node | None) -> type[BaseModel] | None:
    """The settings class that a node is written for: the only one, or the one of its ``kind``."""
    if len(models) == 1:
        return models[0]
    kind = node.child(KIND) if node is not None else None
    return kinds_of(models).get(str(kind.value)) if kind is not None else None


def settings_at(root: type[BaseModel], tree: Node, path: KeyPath) -> type[BaseModel] | None:
    """Settings class that the value at ``path`` is written for, or None."""
    model: type[BaseModel] | None = root
    node: Node | None = tree
    inside: tuple[type[BaseModel], ...] = (root,)
    for part in path:
        node = node.child(part) if node is not None else None
        if isinstance(part, str):
            field = keys(model).get(part) if model is not None else None
            inside = settings_in(field.annotation) if field is not None else ()
        model = chosen(inside, node)
    return model


def path_keys(root: type[BaseModel], tree: Node) -> Iterator[KeyPath]:
    """Paths of all values in a tree that name a file or folder."""
    for key, field in keys(root).items():
        below = tree.child(key)
        if below is None:
            continue
        if holds(field.annotation, Path):
            yield (key,)
        models = settings_in(field.annotation)
        items = enumerate(below.value) if isinstance(below.value, tuple) else [(None, below)]
        for place, item in items:
            model = chosen(models, item)
            if model is not None:
                head: KeyPath = (key,) if place is None else (key, place)
                yield from ((*head, *rest) for rest in path_keys(model, item))
