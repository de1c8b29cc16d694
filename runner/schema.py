"""The form of a study as JSON Schema for editors, and as tables for people; both from the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from pydantic import BaseModel

from federates.core.settings import Study
from federates.core.units import FACTORS
from runner.fields import keys, settings_in
from runner.overlay import INCLUDE
from runner.shipped import OVERLAY_SCHEMA_NAME, SCHEMA_NAME

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Schema = dict[str, Json]

_INSTANT = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?$"
_INCLUDE: Schema = {
    "description": "Study files to lay below this one, in their order; relative to this file.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}


def study_schema() -> Schema:
    """JSON Schema (2020-12) of a study file; a file that includes others need not be complete."""
    schema = cast("Schema", Study.model_json_schema(by_alias=True, mode="validation"))
    _allow_dates(schema)
    properties = cast("Schema", schema["properties"])
    schema["properties"] = {INCLUDE: _INCLUDE, **properties}
    required = schema.pop("required")
    schema["anyOf"] = [{"required": [INCLUDE]}, {"required": required}]
    head: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_NAME}
    return {**head, **schema}


def overlay_schema() -> Schema:
    """JSON Schema of a file that is laid over or below another study: nothing is required."""
    schema = study_schema()
    del schema["anyOf"]
    _require_nothing(schema)
    return {**schema, "$id": OVERLAY_SCHEMA_NAME}


def _require_nothing(value: Json) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("required"), list):
            del value["required"]
        for below in value.values():
            _require_nothing(below)
    elif isinstance(value, list):
        for below in value:
            _require_nothing(below)


def _allow_dates(value: Json) -> None:
    """Put a pattern in place of the format 'date-time', which asks for a time zone and takes no date."""
    if isinstance(value, dict):
        if value.get("format") == "date-time":
            del value["format"]
            value["pattern"] = _INSTANT
        for below in value.values():
            _allow_dates(below)
    elif isinstance(value, list):
        for below in value:
            _allow_dates(below)


def schema_text(*, overlay: bool = False) -> str:
    """The schema of a study, or of an overlay, as the text of its file."""
    schema = overlay_schema() if overlay else study_schema()
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def reference() -> str:
    """Every key of a study as Markdown: one table per settings class, in the order of their use."""
    schema = study_schema()
    parts = [_table(model, schema) for model in _models(Study, [])]
    return "\n".join(parts)


def _models(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    if model not in seen:
        seen.append(model)
        for field in keys(model).values():
            for below in settings_in(field.annotation):
                _models(below, seen)
    return seen


def _table(model: type[BaseModel], schema: Schema) -> str:
    name = model.__name__
    own = schema if model is Study else _definition(schema, name)
    required = _required(own)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, raw in cast("dict[str, Schema]", own["properties"]).items():
        default = "**required**" if key in required else _default(raw)
        meaning = _line(_meaning(model, key, raw))
        rows.append(f"| `{key}` | {_value(raw)} | {default} | {meaning} |")
    return f"### {name}\n\n{_line(model.__doc__ or '')}\n\n" + "\n".join(rows) + "\n"


def _meaning(model: type[BaseModel], key: str, raw: Schema) -> str:
    field = keys(model).get(key)
    return (field.description or "") if field is not None else str(raw.get("description", ""))


def _definition(schema: Schema, name: str) -> Schema:
    return cast("dict[str, Schema]", schema["$defs"])[name]


def _required(own: Schema) -> Sequence[str]:
    if "anyOf" in own:
        return cast("list[dict[str, list[str]]]", own["anyOf"])[-1]["required"]
    return cast("list[str]", own.get("required", []))


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(raw: Schema) -> str:
    if "default" not in raw:
        return ""
    value = raw["default"]
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, dict):
        return "its own defaults" if "kind" not in value else f"`{value['kind']}`"
    return f"`{json.dumps(value)}`"


def _value(raw: Schema) -> str:
    """What may be written, in words."""
    return " or ".join(dict.fromkeys(_words(raw)))


def _words(raw: Schema) -> Iterator[str]:
    if "const" in raw:
        yield f"`{raw['const']}`"
    elif "enum" in raw:
        yield ", ".join(f"`{word}`" for word in cast("list[str]", raw["enum"]))
    elif "$ref" in raw:
        yield _link(str(raw["$ref"]))
    elif "oneOf" in raw or "anyOf" in raw:
        branches = cast("list[Schema]", raw.get("oneOf") or raw.get("anyOf"))
        quantity = _quantity(branches)
        if quantity:
            yield quantity
        else:
            for branch in branches:
                yield from _words(branch)
    else:
        yield from _simple(raw)


def _link(ref: str) -> str:
    name = ref.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _quantity(branches: Sequence[Schema]) -> str:
    """Kind of quantity and its units, where the branches are a number and a text with a unit."""
    pattern = next((str(b["pattern"]) for b in branches if "pattern" in b), "")
    for kind, units in FACTORS.items():
        if "(" + "|".join(re.escape(u) for u in units) + ")" in pattern:
            base = next((f"{kind} [{unit}]" for unit, factor in units.items() if factor == 1.0), "number")
            return f"{base}, or with {', '.join(units)}{_bounds(branches[0])}"
    return ""


def _simple(raw: Schema) -> Iterator[str]:
    match raw.get("type"):
        case "null":
            return
        case "array":
            yield f"list of {_value(cast('Schema', raw.get('items', {'type': 'string'})))}"
        case "object":
            below = raw.get("additionalProperties")
            yield f"mapping to {_value(below)}" if isinstance(below, dict) else "mapping"
        case "string":
            if raw.get("pattern") == _INSTANT:
                yield "date, or date and hour"
            elif "pattern" in raw:
                yield "name"
            else:
                yield "path" if raw.get("format") == "path" else "text"
        case "boolean":
            yield "true or false"
        case "integer":
            yield f"whole number{_bounds(raw)}"
        case _:
            yield f"number{_bounds(raw)}"


_SIGNS: Mapping[str, str] = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def _bounds(raw: Schema) -> str:
    bounds = [(sign, raw.get(key)) for key, sign in _SIGNS.items()]
    shown = [f"{sign} {value:.10g}" for sign, value in bounds if isinstance(value, int | float)]
    return f", {' and '.join(shown)}" if shown else ""
