"""Feeder models meet offers: hand cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.errors import CodecError
from federates.core.messages import DerOffers, FeederModel
from federates.iso.feeder_models import feeder_rows


def offer(floor_mw: list[float], der: list[int], intervals: int = 1) -> DerOffers:
    """The same floors and blocks of 1 MW in every interval."""
    n = len(der)
    return DerOffers(
        interval_s=0,
        length_s=300,
        intervals=intervals,
        floor_mw=np.tile(floor_mw, intervals),
        interval=np.repeat(np.arange(intervals), n),
        der=np.tile(der, intervals),
        width_mw=np.ones(n * intervals),
        price_usd_per_mwh=np.zeros(n * intervals),
    )


def model(ders: int, rows: list[list[dict[int, float]]], upper_mw: list[float]) -> FeederModel:
    """Rows of each interval as coefficients by DER."""
    flat = [row for interval in rows for row in interval]
    return FeederModel(
        interval_s=0,
        length_s=300,
        ders=ders,
        rows=np.array([len(interval) for interval in rows]),
        entries=np.array([len(row) for row in flat]),
        der=np.array([d for row in flat for d in row], dtype=np.int64),
        coefficient=np.array([c for row in flat for c in row.values()]),
        upper_mw=np.array(upper_mw),
    )


ONE = model(3, [[{0: 1.0, 2: 0.5}]], [5.0])
TWO = model(1, [[{0: -1.0}]], [2.0])


def test_blocks_get_the_coefficient_of_their_der_and_floors_the_rest() -> None:
    """Aggregators a (DERs 0, 1) and c (DER 2) in area 0, b in area 1; wired as a, b, c.

    Area 0: p_a0 + 0.5 p_c0 <= 5 with floors -1 and -4: blocks may add 5 + 1 + 2 = 8. Area 1: -p_b0 <= 2 at a
    floor of 3 leaves 2 + 3 = 5.
    """
    offers = [offer([-1.0, 7.0], [0, 0, 1]), offer([3.0], [0]), offer([-4.0], [0, 0])]
    rows = feeder_rows([ONE, TWO], offers, [0, 1, 0], 0, excess_usd_per_mwh=9.0)
    expected = [[1.0, 1.0, 0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.0, -1.0, 0.0, 0.0]]
    np.testing.assert_array_equal(rows.matrix.toarray(), expected)
    np.testing.assert_allclose(rows.upper, [8.0, 5.0])
    assert np.isneginf(rows.lower).all()
    assert rows.excess_usd_per_h.tolist() == [9.0, 9.0]


def test_each_interval_has_its_own_rows() -> None:
    both = model(1, [[{0: 1.0}, {0: -1.0}], [], [{0: 1.0}]], [1.0, 2.0, 3.0])
    offers = [offer([0.5], [0], intervals=3)]
    upper = [feeder_rows([both], offers, [0], k, excess_usd_per_mwh=1.0).upper.tolist() for k in range(3)]
    assert upper == [[0.5, 2.5], [], [2.5]]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ONE, ders=2),
        replace(ONE, der=np.array([0, 3])),
        replace(ONE, der=np.array([-1, 2])),
        replace(ONE, entries=np.array([1])),
        replace(ONE, rows=np.array([2])),
        replace(ONE, upper_mw=np.array([5.0, 6.0])),
        replace(ONE, rows=np.array([1, 1, -1]), entries=np.array([2])),
    ],
)
def test_a_model_that_does_not_fit_is_refused(wrong: FeederModel) -> None:
    offers = [offer([0.0, 0.0, 0.0], [0, 1, 2])]
    assert feeder_rows([ONE], offers, [0], 0, excess_usd_per_mwh=1.0).upper.size == 1
    with pytest.raises(CodecError, match="feeder model 0"):
        feeder_rows([wrong], offers, [0], 0, excess_usd_per_mwh=1.0)
