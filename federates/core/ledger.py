"""Double entry: what is paid to participants leaves an account, in whole cents.

The cents' difference goes to the account ``rounding``. The sum over all accounts and participants is zero at
any time, because :meth:`Ledger.pay` and :meth:`Ledger.move` credit what they debit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray

CENTS_PER_USD = 100.0
ROUNDING = "rounding"


def in_cents(exact_usd: FloatArray) -> FloatArray:
    """Amounts in whole cents. [$]"""
    amount_usd: FloatArray = np.rint(exact_usd * CENTS_PER_USD) / CENTS_PER_USD + 0.0
    return amount_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One item of all participants' statements; arrays of shape (participants,)."""

    item: str
    """What is paid for."""
    quantity_mwh: FloatArray
    """Injected, provided or (negative) drawn. [MWh]"""
    price_usd_per_mwh: FloatArray
    """Mean price over the time. [$/MWh]"""
    amount_usd: FloatArray
    """Paid to the participant, in whole cents. [$]"""


class Ledger:
    """Balances of participants and accounts.

    Parameters
    ----------
    participants_count
        Number of participants.
    """

    def __init__(self, participants_count: int) -> None:
        self.participants_usd: FloatArray = np.zeros(participants_count)
        """Balance of each participant, shape (participants,). [$]"""
        self.accounts_usd: dict[str, float] = {}
        """Balance of each account. [$]"""

    def pay(self, account: str, exact_usd: FloatArray) -> FloatArray:
        """Pay every participant from an account; return the amounts, in whole cents. [$]

        The account is debited exactly; the cents' difference is credited to ``rounding``.
        """
        amount_usd = in_cents(exact_usd)
        self.participants_usd = self.participants_usd + amount_usd
        self._credit(ROUNDING, float((exact_usd - amount_usd).sum()))
        self._credit(account, -float(exact_usd.sum()))
        return amount_usd

    def move(self, debit: str, credit: str, amount_usd: float) -> None:
        """Move money from one account to another. [$]"""
        self._credit(debit, -amount_usd)
        self._credit(credit, amount_usd)

    def balance_usd(self, account: str) -> float:
        """Balance of an account. [$]"""
        return self.accounts_usd.get(account, 0.0)

    @property
    def sum_usd(self) -> float:
        """All balances together: zero, but for the last digits. [$]"""
        return float(self.participants_usd.sum()) + sum(self.accounts_usd.values())

    def _credit(self, account: str, amount_usd: float) -> None:
        self.accounts_usd[account] = self.balance_usd(account) + amount_usd
