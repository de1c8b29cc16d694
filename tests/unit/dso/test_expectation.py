"""What a total DSO expects at a dispatch is what the circuit shows at its set-points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.distribution.builder import feeder_zones
from federates.dso.expectation import FULL_PCT, expectation
from federates.dso.total import TotalDso
from federates.scenario.lda import LdaScenario
from tests.build import RTS_DAY, study
from tests.unit.dso.test_total import charging

SOLVED = 1e-5
"""Relative: what the engine's tolerance leaves between two solves that begin elsewhere."""
ROUNDED_KW = 1e-6
LOADED = 0.05
"""Relative: the map has each phase by itself, the circuit a regulator's phases together."""


def test_what_is_expected_at_a_dispatch_is_what_the_circuit_shows_at_its_set_points() -> None:
    """Offers run from full charge to full discharge, so that the room is what is left to either end."""
    scenario = LdaScenario(study(RTS_DAY), "rural")
    dso = TotalDso(scenario)
    inputs = replace(charging(scenario, 1.0, 1.0), taps=dso.twin.circuit.taps())
    bid = dso.bid(inputs, keep_coefficients=False)
    done = dso.dispatch(bid, float(bid.curve.import_mw.mean()), inputs.taps, 1.0)
    found = expectation(done, bid.feeders, dso.twin.loaded)
    p_kw = dso.twin.joined(done.p_kw)
    drawn_kva = dso.twin.feeder_power_kva(p_kw, inputs.q_kvar)
    np.testing.assert_allclose(found.p_kw + 1j * found.q_kvar, drawn_kva, rtol=SOLVED)
    low, high = dso.twin.load_voltage_range_pu()
    np.testing.assert_allclose([found.v_min_pu, found.v_max_pu], [low, high], rtol=SOLVED)
    power_kw = [own.sum() for own in dso.twin.split(scenario.fleet.power_kw)]
    injected_kw = [own.sum() for own in done.p_kw]
    assert found.broken_count.sum() == done.broken_count
    np.testing.assert_allclose(found.room_less_kw, np.subtract(power_kw, injected_kw), atol=ROUNDED_KW)
    np.testing.assert_allclose(found.room_more_kw, np.add(power_kw, injected_kw), atol=ROUNDED_KW)
    assert (found.room_more_kw > ROUNDED_KW).all()
    loading_pu = np.concatenate(
        [dso.twin.circuit.line_loading_pu(), dso.twin.circuit.transformer_loading_pu()]
    )
    zones = feeder_zones(scenario.model, dso.twin.circuit)
    zone = np.concatenate([zones.line, zones.transformer])
    fullest = [FULL_PCT * loading_pu[zone == place].max() for place in range(zones.count)]
    np.testing.assert_allclose(found.loading_max_pct, fullest, rtol=LOADED)
