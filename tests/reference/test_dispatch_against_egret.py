"""Cost and prices of large cases against pandapower's interior point, Egret's angles and its shift factors.

Linear costs redrawn with a seed make all prices unique. The oracles read the same file (Egret by its own
parser) or the same arrays (pandapower); negative loads, taps and phase shifts are in them.
"""

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.iso.network import market_network
from federates.iso.sced import Clearing, Sced
from tests.reference.direct_current_opf import oracle_net, solve
from tests.reference.egret_oracle import direct_current, direct_current_model
from tests.reference.jittered import jittered, pglib_opf
from tests.unit.iso.market_cases import all_on

pytestmark = pytest.mark.reference

CASES = {"case118_ieee": 1, "case1354_pegase": 13}
"""Least number of lines that bind."""
SEED = 7
COST = 1e-6
PRICE_USD_PER_MWH = 1e-5


def cleared(name: str) -> tuple[TransmissionCase, Clearing]:
    case = jittered(pglib_opf(name), SEED)
    clearing = Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))
    assert not clearing.penalty_priced
    assert clearing.binding.size >= CASES[name]
    assert np.ptp(clearing.prices.raw_usd_per_mwh) > 1.0
    return case, clearing


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shift_factors", [False, True], ids=["angles", "shift factors"])
def test_egret_agrees(name: str, shift_factors: bool) -> None:
    case, clearing = cleared(name)
    model = direct_current_model(pglib_opf(name), case.units.block_usd_per_mwh[:, 0])
    cost, lmp = direct_current(model, shift_factors=shift_factors)
    assert clearing.objective_usd_per_h == pytest.approx(cost, rel=COST)
    np.testing.assert_allclose(clearing.prices.raw_usd_per_mwh, lmp, rtol=0.0, atol=PRICE_USD_PER_MWH)


@pytest.mark.parametrize("name", CASES)
def test_pandapower_agrees(name: str) -> None:
    case, clearing = cleared(name)
    cost, lmp = solve(oracle_net(case))
    assert clearing.objective_usd_per_h == pytest.approx(cost, rel=COST)
    np.testing.assert_allclose(clearing.prices.raw_usd_per_mwh, lmp, rtol=0.0, atol=PRICE_USD_PER_MWH)
