"""The page on results is current and complete."""

from __future__ import annotations

from pathlib import Path

from federates.core.tables import TABLES
from runner.post.schema import tables_markdown

PAGE = Path(__file__).parents[3] / "results" / "README.md"


def test_the_page_on_results_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == tables_markdown(), "run: python -m runner.post.schema"


def test_every_column_of_every_table_is_described_with_its_unit() -> None:
    page = tables_markdown()
    for table in TABLES.values():
        section = page.split(f"### `{table.name}`")[1].split("###")[0]
        for column in table.columns:
            assert f"| `{column.name}` | {column.unit} | {column.meaning} |" in section
