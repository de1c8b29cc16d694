"""The DSO's circuit and its maps: what the interface draws is what the feeders draw, and the substation."""

from __future__ import annotations

import numpy as np
import pytest

from federates.dso.twin import Conditions, Twin
from federates.scenario.lda import LdaScenario
from tests.build import RTS_DAY, study

EXACT_MW = 1e-6
"""The circuit's own tolerance, at some megawatts."""


def test_the_interface_draws_what_the_feeders_draw_and_the_substation_loses() -> None:
    scenario = LdaScenario(study(RTS_DAY), "city")
    twin = Twin(scenario)
    expected = scenario.expected(0, -600)
    twin.set_conditions(Conditions(v_pu=1.01, demand_kw=expected.demand_kw, demand_kvar=expected.demand_kvar))
    p_kw = 0.1 * scenario.fleet.power_kw
    state = twin.solve(p_kw, np.zeros(p_kw.size))
    feeders_mw = sum(point.p_head_kw for point in state.points) / 1e3
    lost_mw = twin.constant_mw(state)
    assert state.interface_mw == pytest.approx(feeders_mw + lost_mw, abs=EXACT_MW)
    assert len(state.points) == 5
    # 1 % of resistance on 25 MVA at some 10 MW: 1 % * (10 / 25)^2 * 25 MW = 0.04 MW
    assert 0.0 < lost_mw < 0.02 * state.interface_mw
    loading = abs(complex(twin.circuit.head_power_kva().sum())) / 1e3 / scenario.substation_mva
    assert lost_mw == pytest.approx(0.01 * loading**2 * scenario.substation_mva, rel=0.1)
