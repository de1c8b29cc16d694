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


@pytest.mark.parametrize(
    ("bid", "most"), [("{kind: fixed_quantity}", 1), ("{kind: interval_curve, blocks: 4}", 5)]
)
def test_a_study_chooses_what_its_dsos_bid(tmp_path: Path, bid: str, most: int) -> None:
    ended = run(TINY, tmp_path, f"market.bid={bid}", "horizon.duration=5min")
    asserts.assert_laws(ended.run_dir)
    sizes = entries(ended.run_dir)
    assert len(sizes) == LDAS
    # this area's curves have more than four blocks: the limit is reached
    assert max(sizes) == most
