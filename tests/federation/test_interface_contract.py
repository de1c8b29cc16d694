"""Under M5 the ISO hears what the contract lists and nothing that hangs on who is inside an area."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from federates.coordination.contract import DOWN, UP, Per
from federates.core.messages import InterfaceAward, InterfaceBid, PriceAdvice
from runner.post.run_tables import RunTables
from tests.build import TINY
from tests.federation.peopled import ANOTHER, RENAMED, SHARED, SWAPPED, written
from tests.federation.study_runs import run

pytestmark = pytest.mark.federation

TEN_MINUTES = ("coordination=layered_total_dso", "horizon.duration=10 min")
HEADER_BYTES, VALUE_BYTES, LENGTH_BYTES = 16, 8, 4
BLOCKS, RESERVE_BLOCKS = 21, 8
"""Entries of a curve of 20 blocks, and what DSOs offer of each reserve product in two blocks at most."""
HOURS = 24


def iso_rows(run_dir: Path) -> dict[str, bytes]:
    """Everything that the ISO wrote but its timing, table by table, as bytes."""
    found: dict[str, bytes] = {}
    for part in sorted((run_dir / "tables").glob("*/iso.*.parquet")):
        table = part.parent.name
        if table == "timing":
            continue
        columns = pq.read_table(part).to_pydict()
        values = [np.array(v).tobytes() if name != "id" else repr(v).encode() for name, v in columns.items()]
        found[table] = found.get(table, b"") + b"".join(values)
    return found


Runs = Callable[[str], Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run folder of a variant of the study; each is run once."""
    done: dict[str, Path] = {}
    variants = {
        "base": (("a", "b"), SHARED),
        "feeders permuted, DERs renamed": (("b", "a"), RENAMED),
        "equal DERs swapped, feeders renamed": (("alpha", "beta"), SWAPPED),
        "one DER larger": (("a", "b"), ANOTHER),
    }

    def of(variant: str) -> Path:
        if variant not in done:
            out = tmp_path_factory.mktemp("variant")
            done[variant] = run(written(out / "study", *variants[variant]), out, *TEN_MINUTES).run_dir
        return done[variant]

    return of


@pytest.mark.parametrize("variant", ["feeders permuted, DERs renamed", "equal DERs swapped, feeders renamed"])
def test_what_leaves_the_bid_as_it_is_leaves_the_iso_as_it_is(runs: Runs, variant: str) -> None:
    base, other = iso_rows(runs("base")), iso_rows(runs(variant))
    assert {"lmp", "award", "bid", "clearing", "settlement", "da_lmp", "da_unit"} <= base.keys()
    assert [name for name in base if base[name] != other.get(name)] == []
    assert base.keys() == other.keys()


def test_what_changes_the_bid_changes_the_iso(runs: Runs) -> None:
    """The comparison above sees a difference where there is one."""
    base, other = iso_rows(runs("base")), iso_rows(runs("one DER larger"))
    assert base["bid"] != other["bid"]
    assert base["clearing"] != other["clearing"]


def test_the_isos_inbox_is_what_the_contract_lists(runs: Runs) -> None:
    names, _ = RunTables(runs("base")).ids("message")
    inbox = {name for name in names if ">iso/" in name}
    assert inbox == {
        *(f"dso_{lda}>iso/{port}" for lda in ("lda1", "lda2") for port in ("bids", "day_ahead_bids")),
        "transmission>iso/grid_state",
        "transmission>iso/meters",
    }
    written_by_iso = list((runs("base") / "tables").glob("*/iso.*.parquet"))
    texts = " ".join(str(pq.read_table(part).to_pydict()["id"]) for part in written_by_iso)
    assert "lda1" in texts
    for identity in ("alice", "bob", "carol", "twin_1", "lda1/a1", "lda1/b1", "pv_671"):
        assert identity not in texts


def bytes_most(kind: type[object], intervals: int) -> int:
    """Longest message of a kind that the contract allows."""
    counts = {
        Per.INTERVAL: intervals,
        Per.BLOCK: intervals * BLOCKS,
        Per.PRODUCT: intervals * RESERVE_BLOCKS,
    }
    listed = (UP | DOWN)[kind.__name__]
    return HEADER_BYTES + sum(
        VALUE_BYTES if per is Per.MESSAGE else LENGTH_BYTES + VALUE_BYTES * counts[per]
        for per in listed.values()
    )


def sizes(run_dir: Path, port: str) -> set[float]:
    """Sizes of all messages at a port of the ISO, or of a DSO. [B]"""
    tables = RunTables(run_dir)
    names, codes = tables.ids("message")
    mine = np.array([name.endswith(f"/{port}") and "iso" in name for name in names])[codes]
    return set(tables.column("message", "size_bytes")[mine].tolist())


def test_messages_are_as_long_for_few_ders_as_for_many(runs: Runs, tmp_path: Path) -> None:
    """A second feeder and more batteries: awards are as long as without, bids within one bound."""
    few = run(TINY, tmp_path, *TEN_MINUTES).run_dir
    for run_dir in (few, runs("base")):
        for port, kind, intervals in (
            ("bids", InterfaceBid, 1),
            ("day_ahead_bids", InterfaceBid, HOURS),
            ("awards", InterfaceAward, 1),
            ("day_ahead_awards", InterfaceAward, HOURS),
            ("advised", PriceAdvice, HOURS),
        ):
            seen = sizes(run_dir, port)
            assert all(size <= bytes_most(kind, intervals) for size in seen), (port, seen)
    for port in ("awards", "day_ahead_awards"):
        assert sizes(few, port) == sizes(runs("base"), port) != set()
