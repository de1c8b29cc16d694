"""Reserve of a DSO scales with its LDA, survives its message, and is refused where it makes no sense."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.codec import decode, encode
from federates.core.curve import NetCurve, bid_of
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid
from federates.core.reserve_offer import (
    DSO_PRODUCTS,
    NO_RESERVE,
    OFFER_SLOTS,
    ReserveOffer,
    reserve_of,
    with_reserve,
)

MW = st.floats(0.0, 50.0)
CURVE = NetCurve(import_mw=np.array([-5.0, 20.0]), price_usd_per_mwh=np.array([30.0, 30.0]))


@st.composite
def offers(draw: st.DrawFn) -> ReserveOffer:
    """Blocks in any order of products, never more than may be sent, in a range around the curve."""
    product = draw(st.permutations(sorted(range(len(DSO_PRODUCTS))) * OFFER_SLOTS))
    count = draw(st.integers(0, len(product)))
    return ReserveOffer(
        product=np.array(product[:count], dtype=np.int64),
        width_mw=np.array(draw(st.lists(MW, min_size=count, max_size=count))),
        price_usd_per_mw_h=np.array(draw(st.lists(MW, min_size=count, max_size=count))),
        p_lo_mw=draw(st.floats(-10.0, 0.0)),
        p_hi_mw=draw(st.floats(0.0, 30.0)),
    )


def bid(*reserve: ReserveOffer) -> InterfaceBid:
    return with_reserve(bid_of([CURVE] * len(reserve), 300, 300), reserve)


def same(a: ReserveOffer, b: ReserveOffer) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ReserveOffer.__slots__)


@given(several=st.lists(offers(), min_size=1, max_size=4))
def test_a_message_carries_reserve_unchanged(several: list[ReserveOffer]) -> None:
    _, got = decode(encode(bid(*several), 7), InterfaceBid)
    assert all(same(a, b) for a, b in zip(reserve_of(got), several, strict=True))


def test_a_bid_without_reserve_offers_none_in_every_interval() -> None:
    plain = bid_of([CURVE, CURVE], 0, 3_600)
    assert reserve_of(plain) == [NO_RESERVE, NO_RESERVE]
    assert not NO_RESERVE.offers


@given(offer=offers(), factor=st.integers(1, 10))
def test_equal_areas_together_offer_their_sum(offer: ReserveOffer, factor: int) -> None:
    together = offer.scaled(float(factor))
    np.testing.assert_array_equal(together.width_mw, factor * offer.width_mw)
    assert (together.p_lo_mw, together.p_hi_mw) == (factor * offer.p_lo_mw, factor * offer.p_hi_mw)
    np.testing.assert_array_equal(together.price_usd_per_mw_h, offer.price_usd_per_mw_h)


def block(**changes: object) -> ReserveOffer:
    one = ReserveOffer(
        product=np.array([2]),
        width_mw=np.array([3.0]),
        price_usd_per_mw_h=np.array([1.0]),
        p_lo_mw=-5.0,
        p_hi_mw=20.0,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"width_mw": np.array([-1.0])}, "a width is negative"),
        ({"product": np.array([3])}, "places of reg_up, reg_down, spin"),
        ({"width_mw": np.ones(2)}, "must be as many"),
        ({"p_lo_mw": 21.0}, r"range \[21.0, 20.0\] MW is empty"),
        (
            {name: np.ones(5, dtype=kind) for name, kind in
             (("product", np.int64), ("width_mw", float), ("price_usd_per_mw_h", float))},
            "at most 4 blocks",
        ),
    ],
)  # fmt: skip
def test_an_offer_that_makes_no_sense_is_refused(change: dict[str, object], what: str) -> None:
    with pytest.raises(CodecError, match=what):
        block(**change)


def test_a_range_in_which_the_curve_has_nothing_is_refused() -> None:
    with pytest.raises(CodecError, match=r"called in \[25.0, 30.0\] MW, where the curve of \[-5.0, 20.0\]"):
        reserve_of(bid(block(p_lo_mw=25.0, p_hi_mw=30.0)))


@pytest.mark.parametrize(
    "change",
    [
        {"reserve_counts": np.array([2])},
        {"reserve_counts": np.array([1, 0])},
        {"p_lo_mw": np.zeros(0)},
        {"reserve_mw": np.ones(2)},
    ],
)
def test_blocks_that_do_not_add_up_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(CodecError, match="do not add up"):
        reserve_of(replace(bid(block()), **change))  # type: ignore[arg-type]
