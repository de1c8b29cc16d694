"""Capacity as the ISO buys, meters and settles it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.curve import bid_of, fixed_quantity
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid
from federates.core.settings import CapacitySettings, ReserveCall
from federates.core.tables import CAPACITY, CAPACITY_INTERVAL
from federates.core.time import Clock
from federates.iso.capacity import CapacityBook, bought_mw, delivered_mwh
from federates.iso.ledger import CAPACITY as ACCOUNT
from federates.iso.ledger import ROUNDING, UNEXPLAINED, book_capacity
from federates.recording.memory import MemoryRecorder

CLOCK = Clock(start=datetime.fromisoformat("2020-03-27T17:00"), duration_s=600)
TERMS = CapacitySettings.model_validate(
    {"price": 300, "target": "12 MW", "shortfall_price": 200, "duration": "10 min"}
)
CALL = ReserveCall.model_validate(
    {"kind": "reserve_call", "product": "capacity", "at": 300, "duration": 300, "share": 0.5}
)
NEAR = 1e-9


def bid(capacity_mw: float, baseline_mw: list[float]) -> InterfaceBid:
    made = bid_of([fixed_quantity(1.0)], 0, 3_600)
    return InterfaceBid(
        interval_s=made.interval_s,
        length_s=made.length_s,
        counts=made.counts,
        import_mw=made.import_mw,
        price_usd_per_mwh=made.price_usd_per_mwh,
        capacity_mw=np.array([capacity_mw]),
        baseline_mw=np.array(baseline_mw),
    )


def book(recorder: MemoryRecorder) -> CapacityBook:
    return CapacityBook(TERMS, (CALL,), ("a", "b"), CLOCK, recorder)


@given(
    offered=st.lists(st.integers(0, 1_000), min_size=1, max_size=5),
    target=st.integers(0, 3_000),
)
def test_no_more_than_the_target_and_no_more_than_offered_is_bought(offered: list[int], target: int) -> None:
    mw = np.array(offered, dtype=np.float64)
    bought = bought_mw(mw, target)
    assert (bought <= mw * (1.0 + NEAR)).all()
    assert bought.sum() == pytest.approx(min(mw.sum(), target))


@given(baseline=st.floats(-20.0, 20.0), called=st.floats(0.0, 20.0), drawn=st.floats(-20.0, 20.0))
def test_delivery_is_neither_negative_nor_beyond_the_call(
    baseline: float, called: float, drawn: float
) -> None:
    got = float(
        delivered_mwh(np.array([baseline]), np.array([called]), np.array([drawn / 12.0]), 1.0 / 12.0)[0]
    )
    assert 0.0 <= got <= called / 12.0
    if drawn <= baseline - called:
        assert got == pytest.approx(called / 12.0)


def test_a_day_of_capacity_by_hand() -> None:
    """16 and 8 MW are offered, 12 bought: 8 and 4. Half of it is called in the second interval.

    From a baseline of 30 MW `a` draws 26.6: 3.4 of 4 MW for 5 min; `b` draws 16 of 20: all of its 2.
    Paid 8 x 300 and 4 x 300; short are 0.6 / 12 = 0.05 MWh at 200.
    """
    recorder = MemoryRecorder()
    mine = book(recorder)
    award = mine.buy(0, [bid(16.0, [31.0, 30.0]), bid(8.0, [21.0, 20.0])])
    assert award.tolist() == [8.0, 4.0]
    assert [mine.called(t) for t in (None, 0, 300, 600)] == [0.0, 0.0, 0.5, 0.0]
    mine.meter(0, np.array([99.0, 99.0]))
    mine.meter(300, np.array([26.6, 16.0]) / 12.0)
    settled = mine.close(0)
    np.testing.assert_allclose(settled.paid_usd, [2_400.0, 1_200.0])
    np.testing.assert_allclose(settled.held_mwh, [8.0 / 6.0, 4.0 / 6.0])
    np.testing.assert_allclose(settled.short_mwh, [0.05, 0.0], atol=NEAR)
    np.testing.assert_allclose(settled.charged_usd, [10.0, 0.0], atol=NEAR)
    rows = recorder.rows(CAPACITY_INTERVAL)
    np.testing.assert_allclose(rows.values[:, 2], [30.0, 8.0, 4.0, 26.6, 3.4])
    np.testing.assert_allclose(
        recorder.rows(CAPACITY).values[:, 0], [16.0, 8.0, 4 / 12, 3.4 / 12, 2_400.0, 10.0]
    )


def test_less_of_the_commitment_in_the_study_is_paid_in_proportion() -> None:
    short = CapacityBook(TERMS, (), ("a",), Clock(start=CLOCK.start, duration_s=300), MemoryRecorder())
    short.buy(0, [bid(6.0, [30.0])])
    short.meter(0, np.zeros(1))
    assert short.close(0).paid_usd.tolist() == [900.0]


def test_a_bid_without_capacity_gets_none_and_a_wrong_one_is_refused() -> None:
    plain = bid_of([fixed_quantity(1.0)], 0, 3_600)
    assert book(MemoryRecorder()).buy(0, [plain, plain]).tolist() == [0.0, 0.0]
    for wrong in (bid(1.0, [30.0]), bid(-1.0, [30.0, 30.0])):
        with pytest.raises(CodecError, match="of b: 1 offers of capacity"):
            book(MemoryRecorder()).buy(0, [plain, wrong])


def test_a_restored_book_settles_what_was_bought_before() -> None:
    one, other = book(MemoryRecorder()), book(MemoryRecorder())
    one.buy(0, [bid(16.0, [31.0, 30.0]), bid(8.0, [21.0, 20.0])])
    other.restore(one.save())
    for mine in (one, other):
        mine.meter(300, np.array([26.6, 16.0]) / 12.0)
    first, second = one.close(0), other.close(0)
    assert first.charged_usd.tolist() == second.charged_usd.tolist() != [0.0, 0.0]


def test_what_is_paid_for_capacity_is_borne_by_what_was_drawn_and_what_is_charged_goes_back() -> None:
    """Two participants draw 1 and 3 MWh; 100.01 USD are paid to the third, 25 and 75 % of it borne."""
    drawn = np.array([1.0, 3.0, 0.0])
    for sign in (1.0, -1.0):
        done = book_capacity("capacity", sign * np.array([0, 0, 2.0]), sign * np.array([0, 0, 100.01]), drawn)
        amounts = {line.item: line.amount_usd.tolist() for line in done.lines}
        assert amounts["capacity"] == [0.0, 0.0, sign * 100.01]
        np.testing.assert_allclose(amounts["capacity_share"], [-sign * 25.0, -sign * 75.01, 0.0], atol=0.006)
        assert done.accounts_usd[ACCOUNT] == pytest.approx(-sign * 100.01)
        assert abs(done.accounts_usd[ROUNDING]) <= 0.01
        assert done.accounts_usd[UNEXPLAINED] == 0.0
