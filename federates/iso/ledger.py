"""Double entry: every statement line and every account of a settlement, booked until the ISO holds nothing.

What participants are paid leaves the ``clearing`` account; the rents, the imbalance and the costs that
explain its balance are moved to accounts of their own, and what is left is ``unexplained``. Every account but
``rounding`` and ``unexplained`` is then handed to the loads in proportion to what they drew. Statement lines
are rounded to USD 0.01; what that takes or gives goes to ``rounding``. The sum over all accounts and
participants is zero at any time, because :meth:`Ledger.pay` and :meth:`Ledger.move` credit what they debit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.ledger import ROUNDING, Ledger, Line
from federates.iso.settlement import Proceeds

LEAST_USD = 0.005
"""An account that holds less than half a cent is not handed on. [$]"""
CLEARING, UNEXPLAINED = "clearing", "unexplained"
CONGESTION, LOSS, IMBALANCE, LOSS_DIFFERENCE = "congestion", "loss", "imbalance", "loss_difference"
RESERVE, CAP, MAKE_WHOLE, CAPACITY = "reserve", "cap", "make_whole", "capacity"
CHARGED = (CONGESTION, LOSS, IMBALANCE, LOSS_DIFFERENCE, CAP, RESERVE, MAKE_WHOLE, CAPACITY)
"""Accounts that are handed to the loads, in the order of their lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """One market's books over some time, closed."""

    lines: tuple[Line, ...]
    """Statement lines of the participants."""
    energy_usd: FloatArray
    """Paid for energy, in whole cents, shape (participants,). [$]"""
    accounts_usd: dict[str, float]
    """What each of `CHARGED` held before it was handed to the loads, and the two accounts that stay. [$]"""


def book(
    proceeds: Proceeds, products: tuple[str, ...], drawn_mwh: FloatArray, of_iso: tuple[int, ...] = ()
) -> Booked:
    """Books of one market over some time.

    Parameters
    ----------
    proceeds
        What is paid, and what explains it.
    products
        Names of the reserve products.
    drawn_mwh
        By which the loads share what is handed to them, not negative, shape (participants,). [MWh]
    of_iso
        Participants that stand for the ISO itself, as takers of what has no taker: their balance counts as a
        cost of caps and penalties.

    Raises
    ------
    ValueError
        If nobody has drawn anything.
    """
    ledger = Ledger(drawn_mwh.size)
    price = proceeds.price_usd / proceeds.hours
    energy_usd = ledger.pay(CLEARING, proceeds.energy_usd)
    lines = [
        Line(
            item="energy",
            quantity_mwh=proceeds.energy_mwh,
            price_usd_per_mwh=price,
            amount_usd=energy_usd,
        )
    ]
    for k, product in enumerate(products):
        lines.append(
            _priced_line(ledger, RESERVE, product, proceeds.reserve_mwh[:, k], proceeds.reserve_usd[:, k])
        )
    for k in of_iso:
        ledger.participants_usd[k] -= energy_usd[k]
        ledger.accounts_usd[CAP] = ledger.balance_usd(CAP) + float(energy_usd[k])
    ledger.move(CLEARING, CONGESTION, proceeds.congestion_rent_usd)
    ledger.move(CLEARING, LOSS, proceeds.loss_surplus_usd)
    ledger.move(CLEARING, IMBALANCE, proceeds.imbalance_usd)
    ledger.move(LOSS_DIFFERENCE, CLEARING, proceeds.loss_difference_usd)
    ledger.move(CAP, CLEARING, proceeds.cap_cost_usd)
    return _closed(ledger, lines, energy_usd, drawn_mwh)


def book_make_whole(make_whole_usd: FloatArray, drawn_mwh: FloatArray) -> Booked:
    """Books of one day's make-whole payments, shape (participants,), at the loads' cost. [$]"""
    ledger = Ledger(drawn_mwh.size)
    none = np.zeros(drawn_mwh.size)
    paid_usd = ledger.pay(MAKE_WHOLE, make_whole_usd)
    line = Line(item=MAKE_WHOLE, quantity_mwh=none, price_usd_per_mwh=none, amount_usd=paid_usd)
    return _closed(ledger, [line], none, drawn_mwh)


def book_capacity(
    item: str, quantity_mwh: FloatArray, exact_usd: FloatArray, drawn_mwh: FloatArray
) -> Booked:
    """Books of what one day's capacity is paid (negative: charged), at the loads' cost.

    Parameters
    ----------
    item
        What is paid for.
    quantity_mwh, exact_usd
        Provided, and paid for it, shape (participants,). [MWh], [$]
    """
    ledger = Ledger(drawn_mwh.size)
    line = _priced_line(ledger, CAPACITY, item, quantity_mwh, exact_usd)
    return _closed(ledger, [line], np.zeros(drawn_mwh.size), drawn_mwh)


def _priced_line(
    ledger: Ledger, account: str, item: str, quantity_mwh: FloatArray, exact_usd: FloatArray
) -> Line:
    """What an account pays for a quantity, at the mean price that this makes."""
    price = np.divide(exact_usd, quantity_mwh, out=np.zeros_like(exact_usd), where=quantity_mwh != 0.0)
    return Line(
        item=item,
        quantity_mwh=quantity_mwh,
        price_usd_per_mwh=price,
        amount_usd=ledger.pay(account, exact_usd),
    )


def _closed(ledger: Ledger, lines: list[Line], energy_usd: FloatArray, drawn_mwh: FloatArray) -> Booked:
    """Move what is left in ``clearing``, hand the other accounts to the loads and close the books."""
    total_mwh = float(drawn_mwh.sum())
    if total_mwh <= 0.0:
        raise ValueError("settlement: nobody has drawn energy, so that nobody can bear the accounts")
    ledger.move(CLEARING, UNEXPLAINED, ledger.balance_usd(CLEARING))
    held = {account: ledger.balance_usd(account) for account in CHARGED}
    for account in CHARGED:
        if abs(held[account]) < LEAST_USD:
            ledger.move(account, ROUNDING, held[account])
            continue
        exact_usd = held[account] * drawn_mwh / total_mwh
        lines.append(
            Line(
                item=f"{account}_share",
                quantity_mwh=-drawn_mwh,
                price_usd_per_mwh=np.full(drawn_mwh.size, -held[account] / total_mwh),
                amount_usd=ledger.pay(account, exact_usd),
            )
        )
    kept = {account: ledger.balance_usd(account) for account in (ROUNDING, UNEXPLAINED)}
    return Booked(lines=tuple(lines), energy_usd=energy_usd, accounts_usd=held | kept)
