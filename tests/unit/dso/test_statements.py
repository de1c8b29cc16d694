"""What customers and DERs pay and earn on their meters, by hand, and what explains a DSO's balance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.messages import CustomerMeters
from federates.dso.accounts import NOTHING_DISPATCHED, DistributionAccounts
from federates.dso.statements import (
    EXPLAINED,
    AreaPrices,
    HeldReserve,
    Settled,
    book,
    even_prices,
    held_reserve,
    no_reserve,
    settle,
)

BOOKS_USD = 1e-9
"""Sums of some ten terms of some hundred $ in double precision."""
HALF_CENT_USD = 0.005
NOBODY = np.zeros(2, dtype=np.bool_)
READ = CustomerMeters(
    interval_s=0,
    import_mwh=7.2,
    lost_mwh=0.2,
    der_mwh=np.array([4.0, -1.0]),
    load_mwh=np.array([6.0, 4.0]),
)
"""7.2 imported and 3 injected serve 10 of load and 0.2 of losses."""


def explained(settled: Settled) -> dict[str, float]:
    return dict(zip(EXPLAINED, settled.explained_usd.tolist(), strict=True))


def test_at_the_lmp_what_is_lost_is_all_that_a_dso_is_out_of_pocket() -> None:
    """At 30: buys 7.2 for 216, DERs get 120 less 30, loads pay 300: 6 short, which is 0.2 MWh lost."""
    settled = settle(even_prices(30.0, 2, 2), READ, NOBODY, 1.0)
    books = book(settled, 2)
    assert (books.purchase_usd, books.ders_usd, books.loads_usd) == pytest.approx((216.0, 90.0, 300.0))
    assert explained(settled)["loss_deviation"] == pytest.approx(-6.0)
    assert settled.explained_usd.sum() == pytest.approx(-6.0)
    assert books.network.amount_usd == pytest.approx([0.0, 0.0, -3.6, -2.4])
    assert books.network.price_usd_per_mwh == pytest.approx([0.6] * 4)
    assert books.unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


def test_ders_with_awards_of_their_own_are_not_paid_twice() -> None:
    """The first DER's 4 MWh are the ISO's business: the DSO buys 11.2, and is short of the same 6 $."""
    settled = settle(even_prices(30.0, 2, 2), READ, np.array([True, False]), 1.0)
    books = book(settled, 2)
    assert (books.purchase_usd, books.ders_usd, books.loads_usd) == pytest.approx((336.0, -30.0, 300.0))
    assert books.energy.amount_usd == pytest.approx([120.0, -30.0, -180.0, -120.0])
    assert settled.explained_usd.sum() == pytest.approx(-6.0)
    assert books.unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


def dispatched() -> AreaPrices:
    """A line of 5 MW to the second place binds at 20 $/MWh; nothing is lost.

    At the LMP of 30 and behind the line at 50: the first DER and load stand at 30, the others at 50. The
    dispatch draws 6 and 4 and injects 4 and -1, so that 7 are imported and 5 pass the line: rent 100.
    """
    return AreaPrices(
        lmp_usd_per_mwh=30.0,
        der_usd_per_mwh=np.array([30.0, 50.0]),
        load_usd_per_mwh=np.array([30.0, 50.0]),
        dispatched=replace(
            NOTHING_DISPATCHED,
            purchase_usd_per_h=-210.0,
            der_usd_per_h=-70.0,
            load_usd_per_h=380.0,
            thermal_rent_usd_per_h=100.0,
            injected_mw=3.0,
            drawn_mw=10.0,
        ),
        reserve=no_reserve(2),
    )


def test_on_the_dispatch_itself_the_rent_is_all_that_is_left() -> None:
    read = replace(READ, import_mwh=7.0, lost_mwh=0.0)
    settled = settle(dispatched(), read, NOBODY, 1.0)
    assert explained(settled) == pytest.approx({**dict.fromkeys(EXPLAINED, 0.0), "thermal_rent": 100.0})
    books = book(settled, 2)
    assert books.network.amount_usd == pytest.approx([0.0, 0.0, 60.0, 40.0])
    assert books.unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


def test_meters_beyond_the_dispatch_pay_their_margin_and_losses_the_lmp() -> None:
    """The load at 50 takes 1 MWh more: 20 above the LMP. Its DER takes 0.5 more: 10. 0.2 lost cost 6."""
    read = replace(
        READ, import_mwh=8.7, lost_mwh=0.2, der_mwh=np.array([4.0, -1.5]), load_mwh=np.array([6.0, 5.0])
    )
    settled = settle(dispatched(), read, NOBODY, 1.0)
    found = explained(settled)
    assert found["load_deviation"] == pytest.approx(20.0)
    assert found["der_deviation"] == pytest.approx(10.0)
    assert found["loss_deviation"] == pytest.approx(-6.0)
    assert book(settled, 2).unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


@pytest.mark.parametrize(
    ("read", "usd"),
    [
        (replace(READ, load_mwh=np.array([6.0, 3.9])), -3.0),
        (replace(READ, der_mwh=np.array([3.9, -1.0])), 3.0),
        (replace(READ, lost_mwh=0.1), -3.0),
    ],
)
def test_a_meter_that_misses_energy_stays_unexplained(read: CustomerMeters, usd: float) -> None:
    """The guard: 0.1 MWh at 30 $/MWh is seen, whoever's meter misses it."""
    settled = settle(even_prices(30.0, 2, 2), read, NOBODY, 1.0)
    assert book(settled, 2).unexplained_usd == pytest.approx(usd)


def test_rents_that_the_payments_do_not_hold_stay_unexplained() -> None:
    prices = dispatched()
    wrong = replace(prices, dispatched=replace(prices.dispatched, thermal_rent_usd_per_h=101.0))
    settled = settle(wrong, replace(READ, import_mwh=7.0, lost_mwh=0.0), NOBODY, 1.0)
    assert book(settled, 2).unexplained_usd == pytest.approx(-1.0)


def sold(up_kw: list[float], down_kw: list[float]) -> HeldReserve:
    """1 MW of regulation up at 10 $, 0.5 down at 6 and 2 of spin at 4: 10 + 3 + 8 $ an hour."""
    award, price = np.array([1.0, 0.5, 2.0]), np.array([10.0, 6.0, 4.0])
    return held_reserve(award, price, np.array(up_kw), np.array(down_kw))


def test_reserve_is_paid_to_those_who_would_move_by_how_far_they_would() -> None:
    """Upward 30 and 10 kW: 2.25 and 0.75 of 3 MW, for 13.5 and 4.5 $; downward the second alone, for 3 $."""
    held = sold([30.0, 10.0], [-30.0, 5.0])
    assert held.mw == pytest.approx([2.25, 1.25])
    assert held.usd_per_h == pytest.approx([13.5, 7.5])
    assert held.income_usd_per_h == pytest.approx(21.0)
    prices = replace(even_prices(30.0, 2, 2), reserve=held)
    books, without = (book(settle(p, READ, NOBODY, 0.5), 2) for p in (prices, even_prices(30.0, 2, 2)))
    assert books.reserve.amount_usd == pytest.approx([6.75, 3.75, 0.0, 0.0])
    assert books.reserve.quantity_mwh == pytest.approx([1.125, 0.625, 0.0, 0.0])
    assert books.reserve.price_usd_per_mwh == pytest.approx([6.0, 6.0, 0.0, 0.0])
    assert (books.reserve_income_usd, books.ders_reserve_usd) == pytest.approx((10.5, 10.5))
    assert books.network.amount_usd == pytest.approx(without.network.amount_usd)
    assert books.unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


def test_income_for_reserve_that_nobody_holds_goes_to_the_loads() -> None:
    """21 $ by what they draw, 6 to 4, beside the 6 $ of losses."""
    prices = replace(even_prices(30.0, 2, 2), reserve=sold([-1.0, 0.0], [0.0, -1.0]))
    settled = settle(prices, READ, NOBODY, 1.0)
    books = book(settled, 2)
    assert explained(settled)["reserve_left"] == pytest.approx(21.0)
    assert books.network.amount_usd == pytest.approx([0.0, 0.0, 9.0, 6.0])
    assert books.unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


def test_income_of_a_product_that_nobody_holds_goes_to_the_loads_though_others_are_held() -> None:
    """Nobody would inject less: the 3 $ of regulation down are the loads', 18 $ the DERs'."""
    prices = replace(even_prices(30.0, 2, 2), reserve=sold([30.0, 10.0], [-30.0, -5.0]))
    settled = settle(prices, READ, NOBODY, 1.0)
    books = book(settled, 2)
    assert explained(settled)["reserve_left"] == pytest.approx(3.0)
    assert (books.reserve_income_usd, books.ders_reserve_usd) == pytest.approx((21.0, 18.0))
    assert books.unexplained_usd == pytest.approx(0.0, abs=BOOKS_USD)


def test_income_for_reserve_that_is_kept_from_who_holds_it_stays_unexplained() -> None:
    held = sold([30.0, 10.0], [0.0, 5.0])
    prices = replace(even_prices(30.0, 2, 2), reserve=replace(held, usd_per_h=0.9 * held.usd_per_h))
    assert book(settle(prices, READ, NOBODY, 1.0), 2).unexplained_usd == pytest.approx(2.1)


def test_an_hour_is_the_sum_of_its_intervals_and_cents_go_to_rounding() -> None:
    """Twelfths of an hour at 30 and at 60: amounts interval by interval, the price their mean."""
    rng = np.random.default_rng(3)
    reads = [
        replace(READ, der_mwh=der, load_mwh=load, import_mwh=float(load.sum() - der.sum()), lost_mwh=0.0)
        for der, load in zip(rng.uniform(-1.0, 1.0, (2, 2)), rng.uniform(0.0, 2.0, (2, 2)), strict=True)
    ]
    prices = (even_prices(30.0, 2, 2), even_prices(60.0, 2, 2))
    parts = [settle(p, r, NOBODY, 1 / 12) for p, r in zip(prices, reads, strict=True)]
    books = book(parts[0] + parts[1], 2)
    exact = 30.0 * reads[0].load_mwh + 60.0 * reads[1].load_mwh
    assert books.energy.amount_usd[2:] == pytest.approx(-np.round(exact, 2))
    assert books.energy.price_usd_per_mwh == pytest.approx([45.0] * 4)
    lines = books.energy.amount_usd.sum() + books.network.amount_usd.sum()
    assert -lines - books.purchase_usd == pytest.approx(books.rounding_usd, abs=BOOKS_USD)
    assert 0.0 < abs(books.rounding_usd) <= 6 * HALF_CENT_USD


def test_where_nobody_draws_the_balance_stays_with_the_dso() -> None:
    """Two DERs swap energy over a line that loses 0.1 MWh: 3 $ short, and no load to bear it."""
    read = replace(READ, import_mwh=0.1, lost_mwh=0.1, der_mwh=np.array([1.0, -1.0]), load_mwh=np.zeros(2))
    books = book(settle(even_prices(30.0, 2, 2), read, NOBODY, 1.0), 2)
    assert not books.network.amount_usd.any()
    assert books.rounding_usd == pytest.approx(-3.0)


def test_accounts_of_no_dispatch_are_all_zero() -> None:
    assert {getattr(NOTHING_DISPATCHED, name) for name in DistributionAccounts.__slots__} == {0.0}
