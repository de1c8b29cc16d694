from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.distribution.builder import FeederInstance, LdaModel, build_circuit
from federates.distribution.circuit import Control
from federates.distribution.conductors import ACSR_4_0, ACSR_556, overhead_config
from federates.distribution.generator import synthetic_feeder
from federates.distribution.model import Feeder, Line, Load, Transformer
from federates.distribution.tables import read_feeder
from federates.distribution.topology import bus_levels, connection_kv

FEEDERS = Path(__file__).parents[3] / "configs" / "feeders"


@pytest.mark.parametrize("nodes", [100, 101, 257, 1000, 4000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_feeder_has_exactly_the_nodes_asked_for(nodes: int, seed: int) -> None:
    levels = bus_levels(synthetic_feeder(nodes, seed))
    assert sum(len(level.phases) for level in levels.values()) == nodes + 3


@pytest.mark.parametrize("kv", [4.16, 12.47])
@pytest.mark.parametrize(
    ("nodes", "seed"), [(100, 0), (100, 7), (300, 1), (300, 2), (1000, 3), (1000, 4), (10_000, 5)]
)
def test_voltages_and_loadings_are_in_range_at_peak(nodes: int, seed: int, kv: float) -> None:
    feeder = synthetic_feeder(nodes, seed, kv=kv)
    lda = LdaModel(
        name="lda", bus_kv=138.0, feeders=(FeederInstance(prefix="f", feeder=feeder),), substation_mva=15.0
    )
    circuit = build_circuit(lda)
    circuit.solve(Control.STATIC)
    v_pu = circuit.node_v_pu()
    assert v_pu.min() >= 0.95
    assert v_pu.max() <= 1.05
    assert circuit.line_loading_pu().max() <= 1.0
    assert circuit.transformer_loading_pu().max() <= 1.0
    # Not vacuous: the head is regulated up and the far end is clearly lower than the head.
    assert v_pu.max() - v_pu.min() > 0.015


@pytest.mark.parametrize(("nodes", "seed"), [(300, 1), (1000, 3), (4000, 1)])
def test_a_north_american_feeder_has_centre_taps_and_delta_loads_and_is_in_range(
    nodes: int, seed: int
) -> None:
    feeder = synthetic_feeder(nodes, seed, centre_tapped=True)
    levels = bus_levels(feeder)
    assert sum(len(level.phases) for level in levels.values()) == nodes + 3
    instance = FeederInstance(prefix="f", feeder=feeder)
    lda = LdaModel(name="lda", bus_kv=138.0, feeders=(instance,), substation_mva=15.0)
    circuit = build_circuit(lda)
    circuit.solve(Control.STATIC)
    assert 0.95 <= circuit.node_v_pu().min() <= circuit.node_v_pu().max() <= 1.05
    assert circuit.transformer_loading_pu().max() <= 1.0
    taps = [b for b in circuit.branches() if b.ends_count == 3]
    assert len(taps) > nodes / 10
    assert {(load.connection, len(load.phases)) for load in feeder.loads} == {
        ("wye", 1), ("delta", 2), ("delta", 3),
    }  # fmt: skip


def test_a_centre_tap_gives_two_opposite_legs_and_half_of_its_rating_on_each() -> None:
    """7.2 kV to 120-0-120 V, 25 kVA; 10 kW on leg 1 alone is 10 / 12.5 of that half's rating.

    R 1.2 %, X 2 %: leg 1 alone sees half of the primary's and all of its own resistance, and 1.2 of the
    reactance, on 25 kVA: 10 kW then drops 0.4 (0.5 + 1.0) 1.2 % = 0.72 % to first order; leg 2 rises with the
    primary's drop only, 0.4 x 0.5 x 1.2 % = 0.24 % below the primary.
    """
    feeder = Feeder(
        name="one", head_bus="head", kv=12.47, source="hand",
        configs=(overhead_config("l", ACSR_4_0, ACSR_4_0, (2,), (0,)),),
        lines=(Line(name="l", bus1="head", bus2="a", config="l", length_ft=1.0),),
        transformers=(
            Transformer(
                name="x", bus1="a", bus2="s", phases=(2,), kv1=12.47 / 3**0.5, kv2=0.24, kva=25.0,
                r_pct=1.2, x_pct=2.0, connection2="centre_tapped",
            ),
        ),
        regulators=(), capacitors=(),
        loads=(Load(name="d", bus="s", phases=(1,), connection="wye", kv=0.12, kw=10.0, kvar=0.0),),
    )  # fmt: skip
    level = bus_levels(feeder)["s"]
    assert (level.phases, level.centre_tapped) == ((1, 2), True)
    assert connection_kv(level, (1,)) == pytest.approx(0.12)
    assert connection_kv(level, (1, 2)) == pytest.approx(0.24)
    circuit = build_circuit(
        LdaModel(name="lda", bus_kv=12.47, feeders=(FeederInstance(prefix="f", feeder=feeder),))
    )
    circuit.solve(Control.OFF)
    v = dict(zip(circuit.node_names, circuit.node_voltages_v() / circuit.node_base_v, strict=True))
    assert abs(v["f_s.1"]) == pytest.approx(1 - 0.0072, abs=2e-4)
    assert abs(v["f_s.2"]) == pytest.approx(1 - 0.0024, abs=2e-4)
    assert abs(np.angle(v["f_s.1"] / v["f_s.2"], deg=True)) == pytest.approx(180.0, abs=1.0)
    assert circuit.transformer_loading_pu() == pytest.approx([10 / 12.5], rel=1e-3)


def test_a_centre_tap_of_two_phases_is_refused() -> None:
    one = synthetic_feeder(300, 1, centre_tapped=True)
    tapped = next(k for k, unit in enumerate(one.transformers) if unit.connection2 == "centre_tapped")
    units = list(one.transformers)
    units[tapped] = replace(units[tapped], phases=(1, 2))
    with pytest.raises(ConfigError, match=f"'{units[tapped].name}' is centre-tapped; that takes one phase"):
        bus_levels(replace(one, transformers=tuple(units)))


def test_phases_are_unbalanced() -> None:
    feeder = synthetic_feeder(1000, 3)
    by_phase = np.zeros(3)
    for load in feeder.loads:
        for phase in load.phases:
            by_phase[phase - 1] += load.kw / len(load.phases)
    assert by_phase.min() > 0
    assert by_phase.max() > 1.1 * by_phase.min()


def test_same_seed_gives_the_same_bytes_and_another_seed_another_feeder() -> None:
    assert pickle.dumps(synthetic_feeder(500, 11)) == pickle.dumps(synthetic_feeder(500, 11))
    assert pickle.dumps(synthetic_feeder(500, 11)) != pickle.dumps(synthetic_feeder(500, 12))


def test_the_peak_is_not_exceeded_and_binds() -> None:
    free = sum(load.kw for load in synthetic_feeder(500, 1).loads)
    capped = sum(load.kw for load in synthetic_feeder(500, 1, peak_kw=400.0).loads)
    assert free > 400.0
    assert capped == pytest.approx(400.0)


def test_conductors_follow_current() -> None:
    feeder = synthetic_feeder(4000, 1)
    first = next(line for line in feeder.lines if line.bus1 == "reg")
    assert first.config.startswith(("acsr336", "acsr556"))
    assert any(line.config.startswith("acsr1_0") for line in feeder.lines)


@pytest.mark.parametrize(
    ("nodes", "seed", "kv"), [(99, 0, 12.47), (10_001, 0, 12.47), (200, -1, 12.47), (200, 0, 0.0)]
)
def test_a_feeder_out_of_range_is_refused(nodes: int, seed: int, kv: float) -> None:
    with pytest.raises(ConfigError, match="synthetic feeder"):
        synthetic_feeder(nodes, seed, kv=kv)


def test_carson_gives_the_published_configuration_601() -> None:
    """IEEE configuration 601 is B A C N, 556.5 kcmil with a 4/0 neutral, spacing 500."""
    published = {c.name: c for c in read_feeder(FEEDERS / "ieee13").configs}["601"]
    computed = overhead_config("601", ACSR_556, ACSR_4_0, (1, 2, 3), (1, 0, 2))
    assert computed.z_ohm_per_mile == pytest.approx(published.z_ohm_per_mile, abs=2e-4)
    assert computed.b_us_per_mile == pytest.approx(published.b_us_per_mile, abs=2e-2)
