"""Volt-var inverters against OpenDSS' own InvControl, on the 123-node feeder with DERs of twice its load."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.der.inverter import VOLT_VAR, Category, reactive_room_kvar, volt_var_kvar
from federates.distribution.circuit import Circuit
from federates.distribution.layout import Control
from federates.distribution.local_control import LocalControl
from tests.unit.dso.area import Area, area

V_PU = 5e-5
Q_SHARE = 5e-4
"""Of the rating. InvControl stops at 1e-4 of the rating, and its voltages then differ by as little."""
KVA_PER_KW = 1.1
ACTIVE_SHARE = 0.8


def inv_control(one: Area, s_kva: FloatArray, p_kw: FloatArray, category: Category) -> FloatArray:
    """Reactive power that OpenDSS' InvControl gives to PV systems at the DERs' places, taps held. [kvar]"""
    circuit: Circuit = one.circuit
    run = circuit._context.Text
    curve = VOLT_VAR[category]
    points = (0.5, *curve.v_pu, 1.5), (curve.share[0], *curve.share, curve.share[-1])
    shown = [" ".join(map(repr, map(float, axis))) for axis in points]
    run.Command = f"new xycurve.vv npts={len(points[0])} xarray=({shown[0]}) yarray=({shown[1]})"
    names = [f"pv{k}" for k in range(s_kva.size)]
    for k, name in enumerate(names):
        nodes = [circuit.node_names[node] for node in circuit.der_nodes[k]]
        bus = ".".join([nodes[0].split(".")[0], *(node.split(".")[1] for node in nodes)])
        base_kv = circuit.node_base_v[circuit.der_nodes[k][0]] / 1e3
        kv = base_kv if len(nodes) == 1 else np.sqrt(3) * base_kv
        kva, kw = float(s_kva[k]), float(p_kw[k])
        run.Command = (
            f"new pvsystem.{name} phases={len(nodes)} bus1={bus} conn=wye kv={float(kv)!r} kva={kva!r} "
            f"pmpp={kw!r} irradiance=1 pf=1 %cutin=0 %cutout=0 wattpriority=yes vminpu=0.5 vmaxpu=1.5 "
            f"kvarmax={kva!r} kvarmaxabs={kva!r}"
        )
    run.Command = (
        f"new invcontrol.vv derlist=({' '.join('pvsystem.' + n for n in names)}) mode=voltvar vvc_curve1=vv "
        "monvoltagecalc=avg refreactivepower=varmax varchangetolerance=0.0001 voltagechangetolerance=0.00001 "
        "deltaq_factor=0.1"
    )
    run.Command = "batchedit regcontrol..* enabled=no"
    run.Command = "set maxcontroliter=3000 controlmode=static"
    run.Command = "solve"
    assert circuit._solution.Converged
    given = []
    for name in names:
        circuit._circuit.SetActiveElement(f"pvsystem.{name}")
        given.append(-np.array(circuit._circuit.ActiveCktElement.Powers)[1::2].sum())
    return np.array(given)


@pytest.mark.parametrize("category", ["A", "B"])
def test_inverters_rest_where_invcontrol_puts_them(category: Category) -> None:
    ours, theirs = (area("ieee123", 60, 2.0, 0.7, bus_kv=138.0) for _ in range(2))
    s_kva = KVA_PER_KW * ours.size_kw
    p_kw = ACTIVE_SHARE * ours.size_kw
    room = reactive_room_kvar(s_kva, p_kw)

    def curve(v_pu: FloatArray) -> FloatArray:
        return np.clip(volt_var_kvar(v_pu, s_kva, category), -room, room)

    nothing = np.zeros(s_kva.size)
    ours.circuit.set_ders(p_kw, nothing)
    ours.circuit.solve(Control.OFF)
    without = ours.circuit.node_v_pu().max()
    settled = LocalControl(ours.circuit).settle(p_kw, curve, nothing)
    given = inv_control(theirs, s_kva, p_kw, category)
    greatest = np.abs(given / s_kva - settled.q_kvar / s_kva).max()
    apart = np.abs(
        np.abs(np.array(theirs.circuit._circuit.AllBusVolts).view(np.complex128)) / theirs.circuit.node_base_v
        - ours.circuit.node_v_pu()
    ).max()
    print(
        f"category {category}: {settled.rounds_count} power flows, {settled.q_kvar.sum():.0f} kvar; "
        f"InvControl within {greatest:.1e} of ratings and {apart:.1e} pu; highest voltage {without:.4f} -> "
        f"{ours.circuit.node_v_pu().max():.4f} pu"
    )
    assert greatest < Q_SHARE
    assert apart < V_PU
    # The curves do work: reactive power flows and the highest voltage comes down by far more than the error.
    assert np.abs(settled.q_kvar / s_kva).max() > 0.05
    assert without - ours.circuit.node_v_pu().max() > 100 * V_PU
