"""Every statement of a comparison fires where its law is broken: real runs, one table of one of them changed.

The runs are those of one noon with more sun than a head may export. A case names the run whose table is
changed and how; unchanged, the statement holds on these very runs, so that nothing but the change can be why.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from runner.idle import idle_days
from runner.post.compare.comparison import comparable, compare_runs
from runner.post.compare.verdicts import UNEXPLAINED_USD, verdicts
from runner.post.metrics.catalog import METRICS
from runner.post.metrics.metric import measured
from runner.post.run_tables import RunTables
from tests.build import KEYS
from tests.federation.study_runs import Runs

pytestmark = pytest.mark.federation

COORDINATED = ("M1", "M2", "M3", "M4", "M5")
IDLE = "idle"
"""The market days with DERs idle, among the folders that a case changes."""
BROKEN = ("head_over_kva", "nodes_outside_b_count", "lines_over_count")
Folders = Mapping[str, Path]
Change = Callable[[Folders], None]


@pytest.fixture(scope="module")
def recorded(stressed: Runs, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Folder of each model's run, and of the idle days."""
    runs = {code: stressed(KEYS[code]) for code in COORDINATED}
    idle = idle_days(comparable(list(runs.values())), tmp_path_factory.mktemp("compare"))
    assert isinstance(idle, Path), idle
    return {**runs, IDLE: idle}


@pytest.fixture(scope="module")
def as_they_are(recorded: Folders) -> Mapping[str, str]:
    """Result of every verdict of the runs as they were recorded."""
    return results(recorded)


def results(folders: Folders) -> dict[str, str]:
    """Result of every verdict."""
    runs = [folders[code] for code in COORDINATED]
    return {verdict.key: verdict.result for verdict in verdicts(compare_runs(runs, folders[IDLE]))}


def rewritten(folder: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change every part of a table."""
    parts = list((folder / "tables" / table).glob("*.parquet"))
    assert parts, f"{folder} has no table {table}"
    for part in parts:
        pq.write_table(change(pq.read_table(part)), part)


def column(code: str, table: str, name: str, change: Callable[[pa.Array], pa.Array]) -> Change:
    """A column of a run's table that is another."""

    def apply(folders: Folders) -> None:
        def changed(rows: pa.Table) -> pa.Table:
            place = rows.column_names.index(name)
            values = change(rows[name])
            assert not values.equals(rows[name]), f"{table}.{name} of {code} does not change"
            return rows.set_column(place, rows.schema.field(name), values)

        rewritten(folders[code], table, changed)

    return apply


def times(factor: float) -> Callable[[pa.Array], pa.Array]:
    return lambda values: pc.multiply(values, factor)


def plus(offset: float) -> Callable[[pa.Array], pa.Array]:
    return lambda values: pc.add(values, offset)


def copied(table: str, one: str, other: str) -> Change:
    """A table of one run that is another's."""

    def apply(folders: Folders) -> None:
        target = folders[other] / "tables" / table
        shutil.rmtree(target)
        shutil.copytree(folders[one] / "tables" / table, target)

    return apply


def without(code: str, table: str) -> Change:
    """A table that a run does not have."""
    return lambda folders: shutil.rmtree(folders[code] / "tables" / table)


def bypassing(folders: Folders) -> None:
    """Under M5, an offer of an aggregator goes to the ISO."""

    def readdressed(rows: pa.Table) -> pa.Table:
        ids = [str(name).replace(">dso_lda1/offers", ">iso/der_offers") for name in rows["id"].to_pylist()]
        place = rows.column_names.index("id")
        return rows.set_column(place, "id", pa.array(ids).dictionary_encode())

    rewritten(folders["M5"], "message", readdressed)


def planned_anew(folders: Folders) -> None:
    """M5 starts from another commitment than the others."""
    path = folders["M5"] / "run.json"
    run = json.loads(path.read_text())
    run["scenario"]["plan_hash"] = "0" * 64
    path.write_text(json.dumps(run))


WORTHY = column(IDLE, "da_clearing", "true_cost_usd_per_h", times(1.01))
"""Idle days that are 1 % dearer: `tiny` has one price, so that flexibility is worth next to nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A law and how it is broken."""

    verdict: str
    broken: Change
    base: Change | None = None
    """What both sets of runs have in common besides what was recorded."""


CASES = (
    Case(verdict="one_commitment", broken=planned_anew),
    Case(
        verdict="accounts_close", broken=column("M2", "account", "unexplained_usd", plus(2 * UNEXPLAINED_USD))
    ),
    Case(verdict="layered_precludes_bypass", broken=bypassing),
    Case(verdict="blind_breaks_limits", broken=copied("feeder", "M5", "M1")),
    Case(verdict="layered_breaks_less", broken=copied("feeder", "M1", "M5")),
    Case(verdict="layered_holds_limits", broken=copied("feeder", "M1", "M5")),
    Case(verdict="override_unwinds", broken=without("M2", "override")),
    Case(verdict="override_costs", broken=column("M2", "award", "lmp_usd_per_mwh", times(-1.0))),
    Case(verdict="layered_delivers", broken=column("M5", "dispatch", "shortfall_mw", plus(1.0))),
    Case(
        verdict="layered_near_full_visibility",
        broken=column("M5", "clearing", "true_cost_usd_per_h", times(1.05)),
    ),
    Case(
        verdict="flexibility_matters", base=WORTHY,
        broken=column(IDLE, "da_clearing", "true_cost_usd_per_h", times(1.0 / 1.01)),
    ),
    Case(
        verdict="forward_blind_below_full",
        broken=column("M1", "da_clearing", "true_cost_usd_per_h", times(1.01)),
    ),
    Case(
        verdict="forward_full_below_envelope",
        broken=column("M4", "da_clearing", "true_cost_usd_per_h", times(1.05)),
    ),
    Case(
        verdict="forward_layered_near_full", base=WORTHY,
        broken=column("M5", "da_clearing", "true_cost_usd_per_h", times(1.002)),
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.verdict)
def test_a_broken_law_is_told_and_a_kept_one_is_not(
    recorded: Folders, as_they_are: Mapping[str, str], tmp_path: Path, case: Case
) -> None:
    folders = {code: Path(shutil.copytree(folder, tmp_path / code)) for code, folder in recorded.items()}
    kept = as_they_are
    if case.base is not None:
        case.base(folders)
        kept = results(folders)
    assert kept[case.verdict] == "supported"
    case.broken(folders)
    assert results(folders)[case.verdict] == "not supported"


@pytest.mark.parametrize("code", COORDINATED)
def test_every_model_closes_its_accounts_and_has_a_forward_cost(recorded: Folders, code: str) -> None:
    found = measured(RunTables(recorded[code]), METRICS.values())
    assert found["settlement_unexplained_usd"].value == pytest.approx(0.0, abs=UNEXPLAINED_USD)
    for key in ("cost_forward_usd", "cost_forward_ders_usd"):
        value = found[key].value
        assert value is not None
        assert value > 0.0
