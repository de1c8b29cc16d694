"""The sequence of markets: day-ahead rounds, and the hour-ahead commitment, in whole federations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import asserts
from tests.build import TINY
from tests.federation.study_runs import run

pytestmark = pytest.mark.federation

ROUNDS = 3


def sent(run_dir: Path, *wires: str) -> list[tuple[int, str]]:
    """Study times at which messages went over some wires, and which, in order. [s]"""
    sizes = asserts.column_by(run_dir, "message", "size_bytes")
    return sorted((t, wire) for t, wire in sizes if wire in wires)


def test_every_round_values_stored_energy_anew_at_what_the_round_before_advised(tmp_path: Path) -> None:
    ended = run(TINY, tmp_path, f"market.day_ahead_rounds={ROUNDS}", "horizon.duration=5min")
    offers, bid = "agg_lda1_supplier>dso_lda1/day_ahead_offers", "dso_lda1>iso/day_ahead_bids"
    advice, passed_on = "iso>dso_lda1/advised", "dso_lda1>agg_lda1_supplier/advised"
    award = "iso>dso_lda1/day_ahead_awards"
    wires = (offers, bid, advice, passed_on)
    log = sent(ended.run_dir, *wires, award)
    assert [wire for _, wire in log] == [*(wires * (ROUNDS - 1)), offers, bid, award]
    assert np.diff([t for t, _ in log]).min() >= 1
    asserts.assert_laws(ended.run_dir)


def test_aggregators_that_offer_to_the_iso_are_advised_by_it(tmp_path: Path) -> None:
    sets = ("coordination=grand_central_blind", f"market.day_ahead_rounds={ROUNDS}", "horizon.duration=5min")
    ended = run(TINY, tmp_path, *sets)
    offers, advice = "agg_lda1_supplier>iso/day_ahead_der_offers", "iso>agg_lda1_supplier/advised"
    award = "iso>agg_lda1_supplier/day_ahead_awards"
    log = [wire for _, wire in sent(ended.run_dir, offers, advice, award)]
    assert log == [*((offers, advice) * (ROUNDS - 1)), offers, award]


def test_areas_that_bid_once_are_taken_at_their_bid(tmp_path: Path) -> None:
    sets = ("coordination=uncoordinated", "horizon.duration=5min")
    once = run(TINY, tmp_path / "one", *sets)
    often = run(TINY, tmp_path / "more", *sets, "market.day_ahead_rounds=3")
    assert len(sent(often.run_dir, "dso_lda1>iso/day_ahead_bids")) == 1
    one, other = (asserts.values_of(e.run_dir, "da_lmp", "lmp_usd_per_mwh") for e in (once, often))
    assert np.array_equal(one, other)


def test_fast_units_are_committed_anew_every_hour(tmp_path: Path) -> None:
    ended = run(TINY, tmp_path, "market.hour_ahead=true", "horizon.duration=90min")
    asserts.assert_laws(ended.run_dir)
