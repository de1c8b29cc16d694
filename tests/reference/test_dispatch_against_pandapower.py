"""Dispatch cost and prices against ``pandapower.rundcopp`` (interior point, angles, no shift factors)."""

import numpy as np
import pytest

from federates.iso.network import market_network
from federates.iso.sced import Sced
from tests.property.test_market_laws import random_case
from tests.reference.direct_current_opf import oracle_net, solve
from tests.unit.iso.market_cases import all_on, pjm5

INTERIOR_POINT_USD_PER_MWH = 1e-3


@pytest.mark.parametrize("seed", [None, 1, 3, 4])
def test_cost_and_prices_agree(seed: int | None) -> None:
    case = pjm5() if seed is None else random_case(np.random.default_rng(seed), rating_mw=30.0)
    cost, lmp = solve(oracle_net(case))
    clearing = Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))
    assert not clearing.penalty_priced
    assert clearing.binding.size > 0
    assert clearing.objective_usd_per_h == pytest.approx(cost, rel=1e-6)
    assert clearing.prices.raw_usd_per_mwh == pytest.approx(lmp, abs=INTERIOR_POINT_USD_PER_MWH)
