"""Stores over the hours of a day: balances part into hours at worths of energy; wires carry them whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.codec import decode, encode
from federates.core.errors import CodecError
from federates.core.messages import DerStores
from federates.der.store_day import (
    OUTSIDE_USD_PER_MWH,
    PlannedLevels,
    StoreDay,
    levels_of,
    plan_message,
    stores_message,
    stores_of_area,
)


def stores(count: int = 1) -> StoreDay:
    """Two hours; 1 MW each way, 2 MWh, 1 MWh at the beginning, nine tenths in and out."""
    flat, one = np.ones((2, count)), np.ones(count)
    return StoreDay(
        der=np.arange(count), charge_mw=flat, discharge_mw=flat, kept_share=flat, gain_mwh=0.0 * flat,
        due_mwh=0.0 * flat, most_mwh=2.0 * one, begin_mwh=one, charge_efficiency=0.9 * one,
        discharge_efficiency=0.9 * one, wear_usd_per_mwh=4.0 * one, due_usd_per_mwh=0.0 * one,
        end_usd_per_mwh=30.0 * one, end_below_mwh=2.0 * one,
    )  # fmt: skip


def test_prices_of_charge_and_discharge_by_hand() -> None:
    """Energy is worth 40 $/MWh: nine tenths of it less 2 $ of wear is paid, a ninth more and 2 $ asked."""
    worth = np.full((2, 1), 40.0)
    np.testing.assert_allclose(stores().charge_usd_per_mwh(worth), 34.0)
    np.testing.assert_allclose(stores().discharge_usd_per_mwh(worth), 40.0 / 0.9 + 2.0)


def test_levels_by_themselves_by_hand() -> None:
    """Bought at 25 $/MWh in hour 1, at 28 in hour 2, worth 30 at the end.

    What is held over hour 1 gains 3 $/MWh, at the end 2: both levels are full, 2 MWh: -6 and -4 $. The MWh
    held at the beginning is paid 25 $.
    """
    worth = np.array([[25.0], [28.0]])
    assert stores().level_value_usd(worth) == pytest.approx(-6.0 - 4.0 - 25.0)


def test_what_is_due_has_its_price_and_what_leaks_is_gone() -> None:
    """Half is lost in hour 2, and 1.5 MWh are due at its end at 100 $/MWh; worths 10 and 50.

    A MWh after hour 1 costs 10 and leaves half of 50: 15 gained, full: -30. After hour 2 a MWh costs 50 less
    30: 20 dear, but 100 are saved up to 1.5 MWh: 1.5 held, +30. The MWh at the beginning is paid 10.
    """
    day = replace(
        stores(),
        kept_share=np.array([[1.0], [0.5]]),
        due_mwh=np.array([[0.0], [1.5]]),
        due_usd_per_mwh=np.array([100.0]),
    )
    assert day.level_value_usd(np.array([[10.0], [50.0]])) == pytest.approx(-30.0 + 30.0 - 10.0)
    assert day.level_cost_usd(np.array([[-1.0], [1.0]]))[:, 0] == pytest.approx(
        [OUTSIDE_USD_PER_MWH, 100.0 * 0.5 - 30.0]
    )


def test_stores_of_an_area_come_back_in_the_order_of_its_fleet() -> None:
    first, second = replace(stores(2), der=np.array([0, 2])), replace(stores(), most_mwh=np.array([7.0]))
    sent = [decode(encode(stores_message(day, 0, 3_600), 0), DerStores)[1] for day in (first, second)]
    joined = stores_of_area(sent, [np.array([5, 6, 9]), np.array([7])])
    np.testing.assert_array_equal(joined.der, [5, 7, 9])
    np.testing.assert_array_equal(joined.most_mwh, [2.0, 7.0, 2.0])
    assert joined.charge_mw.shape == (2, 3)


def test_a_plan_goes_straight_from_hour_to_hour() -> None:
    """1, 2 and 1 MWh at hours 0, 1 and 2; worth 30 at the end of the first hour, 50 at that of the second."""
    plan = PlannedLevels(
        der=np.array([0]),
        level_mwh=np.array([[1.0], [2.0], [1.0]]),
        worth_usd_per_mwh=np.array([[30.0], [50.0]]),
    )
    told = levels_of(plan_message(plan, 0, 3_600))
    for hours, level, worth in ((0.25, 1.25, 30.0), (1.0, 2.0, 30.0), (1.5, 1.5, 50.0), (2.0, 1.0, 50.0)):
        assert tuple(float(x[0]) for x in told.at(hours)) == (level, worth)


def test_arrays_of_other_hours_are_refused() -> None:
    with pytest.raises(CodecError, match="send all hours"):
        replace(stores(), gain_mwh=np.zeros((3, 1)))
