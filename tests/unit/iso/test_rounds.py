"""Which round of a day-ahead market stands, and what it lets expect of the next."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from federates.iso.day_ahead import DayAhead
from federates.iso.rounds import Round, Rounds

HOURS, LDAS = 24, 2


def priced(usd_per_mwh: float) -> Round:
    """A round at one price; what was cleared is not looked at."""
    price = np.full((HOURS, LDAS), usd_per_mwh)
    return Round(cleared=cast("DayAhead", None), book=[], books=None, price_usd_per_mwh=price)


def test_expected_is_the_forecast_and_then_the_mean_of_all_rounds() -> None:
    rounds = Rounds(3, np.full((HOURS, LDAS), 30.0))
    assert (rounds.expected_usd_per_mwh == 30.0).all()
    rounds.add(priced(60.0))
    assert (rounds.expected_usd_per_mwh == 60.0).all()
    rounds.add(priced(15.0))
    assert (rounds.expected_usd_per_mwh == 37.5).all()


def test_the_round_that_met_its_expectation_best_stands() -> None:
    # 30 was expected of the first, 60 of the second, (60 + 50) / 2 of the third
    first, second, third = priced(60.0), priced(50.0), priced(90.0)
    rounds = Rounds(3, np.full((HOURS, LDAS), 30.0))
    for k, one in enumerate((first, second, third)):
        assert rounds.are_over == (k == 3)
        rounds.add(one)
    assert rounds.are_over
    assert rounds.miss_usd_per_mwh == pytest.approx((30.0, 10.0, 35.0))
    assert rounds.best is second


def test_of_equal_rounds_the_first_stands() -> None:
    first, second = priced(30.0), priced(30.0)
    rounds = Rounds(2, np.full((HOURS, LDAS), 30.0))
    rounds.add(first)
    rounds.add(second)
    assert rounds.best is first
