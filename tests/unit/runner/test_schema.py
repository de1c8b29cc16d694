"""The schema that is checked in and the manual say what the settings say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from federates.core.settings import Study
from runner.fields import keys, settings_in
from runner.schema import reference, schema_text, study_schema
from runner.shipped import OVERLAY_SCHEMA_NAME, SCHEMA_NAME, shipped_configs, shipped_studies

BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->\n"


@pytest.mark.parametrize(("name", "overlay"), [(SCHEMA_NAME, False), (OVERLAY_SCHEMA_NAME, True)])
def test_the_schema_that_is_checked_in_is_current(name: str, *, overlay: bool) -> None:
    path = shipped_configs() / "schema" / name
    option = " --overlay" if overlay else ""
    assert path.read_text(encoding="utf-8") == schema_text(overlay=overlay), (
        f"run: tandem schema{option} --out configs/schema/{name}"
    )


def test_an_overlay_may_hold_any_part_of_a_study() -> None:
    overlay, study = schema_text(overlay=True), schema_text()
    assert '"required":' in study
    assert '"required":' not in overlay
    assert '"additionalProperties": false' in overlay


def test_the_manual_of_all_keys_is_current() -> None:
    text = (shipped_configs() / "README.md").read_text(encoding="utf-8")
    between = text.partition(BEGIN)[2].partition(END)[0]
    assert between.strip() == reference().strip(), "put the output of: tandem schema --markdown"


def test_a_study_that_includes_another_need_not_be_complete() -> None:
    schema = study_schema()
    assert "required" not in schema
    whole, part = schema["anyOf"][1], schema["anyOf"][0]
    assert part == {"required": ["include"]}
    assert "horizon" in whole["required"]
    assert "include" in schema["properties"]


def test_every_key_is_explained() -> None:
    seen, queue = set(), [Study]
    while queue:
        model = queue.pop()
        if model in seen:
            continue
        seen.add(model)
        for key, field in keys(model).items():
            assert field.description, f"{model.__name__}.{key} has no docstring"
            queue += settings_in(field.annotation)
    assert len(seen) > 20


def test_units_may_stand_in_text_and_bounds_in_the_number_branch() -> None:
    step = study_schema()["$defs"]["Horizon"]["properties"]["step"]
    number, text = step["anyOf"]
    assert number == {"type": "number", "exclusiveMinimum": 0.0}
    assert re.search(text["pattern"], "5 min")
    assert not re.search(text["pattern"], "5 MW")


@pytest.mark.parametrize(
    ("text", "fits"),
    [("2020-03-27", True), ("2020-03-27T17:00:00", True), ("2020-03-27 17:00", True), ("27.3.2020", False)],
)
def test_a_date_needs_no_time_zone_in_the_schema(text: str, *, fits: bool) -> None:
    pattern = study_schema()["$defs"]["Horizon"]["properties"]["start"]["pattern"]
    assert bool(re.search(pattern, text)) is fits


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_every_shipped_study_names_its_schema(name: str) -> None:
    path = shipped_studies()[name]
    first = path.read_text(encoding="utf-8").splitlines()[0]
    target = first.removeprefix("# yaml-language-server: $schema=")
    assert target != first
    assert (path.parent / Path(target)).resolve() == (shipped_configs() / "schema" / SCHEMA_NAME).resolve()


def test_the_schema_is_json_that_any_editor_reads() -> None:
    schema = json.loads(schema_text())
    assert schema["$schema"].startswith("https://json-schema.org/")
    names = re.findall(r'"\$ref": "#/\$defs/(\w+)"', schema_text())
    assert names
    assert set(names) <= set(schema["$defs"])
