"""DER offers as the market takes them, and its answer DER by DER; headroom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.cases.case import TransmissionCase
from federates.core.curve import NetCurve, fixed_quantity
from federates.core.messages import DerOffers
from federates.core.reserve_offer import NO_RESERVE, ReserveOffer
from federates.iso.market import (
    RealTimeInputs,
    RealTimeMarket,
    der_awards,
    der_book,
    fixed_curves,
    headroom_mw,
)
from federates.iso.reserves import SPIN, nested_rules, net_reserves
from federates.iso.store_plan import StorePlan
from tests.unit.iso.market_cases import two_bus

SOLVER_MW = 1e-6
MARKET_S = 300


def offers(
    floor_mw: list[list[float]], blocks: list[tuple[int, int, float, float]], interval_s: int = 0
) -> DerOffers:
    """Offers from floors by interval and blocks (interval, DER, width, price)."""
    interval, der, width, price = zip(*blocks, strict=True) if blocks else ((), (), (), ())
    return DerOffers(
        interval_s=interval_s,
        length_s=MARKET_S,
        intervals=len(floor_mw),
        floor_mw=np.array(floor_mw, dtype=np.float64).ravel(),
        interval=np.array(interval, dtype=np.int64),
        der=np.array(der, dtype=np.int64),
        width_mw=np.array(width, dtype=np.float64),
        price_usd_per_mwh=np.array(price, dtype=np.float64),
    )


TWO_HOURS = offers(
    [[-3.0, 0.0], [-1.0, 0.0]],
    [(0, 0, 2.0, 10.0), (0, 0, 4.0, 30.0), (0, 1, 5.0, -5.0), (1, 0, 2.0, 12.0), (1, 1, 1.0, -5.0)],
)
OTHER = offers([[0.5], [0.25]], [(0, 0, 1.0, 7.0), (1, 0, 2.0, 8.0)])


def test_a_book_holds_one_interval_of_all_aggregators_in_wiring_order() -> None:
    book = der_book([TWO_HOURS, OTHER], [4, 2], 0)
    assert book.bus.tolist() == [4, 4, 4, 2]
    assert book.width_mw.tolist() == [2.0, 4.0, 5.0, 1.0]
    assert book.price_usd_per_mwh.tolist() == [10.0, 30.0, -5.0, 7.0]
    assert book.floor_bus.tolist() == [4, 2]
    assert book.floor_mw.tolist() == [-3.0, 0.5]
    assert der_book([TWO_HOURS, OTHER], [4, 2], 1).floor_mw.tolist() == [-1.0, 0.25]


def test_aggregators_without_any_block_still_have_floors() -> None:
    book = der_book([offers([[-2.0]], [])], [1], 0)
    assert book.bus.size == book.width_mw.size == 0
    assert book.floor_mw.tolist() == [-2.0]
    assert der_book([], [], 0).floor_mw.size == 0


def test_an_award_is_the_floor_and_the_blocks_taken_of_that_der() -> None:
    assert der_awards(TWO_HOURS, 0, np.array([2.0, 1.5, 5.0])).tolist() == [0.5, 5.0]
    assert der_awards(TWO_HOURS, 1, np.array([0.0, 1.0])).tolist() == [-1.0, 1.0]


@given(taken=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
def test_awards_never_leave_what_was_offered(taken: list[float]) -> None:
    width = TWO_HOURS.width_mw[:3]
    award = der_awards(TWO_HOURS, 0, np.array(taken) * width)
    assert (award >= np.array([-3.0, 0.0])).all()
    assert (award <= np.array([3.0, 5.0]) + 1e-12).all()


def inputs(load_mw: list[float], *, out: tuple[bool, ...] = (False, False)) -> RealTimeInputs:
    nothing = np.zeros(2)
    return RealTimeInputs(
        load_mw=np.array([load_mw]),
        available_mw=np.array([[100.0, 200.0]]),
        inflow_mw=np.zeros((1, 2)),
        required_mw=np.zeros((1, 0)),
        must_take=np.zeros(2, dtype=np.bool_),
        previous_mw=np.array([50.0, 50.0]),
        committed=np.ones((1, 2), dtype=np.bool_),
        stores=StorePlan(
            energy_mwh=nothing, target_mwh=nothing, short_usd_per_mwh=nothing, spare_usd_per_mwh=nothing
        ),
        out=np.array(out),
    )


def lossless(rating_mw: float) -> TransmissionCase:
    case = two_bus(rating_mw)
    return replace(case, branches=replace(case.branches, r_pu=np.zeros(1)))


def test_a_der_is_dispatched_with_the_units_in_the_order_of_prices() -> None:
    """A at 50 behind a line of 60 MW, B at 80; at B's bus 150 MW of load and a DER: floor -10, 30 at 65.

    Demand is 150 + 10 = 160; A gives 60, the DER its whole 30 (65 < 80), B the rest: 70. Net DER: 20.
    """
    market = RealTimeMarket(lossless(60.0), np.array([1]), MARKET_S)
    mine = offers([[-10.0]], [(0, 0, 30.0, 65.0)])
    cleared = market.clear(inputs([0.0, 150.0]), [fixed_quantity(0.0)], der_book([mine], [1], 0))
    np.testing.assert_allclose(cleared.unit_mw, [60.0, 70.0], atol=SOLVER_MW)
    np.testing.assert_allclose(der_awards(mine, 0, cleared.block_mw), [20.0], atol=SOLVER_MW)
    assert cleared.prices.lmp_usd_per_mwh[1] == pytest.approx(80.0)
    assert cleared.binding.tolist() == [0]


def test_offers_at_other_buses_from_one_interval_to_the_next_are_cleared_at_their_own() -> None:
    market = RealTimeMarket(lossless(60.0), np.array([1]), MARKET_S)
    mine = offers([[0.0]], [(0, 0, 30.0, 20.0)])
    behind = market.clear(inputs([0.0, 150.0]), [fixed_quantity(0.0)], der_book([mine], [0], 0))
    np.testing.assert_allclose(behind.unit_mw, [30.0, 90.0], atol=SOLVER_MW)
    at_load = market.clear(inputs([0.0, 150.0]), [fixed_quantity(0.0)], der_book([mine], [1], 0))
    np.testing.assert_allclose(at_load.unit_mw, [60.0, 60.0], atol=SOLVER_MW)


def test_a_unit_that_tripped_gives_nothing_and_has_no_headroom() -> None:
    market = RealTimeMarket(lossless(60.0), np.array([1]), MARKET_S)
    tripped = inputs([0.0, 150.0], out=(True, False))
    cleared = market.clear(tripped, [fixed_quantity(0.0)], None)
    np.testing.assert_allclose(cleared.unit_mw, [0.0, 150.0], atol=SOLVER_MW)
    np.testing.assert_allclose(market.headroom_mw(cleared, tripped), [0.0, 50.0], atol=SOLVER_MW)


def test_headroom_is_room_below_availability_of_fuelled_units_at_work() -> None:
    case = two_bus()
    output, on = np.array([40.0, 0.0]), np.array([True, False])
    assert headroom_mw(case, output, on, np.array([100.0, 200.0])).tolist() == [60.0, 0.0]
    # more output than there is now: no room, never less
    assert headroom_mw(case, output, on, np.array([30.0, 200.0])).tolist() == [0.0, 0.0]


def test_fixed_curves_are_one_tuple_of_hours_for_each_lda() -> None:
    curves = fixed_curves(np.array([[1.0, -2.0], [3.0, 4.0]]))
    assert [[c.p_min_mw for c in lda] for lda in curves] == [[1.0, 3.0], [-2.0, 4.0]]


def test_a_net_curve_sells_spin_in_the_real_time_market_and_stays_where_it_can_be_called() -> None:
    """A is out; unit B of 200 MW serves 50 MW and an LDA that values all of its 40 MW above B's price.

    Then B has 200 - 90 = 110 MW of spin. The LDA offers 30 MW for nothing, callable down to an import of
    15 MW: of its 40 MW it can sell 40 - 15 = 25 MW, which is just what 135 MW asked for leave to it. Without
    it, energy makes room: the LDA gets 200 - 50 - 135 = 15 MW.
    """
    case = lossless(200.0)
    market = RealTimeMarket(case, np.array([1]), MARKET_S, with_reserves=True)
    curve = NetCurve(import_mw=np.array([0.0, 40.0]), price_usd_per_mwh=np.array([100.0, 100.0]))
    offer = ReserveOffer(
        product=np.array([2]),
        width_mw=np.array([30.0]),
        price_usd_per_mw_h=np.zeros(1),
        p_lo_mw=15.0,
        p_hi_mw=40.0,
    )
    rules = nested_rules(case.buses.area)
    required = np.zeros((1, len(rules.requirements)))
    required[0, rules.names.index(f"spin_R{case.buses.area[1]}")] = 135.0
    asked = replace(inputs([0.0, 50.0], out=(True, False)), required_mw=required)
    cleared = market.clear(asked, [curve], None, net_reserves([offer]))
    np.testing.assert_allclose(cleared.curve_mw, [40.0], atol=SOLVER_MW)
    np.testing.assert_allclose(cleared.reserves.curve_mw[SPIN], [25.0], atol=SOLVER_MW)
    without = market.clear(asked, [curve], None, net_reserves([NO_RESERVE]))
    assert without.reserves.curve_mw.sum() == 0.0
    np.testing.assert_allclose(without.curve_mw, [15.0], atol=SOLVER_MW)
