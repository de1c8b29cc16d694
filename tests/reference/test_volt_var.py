"""Volt-var and volt-watt inverters against OpenDSS' own InvControl, on the 123-node feeder with DERs of twice
its load.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from federates.core.arrays import ComplexArray, FloatArray
from federates.der.inverter import (
    VOLT_VAR,
    VOLT_WATT_V_PU,
    Category,
    reactive_room_kvar,
    volt_var_kvar,
    volt_watt_kw,
)
from federates.distribution.circuit import Circuit
from federates.distribution.layout import Control
from federates.distribution.local_control import LocalControl
from tests.unit.dso.area import Area, area

V_PU = 5e-5
S_SHARE = 5e-4
"""Of the rating. InvControl stops at 1e-4 of the rating, and its voltages then differ by as little."""
KVA_PER_KW = 1.1
ACTIVE_SHARE = 0.8
SOURCE_PU = 1.015
"""Voltage at which volt-watt has something to do."""


def curve_command(name: str, v_pu: Sequence[float], share: Sequence[float]) -> str:
    """A curve, constant beyond its ends."""
    points = (0.5, *v_pu, 1.5), (share[0], *share, share[-1])
    x, y = (" ".join(map(repr, map(float, axis))) for axis in points)
    return f"new xycurve.{name} npts={len(points[0])} xarray=({x}) yarray=({y})"


def volt_var_commands(category: Category) -> tuple[str, str]:
    """The curve, and how a control follows it."""
    curve = VOLT_VAR[category]
    return (
        curve_command("vv", curve.v_pu, curve.share),
        "mode=voltvar vvc_curve1=vv refreactivepower=varmax varchangetolerance=0.0001 deltaq_factor=0.1",
    )


def volt_watt_commands() -> tuple[str, str]:
    """The curve of active power, which a PV system can take to nothing."""
    return (
        curve_command("vw", VOLT_WATT_V_PU, (1.0, 0.0)),
        "mode=voltwatt voltwatt_curve=vw voltwattyaxis=pmpppu activepchangetolerance=1e-4 deltap_factor=0.1",
    )


def inv_control(
    one: Area, s_kva: FloatArray, rated_kw: FloatArray, sun: float, commands: tuple[str, str]
) -> ComplexArray:
    """Power that OpenDSS' InvControl gives to PV systems at the DERs' places, taps held. [kVA]"""
    circuit: Circuit = one.circuit
    run = circuit._context.Text
    run.Command = commands[0]
    names = [f"pv{k}" for k in range(s_kva.size)]
    for k, name in enumerate(names):
        nodes = [circuit.node_names[node] for node in circuit.der_nodes[k]]
        bus = ".".join([nodes[0].split(".")[0], *(node.split(".")[1] for node in nodes)])
        base_kv = circuit.node_base_v[circuit.der_nodes[k][0]] / 1e3
        kv = base_kv if len(nodes) == 1 else np.sqrt(3) * base_kv
        kva, kw = float(s_kva[k]), float(rated_kw[k])
        run.Command = (
            f"new pvsystem.{name} phases={len(nodes)} bus1={bus} conn=wye kv={float(kv)!r} kva={kva!r} "
            f"pmpp={kw!r} irradiance={sun} pf=1 %cutin=0 %cutout=0 wattpriority=yes vminpu=0.5 vmaxpu=1.5 "
            f"kvarmax={kva!r} kvarmaxabs={kva!r}"
        )
    run.Command = (
        f"new invcontrol.vv derlist=({' '.join('pvsystem.' + n for n in names)}) {commands[1]} "
        "monvoltagecalc=avg voltagechangetolerance=0.00001"
    )
    run.Command = "batchedit regcontrol..* enabled=no"
    run.Command = "set maxcontroliter=3000 controlmode=static"
    run.Command = "solve"
    assert circuit._solution.Converged
    given = []
    for name in names:
        circuit._circuit.SetActiveElement(f"pvsystem.{name}")
        given.append(-np.array(circuit._circuit.ActiveCktElement.Powers).view(np.complex128).sum())
    return np.array(given)


def apart_pu(ours: Area, theirs: Area) -> float:
    """Greatest difference of two circuits' voltages; theirs was solved past our verbs."""
    v = np.abs(np.array(theirs.circuit._circuit.AllBusVolts).view(np.complex128))
    return float(np.abs(v / theirs.circuit.node_base_v - ours.circuit.node_v_pu()).max())


@pytest.mark.parametrize("category", ["A", "B"])
def test_inverters_rest_where_invcontrol_puts_them(category: Category) -> None:
    ours, theirs = (area("ieee123", 60, 2.0, 0.7, bus_kv=138.0) for _ in range(2))
    s_kva = KVA_PER_KW * ours.size_kw
    p_kw = ACTIVE_SHARE * ours.size_kw
    room = reactive_room_kvar(s_kva, p_kw)

    def curve(v_pu: FloatArray) -> ComplexArray:
        return np.asarray(p_kw + 1j * np.clip(volt_var_kvar(v_pu, s_kva, category), -room, room))

    ours.circuit.set_ders(p_kw, 0.0 * p_kw)
    ours.circuit.solve(Control.OFF)
    without = ours.circuit.node_v_pu().max()
    settled = LocalControl(ours.circuit).settle(curve, p_kw + 0j)
    given = inv_control(theirs, s_kva, p_kw, 1.0, volt_var_commands(category))
    greatest = np.abs((given - settled.s_kva).imag / s_kva).max()
    apart = apart_pu(ours, theirs)
    print(
        f"category {category}: {settled.rounds_count} power flows, {settled.s_kva.imag.sum():.0f} kvar; "
        f"InvControl within {greatest:.1e} of ratings and {apart:.1e} pu; highest voltage {without:.4f} -> "
        f"{ours.circuit.node_v_pu().max():.4f} pu"
    )
    assert greatest < S_SHARE
    assert apart < V_PU
    # The curves do work: reactive power flows and the highest voltage comes down by far more than the error.
    assert np.abs(settled.s_kva.imag / s_kva).max() > 0.05
    assert without - ours.circuit.node_v_pu().max() > 100 * V_PU


def test_inverters_hold_back_what_invcontrol_holds_back() -> None:
    ours, theirs = (area("ieee123", 60, 2.0, 0.7, bus_kv=138.0) for _ in range(2))
    rated_kw = ours.size_kw
    s_kva, available_kw = KVA_PER_KW * rated_kw, ACTIVE_SHARE * rated_kw
    for one in (ours, theirs):
        one.circuit.set_source(SOURCE_PU, 0.0)

    def curve(v_pu: FloatArray) -> ComplexArray:
        return np.minimum(available_kw, volt_watt_kw(v_pu, rated_kw, 0.0 * rated_kw)) + 0j

    ours.circuit.set_ders(available_kw, 0.0 * rated_kw)
    ours.circuit.solve(Control.OFF)
    without = ours.circuit.node_v_pu().max()
    settled = LocalControl(ours.circuit).settle(curve, available_kw + 0j)
    given = inv_control(theirs, s_kva, rated_kw, ACTIVE_SHARE, volt_watt_commands())
    greatest = np.abs((given - settled.s_kva).real / rated_kw).max()
    apart = apart_pu(ours, theirs)
    held_kw = (available_kw - settled.s_kva.real).sum()
    print(
        f"volt-watt: {settled.rounds_count} power flows, {held_kw:.0f} of {available_kw.sum():.0f} kW held "
        f"back by {(settled.s_kva.real < 0.99 * available_kw).sum()} of {rated_kw.size} inverters; "
        f"InvControl within {greatest:.1e} of ratings and {apart:.1e} pu; highest voltage {without:.4f} -> "
        f"{ours.circuit.node_v_pu().max():.4f} pu"
    )
    assert greatest < S_SHARE
    assert apart < V_PU
    # Some are held back, some are not, and the highest voltage comes down by far more than the error.
    held = settled.s_kva.real < 0.99 * available_kw
    assert 5 < held.sum() < held.size - 5
    assert without - ours.circuit.node_v_pu().max() > 100 * V_PU
