from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.distribution.builder import FeederInstance, LdaModel, build_circuit
from federates.distribution.circuit import Control
from federates.distribution.conductors import ACSR_4_0, ACSR_556, overhead_config
from federates.distribution.generator import synthetic_feeder
from federates.distribution.tables import read_feeder
from federates.distribution.topology import bus_levels

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
