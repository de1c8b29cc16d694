from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.distribution.builder import (
    DerAttachment,
    FeederInstance,
    LdaModel,
    RegulatorOverride,
    build_circuit,
    feeder_zones,
)
from federates.distribution.circuit import Circuit, Control
from federates.distribution.tables import read_feeder

FEEDERS = Path(__file__).parents[3] / "configs" / "feeders"
IEEE13 = read_feeder(FEEDERS / "ieee13")
IEEE123 = read_feeder(FEEDERS / "ieee123")


def _lda(*instances: FeederInstance, bus_kv: float = 138.0, substation_mva: float | None = None) -> LdaModel:
    return LdaModel(name="lda", bus_kv=bus_kv, feeders=instances, substation_mva=substation_mva)


def _of(circuit: Circuit, prefix: str) -> dict[str, float]:
    return {
        name.removeprefix(prefix): v
        for name, v in zip(circuit.node_names, circuit.node_v_pu().tolist(), strict=True)
        if name.startswith(prefix)
    }


def test_the_tap_changer_holds_the_common_bus() -> None:
    circuit = build_circuit(_lda(*(FeederInstance(prefix=f"f{k}", feeder=IEEE123) for k in range(5))))
    for v_pu in (0.96, 1.04):
        circuit.set_source(v_pu, 0.0)
        assert circuit.solve(Control.STATIC).tap_moves > 0
        bus = circuit.node_v_pu()[circuit.node_names.index("mv.1")]
        assert bus == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("given", "rating"), [(None, 10.0), (8.0, 8.0)])
def test_the_substation_is_rated_five_mva_a_feeder_unless_given(given: float | None, rating: float) -> None:
    instances = (FeederInstance(prefix="a", feeder=IEEE13), FeederInstance(prefix="b", feeder=IEEE13))
    circuit = build_circuit(_lda(*instances, substation_mva=given))
    units = {branch.name: branch.kva for branch in circuit.branches()}
    assert units["Transformer.substation"] == 1e3 * rating


def test_short_circuit_impedance_is_eight_percent() -> None:
    """|Z| = 8 % on 5 MVA and 4.16 kV is 0.277 ohm; one winding shorted, Y22 of a phase is its inverse."""
    circuit = build_circuit(_lda(FeederInstance(prefix="a", feeder=IEEE13)))
    y = circuit.yprim("Transformer.substation")[3, 3]
    assert abs(1 / y) == pytest.approx(abs(0.01 + 0.08j) * 4.16**2 / 5, rel=1e-3)


def test_equal_feeders_of_an_lda_are_in_the_same_state() -> None:
    circuit = build_circuit(_lda(*(FeederInstance(prefix=f"f{k}", feeder=IEEE123) for k in range(2))))
    circuit.solve(Control.STATIC)
    one, two = _of(circuit, "f0_"), _of(circuit, "f1_")
    assert len(one) == 271
    assert list(one) == list(two)
    assert list(one.values()) == pytest.approx(list(two.values()), abs=1e-7)


def test_longer_lines_drop_more_voltage_and_lighter_loads_less() -> None:
    drops = []
    for lengths, loads in ((1.0, 1.0), (1.9, 1.0), (1.0, 0.5)):
        instance = FeederInstance(prefix="f", feeder=IEEE123, line_length_scale=lengths, load_scale=loads)
        lda = _lda(instance, bus_kv=4.16)
        assert lda.rated_load_kw().sum() == pytest.approx(3490 * loads)
        circuit = build_circuit(lda)
        circuit.solve(Control.OFF)
        v = _of(circuit, "f_")
        drops.append(v["149.1"] - v["66.1"])
    assert drops[1] == pytest.approx(1.9 * drops[0], rel=0.15)
    assert drops[2] < 0.8 * drops[0]  # the capacitors lift alike


def test_an_override_replaces_set_points_and_switches_compensation_off() -> None:
    override = RegulatorOverride(name="reg4", v_set_v=(118.0, 120.0, 122.0), ldc=False)
    circuit = build_circuit(
        _lda(FeederInstance(prefix="f", feeder=IEEE123, regulators=(override,)), bus_kv=4.16)
    )
    circuit.solve(Control.STATIC)
    v = _of(circuit, "f_")
    held_v = [120.09 * v[f"160r.{phase}"] for phase in (1, 2, 3)]  # 2401.8 V over a ratio of 20
    assert held_v == pytest.approx([118.0, 120.0, 122.0], abs=1.0 + 1e-6)


def test_a_ganged_regulator_moves_its_phases_together() -> None:
    circuit = build_circuit(_lda(FeederInstance(prefix="f", feeder=IEEE123), bus_kv=4.16))
    circuit.solve(Control.STATIC)
    v, head = _of(circuit, "f_"), _of(circuit, "mv")
    ratios = [v[f"150r.{phase}"] / head[f".{phase}"] for phase in (1, 2, 3)]
    assert ratios[0] > 1.03
    assert ratios == pytest.approx([ratios[0]] * 3, abs=1e-4)


def test_a_ganged_regulator_carries_what_its_phases_would_carry_apart() -> None:
    """Three phases of one unit at three times the rating of a phase: its loading is their mean."""
    (ganged,) = (r for r in IEEE123.regulators if r.ganged)
    settings = {name: 3 * getattr(ganged, name) for name in ("v_set_v", "ldc_r_v", "ldc_x_v")}
    alone = replace(ganged, ganged=False, **settings)
    loadings = []
    for regulator in (ganged, alone):
        feeder = replace(IEEE123, regulators=(regulator, *(r for r in IEEE123.regulators if not r.ganged)))
        circuit = build_circuit(_lda(FeederInstance(prefix="f", feeder=feeder), bus_kv=4.16))
        circuit.set_taps(np.zeros(circuit.taps().size))
        circuit.solve(Control.OFF)
        name = f"transformer.f_{regulator.name}".lower()
        mine = [k for k, unit in enumerate(circuit.transformer_ids) if unit.lower().startswith(name)]
        loadings.append(circuit.transformer_loading_pu()[mine])
    assert [loading.size for loading in loadings] == [1, 3]
    assert loadings[0][0] == pytest.approx(loadings[1].mean(), rel=1e-3)
    assert loadings[0][0] > 0.1


@pytest.mark.parametrize(
    ("bus", "phases"), [("675", (1, 2, 3)), ("611", (3,)), ("646", (2, 3)), ("634", (1, 2, 3)), ("634", (2,))]
)
def test_a_der_injects_at_the_voltage_of_its_bus(bus: str, phases: tuple[int, ...]) -> None:
    der = DerAttachment(id="any id: at all", bus=bus, phases=phases)
    circuit = build_circuit(_lda(FeederInstance(prefix="f", feeder=IEEE13, ders=(der,)), bus_kv=4.16))
    circuit.set_ders(np.array([50.0]), np.array([-20.0]))
    circuit.solve(Control.STATIC)
    assert circuit.element_powers_kva("generator.der0").sum() == pytest.approx(-50 + 20j, abs=1e-3)
    assert [circuit.node_names[node] for node in circuit.der_nodes[0]] == [f"f_{bus}.{p}" for p in phases]


def test_zones_name_the_feeder_of_every_node_and_element() -> None:
    instances = (FeederInstance(prefix="f1", feeder=IEEE13), FeederInstance(prefix="f1_2", feeder=IEEE13))
    lda = _lda(*instances)
    circuit = build_circuit(lda)
    zones = feeder_zones(lda, circuit)
    assert list(np.bincount(zones.node + 1)) == [6, 35, 35]
    assert list(np.bincount(zones.line)) == [12, 12]
    assert list(np.bincount(zones.transformer + 1)) == [1, 4, 4]


def test_order_of_loads_and_ders_is_the_models() -> None:
    ders = (DerAttachment(id="z", bus="675", phases=(1,)), DerAttachment(id="a", bus="671", phases=(2,)))
    lda = _lda(FeederInstance(prefix="f", feeder=IEEE13, ders=ders))
    circuit = build_circuit(lda)
    assert lda.der_ids == ("z", "a")
    assert circuit.layout.loads == lda.load_ids
    assert lda.rated_load_kw().size == len(lda.load_ids) == len(circuit.load_nodes)


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ((), "has no feeder"),
        ((FeederInstance(prefix="a", feeder=IEEE13), FeederInstance(prefix="A", feeder=IEEE13)), "prefixes"),
        (
            (
                FeederInstance(
                    prefix="a", feeder=IEEE13, ders=(DerAttachment(id="x", bus="999", phases=(1,)),)
                ),
            ),
            "no bus '999'",
        ),
        (
            (
                FeederInstance(
                    prefix="a", feeder=IEEE13, ders=(DerAttachment(id="x", bus="611", phases=(1,)),)
                ),
            ),
            "asks for phases",
        ),
        (
            (
                FeederInstance(
                    prefix="a",
                    feeder=IEEE13,
                    regulators=(RegulatorOverride(name="reg9", v_set_v=(1.0,), ldc=True),),
                ),
            ),
            "no regulator 'reg9'",
        ),
        (
            (
                FeederInstance(
                    prefix="a",
                    feeder=IEEE13,
                    regulators=(RegulatorOverride(name="reg60", v_set_v=(122.0,), ldc=True),),
                ),
            ),
            "takes 3 set-points",
        ),
        (
            (
                FeederInstance(prefix="a", feeder=IEEE13),
                FeederInstance(prefix="b", feeder=replace(IEEE13, kv=12.47)),
            ),
            "share one nominal voltage",
        ),
    ],
)
def test_an_lda_that_cannot_be_built_is_refused(instances: tuple[FeederInstance, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_circuit(_lda(*instances))
