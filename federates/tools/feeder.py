"""What an OpenDSS master file holds: screened, solved as published, and tried as a feeder of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from federates.core.arrays import BoolArray
from federates.core.errors import ConfigError
from federates.distribution.circuit import Circuit, Control
from federates.distribution.linear import DerSite, build_map
from federates.distribution.master import PublishedCircuit, read_published

PHASES = ("1", "2", "3")
TRIAL_SHARE = 0.1
"""Part of every load that is taken away to try the map."""


def run(arguments: dict[str, object]) -> dict[str, object]:
    """Summary of a master file (``path``), its regulators settled.

    ``map_error_pu`` is the greatest error of the linear map's voltages, made at this state, when a tenth of
    every load goes and taps stay, over the nodes that the map covers; None with ``map_fault`` where there is
    no map, because the circuit is not radial.
    """
    published = read_published(Path(str(arguments["path"])))
    circuit = published.circuit
    circuit.solve(Control.STATIC)
    v_pu = circuit.node_v_pu()[_is_phase(circuit)]
    loading = np.concatenate([circuit.line_loading_pu(), circuit.transformer_loading_pu()])
    return {
        "status": "ok",
        "n_nodes": len(circuit.node_names),
        "n_loads": len(circuit.layout.loads),
        "n_regulators": len(circuit.layout.regulators),
        "load_kw": float(circuit.load_ratings().kw.sum()),
        "loss_kw": circuit.losses_kva().real,
        "v_min_pu": float(v_pu.min()),
        "v_max_pu": float(v_pu.max()),
        "max_loading_pct": 100.0 * float(loading.max()),
        **_map_error(published),
    }


def _is_phase(circuit: Circuit) -> BoolArray:
    return np.array([name.rsplit(".", 1)[1] in PHASES for name in circuit.node_names], dtype=np.bool_)


def _map_error(published: PublishedCircuit) -> dict[str, object]:
    circuit = published.behind_ideal_source()
    circuit.solve(Control.STATIC)
    load = circuit.load_ratings()
    sites = [
        DerSite(nodes=nodes, kind="load", rated_kw=float(kw))
        for nodes, kw in zip(circuit.load_nodes, load.kw, strict=True)
    ]
    try:
        feeder = build_map(circuit.branches(), circuit.yprim, published.heads, circuit.node_base_v, sites)
    except ConfigError as error:
        return {"map_error_pu": None, "n_uncovered_nodes": None, "map_fault": str(error)}
    nothing = np.zeros(len(sites))
    point = feeder.operating_point(feeder.series(circuit.yprim), circuit.node_voltages_v(), nothing, nothing)
    move_kw, move_kvar = TRIAL_SHARE * load.kw, TRIAL_SHARE * load.kvar
    mapped = point.voltage_pu(feeder.to_map_order(move_kw), feeder.to_map_order(move_kvar))
    circuit.set_loads(load.kw - move_kw, load.kvar - move_kvar)
    circuit.solve(Control.OFF)
    solved = circuit.node_v_pu()[feeder.tree.far]
    return {
        "map_error_pu": float(np.abs(mapped - solved).max()),
        "n_uncovered_nodes": len(feeder.tree.uncovered_nodes),
        "map_fault": "",
    }
