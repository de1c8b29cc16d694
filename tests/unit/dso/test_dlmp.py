"""DLMPs against differences of the feeder's cost and of the circuit's losses, and what DERs would choose."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.sparse import csr_array

from federates.core.curve import NetCurve
from federates.distribution.linear import DerSite, FeederMap, incidence
from federates.distribution.marginal_loss import losses_kw
from federates.dso.case import FeederCase, FeederLimits, feeder_case
from federates.dso.dlmp import (
    Dlmps,
    FeederPrices,
    branch_prices,
    import_price,
    prices_at,
    substation_loss,
)
from federates.dso.program import ReducedProgram, Vertex
from tests.unit.dso.area import area, expected_kw, offers, standing_area

PRICE = 36.3
"""Price of import; no offer of the seeds stands at it. [$/MWh]"""
STEP_MW = 1e-5
"""One more load of 10 W: breakpoints lie further apart."""
USD_PER_MWH = 1e-3
"""Costs are found to 1e-8 $/h, so their differences by the step to this."""
WIDE = FeederLimits(v_min_pu=0.5, v_max_pu=1.5, loading_pu=100.0)


def at_ders(case: FeederCase, vertex: Vertex | None, price: float = PRICE, head_loss: float = 0.0) -> Dlmps:
    """Prices at the DERs, in the map's order."""
    branches = branch_prices(case, vertex, case.point, price, head_loss)
    return prices_at(case.point.map.incidence_t, branches, price)


def at_nodes(case: FeederCase, vertex: Vertex | None, price: float = PRICE, head_loss: float = 0.0) -> Dlmps:
    """Prices at all far nodes."""
    branches = branch_prices(case, vertex, case.point, price, head_loss)
    return prices_at(way_of_nodes(case.point.map), branches, price)


def way_of_nodes(feeder: FeederMap) -> csr_array:
    sites = [DerSite(nodes=(int(n),), kind="node", rated_kw=0.0) for n in feeder.tree.far]
    return csr_array(incidence(feeder.tree, sites).T)


@cache
def congested() -> tuple[FeederCase, Vertex]:
    one = standing_area("ieee123", 40, 3.5, 0.7)
    columns = offers(one.size_kw)
    point = one.point(0.6 * expected_kw(columns))
    case = feeder_case(point, columns.ordered(one.map.order), FeederLimits(loading_pu=0.35))
    return case, ReducedProgram(case, "feeder", tolerance_share=0.01).at_price(PRICE)


def with_load(case: FeederCase, der: int, more_mw: float) -> FeederCase:
    """The case with more load where a DER stands; limits as they are."""
    injected = np.zeros(case.columns.ders_count)
    injected[der] = -1e3 * more_mw
    drawn = case.point.map.incidence @ injected / 1e3
    return replace(
        case,
        voltage_at_floor_pu2=case.voltage_at_floor_pu2 + case.point.dw_pu2(injected),
        flow_at_floor_mva=case.flow_at_floor_mva - drawn,
        import_at_floor_mw=case.import_at_floor_mw + more_mw,
    )


def cost_usd_per_h(case: FeederCase) -> float:
    vertex = ReducedProgram(case, "feeder", tolerance_share=0.01).at_price(PRICE)
    import_mw = case.import_at_floor_mw - (vertex.p_kw - case.columns.floor_kw).sum() / 1e3
    return vertex.cost_usd_per_h + PRICE * float(import_mw)


def without_losses(prices: Dlmps) -> np.ndarray:
    return np.asarray(prices.total_usd_per_mwh - prices.loss_usd_per_mwh)


def test_price_is_the_difference_of_cost_by_a_load_at_the_place() -> None:
    case, vertex = congested()
    prices = at_ders(case, vertex)
    kinds = {kind for kind, _ in vertex.binding_rows}
    assert kinds & {0, 1}, "a voltage limit must bind"
    assert kinds & {2, 3}, "a rating must bind"
    mine = without_losses(prices)
    assert np.ptp(mine) > 10.0
    base, smooth = cost_usd_per_h(case), 0
    for der in range(40):
        more, less = (cost_usd_per_h(with_load(case, der, s * STEP_MW)) for s in (1.0, -1.0))
        right, left = (more - base) / STEP_MW, (base - less) / STEP_MW
        # A limit relaxed to the base state has a kink there: the price then lies between the two slopes.
        assert left - USD_PER_MWH <= mine[der] <= right + USD_PER_MWH
        smooth += right - left < USD_PER_MWH
    assert smooth >= 20


def test_parts_add_up_and_nodes_have_the_prices_of_their_ders() -> None:
    case, vertex = congested()
    ders, nodes = (f(case, vertex, PRICE, 0.01) for f in (at_ders, at_nodes))
    for prices in (ders, nodes):
        parts = prices.loss_usd_per_mwh + prices.voltage_usd_per_mwh + prices.thermal_usd_per_mwh
        np.testing.assert_allclose(prices.total_usd_per_mwh, PRICE + parts, rtol=1e-12)
    # The last branch-phases on a DER's way, one a phase, feed its nodes.
    tree, way = case.point.map.tree, case.point.map.incidence_t.toarray()
    for der in range(40):
        on_way = np.flatnonzero(way[der])
        last = np.setdiff1d(on_way, tree.parent[on_way])
        mean = nodes.total_usd_per_mwh[last].mean()
        assert ders.total_usd_per_mwh[der] == pytest.approx(mean, abs=1e-3)


def test_at_its_price_no_der_would_rather_be_dispatched_otherwise() -> None:
    """A block that is taken is worth its price or more there, one that is not, less; in part: its price."""
    case, vertex = congested()
    mine = without_losses(at_ders(case, vertex))
    columns = case.columns
    filled = columns.filled_kw(vertex.p_kw)
    worth = mine[columns.der] - columns.price_usd_per_mwh
    taken, left = filled > 1e-6, filled < columns.width_kw - 1e-6
    assert (worth[taken] > -1e-6).all()
    assert (worth[left] < 1e-6).all()
    assert (taken & left).sum() >= 3
    against = (worth < -1.0) & (columns.price_usd_per_mwh < PRICE) & left
    assert against.any(), "congestion must hold back an offer below the interface's price"


def test_without_binding_limits_and_losses_every_place_has_the_price_of_the_interface() -> None:
    one = standing_area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw).ordered(one.map.order)
    case = feeder_case(one.point(np.zeros(40)), columns, WIDE)
    vertex = ReducedProgram(case, "feeder").at_price(PRICE)
    for prices in (at_ders(case, vertex), at_nodes(case, vertex)):
        np.testing.assert_array_equal(without_losses(prices), PRICE)
    np.testing.assert_array_equal(
        at_ders(case, None).total_usd_per_mwh, at_ders(case, vertex).total_usd_per_mwh
    )


@pytest.mark.parametrize("kind", [0, 1], ids=["high", "low"])
def test_a_voltage_limit_makes_power_cheap_where_it_is_too_high_and_dear_where_too_low(kind: int) -> None:
    """The limit lies 0.002 pu inside the outermost voltage that the DERs' optimum would bring without it."""
    one = standing_area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw).ordered(one.map.order)
    point = one.point(np.zeros(40))
    free = feeder_case(point, columns, WIDE)
    price = (150.0, 15.0)[kind]
    v_pu = np.sqrt(point.w_pu2 + point.dw_pu2(ReducedProgram(free, "f").at_price(price).p_kw))
    edge_pu = float((v_pu.max() - 0.002, v_pu.min() + 0.002)[kind])
    limit = FeederLimits(**{"v_min_pu": 0.5, "v_max_pu": 1.5, ("v_max_pu", "v_min_pu")[kind]: edge_pu},
                         loading_pu=100.0)  # fmt: skip
    case = feeder_case(point, columns, limit)
    vertex = ReducedProgram(case, "f").at_price(price)
    assert {k for k, _ in vertex.binding_rows} == {kind}
    nodes = at_nodes(case, vertex, price)
    outermost = int(vertex.binding_rows[0][1])
    assert nodes.voltage_usd_per_mwh[outermost] * (-1.0, 1.0)[kind] > 0.1
    assert not nodes.thermal_usd_per_mwh.any()


def test_a_rating_makes_power_dear_behind_it_and_leaves_other_places_alone() -> None:
    """Import through one branch-phase is limited to 20 kW less than the merit order would draw there."""
    one = standing_area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw).ordered(one.map.order)
    case = feeder_case(one.point(np.zeros(40)), columns, WIDE)
    tree = case.point.map.tree
    drawn = (
        case.flow_at_floor_mva
        - case.point.map.incidence @ (ReducedProgram(case, "f").at_price(15.0).p_kw - columns.floor_kw) / 1e3
    )
    behind = np.array([_behind(tree.parent, e) for e in range(tree.far.size)])
    able = behind @ (case.point.map.incidence.toarray() > 0).astype(float)
    narrow = int(np.argmax(np.where((tree.parent >= 0) & (able.sum(axis=1) > 0), drawn.real, -np.inf)))
    bound = case.bound.copy()
    bound[2, narrow] = drawn[narrow].real - 0.02
    case = replace(case, bound=bound)
    vertex = ReducedProgram(case, "f").at_price(15.0)
    assert vertex.binding_rows == ((2, narrow),)
    nodes = at_nodes(case, vertex, 15.0)
    thermal = nodes.thermal_usd_per_mwh
    assert thermal[behind[narrow] > 0] == pytest.approx(vertex.row_price[0])
    assert (thermal[behind[narrow] == 0] == 0.0).all()
    assert vertex.row_price[0] > 1.0


def _behind(parent: np.ndarray, place: int) -> np.ndarray:
    """1 for the branch-phases at and behind a place."""
    inside = np.zeros(parent.size)
    inside[place] = 1.0
    for e, p in enumerate(parent):
        if p >= 0 and inside[p]:
            inside[e] = 1.0
    return inside


def test_a_limit_at_the_head_is_paid_alike_everywhere() -> None:
    one = standing_area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw).ordered(one.map.order)
    point = one.point(np.zeros(40))
    free = ReducedProgram(feeder_case(point, columns, WIDE), "f").at_price(15.0).import_mw
    case = feeder_case(point, columns, replace(WIDE, import_mw=free - 0.1))
    vertex = ReducedProgram(case, "f").at_price(15.0)
    assert vertex.import_mw == pytest.approx(free - 0.1, abs=1e-6)
    nodes = at_nodes(case, vertex, 15.0)
    assert nodes.thermal_usd_per_mwh == pytest.approx(vertex.price_usd_per_mwh - 15.0)
    assert nodes.thermal_usd_per_mwh[0] > 1.0


def test_the_loss_part_is_what_the_circuit_loses_by_one_more_kw() -> None:
    """Loads of constant power, as the map takes them; OpenDSS at 1 kW less and more at a DER, taps held."""
    one = area("synthetic 300", 20, 0.5, 1.0)
    p_kw = 0.5 * one.size_kw
    point = one.point(p_kw)
    case = feeder_case(point, offers(one.size_kw).ordered(one.map.order), WIDE)
    loss = at_ders(case, None, 40.0).loss_usd_per_mwh / 40.0
    assert np.ptp(loss) > 0.02
    for k in range(0, 20, 3):
        drawn = []
        for step in (-1.0, 1.0):
            moved = p_kw.copy()
            moved[one.map.order[k]] += step
            drawn.append(one.point(moved).p_head_kw)
        assert loss[k] == pytest.approx((drawn[0] - drawn[1]) / 2.0 - 1.0, abs=2e-4)
    asked = sum(float(kva.real) for kva in one.circuit.loads_kva())
    one.point(p_kw)
    assert losses_kw(point) == pytest.approx(point.p_head_kw + p_kw.sum() - asked, rel=0.02)


def test_a_substation_loses_as_the_square_of_what_it_carries() -> None:
    """R (P^2 + Q^2): 0.04 MW at 3 + 4j MVA is R = 0.0016; one more MW of P loses 2 x 0.0016 x 3 = 0.0096."""
    assert substation_loss(0.04, 3.0 + 4.0j) == pytest.approx(0.0096)
    assert substation_loss(0.04, -3.0 + 4.0j) == pytest.approx(-0.0096)
    assert substation_loss(0.0, 0j) == 0.0


def test_what_import_is_worth_at_an_award() -> None:
    """1 to 2 MW at 50, to 4 MW at 30 $/MWh: the LMP where it agrees with the award, else the nearest one."""
    curve = NetCurve(import_mw=np.array([1.0, 2.0, 4.0]), price_usd_per_mwh=np.array([50.0, 50.0, 30.0]))

    def worth(award_mw: float, lmp: float, whole: tuple[bool, bool] = (True, True)) -> float:
        return import_price(curve, award_mw, lmp, whole=whole)

    assert worth(2.0, 40.0) == 40.0  # between the last MW's 50 and the next one's 30
    assert worth(3.0, 30.0) == 30.0  # inside the second block
    assert worth(3.0, 40.0) == 30.0  # not what the market would give at 40: a quantity held from outside
    assert worth(1.5, 20.0) == 50.0
    assert worth(4.0, 10.0) == 10.0  # no more can be had at any price
    assert worth(1.0, 90.0) == 90.0
    assert worth(4.0, 10.0, (True, False)) == 30.0  # the substation holds what is worth 30
    assert worth(1.0, 90.0, (False, True)) == 50.0
    fixed = NetCurve(import_mw=np.array([3.0]), price_usd_per_mwh=np.zeros(1))
    assert import_price(fixed, 3.0, 33.0, whole=(True, True)) == 33.0


def test_a_price_held_from_outside_is_in_the_thermal_part() -> None:
    case, _ = congested()
    branches = branch_prices(case, None, case.point, 30.0)
    prices = prices_at(case.point.map.incidence_t, branches, 40.0)
    assert prices.thermal_usd_per_mwh == pytest.approx(-10.0)
    assert without_losses(prices) == pytest.approx(30.0)


def test_loads_pay_the_mean_of_their_prices_by_what_they_draw() -> None:
    """Loads of 1 and 3 kW at 41 and 45 $/MWh: (41 + 3 x 45) / 4 = 44; losses (1 + 3 x 2) / 4 = 1.75."""
    loads = Dlmps(
        energy_usd_per_mwh=40.0, loss_usd_per_mwh=np.array([1.0, 2.0]),
        voltage_usd_per_mwh=np.array([0.0, 3.0]), thermal_usd_per_mwh=np.zeros(2),
    )  # fmt: skip
    ders = Dlmps(
        energy_usd_per_mwh=40.0, loss_usd_per_mwh=np.array([-9.0]), voltage_usd_per_mwh=np.zeros(1),
        thermal_usd_per_mwh=np.zeros(1),
    )  # fmt: skip
    prices = FeederPrices(ders=ders, loads=loads, load=np.array([0, 1]), load_kw=np.array([1.0, 3.0]))
    assert prices.mean_usd_per_mwh() == pytest.approx([40.0, 1.75, 2.25, 0.0])
    assert prices.range_usd_per_mwh() == (31.0, 45.0)
