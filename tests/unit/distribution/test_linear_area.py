"""Several feeders behind one substation."""

from __future__ import annotations

import numpy as np
import pytest

from federates.distribution.layout import Control
from federates.distribution.linear_area import AreaMap
from tests.unit.dso.area import area_of_two

EXACT_MW = 1e-8


def test_feeders_and_the_substation_s_losses_add_up_to_the_interface() -> None:
    circuit, size_kw, feeder_of = area_of_two()
    area = AreaMap(circuit, feeder_of, ["pv"] * size_kw.size, size_kw)
    circuit.set_ders(0.3 * size_kw, np.zeros_like(size_kw))
    circuit.solve(Control.OFF)
    at = area.linearise(0.3 * size_kw, np.zeros_like(size_kw))
    heads = circuit.feeder_power_kva().real.sum(axis=1)
    for point, head in zip(at.points, heads, strict=True):
        assert point.p_head_kw == pytest.approx(head, abs=1e3 * EXACT_MW)
    assert at.interface_mw == pytest.approx(heads.sum() / 1e3 + at.constant_mw, abs=EXACT_MW)
    # A substation loses something, and little.
    assert 0.0 < at.constant_mw < 0.03 * at.interface_mw
    # The two maps share no node, and together see every node below the medium-voltage bus.
    far = [set(feeder.tree.far.tolist()) for feeder in area.feeders]
    assert not far[0] & far[1]
    below = {k for k, name in enumerate(circuit.node_names) if name.split(".")[0] not in {"bus", "mv"}}
    assert far[0] | far[1] == below


def test_arrays_split_by_feeder_and_join_again() -> None:
    circuit, size_kw, feeder_of = area_of_two()
    area = AreaMap(circuit, feeder_of, ["pv"] * size_kw.size, size_kw)
    parts = area.split(size_kw)
    assert [part.size for part in parts] == [feeder_of.count(0), feeder_of.count(1)]
    np.testing.assert_array_equal(area.join(parts), size_kw)


def test_coefficients_are_kept_until_asked_or_until_taps_have_gone_far() -> None:
    circuit, size_kw, feeder_of = area_of_two()
    area = AreaMap(circuit, feeder_of, ["pv"] * size_kw.size, size_kw)
    zero = np.zeros_like(size_kw)
    first = area.linearise(zero, zero)

    def kept(steps: float, *, fresh: bool = False) -> bool:
        taps = circuit.taps()
        taps[1:] -= steps
        circuit.set_taps(taps)
        circuit.solve(Control.OFF)
        now = area.linearise(zero, zero, fresh=fresh)
        heads = circuit.feeder_power_kva().real.sum(axis=1)
        # Whatever is kept, flows are those of the present taps.
        np.testing.assert_allclose([p.p_head_kw for p in now.points], heads, atol=1e-5)
        return now.points[0].coefficients is first.points[0].coefficients

    assert kept(0)
    assert kept(1)
    assert not kept(2)
    first = area.linearise(zero, zero)
    assert kept(0)
    assert not kept(0, fresh=True)
