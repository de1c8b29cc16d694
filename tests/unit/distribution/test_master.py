"""A user's OpenDSS master file: what is read of it, and the circuit that a study has of it."""

from __future__ import annotations

import math
from pathlib import Path

import dss
import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.distribution.builder import (
    DerAttachment,
    FeederInstance,
    LdaModel,
    build_circuit,
    feeder_zones,
)
from federates.distribution.circuit import Circuit, Control
from federates.distribution.layout import Terminal
from federates.distribution.linear import DerSite, build_map
from federates.distribution.master import read_master, read_published
from federates.distribution.model import Load
from federates.tools import feeder as tool

MASTER = """\
clear
new circuit.own bus1=hv basekv=69 pu=1.03 angle=30 r1=0.5 x1=2 r0=0.5 x0=2
new transformer.sub windings=2 buses=(hv mv) conns=(delta wye) kvs=(69 12.47) kvas=(7500 7500) xhl=8
~ %loadloss=1 wdg=2 maxtap=1.1 mintap=0.9 numtaps=32
new regcontrol.sub transformer=sub winding=2 vreg=122 band=2 ptratio=60 delay=30
new line.trunk bus1=mv bus2=a length=1 units=mi r1=0.35 x1=0.9 r0=0.7 x0=1.9 c1=0 c0=0 normamps=300
new transformer.reg1 phases=1 buses=(a.1 b.1) kvs=(7.2 7.2) kvas=(2000 2000) xhl=0.01 %loadloss=0.001
new transformer.reg2 like=reg1 buses=(a.2 b.2)
new transformer.reg3 like=reg1 buses=(a.3 b.3)
new regcontrol.reg1 transformer=reg1 winding=2 vreg=124 band=2 ptratio=60 delay=60
new regcontrol.reg2 transformer=reg2 winding=2 vreg=124 band=2 ptratio=60 delay=60
new regcontrol.reg3 transformer=reg3 winding=2 vreg=124 band=2 ptratio=60 delay=60
new line.two phases=2 bus1=b.1.3 bus2=d.1.3 length=2 units=kft r1=0.3 x1=0.3 r0=0.5 x0=0.6 c1=0 c0=0
new line.one phases=1 bus1=b.2 bus2=e.2 length=2 units=kft r1=0.3 x1=0.3 r0=0.3 x0=0.3 c1=0 c0=0
new capacitor.bank bus1=b phases=3 kv=12.47 kvar=300
new load.town bus1=a phases=3 kv=12.47 kw=900 pf=0.95 vminpu=0.7
new load.mill bus1=d.1.3 phases=1 conn=delta kv=12.47 kw=250 kvar=90 vminpu=0.7
new load.farm bus1=e.2 phases=1 kv=7.2 kw=330 kvar=110 model=5 vminpu=0.7
set voltagebases=[69, 12.47]
calcvoltagebases
solve
"""
THREE_WINDINGS = (
    "new transformer.t phases=1 windings=3 buses=(a.1.0 t.1.0 u.1.0) kvs=(7.2 2.4 0.24) kvas=(50 50 50)"
)
EXACT_PU = 1e-7
"""Two solutions of the same circuit at a tolerance of 1e-8, and the source's own 1e-6 pu of reactance."""


def master(folder: Path, *changes: tuple[str, str]) -> Path:
    """The master file, changed at some places."""
    text = MASTER
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / "own.dss"
    path.write_text(text)
    return path


def lda(folder: Path, *ders: DerAttachment, load_scale: float = 1.0) -> LdaModel:
    feeder = read_master(master(folder))
    instance = FeederInstance(prefix="own1", feeder=feeder, ders=ders, load_scale=load_scale)
    return LdaModel(name="lda", bus_kv=230.0, feeders=(instance,))


def by_node(circuit: Circuit) -> dict[str, float]:
    return dict(zip(circuit.node_names, circuit.node_v_pu().tolist(), strict=True))


def test_loads_are_the_published_peaks(tmp_path: Path) -> None:
    found = read_master(master(tmp_path))
    assert found.loads == (
        Load(
            name="town", bus="a", phases=(1, 2, 3), connection="wye", kv=12.47, kw=900.0,
            kvar=pytest.approx(900 * math.tan(math.acos(0.95))),
        ),
        Load(name="mill", bus="d", phases=(1, 3), connection="delta", kv=12.47, kw=250.0, kvar=90.0),
        Load(name="farm", bus="e", phases=(2,), connection="wye", kv=7.2, kw=330.0, kvar=110.0, model="i"),
    )  # fmt: skip
    assert (found.head_bus, found.kv, found.rating_mva) == ("hv", 69.0, 7.5)
    assert found.heads == (Terminal(element="Transformer.sub", number=1),)
    assert {line.bus2: line.length_ft for line in found.lines} == {
        "mv": 0.0,
        "a": 5280.0,
        "b": 0.0,
        "d": 2000.0,
        "e": 2000.0,
    }


def test_the_published_circuit_is_the_engines_own(tmp_path: Path) -> None:
    path = master(tmp_path)
    circuit = read_published(path).circuit
    circuit.solve(Control.STATIC)
    context = dss.DSS.NewContext()
    for line in MASTER.splitlines():
        context.Text.Command = line
    context.Text.Command = "set tolerance=1e-8 maxiterations=100"
    context.Text.Command = "solve"
    engine = context.ActiveCircuit
    own = by_node(circuit)
    for name, v_pu in zip(engine.AllNodeNames, engine.AllBusVmagPu, strict=True):
        assert own[name] == pytest.approx(v_pu, abs=EXACT_PU)
    assert circuit.losses_kva().real == pytest.approx(engine.Losses[0] / 1e3, rel=1e-6)


def test_the_source_becomes_the_ideal_one_at_the_interface(tmp_path: Path) -> None:
    circuit = build_circuit(lda(tmp_path))
    circuit.set_source(0.97, -12.0)
    circuit.solve(Control.STATIC)
    hv = [name for name in circuit.node_names if name.startswith("hv.")]
    v = circuit.node_voltages_v()[[circuit.node_names.index(name) for name in hv]]
    assert np.abs(v) / (69e3 / math.sqrt(3)) == pytest.approx(0.97, abs=EXACT_PU)
    assert np.degrees(np.angle(v[0])) == pytest.approx(-12.0, abs=1e-4)
    drawn = circuit.head_power_kva().sum()
    loads = -sum(circuit.element_powers_kva(f"load.{name}").sum() for name in circuit.layout.loads)
    assert drawn.real == pytest.approx(-loads.real + circuit.losses_kva().real, rel=1e-6)


def test_loads_and_ders_are_set_in_the_scenarios_order(tmp_path: Path) -> None:
    ders = (
        DerAttachment(id="pv_farm", bus="e", phases=(2,)),
        DerAttachment(id="pv_mill", bus="d", phases=(1, 3)),
        DerAttachment(id="pv_town", bus="a", phases=(1, 2, 3)),
    )
    model = lda(tmp_path, *ders, load_scale=0.5)
    circuit = build_circuit(model)
    circuit.set_source(1.0, 0.0)
    assert model.load_ids == ("town", "mill", "farm")
    assert model.rated_load_kw() == pytest.approx([450.0, 125.0, 165.0])
    injected = np.array([40.0, 50.0, 60.0])
    circuit.set_ders(injected, np.zeros(3))
    circuit.solve(Control.OFF)
    for place, kw in enumerate(injected):
        assert -circuit.element_powers_kva(f"generator.der{place}").sum().real == pytest.approx(kw, rel=1e-4)
    assert circuit.element_powers_kva("load.town").sum().real == pytest.approx(450.0, rel=1e-4)


def test_a_load_left_at_the_engines_default_keeps_its_power_at_low_voltage(tmp_path: Path) -> None:
    """The farm's own 0.7 stays; the mill's limit is taken out of the file, and becomes no 0.95."""
    path = master(tmp_path, ("kw=250 kvar=90 vminpu=0.7", "kw=250 kvar=90"))
    feeder = read_master(path)
    assert feeder.load_edits == ("edit load.mill vminpu=0.7",)
    instance = FeederInstance(prefix="own1", feeder=feeder)
    circuit = build_circuit(LdaModel(name="lda", bus_kv=69.0, feeders=(instance,)))
    circuit.set_source(0.85, 0.0)
    circuit.solve(Control.OFF)
    at_mill = [circuit.node_names.index(name) for name in ("d.1", "d.3")]
    assert circuit.node_v_pu()[at_mill].max() < 0.93
    assert circuit.element_powers_kva("load.mill").sum() == pytest.approx(250 + 90j, rel=1e-5)


def test_a_capacitor_in_delta_is_a_shunt(tmp_path: Path) -> None:
    path = master(tmp_path, ("kv=12.47 kvar=300", "kv=12.47 kvar=300 conn=delta"))
    circuit = read_published(path).circuit
    (bank,) = circuit.shunts()
    assert [circuit.node_names[node] for node in bank.nodes] == ["b.1", "b.2", "b.3"]


def test_everything_belongs_to_the_one_feeder(tmp_path: Path) -> None:
    model = lda(tmp_path)
    circuit = build_circuit(model)
    zones = feeder_zones(model, circuit)
    assert zones.count == 1
    for places in (zones.node, zones.line, zones.transformer):
        assert not places.any()
    assert circuit.feeder_power_kva()[0] == pytest.approx(circuit.head_power_kva())


def test_the_map_runs_from_the_interface_and_follows_the_taps_of_the_substation(tmp_path: Path) -> None:
    model = lda(tmp_path, DerAttachment(id="pv_farm", bus="e", phases=(2,)))
    circuit = build_circuit(model)
    circuit.set_source(1.0, 0.0)
    circuit.solve(Control.OFF)
    sites = [DerSite(nodes=circuit.der_nodes[0], kind="pv", rated_kw=300.0)]
    feeder = build_map(
        circuit.branches(), circuit.yprim, circuit.layout.feeder_heads[0], circuit.node_base_v, sites
    )
    assert feeder.tree.uncovered_nodes == ()
    assert len(feeder.tree.branches) == len(circuit.branches())
    series = feeder.series(circuit.yprim)
    at_rest = circuit.taps()
    circuit.solve(Control.STATIC)
    assert circuit.taps()[0] != at_rest[0], "the substation's tap changer must have moved"
    moved = feeder.with_taps_moved(series, circuit.yprim)
    for block, fresh in zip(moved.y_s, feeder.series(circuit.yprim).y_s, strict=True):
        np.testing.assert_array_equal(block, fresh)
    nothing, some = np.zeros(1), np.array([30.0])
    point = feeder.operating_point(moved, circuit.node_voltages_v(), nothing, nothing)
    circuit.set_ders(some, nothing)
    circuit.solve(Control.OFF)
    solved = circuit.node_v_pu()[feeder.tree.far]
    rise = np.abs(solved - np.sqrt(point.w_pu2)).max()
    assert rise > 5e-4, "the move must be felt"
    assert np.abs(point.voltage_pu(some, nothing) - solved).max() < 0.1 * rise


def test_the_tool_says_what_the_file_holds(tmp_path: Path) -> None:
    found = tool.run({"path": str(master(tmp_path))})
    circuit = read_published(tmp_path / "own.dss").circuit
    circuit.solve(Control.STATIC)
    v_pu = circuit.node_v_pu()
    assert found["status"] == "ok"
    assert (found["n_nodes"], found["n_loads"], found["n_regulators"]) == (v_pu.size, 3, 4)
    assert (found["v_min_pu"], found["v_max_pu"]) == (v_pu.min(), v_pu.max())
    assert found["loss_kw"] == circuit.losses_kva().real
    assert found["max_loading_pct"] == 100 * max(
        circuit.line_loading_pu().max(), circuit.transformer_loading_pu().max()
    )
    error = found["map_error_pu"]
    assert isinstance(error, float)
    assert 0.0 < error < 3e-3
    assert found["n_uncovered_nodes"] == 0


def test_a_circuit_with_a_loop_is_solved_but_has_no_map(tmp_path: Path) -> None:
    loop = (
        "new line.loop bus1=mv bus2=a length=1 units=mi r1=0.4 x1=0.9 r0=0.7 x0=1.9 c1=0 c0=0\nnew capacitor"
    )
    found = tool.run({"path": str(master(tmp_path, ("new capacitor", loop)))})
    assert found["map_error_pu"] is None
    assert "loop" in str(found["map_fault"])


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        (
            "load.farm bus1=e.2",
            "load.farm bus1=e.1",
            18,
            "phase 1 of bus 'e' is not fed (phases fed there: 2)",
        ),
        ("bus1=b.2 bus2=e.2", "bus1=d.2 bus2=e.2", 14, "phase 2 of bus 'd' is not fed"),
        ("bus1=mv bus2=a", "bus1=island bus2=a", 6, "phase 1 of bus 'island' is not fed"),
        ("pf=0.95", "pf=0.95 conn=star", 16, "star"),
        ("windings=2", "windings=4", 3, "has 4 windings"),
        ("set voltagebases=[69, 12.47]\ncalcvoltagebases\n", "", None, "no voltage bases"),
        ("set voltagebases=[69, 12.47]\n", "", None, "name every level"),
        ("bus1=b phases=3 kv=12.47 kvar=300", "bus1=b bus2=x phases=3 kv=12.47 kvar=300", 15, "in series"),
        ("set volt", f"{THREE_WINDINGS}\nset volt", 19, "transformer.t has three windings"),
        ("set volt", "new vsource.more bus1=e basekv=12.47\nset volt", 19, "second source"),
    ],
)
def test_what_a_circuit_cannot_have_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, what: str
) -> None:
    path = master(tmp_path, (old, new))
    with pytest.raises(ConfigError) as refused:
        read_published(path)
    assert what in str(refused.value)
    assert f"{path}:{line}: " in str(refused.value) or line is None


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("set volt", "new generator.g bus1=a kv=12.47 kw=10\nset volt", 19, "the study gives the DERs"),
        ("set volt", "new pvsystem.p bus1=a kv=12.47 pmpp=10\nset volt", 19, "the study gives the DERs"),
        ("set volt", "set loadmult=1.2\nset volt", 19, "load_scale"),
        ("vreg=122", "vreg=122 reversible=yes", 5, "reversible is not played"),
        ("numtaps=32", "numtaps=16", 3, "numtaps of a regulator must be 32"),
        ("load.town bus1=a phases=3 kv=12.47", "load.town bus1=hv phases=3 kv=69", 16, "source's bus"),
        ("load.farm bus1=e.2", "load.farm bus1=e.2.4", 18, "phases are 1, 2, 3"),
    ],
)
def test_what_a_study_cannot_drive_is_refused_there_alone(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    path = master(tmp_path, (old, new))
    read_published(path)
    with pytest.raises(ConfigError) as refused:
        read_master(path)
    assert what in str(refused.value)
    assert str(refused.value).startswith(f"{path}:{line}: ")


def test_a_head_bus_cuts_off_what_lies_before_it(tmp_path: Path) -> None:
    whole = read_published(master(tmp_path)).circuit
    whole.solve(Control.STATIC)
    found = read_master(master(tmp_path), "MV")
    assert (found.head_bus, found.heads) == ("mv", (Terminal(element="Line.trunk", number=1),))
    assert found.kv == pytest.approx(12.47)
    assert found.regulators_in_script == ("reg1", "reg2", "reg3")
    assert [load.name for load in found.loads] == ["town", "mill", "farm"]
    model = LdaModel(name="lda", bus_kv=69.0, feeders=(FeederInstance(prefix="x", feeder=found),))
    circuit = build_circuit(model)
    circuit.set_taps(whole.taps()[1:])
    v_mv = whole.node_voltages_v()[[whole.node_names.index(f"mv.{phase}") for phase in (1, 2, 3)]]
    circuit.set_source(float(np.abs(v_mv).mean()) / (12.47e3 / math.sqrt(3)), 0.0)
    circuit.solve(Control.OFF)
    before, behind = by_node(whole), by_node(circuit)
    assert "hv.1" not in behind
    for name, v_pu in behind.items():
        # the mv bus was not quite balanced behind the substation
        assert v_pu == pytest.approx(before[name], abs=np.ptp(np.abs(v_mv)) / 7.2e3)


@pytest.mark.parametrize(("bus", "what"), [("nowhere", "no bus 'nowhere'"), ("e", "no bus 'e' with three")])
def test_a_head_bus_that_cannot_be_is_refused(tmp_path: Path, bus: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        read_master(master(tmp_path), bus)


def test_a_master_file_shares_its_area_with_nobody(tmp_path: Path) -> None:
    (instance,) = lda(tmp_path).feeders
    with pytest.raises(ConfigError, match="only feeder"):
        build_circuit(LdaModel(name="lda", bus_kv=69.0, feeders=(instance, instance)))


MISRATED = {
    ("load.farm bus1=e.2 phases=1 kv=7.2", "load.farm bus1=e.2 phases=1 kv=12.47"): (
        r"own\.dss:18: load\.farm: kv=12\.47 does not fit its connection \(wye, phases=1, 1 conductors\): "
        r"the base of bus 'e' is 7\.2 kV to ground, 12\.47 between phases; write kv=7\.2, or the conn"
    ),
    (
        "load.mill bus1=d.1.3 phases=1 conn=delta kv=12.47",
        "load.mill bus1=d.1.3 phases=1 conn=delta kv=7.2",
    ): (r"own\.dss:17: load\.mill: kv=7\.2 .*\(delta, phases=1, 2 conductors\).* write kv=12\.47, or the"),
    ("load.town bus1=a phases=3 kv=12.47", "load.town bus1=a phases=3 kv=7.2"): (
        r"own\.dss:16: load\.town: kv=7\.2 .*\(wye, phases=3, 3 conductors\).* write kv=12\.47, or the"
    ),
}


@pytest.mark.parametrize("change", MISRATED)
def test_a_load_rated_for_another_connection_is_named_before_it_collapses(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    """A load to ground rated between phases would sit at 0.58 pu; the others would draw up to 2.7 times."""
    with pytest.raises(ConfigError, match=MISRATED[change]):
        read_published(master(tmp_path, change))


def test_every_misrated_load_is_named_at_once(tmp_path: Path) -> None:
    changes = (("phases=1 kv=7.2 kw=330", "phases=1 kv=24.9 kw=330"), ("kv=12.47 kw=250", "kv=4.16 kw=250"))
    with pytest.raises(ConfigError) as raised:
        read_published(master(tmp_path, *changes))
    assert [line.split(": ")[1] for line in str(raised.value).splitlines()] == ["load.mill", "load.farm"]
