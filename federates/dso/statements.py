"""What an LDA's customers and DERs pay and earn on their meters, and what explains the DSO's balance.

Every meter settles at the price of its place: the DLMP of a total DSO's dispatch, else the LMP of the LDA's
bus. The DSO buys the metered import at the LMP. What is left to it falls into the rents of the dispatch
(`federates.dso.accounts`) and, with a margin m = price - LMP, into what meters and dispatch differ by ::

    loads    m times what they drew beyond the dispatch
    DERs     -m times what they injected beyond it
    losses   -LMP times what was lost beyond it: all losses where the DSO has dispatched nothing

Import, loads, DERs and losses are metered apart: a meter that is missing, and prices that the duals do not
explain, stay ``unexplained``. DERs with awards of their own are paid by their aggregator, from what the ISO
pays it: the ISO takes their energy out of the LDA's position, and so does this.

What the ISO pays for reserve in real time goes to the DERs that hold it, and to the loads where none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.ledger import ROUNDING, Ledger, Line, in_cents
from federates.core.messages import CustomerMeters
from federates.core.reserve_offer import UPWARD
from federates.dso.accounts import NOTHING_DISPATCHED, DistributionAccounts
from federates.dso.dlmp import FeederPrices

DISTRIBUTION, OUTSIDE, NETWORK, UNEXPLAINED = "distribution", "outside", "network", "unexplained"
RENTS = ("loss_surplus", "voltage_rent", "thermal_rent")
DEVIATIONS = ("load_deviation", "der_deviation", "loss_deviation")
EXPLAINED = (*RENTS, *DEVIATIONS, "reserve_left")
"""Accounts that explain the balance; together they are handed to the loads."""
ENERGY = "energy"
"""Item of the lines of what meters read."""
RESERVE = "reserve"
"""Item of the lines of what DERs hold as reserve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReserve:
    """Reserve of one interval that an area has sold, and which of its DERs hold it."""

    income_usd_per_h: float
    """From the ISO, at real-time prices. [$/h]"""
    mw: FloatArray
    """Held by each DER, all products together, shape (ders,). [MW]"""
    usd_per_h: FloatArray
    """Its part of the income, shape (ders,). [$/h]"""
    left_usd_per_h: float
    """Income of products that no DER would move for. [$/h]"""


def no_reserve(ders: int) -> HeldReserve:
    """Of an area that has sold none."""
    none = np.zeros(ders)
    return HeldReserve(income_usd_per_h=0.0, mw=none, usd_per_h=none, left_usd_per_h=0.0)


def held_reserve(
    awarded_mw: FloatArray, price_usd_per_mw_h: FloatArray, up_kw: FloatArray, down_kw: FloatArray
) -> HeldReserve:
    """Awards shared out over the DERs by how far a call would move each of them.

    Parameters
    ----------
    awarded_mw, price_usd_per_mw_h
        Of each product, shape (products,). [MW], [$/MW/h]
    up_kw, down_kw
        What each DER would inject more, or less, at the states to which it may be called, shape (ders,); who
        would go the other way holds nothing. [kW]
    """
    shares = [_shares(kw) for kw in (down_kw, up_kw)]
    by_product = np.array([shares[is_up] for is_up in UPWARD])
    return HeldReserve(
        income_usd_per_h=float(awarded_mw @ price_usd_per_mw_h),
        mw=awarded_mw @ by_product,
        usd_per_h=(awarded_mw * price_usd_per_mw_h) @ by_product,
        left_usd_per_h=float((awarded_mw * price_usd_per_mw_h)[by_product.sum(axis=1) == 0.0].sum()),
    )


def _shares(moved_kw: FloatArray) -> FloatArray:
    """Part of each DER in a move, shape (ders,); zeros where nobody moves."""
    moved = np.maximum(moved_kw, 0.0)
    total = float(moved.sum())
    return moved / total if total > 0.0 else moved


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaPrices:
    """What one interval's energy is settled at, and what the dispatch behind it says."""

    lmp_usd_per_mwh: float
    """At the LDA's bus. [$/MWh]"""
    der_usd_per_mwh: FloatArray
    """Of each DER, in fleet order, shape (ders,). [$/MWh]"""
    load_usd_per_mwh: FloatArray
    """Of each load, in circuit order, shape (loads,). [$/MWh]"""
    dispatched: DistributionAccounts
    """Quantities and rents of the dispatch at these prices."""
    reserve: HeldReserve
    """What its DERs hold."""


def even_prices(lmp_usd_per_mwh: float, ders: int, loads: int) -> AreaPrices:
    """Prices of a DSO that sets none: everybody's is the LMP."""
    return AreaPrices(
        lmp_usd_per_mwh=lmp_usd_per_mwh,
        der_usd_per_mwh=np.full(ders, lmp_usd_per_mwh),
        load_usd_per_mwh=np.full(loads, lmp_usd_per_mwh),
        dispatched=NOTHING_DISPATCHED,
        reserve=no_reserve(ders),
    )


def area_prices(
    feeders: Sequence[FeederPrices],
    der_usd_per_mwh: FloatArray,
    lmp_usd_per_mwh: float,
    dispatched: DistributionAccounts,
    reserve: HeldReserve,
) -> AreaPrices:
    """Prices of a total DSO: those of its feeders' loads together, and those of its DERs in fleet order."""
    price = np.full(sum(feeder.load.size for feeder in feeders), np.nan)
    for feeder in feeders:
        price[feeder.load] = feeder.loads.total_usd_per_mwh
    return AreaPrices(
        lmp_usd_per_mwh=lmp_usd_per_mwh,
        der_usd_per_mwh=der_usd_per_mwh,
        load_usd_per_mwh=price,
        dispatched=dispatched,
        reserve=reserve,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Energy and money over some time, unrounded; points are the DERs, then the loads."""

    hours: float
    """Its length. [h]"""
    injected_mwh: FloatArray
    """By each point; negative = drawn, shape (points,). [MWh]"""
    own_usd: FloatArray
    """For it, settled with the DSO, shape (points,). [$]"""
    apart_usd: FloatArray
    """For it, settled with an aggregator that has awards of its own, shape (points,). [$]"""
    price_h: FloatArray
    """Price of each point times the time that it held, shape (points,). [$ h/MWh]"""
    purchase_usd: float
    """Paid for the import, energy settled apart included. [$]"""
    reserve_income_usd: float
    """From the ISO for reserve. [$]"""
    reserve_mwh: FloatArray
    """Held by each point, shape (points,). [MW h]"""
    reserve_usd: FloatArray
    """For it, shape (points,). [$]"""
    explained_usd: FloatArray
    """Of each of `EXPLAINED`; positive stays with the DSO. [$]"""

    def __add__(self, other: Settled) -> Settled:
        """Both one after the other."""
        return Settled(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Settled)})


def settle(prices: AreaPrices, read: CustomerMeters, apart: BoolArray, hours: float) -> Settled:
    """One interval on its meters.

    Parameters
    ----------
    apart
        DERs with awards of their own, shape (ders,).
    hours
        Length of the interval. [h]
    """
    done, lmp = prices.dispatched, prices.lmp_usd_per_mwh
    price = np.concatenate([prices.der_usd_per_mwh, prices.load_usd_per_mwh])
    injected = np.concatenate([read.der_mwh, -read.load_mwh])
    is_apart = np.concatenate([apart, np.zeros(read.load_mwh.size, dtype=np.bool_)])
    usd = price * injected
    own = np.where(is_apart, 0.0, usd)
    of_ders = slice(0, read.der_mwh.size)
    paid, bought = float(own[of_ders].sum()), float(read.der_mwh[~apart].sum())
    collected, drawn = float(-own[of_ders.stop :].sum()), float(read.load_mwh.sum())
    purchase = lmp * (read.import_mwh + float(read.der_mwh[apart].sum()))
    rents = (done.loss_surplus_usd_per_h, done.voltage_rent_usd_per_h, done.thermal_rent_usd_per_h)
    deviations = (
        collected - done.load_usd_per_h * hours - lmp * (drawn - done.drawn_mw * hours),
        -paid - done.der_usd_per_h * hours + lmp * (bought - done.injected_mw * hours),
        -lmp * (read.lost_mwh - done.lost_mw * hours),
    )
    reserve = prices.reserve
    left = reserve.left_usd_per_h * hours
    none = np.zeros(read.load_mwh.size)
    return Settled(
        hours=hours,
        injected_mwh=injected,
        own_usd=own,
        apart_usd=np.where(is_apart, usd, 0.0),
        price_h=price * hours,
        purchase_usd=purchase,
        reserve_income_usd=reserve.income_usd_per_h * hours,
        reserve_mwh=np.concatenate([reserve.mw * hours, none]),
        reserve_usd=np.concatenate([reserve.usd_per_h * hours, none]),
        explained_usd=np.array([*(rent * hours for rent in rents), *deviations, left]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LdaBooks:
    """Books of some time, closed: nothing stays with the DSO but `ROUNDING` and `UNEXPLAINED`."""

    energy: Line
    """What everybody's meter read, and is paid for it by the DSO or an aggregator."""
    network: Line
    """What the loads get or bear of the DSO's balance, by what they drew."""
    reserve: Line
    """What DERs hold as reserve, and are paid for it by the DSO."""
    energy_exact_usd: FloatArray
    """Amounts of ``energy`` before rounding, shape (points,). [$]"""
    network_exact_usd: FloatArray
    """Amounts of ``network`` before rounding, shape (points,). [$]"""
    reserve_exact_usd: FloatArray
    """Amounts of ``reserve`` before rounding, shape (points,). [$]"""
    purchase_usd: float
    """Paid for the import. [$]"""
    reserve_income_usd: float
    """From the ISO for reserve. [$]"""
    ders_usd: float
    """Paid to DERs for energy by the DSO, in whole cents. [$]"""
    ders_reserve_usd: float
    """Paid to DERs for reserve by the DSO, in whole cents. [$]"""
    loads_usd: float
    """Paid by loads for energy, in whole cents. [$]"""
    explained_usd: FloatArray
    """What each of `EXPLAINED` held before it was handed to the loads. [$]"""
    rounding_usd: float
    unexplained_usd: float


def book(settled: Settled, ders_count: int) -> LdaBooks:
    """Books of one simulated set, of which the first ``ders_count`` points are DERs."""
    ledger = Ledger(settled.injected_mwh.size)
    ledger.move(DISTRIBUTION, OUTSIDE, settled.purchase_usd)
    ledger.move(OUTSIDE, DISTRIBUTION, settled.reserve_income_usd)
    own_usd = ledger.pay(DISTRIBUTION, settled.own_usd)
    reserve_usd = ledger.pay(DISTRIBUTION, settled.reserve_usd)
    for account, amount in zip(EXPLAINED, settled.explained_usd.tolist(), strict=True):
        ledger.move(DISTRIBUTION, account, amount)
        ledger.move(account, NETWORK, amount)
    ledger.move(DISTRIBUTION, UNEXPLAINED, ledger.balance_usd(DISTRIBUTION))
    drawn = np.maximum(-settled.injected_mwh, 0.0)
    drawn[:ders_count] = 0.0
    total, held = float(drawn.sum()), ledger.balance_usd(NETWORK)
    share = drawn / total if total else drawn
    rate = held / total if total else 0.0
    network_usd = ledger.pay(NETWORK, held * share)
    ledger.move(NETWORK, ROUNDING, ledger.balance_usd(NETWORK))
    price, held_mwh = settled.price_h / settled.hours, settled.reserve_mwh
    return LdaBooks(
        energy=Line(
            item=ENERGY,
            quantity_mwh=settled.injected_mwh,
            price_usd_per_mwh=price,
            amount_usd=own_usd + in_cents(settled.apart_usd),
        ),
        network=Line(
            item=NETWORK,
            quantity_mwh=-drawn,
            price_usd_per_mwh=np.full(drawn.size, -rate),
            amount_usd=network_usd,
        ),
        reserve=Line(
            item=RESERVE,
            quantity_mwh=held_mwh,
            price_usd_per_mwh=np.divide(
                settled.reserve_usd, held_mwh, out=np.zeros(held_mwh.size), where=held_mwh > 0.0
            ),
            amount_usd=reserve_usd,
        ),
        energy_exact_usd=settled.own_usd + settled.apart_usd,
        network_exact_usd=held * share,
        reserve_exact_usd=settled.reserve_usd,
        purchase_usd=settled.purchase_usd,
        reserve_income_usd=settled.reserve_income_usd,
        ders_usd=float(own_usd[:ders_count].sum()),
        ders_reserve_usd=float(reserve_usd.sum()),
        loads_usd=float(-own_usd[ders_count:].sum()),
        explained_usd=settled.explained_usd,
        rounding_usd=ledger.balance_usd(ROUNDING),
        unexplained_usd=ledger.balance_usd(UNEXPLAINED),
    )
