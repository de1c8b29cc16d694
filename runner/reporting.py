"""The report at the end of a run, drawn in a process of its own: no fault of it can lose the run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runner.tool import child_environment

LIMIT_S = 600.0


def draw_report(run_dir: Path) -> str:
    """Draw the report of a run; returns what went wrong, in one text, or nothing."""
    again = f"draw it again with: tandem report {run_dir}"
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "runner.cli", "report", str(run_dir)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env=child_environment(),
        )
    except subprocess.TimeoutExpired:
        return f"the report was not drawn within {LIMIT_S:.0f} s; {again}"
    if child.returncode == 0:
        return ""
    return f"the report was not drawn: {child.stderr.strip()}; {again}"
