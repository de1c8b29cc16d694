"""A total DSO's bid methods in whole federations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests import asserts
from tests.build import TINY
from tests.federation.study_runs import run

pytestmark = pytest.mark.federation

LDAS = 2


def entries(run_dir: Path) -> list[int]:
    """Entries of every real-time bid."""
    rows = asserts.column_by(run_dir, "bid", "import_mw")
    return list(Counter((t, name.split("/")[0]) for t, name in rows).values())


def test_batteries_as_one_store_are_offered_up_the_layers_once_a_day(tmp_path: Path) -> None:
    ended = run(TINY, tmp_path, "market.bid={kind: virtual_storage}", "horizon.duration=5min")
    asserts.assert_laws(ended.run_dir)
    wires = [wire for _, wire in asserts.column_by(ended.run_dir, "message", "size_bytes")]
    for wire in ("agg_lda1_supplier>dso_lda1/day_ahead_stores", "dso_lda1>iso/day_ahead_stores"):
        assert wires.count(wire) == 1
    assert wires.count("dso_lda1>iso/import_limits") == 1
    assert asserts.bypass_count(ended.run_dir) == 0


def test_the_cost_of_a_day_is_asked_and_answered_until_its_bounds_meet(tmp_path: Path) -> None:
    """Over HELICS; the gap asked for is one that only the last message allowed ends."""
    ended = run(
        TINY,
        tmp_path,
        "market.bid={kind: exact_cuts, rounds_limit: 5, gap: 1e-9}",
        "horizon.duration=5min",
        transport="helics",
    )
    asserts.assert_laws(ended.run_dir)
    assert asserts.bypass_count(ended.run_dir) == 0
    wires = Counter(wire for _, wire in asserts.column_by(ended.run_dir, "message", "size_bytes"))
    assert wires["agg_lda1_supplier>dso_lda1/der_stores"] == 1
    assert wires["dso_lda1>agg_lda1_supplier/store_plans"] == 1
    assert wires["dso_lda1>iso/day_ahead_bids"] == 0
    questions = wires["iso>dso_lda1/import_queries"]
    assert wires["dso_lda1>iso/value_cuts"] == questions + 1 <= 5
    lower, upper = (
        list(asserts.column_by(ended.run_dir, "da_round", column).values())
        for column in ("lower_usd", "upper_usd")
    )
    assert len(lower) == questions > 1
    assert lower == sorted(lower)
    assert upper == sorted(upper, reverse=True)
    assert 0.0 < upper[-1] - lower[-1] < upper[0] - lower[0]


@pytest.mark.parametrize(
    ("bid", "most"), [("{kind: fixed_quantity}", 1), ("{kind: interval_curve, blocks: 4}", 5)]
)
def test_a_study_chooses_what_its_dsos_bid(tmp_path: Path, bid: str, most: int) -> None:
    ended = run(TINY, tmp_path, f"market.bid={bid}", "horizon.duration=5min")
    asserts.assert_laws(ended.run_dir)
    sizes = entries(ended.run_dir)
    assert len(sizes) == LDAS
    # a step of import from before the interval may end a curve between two of its points
    assert max(sizes) <= most
    assert (max(sizes) > 1) == (most > 1)
