"""The single-bus day: RTS-GMLC 2020-07-06 of pglib-uc, first 24 hours, against Egret's tight unit commitment.

Compared is the same problem on both sides: 73 thermal units with start-up categories, minimum times, ramps,
start-up and shut-down ramps, 81 renewable units, one bus, energy only. Each side's bound must lie below the
other side's best commitment.
"""

import pytest

from federates.iso.network import market_network
from federates.iso.scuc import Scuc
from federates.lp.solution import SearchBudget
from tests.reference.egret_oracle import unit_commitment
from tests.reference.pglib_uc import pglib_uc, read_instance

pytestmark = pytest.mark.reference

DAY, HOURS, GAP = "rts_gmlc/2020-07-06", 24, 1e-4
SOLVER = 1e-9
"""Relative; what two solvers' arithmetic may differ by."""


def test_each_bound_lies_below_the_other_sides_best_commitment() -> None:
    instance = read_instance(pglib_uc(DAY), HOURS)
    budget = SearchBudget(gap=GAP)
    ours = Scuc(market_network(instance.case), instance.case.units).commit(
        instance.bids, instance.state, budget
    )
    egret = unit_commitment(pglib_uc(DAY), HOURS, GAP)
    assert ours.shed_mw.max() < 1e-6
    assert not ours.search.time_limited
    assert egret.bound_usd <= ours.objective_usd * (1.0 + SOLVER)
    assert ours.objective_usd <= egret.cost_usd * (1.0 + SOLVER)
    assert ours.search.bound_usd <= egret.cost_usd * (1.0 + SOLVER)
    assert ours.search.gap <= GAP
