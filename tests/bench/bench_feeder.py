"""CPU time and memory of feeders: ``python tests/bench/bench_feeder.py [WORD ...]`` with the words below.

``step``: new loads set, solved, every voltage read, through our circuit and by the engine's own batch calls
on the same circuit in turn (the ratio is the figure; a busy machine moves both). ``map``: both linear maps,
built once and renewed per interval. ``day``: 40 feeders of 123 nodes for 288 intervals, solved and with the
tree's map renewed. ``envelope``: an interval's operating envelopes by each rule of allocation. ``memory``:
resident memory per feeder. Without words, all of them.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from federates.core.arrays import FloatArray
from federates.distribution.builder import DerAttachment, FeederInstance, LdaModel, build_circuit
from federates.distribution.circuit import _KEEP_Y, Circuit, Control
from federates.distribution.generator import synthetic_feeder
from federates.distribution.jacobian import NodalNetwork
from federates.distribution.linear import DerSite, FeederMap, build_map
from federates.distribution.model import Feeder
from federates.distribution.tables import read_feeder
from federates.dso.circuit_judge import AreaLimits, CircuitJudge, Instruments
from federates.dso.envelope import ALLOCATIONS, Ability, operating_envelope

IEEE123 = read_feeder(Path(__file__).parents[2] / "configs" / "feeders" / "ieee123")
FEEDERS = {
    "ieee123": (IEEE123, 400, 100),
    "synthetic 1000": (synthetic_feeder(1000, 1), 200, 100),
    "synthetic 8000": (synthetic_feeder(8000, 1), 60, 1000),
}
"""Tables, steps measured, DERs."""
WARM_STEPS = 10
ROWS = 50
DAY_INTERVALS = 288
DAY_FEEDERS = 40
MEMORY_FEEDERS = 10


def circuit_of(feeder: Feeder, ders_count: int) -> Circuit:
    """The feeder on a stiff bus, taps settled."""
    rng = np.random.default_rng(3)
    spots = rng.integers(0, len(feeder.loads), ders_count)
    ders = tuple(
        DerAttachment(id=f"d{k}", bus=feeder.loads[spot].bus, phases=feeder.loads[spot].phases)
        for k, spot in enumerate(spots)
    )
    instance = FeederInstance(prefix="f", feeder=feeder, ders=ders)
    circuit = build_circuit(LdaModel(name="bench", bus_kv=feeder.kv, feeders=(instance,)))
    circuit.solve(Control.STATIC)
    return circuit


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU time of one call. [ms]"""
    begin = time.process_time()
    work()
    return 1e3 * (time.process_time() - begin)


def our_step(circuit: Circuit, p_kw: FloatArray, q_kvar: FloatArray) -> FloatArray:
    """New loads, solution, all voltages."""
    circuit.set_loads(p_kw, q_kvar)
    circuit.solve(Control.OFF)
    return circuit.node_v_pu()


def bare_step(circuit: Circuit, p_kw: FloatArray, q_kvar: FloatArray) -> FloatArray:
    """The same by the engine's own calls, loads given in its order."""
    circuit._batches.Load._set_kW(p_kw, flags=_KEEP_Y)
    circuit._batches.Load._set_kvar(q_kvar, flags=_KEEP_Y)
    circuit._solution.Solve()
    return np.asarray(circuit._circuit.AllBusVmagPu)


def measure_step(name: str) -> str:
    """One line of figures."""
    feeder, steps, _ = FEEDERS[name]
    circuit = circuit_of(feeder, 0)
    ratings = circuit.load_ratings()
    rng = np.random.default_rng(1)
    order = circuit._load_order
    ours, bare = [], []
    for step in range(-WARM_STEPS, steps):
        one, other = rng.uniform(0.9, 1.1, (2, ratings.kw.size))
        loads = one * ratings.kw, one * ratings.kvar
        again = (other * ratings.kw)[order], (other * ratings.kvar)[order]
        pair = (
            cpu_ms(lambda loads=loads: our_step(circuit, *loads)),
            cpu_ms(lambda loads=again: bare_step(circuit, *loads)),
        )
        if step >= 0:
            ours.append(pair[0])
            bare.append(pair[1])
    mine, engine = statistics.median(ours), statistics.median(bare)
    return (
        f"{name}: {len(circuit.node_names)} nodes, {ratings.kw.size} loads: step {mine:.3f} ms, "
        f"engine's batch calls {engine:.3f} ms, ratio {mine / engine:.2f}"
    )


def tree_map(circuit: Circuit) -> FeederMap:
    """The tree's map with the circuit's DERs."""
    sites = [DerSite(nodes=nodes, kind="pv", rated_kw=5.0) for nodes in circuit.der_nodes]
    heads = circuit.layout.feeder_heads[0]
    return build_map(circuit.branches(), circuit.yprim, heads, circuit.node_base_v, sites)


def measure_map(name: str) -> str:
    """One line of figures."""
    feeder, _, ders = FEEDERS[name]
    circuit = circuit_of(feeder, ders)
    nothing = np.zeros(ders)
    once = cpu_ms(lambda: tree_map(circuit))
    tree = tree_map(circuit)
    series = tree.series(circuit.yprim)
    v = circuit.node_voltages_v()
    first = tree.operating_point(series, v, nothing, nothing)
    whole = statistics.median(
        cpu_ms(lambda: tree.operating_point(series, v, nothing, nothing)) for _ in range(9)
    )
    sides = statistics.median(
        cpu_ms(lambda: tree.operating_point(series, v, nothing, nothing, first.coefficients))
        for _ in range(9)
    )
    network_ms = cpu_ms(lambda: NodalNetwork(circuit))
    network = NodalNetwork(circuit)
    point = statistics.median(cpu_ms(network.at_present) for _ in range(9))
    jacobian = network.at_present()
    nodes = np.arange(0, v.size, max(1, v.size // ROWS))[:ROWS]
    rows = statistics.median(cpu_ms(lambda: jacobian.voltage_rows(nodes)) for _ in range(5))
    columns = cpu_ms(lambda: jacobian.columns_v(np.arange(ders)))
    moved = statistics.median(cpu_ms(lambda: jacobian.voltage_pu(np.ones(ders), nothing)) for _ in range(9))
    return (
        f"{name}, {ders} DERs: tree {once:.1f} ms once, an interval {whole:.2f} ms (kept coefficients "
        f"{sides:.2f}); Jacobian {network_ms:.1f} ms once, an interval {point:.1f} ms, {nodes.size} rows "
        f"{rows:.1f} ms, all columns {columns:.0f} ms, all voltages after a move {moved:.2f} ms"
    )


def measure_day() -> str:
    """One line of figures."""
    feeder, _, ders = FEEDERS["ieee123"]
    circuits = [circuit_of(feeder, ders) for _ in range(DAY_FEEDERS)]
    maps = [tree_map(circuit) for circuit in circuits]
    series = [tree.series(circuit.yprim) for tree, circuit in zip(maps, circuits, strict=True)]
    ratings, nothing = circuits[0].load_ratings(), np.zeros(ders)
    rng = np.random.default_rng(2)
    solved = mapped = 0.0
    for interval in range(DAY_INTERVALS):
        level = 0.7 + 0.2 * np.sin(2 * np.pi * interval / DAY_INTERVALS)
        for circuit, tree, parameters in zip(circuits, maps, series, strict=True):
            factor = level * rng.uniform(0.95, 1.05, ratings.kw.size)
            solved += cpu_ms(lambda c=circuit, f=factor: our_step(c, f * ratings.kw, f * ratings.kvar))
            v = circuit.node_voltages_v()
            mapped += cpu_ms(lambda t=tree, s=parameters, v=v: t.operating_point(s, v, nothing, nothing))
    return (
        f"{DAY_FEEDERS} feeders of 123 nodes for {DAY_INTERVALS} intervals: solved {solved / 1e3:.2f} s, "
        f"tree's map {mapped / 1e3:.2f} s"
    )


def measure_envelope(name: str) -> str:
    """One line of figures: every DER may move 20 kW either way as far as limits go."""
    feeder, _, ders = FEEDERS[name]
    circuit = circuit_of(feeder, ders)
    nothing, most = np.zeros(ders), np.full(ders, 20.0)
    none = np.full(1, np.inf)
    judge = CircuitJudge(
        Instruments(circuit),
        AreaLimits(import_kva=none, export_kva=none),
        reference_kw=nothing,
        q_kvar=nothing,
        monitored=np.ones(len(circuit.node_names), dtype=np.bool_),
    )
    able = Ability(reference_kw=nothing, least_kw=-most, most_kw=most)
    parts = []
    for key, rule in ALLOCATIONS.items():
        begin = time.process_time()
        envelope = operating_envelope(judge, able, rule)
        ms = 1e3 * (time.process_time() - begin)
        room = (envelope.most_kw - envelope.least_kw).sum() / 2
        parts.append(f"{key} {ms:.0f} ms ({envelope.rounds_count} rounds, {room:.0f} kW either way)")
    return f"{name}, {ders} DERs: " + ", ".join(parts)


def measure_memory(name: str) -> str:
    """One line of figures; resident memory does not shrink, so each kind is asked for once."""
    feeder, _, _ = FEEDERS[name]
    kept = [circuit_of(feeder, 0)]
    before = resident_mb()
    kept += [circuit_of(feeder, 0) for _ in range(MEMORY_FEEDERS)]
    return f"{name}: {(resident_mb() - before) / (len(kept) - 1):.1f} MB a feeder"


def resident_mb() -> float:
    """Resident memory of this process. [MB]"""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


MEASURES: dict[str, Callable[[], list[str]]] = {
    "step": lambda: [measure_step(name) for name in FEEDERS],
    "map": lambda: [measure_map(name) for name in FEEDERS],
    "envelope": lambda: [measure_envelope(name) for name in ("ieee123", "synthetic 1000")],
    "day": lambda: [measure_day()],
    "memory": lambda: [measure_memory(name) for name in FEEDERS],
}


if __name__ == "__main__":
    for word in sys.argv[1:] or MEASURES:
        print("\n".join(MEASURES[word]()), flush=True)
