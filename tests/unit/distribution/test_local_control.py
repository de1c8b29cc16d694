"""Inverters and voltages that agree: by hand on one line, and where there is no rest."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import DivergedError
from federates.distribution.circuit import Circuit, CircuitLayout
from federates.distribution.layout import Control, Terminal
from federates.distribution.local_control import LocalControl
from federates.distribution.master import der_command
from tests.unit.dso.area import area

SLOPE_KVAR_PER_PU = 40_000.0


def one_der() -> Circuit:
    """A DER behind a reactance of 1 ohm per phase on a 4.16 kV source."""
    script = (
        "new circuit.x bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
        "new line.l bus1=mv bus2=end phases=3 length=1 r1=0 r0=0 x1=1 x0=1 c1=0 c0=0 normamps=500",
        der_command("der0", "end.1.2.3", 3, 4.16),
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    head = (Terminal(element="Line.l", number=1),)
    layout = CircuitLayout(
        name="x", loads=(), ders=("der0",), regulators=(), interface=head, feeder_heads=(head,)
    )
    return Circuit(script, tolerance=1e-10, layout=layout)


def test_the_rest_by_hand() -> None:
    """P = 0, and Q = k (0.98 - v) into x = 1 ohm: v (v - 1) = Q x / U^2, in per unit of the line voltage.

    With g = k x / U^2 = 40 / 4.16^2 = 2.311: v^2 - v = g (0.98 - v), so that
    v = (1 - g + sqrt((1 - g)^2 + 3.92 g)) / 2.
    """
    g = SLOPE_KVAR_PER_PU / 1e3 / 4.16**2
    v = (1 - g + np.sqrt((1 - g) ** 2 + 4 * 0.98 * g)) / 2
    circuit = one_der()
    settled = LocalControl(circuit).settle(
        lambda v_pu: 1j * SLOPE_KVAR_PER_PU * (0.98 - v_pu), np.zeros(1, np.complex128)
    )
    assert settled.v_pu == pytest.approx([v], abs=1e-6)
    assert settled.s_kva.imag == pytest.approx([SLOPE_KVAR_PER_PU * (0.98 - v)], rel=1e-4)
    assert settled.s_kva.imag[0] < -100.0
    # The gain is above one: without the slopes, injecting what is asked for would not come to rest.
    assert g > 1.0
    assert settled.rounds_count <= 6


def test_a_curve_that_jumps_has_no_rest_and_is_an_error() -> None:
    """Below 1 pu the DER injects, and lifts itself above; above it absorbs, and falls below."""
    circuit = one_der()
    with pytest.raises(DivergedError, match="'x': inverters and voltages do not come to rest in 40 rounds"):
        LocalControl(circuit).settle(
            lambda v_pu: np.where(v_pu < 1.0, 500j, -500j), np.zeros(1, np.complex128)
        )


def test_terminal_voltages_are_on_their_own_nominal_voltage() -> None:
    """With neither load nor DER at work, every leg of a feeder with centre taps is within its range."""
    one = area("north_american 1000", 30, 1.0)
    zero = np.zeros(30)
    one.circuit.set_loads(0.0 * one.circuit.load_ratings().kw, 0.0 * one.circuit.load_ratings().kw)
    one.circuit.set_ders(zero, zero)
    one.circuit.solve(Control.OFF)
    sizes = {len(nodes) for nodes in one.circuit.der_nodes}
    assert {1, 2} <= sizes
    v_pu = LocalControl(one.circuit).terminal_v_pu()
    assert np.abs(v_pu - v_pu.mean()).max() < 0.03
    assert 1.0 < v_pu.mean() < 1.1


def test_a_rest_is_the_same_from_wherever_the_search_begins() -> None:
    one = area("ieee123", 30, 1.5, 0.7, bus_kv=138.0)
    rating = 1.1 * one.size_kw

    def curve(v_pu: FloatArray) -> ComplexArray:
        return np.asarray(0.8 * one.size_kw + 1j * rating * np.clip((1.02 - v_pu) / 0.06, -0.44, 0.44))

    control = LocalControl(one.circuit)
    low, high = (control.settle(curve, 0.8 * one.size_kw + 1j * q * rating) for q in (-0.4, 0.4))
    assert low.s_kva == pytest.approx(high.s_kva, abs=1e-4 * rating.max())
    assert np.abs(low.s_kva.imag).max() > 0.1 * rating.max()
