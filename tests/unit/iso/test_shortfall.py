"""What DERs missed of an award is added to their LDA's import one interval later, once, and to no other."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.curve import NetCurve, fixed_quantity
from federates.iso.shortfall import Shortfall

MARKET_S = 300
AGGREGATOR_LDA = np.array([0, 1, 1])


def curves() -> list[NetCurve]:
    return [
        fixed_quantity(10.0),
        NetCurve(import_mw=np.array([2.0, 4.0]), price_usd_per_mwh=np.array([30.0, 20.0])),
    ]


def imports(shortfall: Shortfall) -> list[list[float]]:
    return [curve.import_mw.tolist() for curve in shortfall.added_to(curves())]


def test_before_anything_is_metered_nothing_is_added() -> None:
    shortfall = Shortfall(AGGREGATOR_LDA, MARKET_S)
    shortfall.award(0, np.array([1.0, 2.0, 3.0]))
    assert imports(shortfall) == [[10.0], [2.0, 4.0]]


def test_award_less_meter_is_added_to_the_own_lda() -> None:
    """Awarded 1, 2, 3 MW; metered 1, 1.5, 3.2 MW for a twelfth of an hour: 0 and 0.5 - 0.2 MW are missed."""
    shortfall = Shortfall(AGGREGATOR_LDA, MARKET_S)
    shortfall.award(0, np.array([1.0, 2.0, 3.0]))
    shortfall.meter(0, np.array([1.0, 1.5, 3.2]) / 12)
    np.testing.assert_allclose(shortfall.missed_mw, [0.0, 0.5, -0.2], atol=1e-12)
    first, second = imports(shortfall)
    assert first == [10.0]
    assert second == pytest.approx([2.3, 4.3])


def test_meters_of_another_interval_say_nothing_of_the_last_award() -> None:
    shortfall = Shortfall(AGGREGATOR_LDA, MARKET_S)
    shortfall.award(300, np.array([1.0, 2.0, 3.0]))
    shortfall.meter(0, np.zeros(3))
    assert not shortfall.missed_mw.any()


def test_it_goes_on_from_its_saved_state() -> None:
    one, other = (Shortfall(AGGREGATOR_LDA, MARKET_S) for _ in range(2))
    one.award(0, np.array([1.0, 2.0, 3.0]))
    one.meter(0, np.zeros(3))
    other.restore(one.save())
    assert imports(other) == imports(one) != [[10.0], [2.0, 4.0]]
