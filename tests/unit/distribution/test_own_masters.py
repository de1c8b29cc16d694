"""The own-feeder path on three master files of different structure, DERs from a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.distribution.builder import DerAttachment, FeederInstance, LdaModel, build_circuit
from federates.distribution.circuit import Circuit, Control
from federates.distribution.der_table import TabledDer, read_der_table
from federates.distribution.jacobian import NodalNetwork
from federates.distribution.linear import DerSite, build_map
from federates.distribution.master import OpenDssFeeder, read_master, read_published
from federates.distribution.tables import read_feeder
from federates.tools import feeder as tool
from tests.unit.distribution.masters import HEADER, MASTERS

IEEE13 = read_feeder(Path(__file__).parents[3] / "configs" / "feeders" / "ieee13")
AGGREGATORS, PROFILES = ("supplier", "flexco"), ("south", "west")
BALANCE_KVA = 1e-3
COLUMN_SHARE = 0.01
V_RANGE_PU = (0.9, 1.08)


def master_of(folder: Path, name: str) -> Path:
    path = folder / f"{name}.dss"
    path.write_text(MASTERS[name].text)
    return path


def table_of(folder: Path, rows: str) -> Path:
    path = folder / "ders.csv"
    path.write_text(HEADER + rows)
    return path


def read(path: Path, feeder: object) -> tuple[TabledDer, ...]:
    return read_der_table(path, feeder, aggregators=AGGREGATORS, profiles=PROFILES)  # type: ignore[arg-type]


def own_circuit(folder: Path, name: str) -> tuple[Circuit, tuple[TabledDer, ...], OpenDssFeeder]:
    """The file's circuit in a study, its DERs attached, regulators settled."""
    feeder = read_master(master_of(folder, name))
    ders = read(table_of(folder, MASTERS[name].table), feeder)
    attached = tuple(DerAttachment(id=der.name, bus=der.bus, phases=der.phases) for der in ders)
    instance = FeederInstance(prefix="own1", feeder=feeder, ders=attached)
    model = LdaModel(name="lda", bus_kv=feeder.kv, feeders=(instance,))
    circuit = build_circuit(model, 1e-10)
    circuit.solve(Control.STATIC)
    return circuit, ders, feeder


@pytest.mark.parametrize("name", MASTERS)
def test_the_published_circuit_is_solved(tmp_path: Path, name: str) -> None:
    published = read_published(master_of(tmp_path, name))
    published.circuit.solve(Control.STATIC)
    found = tool.run({"path": str(master_of(tmp_path, name))})
    assert found["n_uncovered_nodes"] == MASTERS[name].uncovered_count
    assert V_RANGE_PU[0] < found["v_min_pu"] < found["v_max_pu"] < V_RANGE_PU[1]
    assert 10.0 < found["max_loading_pct"] <= 100.0
    assert found["map_error_pu"] < 0.005


@pytest.mark.parametrize("name", MASTERS)
def test_ders_inject_what_they_are_told_where_the_table_says(tmp_path: Path, name: str) -> None:
    circuit, ders, _ = own_circuit(tmp_path, name)
    p = np.array([0.7 * der.power_kw for der in ders])
    before = circuit.head_power_kva().sum()
    circuit.set_ders(p, 0.1 * p)
    circuit.solve(Control.OFF)
    for k, der in enumerate(ders):
        drawn = circuit.element_powers_kva(f"generator.der{k}").sum()
        assert drawn == pytest.approx(-p[k] * (1 + 0.1j), abs=BALANCE_KVA)
        nodes = {f"{der.bus}.{phase}" for phase in der.phases}
        assert {circuit.node_names[node] for node in circuit.der_nodes[k]} == nodes
    assert before.real - circuit.head_power_kva().sum().real == pytest.approx(p.sum(), rel=0.15)


@pytest.mark.parametrize("name", MASTERS)
def test_the_jacobian_is_the_circuits_own(tmp_path: Path, name: str) -> None:
    circuit, ders, _ = own_circuit(tmp_path, name)
    count = len(ders)
    jacobian = NodalNetwork(circuit).at_present()
    by_p, by_q = jacobian.voltage_rows(np.arange(len(circuit.node_names)))
    for reactive, mine in ((False, by_p), (True, by_q)):
        for k, der in enumerate(ders):
            step = np.zeros(count)
            step[k] = 0.2 * der.power_kw
            solved = []
            for sign in (1, -1):
                move = (0 * step, sign * step) if reactive else (sign * step, 0 * step)
                circuit.set_ders(*move)
                circuit.solve(Control.OFF)
                solved.append(circuit.node_v_pu())
            true = (solved[0] - solved[1]) / (2 * step[k])
            assert np.abs(mine[:, k] - true).max() < COLUMN_SHARE * np.abs(true).max()


@pytest.mark.parametrize("name", MASTERS)
def test_what_the_tree_leaves_out_is_named_and_the_ders_there_are_felt_before_it(
    tmp_path: Path, name: str
) -> None:
    circuit, ders, _ = own_circuit(tmp_path, name)
    sites = [
        DerSite(nodes=nodes, kind=der.kind, rated_kw=der.power_kw)
        for nodes, der in zip(circuit.der_nodes, ders, strict=True)
    ]
    heads = circuit.layout.feeder_heads[0]
    tree = build_map(circuit.branches(), circuit.yprim, heads, circuit.node_base_v, sites).tree
    assert len(tree.uncovered_nodes) == MASTERS[name].uncovered_count
    covered = set(tree.far.tolist()) | set(tree.uncovered_nodes)
    at_source = {k for k, node in enumerate(circuit.node_names) if k not in covered}
    assert len(at_source) == 3


def test_regulators_and_capacitors_act_in_the_rural_file(tmp_path: Path) -> None:
    circuit, _, _ = own_circuit(tmp_path, "rural")
    assert (circuit.taps() != 0).sum() >= 4
    assert len(circuit.shunts()) == 3
    assert circuit.save()["capacitors"].sum() == 3


def test_a_table_says_all_that_is_wrong_with_it(tmp_path: Path) -> None:
    path = table_of(
        tmp_path,
        "a,pv,632,123,40,,44,ann,,\n"
        "A,pv,632,1,4,,,ann,,\n"
        "b,wind,632,1,4,,,ann,,\n"
        "c,pv,nowhere,1,4,,,ann,,\n"
        "d,pv,611,12,4,,,ann,,\n"
        "e,battery,611,3,4,,,ann,,\n"
        "f,pv,611,3,4,9,,ann,,\n"
        "g,pv,611,3,40,,30,ann,,\n"
        "h,pv,611,3,-4,,,,stranger,\n"
        "i,battery,611,3,4,9,,ann,,south\n"
        "j,pv,611,3,4,,,ann,,east\n"
        "k,pv,650,1,4,,,ann,,\n"
        "l,hvac,611,3,4,,5,ann,,\n",
    )
    with pytest.raises(ConfigError) as refused:
        read(path, IEEE13)
    faults = str(refused.value).splitlines()
    for line, column, what in (
        (3, "name", f"'A' stands already at {path}:2"),
        (4, "kind", "'wind' is none of pv, battery, ev, flexible, hvac, water_heater, process, generator"),
        (5, "bus", "the feeder has no bus 'nowhere' below its head"),
        (6, "phases", "bus '611' has only 3"),
        (7, "kwh", "is empty; battery has its usable energy there"),
        (8, "kwh", "pv has no energy; leave it empty"),
        (9, "kva", "30 kVA cannot carry 40 kW"),
        (10, "kw", "-4.0 must be above zero"),
        (10, "owner", "is empty"),
        (10, "aggregator", "'stranger' is none of supplier, flexco"),
        (
            11,
            "profile",
            "battery follows none; these do: pv (what the sun gives), flexible (what it would draw)",
        ),
        (12, "profile", "'east' is no column of the profiles (south, west)"),
        (13, "bus", "the feeder has no bus '650' below its head"),
        (14, "kva", "hvac has no inverter; leave it empty"),
    ):
        assert sum(f.startswith(f"{path}:{line}: {column}: {what}") for f in faults) == 1, (line, column)
    assert len(faults) == 14


SETTINGS_HEADER = HEADER.rstrip() + ",settings\n"


def test_the_settings_of_a_row_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "ders.csv"
    path.write_text(
        SETTINGS_HEADER + "a,hvac,632,123,40,,,ann,,,\n"
        "b,hvac,632,123,1,,,ann,,,mode=heat\n"
        "c,battery,632,123,4,8,,ann,,,efficiency=120 %\n"
        "d,battery,632,123,4,8,,ann,,,energy=9\n"
        "e,generator,632,123,4,,,ann,,,least_output\n"
        "f,water_heater,632,123,9,,,ann,,,count=0; comfort_low=50 C\n"
        "g,pv,632,123,9,,,ann,,,curtailment_cost=5 kW\n"
        "h,ev,632,123,7,12,,ann,,,v2g=true\n"
        "i,pv,nowhere,123,9,,,ann,,,colour=red\n"
    )
    with pytest.raises(ConfigError) as refused:
        read(path, IEEE13)
    faults = [fault.removeprefix(f"{path}:") for fault in str(refused.value).splitlines()]
    told = (
        "2: settings: mode must be stated: mode=...",
        "3: settings: unit: the worst hour needs 3.40 kW, more than the unit's 1 kW: the band could not be",
        "4: settings: efficiency: 1.2 is too large; the greatest share here is 1",
        "5: settings: 'energy' is none of what battery may state here: efficiency, wear, initial_charge,",
        "6: settings: 'least_output' is not KEY=VALUE; ...",
        "7: settings: count: 0.0 is no number of units, 1 or more",
        "8: settings: curtailment_cost: unit 'kW' is a unit of power; a price is expected, such as '5 USD",
        "9: settings: daily_energy: a day's energy may reach 1.5 times its mean, more than the vehicle",
        "10: bus: the feeder has no bus 'nowhere' below its head",
        "10: settings: 'colour' is none of what pv may state here: curtailment_cost",
    )
    for fault, start in zip(faults, told, strict=True):
        assert fault.startswith(start)


def test_a_table_s_defaults_and_a_bus_without_a_load(tmp_path: Path) -> None:
    """Bus 680 of the 13-node feeder carries nothing; the DER there is attached and injects."""
    rows = read(table_of(tmp_path, "a,pv,680,123,40,,,ann,,\nb,battery,684,1,10,20,12,bob,flexco,\n"), IEEE13)
    assert [(der.s_kva, der.energy_kwh, der.aggregator) for der in rows] == [
        (pytest.approx(44.0), 0.0, ""),
        (12.0, 20.0, "flexco"),
    ]
    attached = tuple(DerAttachment(id=der.name, bus=der.bus, phases=der.phases) for der in rows)
    instance = FeederInstance(prefix="f", feeder=IEEE13, ders=attached)
    circuit = build_circuit(LdaModel(name="lda", bus_kv=4.16, feeders=(instance,)))
    circuit.set_ders(np.array([40.0, 10.0]), np.zeros(2))
    circuit.solve(Control.OFF)
    assert circuit.element_powers_kva("generator.der0").sum().real == pytest.approx(-40.0, abs=BALANCE_KVA)
