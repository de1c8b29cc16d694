"""A net curve is monotone, scales with its LDA, and survives its message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.arrays import FloatArray
from federates.core.curve import (
    PRICE_TICK_USD_PER_MWH,
    QUANTITY_TICK_MW,
    NetCurve,
    bid_of,
    curves_of,
    fixed_quantity,
)
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid

QUANTITY = st.floats(-500.0, 500.0)
PRICE = st.floats(-100.0, 1_000.0)


@st.composite
def curves(draw: st.DrawFn) -> NetCurve:
    n = draw(st.integers(1, 12))
    return NetCurve(
        import_mw=np.sort(draw(st.lists(QUANTITY, min_size=n, max_size=n))),
        price_usd_per_mwh=-np.sort(-np.array(draw(st.lists(PRICE, min_size=n, max_size=n)))),
    )


def array(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


@given(several=st.lists(curves(), min_size=1, max_size=5))
def test_a_message_carries_curves_unchanged(several: list[NetCurve]) -> None:
    back = curves_of(bid_of(several, 300, 300))
    assert len(back) == len(several)
    for sent, got in zip(several, back, strict=True):
        assert np.array_equal(sent.import_mw, got.import_mw)
        assert np.array_equal(sent.price_usd_per_mwh, got.price_usd_per_mwh)


def value_usd(curve: NetCurve, import_mw: float) -> float:
    """Value of net import above the least one. [$/h]"""
    begins = curve.import_mw[:-1]
    taken = np.clip(import_mw - begins, 0.0, curve.width_mw)
    return float(taken @ curve.value_usd_per_mwh)


@given(curve=curves(), factor=st.integers(1, 50), share=st.floats(0.0, 1.0))
def test_m_equal_areas_are_worth_m_times_one_at_an_mth(curve: NetCurve, factor: int, share: float) -> None:
    many = curve.scaled(factor)
    at_mw = many.p_min_mw + share * (many.p_max_mw - many.p_min_mw)
    one = factor * value_usd(curve, at_mw / factor)
    assert value_usd(many, at_mw) == pytest.approx(one, rel=1e-9, abs=1e-6)


@given(curve=curves())
def test_rounding_keeps_a_curve_monotone_and_moves_it_by_half_a_tick(curve: NetCurve) -> None:
    rounded = curve.rounded()
    quantity = np.abs(rounded.import_mw - curve.import_mw).max()
    price = np.abs(rounded.price_usd_per_mwh - curve.price_usd_per_mwh).max()
    # half a tick, with room for float64 at 1000
    assert quantity <= 0.51 * QUANTITY_TICK_MW
    assert price <= 0.51 * PRICE_TICK_USD_PER_MWH


def test_each_block_ends_at_the_entry_that_gives_its_value() -> None:
    # at least 1 MW; up to 3 MW each is worth 50 $/MWh, up to 6 MW another 20
    curve = NetCurve(import_mw=np.array([1.0, 3.0, 6.0]), price_usd_per_mwh=np.array([60.0, 50.0, 20.0]))
    np.testing.assert_array_equal(curve.width_mw, [2.0, 3.0])
    np.testing.assert_array_equal(curve.value_usd_per_mwh, [50.0, 20.0])


def test_a_fixed_quantity_is_one_entry_at_any_price() -> None:
    curve = fixed_quantity(-3.5)
    assert (curve.p_min_mw, curve.p_max_mw) == (-3.5, -3.5)
    assert curve.width_mw.size == curve.value_usd_per_mwh.size == 0


@pytest.mark.parametrize(
    ("import_mw", "price", "what"),
    [
        (array(2.0, 1.0), array(5.0, 5.0), "net import must ascend"),
        (array(1.0, 2.0), array(5.0, 6.0), "price must not rise"),
        (array(1.0, np.nan), array(5.0, 5.0), "not finite"),
        (array(1.0, 2.0), array(np.inf, 5.0), "not finite"),
        (array(1.0, 2.0), array(5.0), "send as many of each"),
        (array(), array(), "send as many of each"),
    ],
)
def test_what_is_no_curve_is_refused(import_mw: FloatArray, price: FloatArray, what: str) -> None:
    with pytest.raises(CodecError, match=what):
        NetCurve(import_mw=import_mw, price_usd_per_mwh=price)


@pytest.mark.parametrize("counts", [[], [1], [2, 2]])
def test_counts_that_do_not_add_up_are_refused(counts: list[int]) -> None:
    bid = InterfaceBid(
        interval_s=600,
        length_s=300,
        counts=np.array(counts, dtype=np.int64),
        import_mw=array(1.0, 2.0, 3.0),
        price_usd_per_mwh=array(3.0, 2.0, 1.0),
    )
    with pytest.raises(CodecError, match=r"bid for 600 s: counts .* do not add up"):
        curves_of(bid)
