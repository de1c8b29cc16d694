"""Run folders for tests, written by the product's own recorder and manifest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from federates.core.tables import Table
from federates.recording.parquet import ParquetRecorder
from runner.manifest import ClockRecord, RunManifest, ScenarioRecord, machine, write_run

Columns = dict[str, list[float]]
HOUR = ClockRecord(start="2020-07-15T00:00:00", duration_s=3_600, step_s=60, market_s=300)


def run_folder(
    folder: Path,
    *,
    coordination: str = "layered_total_dso",
    multiplicity: dict[str, int] | None = None,
    scenario_hash: str = "1" * 64,
    clock: ClockRecord = HOUR,
) -> Path:
    """A run, of one hour with 60 s steps and 300 s intervals if nothing is said, without tables yet."""
    write_run(
        folder,
        RunManifest(
            study="small",
            run_id=folder.name,
            coordination=coordination,
            started=datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
            command=("tandem", "run"),
            versions={},
            checkout=None,
            config_hash="0" * 64,
            inputs={},
            seed=1,
            seed_ids={},
            multiplicity=multiplicity or {"a": 10, "b": 1},
            clock=clock,
            machine=machine(),
            scenario=ScenarioRecord(scenario_hash=scenario_hash, plan_hash="2" * 64, plan_reused=False),
            process_id=1,
        ),
    )
    return folder


def record(
    run_dir: Path,
    table: Table,
    rows: list[tuple[int, str]],
    columns: Columns,
    federate: str = "f",
    text: Sequence[str] = (),
) -> None:
    """Add a table, one value a row for the columns named and zero for the others."""
    recorder = ParquetRecorder(run_dir, f"{federate}_{table.name}", 0)
    unknown = set(columns) - {column.name for column in table.columns}
    assert not unknown, unknown
    for k, (t, id_) in enumerate(rows):
        values = [[columns[c.name][k] if c.name in columns else 0.0] for c in table.columns]
        recorder.add(table, t, (id_,), *values, text=[text[k]] if text else None)
    recorder.close()
