"""The files of a comparison, in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from federates.core.run_folder import write_whole
from runner.post.compare.comparison import NO_IDLE, compare_runs
from runner.post.compare.files import as_csv, as_fields, as_markdown, as_text, verdicts_json
from runner.post.compare.page import page

PAGE = "compare.html"


def write_comparison(
    run_dirs: Sequence[Path], folder: Path, idle: Path | str = NO_IDLE
) -> tuple[dict[str, object], str]:
    """Compare runs and write what came of it; returns it for programs and, in short, for a terminal.

    ``idle``: as `compare_runs` takes it.

    Raises
    ------
    ConfigError
        If the runs do not compare.
    """
    comparison = compare_runs(run_dirs, idle)
    fields = as_fields(comparison)
    contents = {
        "compare.csv": as_csv(comparison),
        "compare.md": as_markdown(comparison),
        "compare.json": json.dumps(fields, indent=1) + "\n",
        "verdicts.json": verdicts_json(comparison),
        PAGE: page(comparison),
    }
    for name, text in contents.items():
        write_whole(folder / name, text.encode())
    return fields, as_text(comparison)
