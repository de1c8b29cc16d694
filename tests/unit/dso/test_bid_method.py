"""What each bid method sends of an area's curve."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.curve import NetCurve
from federates.core.settings import FixedQuantityBid, IntervalCurveBid, VirtualStorageBid
from federates.dso.bid import LdaCurve
from federates.dso.bid_method import bid_method, import_at
from federates.dso.offers import Offers

CURVE = NetCurve(
    import_mw=np.array([-2.0, 1.0, 4.0, 5.0]), price_usd_per_mwh=np.array([60.0, 60.0, 30.0, 10.0])
)
AREA = LdaCurve(
    net_curve=CURVE,
    import_mw=CURVE.import_mw,
    cost_usd_per_h=np.array([280.0, 100.0, 10.0, 0.0]),
    p_kw=(),
    q_kvar=(),
)


def test_an_interval_curve_is_sent_whole() -> None:
    method = bid_method(IntervalCurveBid(kind="interval_curve", blocks=7))
    assert method.blocks_limit == 7
    assert method.sent(AREA, 30.0) is CURVE
    assert not method.stores_apart


def test_with_a_store_apart_the_curve_is_sent_whole_as_well() -> None:
    method = bid_method(VirtualStorageBid(kind="virtual_storage", blocks=7))
    assert method.blocks_limit == 7
    assert method.sent(AREA, 30.0) is CURVE
    assert method.stores_apart


def test_batteries_are_taken_out_of_offers_or_given_their_whole_range() -> None:
    offers = Offers(
        floor_kw=np.array([-3.0, -5.0, 0.0]),
        der=np.array([0, 1, 1, 2]),
        width_kw=np.array([3.0, 5.0, 4.0, 2.0]),
        price_usd_per_mwh=np.array([90.0, 20.0, 40.0, 0.0]),
    )
    battery, power = np.array([False, True, False]), np.array([0.0, 6.0, 0.0])
    idle = offers.ranging(battery, 0.0 * power, 0.0 * power)
    assert idle.floor_kw.tolist() == [-3.0, 0.0, 0.0]
    assert idle.der.tolist() == [0, 1, 2]
    assert idle.width_kw.tolist() == [3.0, 0.0, 2.0]
    assert idle.price_usd_per_mwh.tolist() == [90.0, 0.0, 0.0]
    whole = offers.ranging(battery, -power, power)
    assert whole.floor_kw.tolist() == [-3.0, -6.0, 0.0]
    assert whole.width_kw.tolist() == [3.0, 12.0, 2.0]


@pytest.mark.parametrize(
    ("price", "import_mw"), [(5.0, 5.0), (10.0, 5.0), (29.0, 4.0), (30.0, 4.0), (31.0, 1.0), (61.0, -2.0)]
)
def test_a_fixed_quantity_is_what_pays_at_the_expected_price(price: float, import_mw: float) -> None:
    sent = bid_method(FixedQuantityBid(kind="fixed_quantity")).sent(AREA, price)
    assert sent.import_mw.tolist() == [import_mw]
    # no other import costs less, bought at that price
    cost = np.interp(np.linspace(-2.0, 5.0, 71), AREA.import_mw, AREA.cost_usd_per_h)
    bought = cost + price * np.linspace(-2.0, 5.0, 71)
    mine = np.interp(import_mw, AREA.import_mw, AREA.cost_usd_per_h) + price * import_mw
    assert mine <= bought.min() + 1e-9


def test_a_curve_of_one_point_imports_it_at_any_price() -> None:
    point = NetCurve(import_mw=np.array([3.0]), price_usd_per_mwh=np.zeros(1))
    assert import_at(point, -50.0) == import_at(point, 50.0) == 3.0
