"""Laws of the settlement on random grids, positions, prices and meters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from federates.core.arrays import FloatArray, IntArray
from federates.core.ledger import Ledger
from federates.iso.ledger import CLEARING, UNEXPLAINED, Booked, book, book_make_whole
from federates.iso.participants import Participants, dispatched
from federates.iso.settlement import (
    Market,
    Metered,
    Places,
    meter_gap_mwh,
    settle_day_ahead,
    settle_real_time,
)
from tests.property.test_market_laws import clear, market, random_case
from tests.unit.iso.settlement_cases import as_dispatched, metered_of

BUSES, BRANCHES, PARTICIPANTS, PRODUCTS = 6, 9, 20, ("spin", "reg_up")
HOUR_SHARE = 1.0 / 12.0
CENT_USD = 0.01
DIGITS_USD = 1e-6
"""Of sums of some 1e6 $: ten digits."""
SOLVED_USD = 1e-4
"""The solver's tolerance of 1e-9 MW at prices of some 1e3 $/MWh, on some 20 rows, with room."""
LOAD_FACTORS = (0.6, 1.0, 1.6, 6.0, -1.5)
"""Of the load of every bus; negative: it feeds in and cannot be curtailed."""
few = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A random grid whose flows are any linear map of what is injected."""

    places: Places
    factors: FloatArray

    def market(self, rng: np.random.Generator) -> Market:
        """Awards that balance, and prices that fit the flows they drive: energy + H'mu + loss part."""
        places = self.places
        loss_mw = rng.uniform(0.0, 4.0, BUSES)
        dc_mw = rng.uniform(-30.0, 30.0, 2)
        x = rng.uniform(-90.0, 90.0, PARTICIPANTS)
        x += (loss_mw.sum() - x.sum()) / PARTICIPANTS
        carried = np.bincount(places.bus, weights=x, minlength=BUSES) - loss_mw
        np.add.at(carried, places.dc_to, dc_mw)
        np.subtract.at(carried, places.dc_from, dc_mw)
        line_price = np.where(rng.random(BRANCHES) < 0.4, rng.normal(0.0, 300.0, BRANCHES), 0.0)
        loss_part = rng.normal(0.0, 3.0, BUSES)
        raw = rng.normal(30.0, 60.0) + self.factors.T @ line_price + loss_part
        return Market(
            injection_mw=x,
            lmp_usd_per_mwh=np.clip(raw, -50.0, 200.0),
            raw_usd_per_mwh=raw,
            loss_usd_per_mwh=loss_part,
            loss_mw=loss_mw,
            flow_mw=self.factors @ carried + places.shift_flow_mw,
            line_price_usd_per_mwh=line_price,
            dc_mw=dc_mw,
            reserve_mw=rng.uniform(0.0, 20.0, (PARTICIPANTS, 2)),
            reserve_usd_per_mwh=rng.uniform(0.0, 50.0, (PARTICIPANTS, 2)),
        )


def system(rng: np.random.Generator) -> System:
    return System(
        places=Places(
            bus=rng.integers(0, BUSES, PARTICIPANTS),
            buses_count=BUSES,
            dc_from=np.array([0, 3]),
            dc_to=np.array([4, 1]),
            shift_flow_mw=rng.normal(0.0, 10.0, BRANCHES),
        ),
        factors=rng.normal(0.0, 0.4, (BRANCHES, BUSES)),
    )


def meters(rng: np.random.Generator, market: Market) -> Metered:
    """Everybody misses the award; half make it good, with AC losses unlike the market's."""
    share = np.where(np.arange(PARTICIPANTS) < PARTICIPANTS // 2, rng.random(PARTICIPANTS), 0.0)
    set_mw = market.injection_mw + rng.normal(0.0, 5.0, PARTICIPANTS)
    return metered_of(set_mw, share / share.sum(), rng.uniform(0.0, 40.0), HOUR_SHARE)


def drawn(rng: np.random.Generator) -> FloatArray:
    share = rng.random(PARTICIPANTS)
    share[: PARTICIPANTS // 2] = 0.0
    return share


def both_books(seed: int) -> tuple[Booked, Booked]:
    rng = np.random.default_rng(seed)
    grid = system(rng)
    day_ahead, real_time = grid.market(rng), grid.market(rng)
    metered, share = meters(rng, real_time), drawn(rng)
    forward = settle_day_ahead(grid.places, day_ahead, HOUR_SHARE)
    spot = settle_real_time(grid.places, day_ahead, real_time, metered, HOUR_SHARE)
    return book(forward, PRODUCTS, share), book(spot, PRODUCTS, share)


@few
@given(seeds)
def test_nothing_stays_unexplained(seed: int) -> None:
    for booked in both_books(seed):
        assert abs(booked.accounts_usd[UNEXPLAINED]) <= DIGITS_USD
        assert sum(abs(booked.accounts_usd[a]) for a in ("congestion", "loss", "cap")) > 1.0


@few
@given(seeds)
def test_missing_meter_is_seen(seed: int) -> None:
    """2 MWh of a load are lost; they stay unexplained at the mean price of the units that respond."""
    rng = np.random.default_rng(seed)
    grid = system(rng)
    day_ahead, real_time = grid.market(rng), grid.market(rng)
    metered = meters(rng, real_time)
    lost = np.zeros(PARTICIPANTS)
    lost[-1] = 2.0
    seen = replace(metered, injection_mwh=metered.injection_mwh + lost, own_mwh=metered.own_mwh + lost)
    price = real_time.lmp_usd_per_mwh[grid.places.bus] @ metered.share_h / metered.share_h.sum()
    paid = settle_real_time(grid.places, day_ahead, real_time, seen, HOUR_SHARE)
    assert abs(meter_gap_mwh(metered)) < 1e-9
    assert abs(book(paid, PRODUCTS, drawn(rng)).accounts_usd[UNEXPLAINED] + 2.0 * price) < DIGITS_USD


@few
@given(seeds)
def test_what_participants_are_paid_and_what_stays_is_nothing_together(seed: int) -> None:
    """Every line has whole cents, and all of them with rounding and unexplained add up to zero."""
    for booked in both_books(seed):
        amounts = np.stack([line.amount_usd for line in booked.lines])
        np.testing.assert_allclose(amounts * 100.0, np.rint(amounts * 100.0), atol=1e-6)
        kept = booked.accounts_usd[UNEXPLAINED] + booked.accounts_usd["rounding"]
        assert abs(amounts.sum() + kept) <= DIGITS_USD
        assert abs(booked.accounts_usd["rounding"]) <= 0.5 * CENT_USD * amounts.size


@few
@given(seeds)
def test_double_entry_adds_up_to_zero_after_every_entry(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = Ledger(PARTICIPANTS)
    for entry in range(12):
        if entry % 2:
            ledger.pay(CLEARING, rng.normal(0.0, 1e4, PARTICIPANTS))
        else:
            ledger.move(CLEARING, f"account {entry}", float(rng.normal(0.0, 1e5)))
        assert abs(ledger.sum_usd) <= DIGITS_USD
    assert abs(ledger.balance_usd(CLEARING)) > 1.0


@few
@given(seeds)
def test_identical_day_ahead_and_real_time_settle_to_exactly_zero(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = system(rng)
    market = grid.market(rng)
    paid = settle_real_time(grid.places, market, market, as_dispatched(market, HOUR_SHARE), HOUR_SHARE)
    assert not paid.energy_usd.any()
    assert not paid.reserve_usd.any()
    explained = (paid.congestion_rent_usd, paid.loss_surplus_usd, paid.cap_cost_usd)
    assert (*explained, paid.imbalance_usd, paid.loss_difference_usd) == (0.0,) * 5
    assert settle_day_ahead(grid.places, market, HOUR_SHARE).energy_usd.all()


@few
@given(seeds)
def test_one_price_everywhere_leaves_no_imbalance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = system(rng)
    flat = np.full(BUSES, rng.normal(30.0, 40.0))
    market = replace(grid.market(rng), lmp_usd_per_mwh=flat)
    metered = meters(rng, market)
    paid = settle_real_time(grid.places, market, market, metered, HOUR_SHARE)
    beyond_mwh = metered.losses_mwh - HOUR_SHARE * market.loss_mw.sum()
    assert abs(paid.imbalance_usd) <= DIGITS_USD
    assert abs(paid.loss_difference_usd - flat[0] * beyond_mwh) <= DIGITS_USD
    assert abs(paid.loss_difference_usd) > 1e-3


def permuted(
    places: Places, market: Market, metered: Metered, order: IntArray
) -> tuple[Places, Market, Metered]:
    return (
        replace(places, bus=places.bus[order]),
        replace(
            market,
            injection_mw=market.injection_mw[order],
            reserve_mw=market.reserve_mw[order],
            reserve_usd_per_mwh=market.reserve_usd_per_mwh[order],
        ),
        Metered(
            injection_mwh=metered.injection_mwh[order],
            own_mwh=metered.own_mwh[order],
            drawn_response_mwh=metered.drawn_response_mwh[order],
            loss_response_mwh=metered.loss_response_mwh[order],
            share_h=metered.share_h[order],
            losses_mwh=metered.losses_mwh,
        ),
    )


@few
@given(seeds)
def test_order_of_participants_changes_no_amount(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = system(rng)
    market = grid.market(rng)
    metered, share = meters(rng, market), drawn(rng)
    order = rng.permutation(PARTICIPANTS)
    other = permuted(grid.places, market, metered, order)
    paid = settle_real_time(grid.places, market, market, metered, HOUR_SHARE)
    again = settle_real_time(other[0], other[1], other[1], other[2], HOUR_SHARE)
    assert (again.energy_usd == paid.energy_usd[order]).all()
    assert (again.reserve_usd == paid.reserve_usd[order]).all()
    first, second = book(paid, PRODUCTS, share), book(again, PRODUCTS, share[order])
    for line, moved in zip(first.lines, second.lines, strict=True):
        assert np.abs(line.amount_usd[order] - moved.amount_usd).max() <= CENT_USD + DIGITS_USD
    for account, usd in first.accounts_usd.items():
        assert abs(usd - second.accounts_usd[account]) <= PARTICIPANTS * CENT_USD


@few
@given(seeds)
def test_make_whole_is_never_taken_and_always_borne(seed: int) -> None:
    rng = np.random.default_rng(seed)
    paid = np.where(rng.random(PARTICIPANTS) < 0.3, rng.uniform(0.0, 1e4, PARTICIPANTS), 0.0)
    paid[0] = 12.345
    booked = book_make_whole(paid, drawn(rng))
    amounts = np.stack([line.amount_usd for line in booked.lines])
    assert (amounts[0] >= 0.0).all()
    assert (amounts[1] <= 0.0).all()
    assert abs(amounts.sum() + booked.accounts_usd["rounding"]) <= DIGITS_USD
    assert booked.accounts_usd[UNEXPLAINED] == 0.0


@few
@given(seeds, st.sampled_from(LOAD_FACTORS))
def test_rents_of_a_real_clearing_explain_what_it_takes_in(seed: int, load_factor: float) -> None:
    """Bids, curves and blocks on a meshed grid: lines bind, load is shed, or energy finds no taker."""
    case = random_case(np.random.default_rng(seed))
    load_mw = load_factor * case.buses.load_mw
    cleared = clear(market(case), case, seed, load_mw)
    buses = len(case.buses.ids)
    slots_bus = np.arange(cleared.block_mw.size) % buses
    who = Participants(case, (("x", 2), ("y", 4)), tuple((f"at {k}", k) for k in range(buses)))
    taken = dispatched(
        cleared,
        ...,
        load_mw=load_mw,
        loss_mw=np.zeros(buses),
        der_mw=np.bincount(slots_bus, weights=cleared.block_mw, minlength=buses),
    )
    share = np.zeros(who.count)
    share[who.loads] = case.buses.load_mw
    takers = tuple(range(who.count)[who.takers])
    booked = book(settle_day_ahead(who.places, who.market(taken), 1.0), (), share, takers)
    assert abs(booked.accounts_usd[UNEXPLAINED]) <= SOLVED_USD


def test_real_clearings_of_the_law_bind_shed_and_spill() -> None:
    """What the law above is tried on has congestion, unserved load, capped prices and dumped energy."""
    seen = {"binds": False, "sheds": False, "spills": False, "caps": False}
    for seed in range(12):
        case = random_case(np.random.default_rng(seed))
        for load_factor in LOAD_FACTORS:
            cleared = clear(market(case), case, seed, load_factor * case.buses.load_mw)
            prices = cleared.prices
            seen["binds"] |= bool(cleared.binding.size)
            seen["sheds"] |= bool(cleared.shed_mw.max() > 1.0)
            seen["spills"] |= bool(cleared.surplus_mw.max() > 1.0)
            seen["caps"] |= not np.array_equal(prices.lmp_usd_per_mwh, prices.raw_usd_per_mwh)
    assert all(seen.values()), seen
