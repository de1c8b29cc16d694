"""Limits of feeders on offered blocks: a hand case, and a linear program written out in full."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray
from federates.iso.network import market_network
from federates.iso.offers import OfferedBlocks
from federates.iso.products.feeder_rows import FeederRows
from federates.iso.sced import LAZY_ROWS_MOST, Clearing, Sced
from tests.unit.iso.market_cases import all_on, two_bus

EXACT = 1e-6
A_USD, B_USD, A_MW, B_MW, LINE_MW = 50.0, 80.0, 100.0, 200.0, 60.0
"""The two-bus case: A at bus 1, B at bus 2, the line between them."""


def rows(matrix: list[list[float]], upper: list[float], usd: float = 1_000.0) -> FeederRows:
    count = len(upper)
    return FeederRows(
        matrix=csr_array(np.array(matrix).reshape(count, -1)),
        lower=np.full(count, -np.inf),
        upper=np.array(upper),
        excess_usd_per_h=np.full(count, usd),
    )


def market(blocks: int) -> Sced:
    case = two_bus()
    return Sced(market_network(case), case.units, block_bus=np.ones(blocks, dtype=np.int64))


def clear(sced: Sced, width: list[float], price: list[float], feeder: FeederRows) -> Clearing:
    offered = OfferedBlocks(width_mw=np.array(width), price_usd_per_mwh=np.array(price))
    return sced.clear(np.array([0.0, 150.0]), all_on(two_bus()), blocks=offered, feeder=feeder)


def test_a_limit_on_two_blocks_of_one_bus_prices_each_by_its_coefficient() -> None:
    """x1 at 20 $ with coefficient 1, x2 at 40 $ with 0.5, both 30 MW; x1 + 0.5 x2 <= 25; the LMP is 80.

    Per unit of the limit x1 earns 80 - 20 = 60, x2 (80 - 40) / 0.5 = 80: x2 is taken whole (15 of the limit),
    x1 fills the rest, 10 MW. The limit is worth 60: prices 80 - 60 = 20 for x1 and 80 - 30 = 50 for x2.
    """
    feeder = rows([[1.0, 0.5]], [25.0])
    found = clear(market(2), [30.0, 30.0], [20.0, 40.0], feeder)
    assert found.block_mw == pytest.approx([10.0, 30.0], abs=EXACT)
    assert found.block_usd_per_mwh == pytest.approx([20.0, 50.0], abs=EXACT)
    assert found.prices.raw_usd_per_mwh == pytest.approx([50.0, 80.0], abs=EXACT)
    assert found.feeder_excess == pytest.approx([0.0], abs=EXACT)
    assert not found.penalty_priced


def test_equal_offers_with_unequal_coefficients_are_never_merged() -> None:
    """Both 30 MW at 20 $: per unit of the limit the second earns twice as much."""
    found = clear(market(2), [30.0, 30.0], [20.0, 20.0], rows([[1.0, 0.5]], [25.0]))
    assert found.block_mw == pytest.approx([10.0, 30.0], abs=EXACT)
    assert found.block_usd_per_mwh == pytest.approx([20.0, 50.0], abs=EXACT)


def test_rows_that_nothing_breaks_are_not_added() -> None:
    matrix = np.tile([1.0, 0.5], (100, 1)).tolist()
    slack = rows([*matrix, [1.0, 0.5]], [*np.full(100, 60.0).tolist(), 25.0])
    sced = market(2)
    found = clear(sced, [30.0, 30.0], [20.0, 40.0], slack)
    assert found.block_mw == pytest.approx([10.0, 30.0], abs=EXACT)
    assert sced.feeder_rows_count == 1


def test_a_limit_that_cannot_be_kept_is_paid_at_its_price_and_reported() -> None:
    """Injection must be 40 of 30 MW: 10 are missing at 200 $; one is worth 200 + 80 in energy and relief."""
    feeder = FeederRows(
        matrix=csr_array(np.ones((1, 1))), lower=np.array([40.0]), upper=np.array([np.inf]),
        excess_usd_per_h=np.array([200.0]),
    )  # fmt: skip
    found = clear(market(1), [30.0], [90.0], feeder)
    assert found.block_mw == pytest.approx([30.0], abs=EXACT)
    assert found.feeder_excess == pytest.approx([10.0], abs=EXACT)
    assert found.block_usd_per_mwh == pytest.approx([280.0], abs=EXACT)
    assert found.penalty_priced
    energy = LINE_MW * A_USD + 60.0 * B_USD + 30.0 * 90.0
    assert found.objective_usd_per_h == pytest.approx(energy + 10.0 * 200.0, abs=EXACT)


def test_limits_of_one_clearing_are_gone_in_the_next() -> None:
    sced = market(2)
    clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.5]], [25.0]))
    found = clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.0]], [28.0]))
    assert found.block_mw == pytest.approx([28.0, 30.0], abs=EXACT)
    assert found.block_usd_per_mwh == pytest.approx([20.0, 80.0], abs=EXACT)


def test_a_limit_with_another_bound_keeps_its_row() -> None:
    """As in the first case, 22 in the place of 25: x2 stays whole, x1 fills the 7 that are left."""
    sced = market(2)
    clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.5]], [25.0]))
    found = clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.5]], [22.0]))
    assert found.block_mw == pytest.approx([7.0, 30.0], abs=EXACT)
    assert sced.feeder_rows_count == 1


@pytest.mark.parametrize("upper", [[26.0, 25.0], [25.0, 26.0], [25.0, 25.0]])
def test_limits_alike_are_worth_together_what_one_is_worth(upper: list[float]) -> None:
    """A head's limit and that of an area with no other feeder; both had a row before, with other bounds."""
    sced = market(2)
    clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.5], [1.0, 0.5]], [20.0, 21.0]))
    assert sced.feeder_rows_count == 2
    found = clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.5], [1.0, 0.5]], upper))
    assert found.block_mw == pytest.approx([10.0, 30.0], abs=EXACT)
    assert found.block_usd_per_mwh == pytest.approx([20.0, 50.0], abs=EXACT)


def test_retired_rows_do_not_pile_up() -> None:
    sced, added = market(2), []
    for k in range(LAZY_ROWS_MOST + 20):
        clear(sced, [30.0, 30.0], [20.0, 40.0], rows([[1.0, 0.5 + 0.001 * k]], [20.0]))
        added.append(sced.feeder_rows_count)
    assert max(added) <= LAZY_ROWS_MOST + 1
    assert max(added) > 0.5 * LAZY_ROWS_MOST


def full_cost(width: FloatArray, price: FloatArray, load_mw: FloatArray, feeder: FeederRows) -> float:
    """The same dispatch written out: blocks by turns at the two buses, A, B, the line, excess up and down."""
    blocks, limits = width.size, feeder.upper.size
    cost = np.concatenate((price, [A_USD, B_USD, 0.0], np.tile(feeder.excess_usd_per_h, 2)))
    balance = np.zeros((2, cost.size))
    balance[np.arange(blocks) % 2, np.arange(blocks)] = 1.0
    balance[[0, 1], [blocks, blocks + 1]] = 1.0
    balance[:, blocks + 2] = [-1.0, 1.0]
    over = np.zeros((2 * limits, cost.size))
    dense = feeder.matrix.toarray()
    over[:limits, :blocks], over[limits:, :blocks] = dense, -dense
    over[np.arange(2 * limits), blocks + 3 + np.arange(2 * limits)] = -1.0
    bound = np.concatenate((feeder.upper, -feeder.lower))
    kept = np.isfinite(bound)
    limit = [(0.0, w) for w in width] + [(0.0, A_MW), (0.0, B_MW), (-LINE_MW, LINE_MW)]
    limit += [(0.0, None)] * (2 * limits)
    solved = linprog(cost, over[kept], bound[kept], balance, load_mw, limit)
    return float(solved.fun)


def test_random_limits_cost_what_the_program_written_out_costs() -> None:
    """One warm market through 30 draws; awards keep the limits, and every price supports its award."""
    case, count = two_bus(), 12
    sced = Sced(market_network(case), case.units, block_bus=np.arange(count) % 2)
    bound = broken = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        limits = int(rng.integers(1, 5))
        upper = rng.uniform(-2.0, 6.0, limits)
        feeder = FeederRows(
            matrix=csr_array(
                rng.uniform(-1.0, 1.0, (limits, count)) * (rng.uniform(size=(limits, count)) > 0.4)
            ),
            lower=np.where(rng.uniform(size=limits) > 0.5, -np.inf, upper - rng.uniform(0.5, 8.0, limits)),
            upper=upper,
            excess_usd_per_h=rng.uniform(50.0, 500.0, limits),
        )
        width, price = rng.uniform(0.0, 12.0, count), rng.uniform(5.0, 100.0, count)
        load = np.array([20.0, rng.uniform(60.0, 180.0)])
        offered = OfferedBlocks(width_mw=width, price_usd_per_mwh=price)
        found = sced.clear(load, all_on(case), blocks=offered, feeder=feeder)
        assert found.objective_usd_per_h == pytest.approx(full_cost(width, price, load, feeder), rel=1e-8)
        activity = feeder.matrix @ found.block_mw
        excess = np.maximum(np.maximum(activity - feeder.upper, feeder.lower - activity), 0.0)
        assert found.feeder_excess == pytest.approx(excess, abs=1e-5)
        own = found.block_usd_per_mwh
        assert (own <= price + EXACT)[found.block_mw < width - EXACT].all()
        assert (own >= price - EXACT)[found.block_mw > EXACT].all()
        bound += np.ptp(own - found.prices.raw_usd_per_mwh[np.arange(count) % 2]) > 1.0
        broken += excess.sum() > 1e-3
    assert bound > 10
    assert broken > 0


def test_merged_offers_cost_what_separate_ones_cost_and_share_by_width() -> None:
    """200 blocks at six price ticks, redrawn: no merging happens with feeder limits, so an empty set of them
    gives the dispatch to compare with."""
    case, count, rng = two_bus(), 200, np.random.default_rng(3)
    bus, width = rng.integers(0, 2, count), rng.uniform(0.1, 2.0, count)
    merging, apart = (Sced(market_network(case), case.units, block_bus=bus) for _ in range(2))
    none = FeederRows(
        matrix=csr_array((0, count)), lower=np.zeros(0), upper=np.zeros(0), excess_usd_per_h=np.zeros(0)
    )
    partial = 0
    for _ in range(12):
        offered = OfferedBlocks(width_mw=width, price_usd_per_mwh=10.0 * rng.integers(3, 9, count))
        load = np.array([10.0, rng.uniform(50.0, 300.0)])
        one = merging.clear(load, all_on(case), blocks=offered)
        other = apart.clear(load, all_on(case), blocks=offered, feeder=none)
        assert one.objective_usd_per_h == pytest.approx(other.objective_usd_per_h, rel=1e-9)
        assert one.prices.raw_usd_per_mwh == pytest.approx(other.prices.raw_usd_per_mwh, abs=1e-9)
        for price in np.unique(offered.price_usd_per_mwh):
            for at in range(2):
                share = (one.block_mw / width)[(offered.price_usd_per_mwh == price) & (bus == at)]
                assert np.ptp(share) < 1e-9
                partial += 0.01 < share[0] < 0.99
    assert partial > 0


@pytest.mark.parametrize("path", ["cold", "above", "below", "rebuilt"])
def test_ten_equal_offers_share_alike_from_every_path(path: str) -> None:
    """35 of 100 MW are needed at 70 $: 3.5 each."""
    sced, case = market(10), two_bus()

    def cleared(mw: float, prices: list[float]) -> Clearing:
        offered = OfferedBlocks(width_mw=np.full(10, 10.0), price_usd_per_mwh=np.array(prices))
        return sced.clear(np.array([0.0, mw]), all_on(case), blocks=offered)

    same = [70.0] * 10
    if path == "above":
        assert cleared(155.0, same).block_mw.sum() == pytest.approx(95.0, abs=EXACT)
    elif path == "below":
        assert cleared(60.0, same).block_mw.sum() == pytest.approx(0.0, abs=EXACT)
    elif path == "rebuilt":  # ten prices need more slots than one: the program is drawn anew
        cleared(95.0, same)
        cleared(95.0, (70.0 + np.arange(10.0)).tolist())
    found = cleared(95.0, same)
    assert found.block_mw == pytest.approx(np.full(10, 3.5), abs=EXACT)
    assert found.prices.raw_usd_per_mwh[1] == pytest.approx(70.0, abs=EXACT)
