"""PJM five-bus prices against the published ones (PJM training material; F. Li and R. Bo, 2010)."""

import numpy as np
import pytest

from federates.iso.network import market_network
from federates.iso.sced import Sced
from tests.unit.iso.market_cases import all_on, pjm5

PUBLISHED_LMP = [16.977, 26.385, 30.000, 39.943, 10.000]
PRINTED = 1e-3


def test_prices_cost_and_congestion_are_the_published_ones() -> None:
    case = pjm5()
    clearing = Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))
    assert clearing.prices.lmp_usd_per_mwh == pytest.approx(PUBLISHED_LMP, abs=PRINTED)
    assert clearing.objective_usd_per_h == pytest.approx(17_479.90, abs=0.01)
    assert clearing.unit_mw == pytest.approx([40.0, 170.0, 323.495, 0.0, 466.505], abs=PRINTED)
    assert clearing.binding.tolist() == [5]
    assert clearing.flow_mw[5] == pytest.approx(-240.0, abs=1e-6)
    assert clearing.line_price_usd_per_mwh[5] == pytest.approx(62.322, abs=PRINTED)


def test_congestion_rent_is_load_payment_minus_generation_revenue() -> None:
    case = pjm5()
    clearing = Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))
    lmp = clearing.prices.raw_usd_per_mwh
    rent = lmp @ case.buses.load_mw - lmp[case.units.bus] @ clearing.unit_mw
    assert rent == pytest.approx(62.322 * 240.0, rel=1e-5)
    assert rent == pytest.approx(-float(clearing.line_price_usd_per_mwh @ clearing.flow_mw), abs=1e-6)


@pytest.mark.parametrize("bus", range(5))
def test_prices_do_not_depend_on_the_reference_bus(bus: int) -> None:
    case = pjm5()
    base = Sced(market_network(case), case.units).clear(case.buses.load_mw, all_on(case))
    other = Sced(market_network(case, reference_bus=bus), case.units).clear(case.buses.load_mw, all_on(case))
    assert other.prices.raw_usd_per_mwh == pytest.approx(base.prices.raw_usd_per_mwh, abs=1e-9)
    assert np.ptp(base.prices.raw_usd_per_mwh) > 20.0
