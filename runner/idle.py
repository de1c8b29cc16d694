"""The market days of a run cleared again, DERs idle: what their flexibility is worth is held to that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from federates.core.errors import TandemError
from runner.post.compare.comparison import NO_IDLE, REFERENCE, model_code, reference_place
from runner.post.run_tables import RunTables
from runner.tool import call_tool

FOLDER = "idle"


def idle_days(runs: Sequence[RunTables], folder: Path) -> Path | str:
    """Folder, below a comparison's, of the day-ahead tables; or why they are not there."""
    run = runs[reference_place(runs)]
    if model_code(run) != REFERENCE:
        return NO_IDLE
    try:
        arguments = {"run_dir": str(run.run_dir.resolve()), "fixed_mw": fixed_mw(run)}
        call_tool("idle", {**arguments, "out": str((folder / FOLDER).resolve())})
    except TandemError as error:
        return f"the market days with DERs idle were not cleared: {error}"
    return folder / FOLDER


def fixed_mw(run: RunTables) -> dict[str, list[float]]:
    """What DSOs of a model whose ISO dispatches DERs bid day-ahead besides them, by LDA, in order. [MW]"""
    names, codes = run.ids("da_interface")
    awards = run.column("da_interface", "award_mw")
    return {name: awards[codes == k].tolist() for k, name in enumerate(names)}
