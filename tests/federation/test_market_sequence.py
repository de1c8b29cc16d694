"""The sequence of markets: day-ahead rounds, and the hour-ahead commitment, in whole federations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import asserts
from tests.build import TINY
from tests.federation.study_runs import run

pytestmark = pytest.mark.federation

ROUNDS = 5
"""More than fit one minute: three do."""


def sent(run_dir: Path, port: str) -> list[int]:
    """Study times at which messages of a port went to the first DSO or came from it. [s]"""
    sizes = asserts.column_by(run_dir, "message", "size_bytes")
    return sorted(t for t, name in sizes if "dso_lda1" in name and name.endswith(f"/{port}"))


def test_all_rounds_but_the_last_advise_and_every_bid_answers_the_advice_before(tmp_path: Path) -> None:
    ended = run(TINY, tmp_path, f"market.day_ahead_rounds={ROUNDS}", "horizon.duration=5min")
    bids, advice = sent(ended.run_dir, "day_ahead_bids"), sent(ended.run_dir, "advisory_awards")
    final = sent(ended.run_dir, "day_ahead_awards")
    assert len(bids) == ROUNDS
    assert len(advice) == ROUNDS - 1
    assert len(final) == 1
    in_order = [x for pair in zip(bids, [*advice, *final], strict=True) for x in pair]
    assert in_order == sorted(in_order)
    assert np.diff(in_order).min() >= 1
    asserts.assert_laws(ended.run_dir)


def test_areas_that_bid_once_are_taken_at_their_bid(tmp_path: Path) -> None:
    sets = ("coordination=uncoordinated", "horizon.duration=5min")
    once = run(TINY, tmp_path / "one", *sets)
    often = run(TINY, tmp_path / "more", *sets, "market.day_ahead_rounds=3")
    assert len(sent(often.run_dir, "day_ahead_bids")) == 1
    one, other = (asserts.values_of(e.run_dir, "da_lmp", "lmp_usd_per_mwh") for e in (once, often))
    assert np.array_equal(one, other)


def test_fast_units_are_committed_anew_every_hour(tmp_path: Path) -> None:
    ended = run(TINY, tmp_path, "market.hour_ahead=true", "horizon.duration=90min")
    asserts.assert_laws(ended.run_dir)
