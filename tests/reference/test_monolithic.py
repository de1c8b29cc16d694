"""The federation against ONE network: a power flow of bulk grid and feeders together.

Everything runs as in a study: ISO, transmission, DSOs, aggregators and the physical areas on loopback, with
T-D passes to 1e-9 and OpenDSS to 1e-10. The witness is pandapower on a network that the tests write from the
same figures; only inputs are shared (what customers draw, and the outputs that the market asked for).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core.context import Context
from federates.core.protocol import Federate
from federates.core.tables import BRANCH, BUS, INTERFACE, NODE, UNIT
from federates.scenario import lda as lda_scenario
from federates.scenario.lda import LdaScenario
from federates.scenario.system import SystemScenario
from tests.reference import balanced_area, pandapower_area
from tests.reference.balanced_area import AREAS
from tests.reference.balanced_area import BRANCH as LINES
from tests.reference.in_one_thread import FinishedRun, run_in_one_thread
from tests.reference.seats import without_settlement

T_S = 240
"""The step that is compared: the last one, whose taps the areas still hold."""
OPENDSS_PU = 1e-5
"""OpenDSS: source of 1e-6 pu, and shunts of 1 ppm that it puts on transformer windings."""
PANDAPOWER_PU = 1e-8
BASE_MVA = 100.0


class Witness:
    """The one network of a finished run, and how far the run's figures are from it."""

    def __init__(self, run: FinishedRun, study_folder: Path) -> None:
        study = balanced_area.reread_study(study_folder)
        system = SystemScenario(study)
        block = system.block(T_S)
        outside_mw = block.residual_mw[block.place(T_S)]
        demands, taps = {}, {}
        for area in AREAS:
            actual = LdaScenario(study, area.name, system).actual(T_S)
            demands[area.name] = balanced_area.Demand(p_kw=actual.demand_kw, q_kvar=actual.demand_kvar)
            ratio = float(run.federates[f"feeder_{area.name}"].save()["plant_tap_pu"][0])
            taps[area.name] = (ratio - 1.0) / (balanced_area.TAP_STEP_PCT / 100.0)
        self.run, self.taps = run, taps
        unit_mw = self.of("transmission", UNIT, "output_mw")
        self.net, self.places = balanced_area.solve_together(
            unit_mw, outside_mw * (1.0 + 1j * system.mvar_per_mw), demands, taps
        )

    def of(self, federate: str, table: object, column: str) -> np.ndarray:
        """Column of a table at the compared step."""
        values = self.run.values(federate, table, column)  # type: ignore[arg-type]
        return np.array([value for (t, _), value in values.items() if t == T_S])

    def bulk_voltage_pu(self) -> float:
        """Greatest difference of a complex bulk voltage. [pu]"""
        v = self.of("transmission", BUS, "v_pu")
        angle = self.of("transmission", BUS, "angle_deg")
        found = self.net.res_bus.iloc[: v.size]
        theirs = found.vm_pu.to_numpy() * np.exp(1j * np.deg2rad(found.va_degree.to_numpy()))
        return float(np.abs(v * np.exp(1j * np.deg2rad(angle)) - theirs).max())

    def bulk_flow_pu(self) -> float:
        """Greatest difference of an active flow at either end of a branch. [pu]"""
        worst, compared = 0.0, 0
        n_bulk = len(balanced_area.BUS)
        for kind, (a, b), (first, second) in (
            ("line", ("from_bus", "to_bus"), ("p_from_mw", "p_to_mw")),
            ("trafo", ("hv_bus", "lv_bus"), ("p_hv_mw", "p_lv_mw")),
        ):
            ends, flows = (
                self.net[kind][[a, b]].to_numpy(),
                self.net[f"res_{kind}"][[first, second]].to_numpy(),
            )
            for (f, t), flow in zip(ends, flows, strict=True):
                if max(f, t) <= n_bulk:
                    ours = self.branch_mw(f"{f}-{t}")
                    worst = max(worst, float(np.abs(ours - flow).max()))
                    compared += 1
        assert compared == len(LINES)
        return worst / BASE_MVA

    def branch_mw(self, name: str) -> np.ndarray:
        """Flow into a branch at its from and its to side. [MW]"""
        columns = ("from_mw", "to_mw")
        return np.array([self.run.values("transmission", BRANCH, c)[T_S, name] for c in columns])

    def interface_pu(self) -> float:
        """Greatest difference of what passes a T-D interface. [pu]"""
        worst = 0.0
        for k, area in enumerate(AREAS):
            at_bus = self.net.trafo.hv_bus == int(area.bus)
            found = self.net.res_trafo[at_bus]
            assert at_bus.sum() == area.multiplicity
            s = complex(found.p_hv_mw.sum(), found.q_hv_mvar.sum())
            ours = complex(*(self.of("transmission", INTERFACE, c)[k] for c in ("p_mw", "q_mvar")))
            worst = max(worst, abs(ours - s))
        return worst / BASE_MVA

    def slack_pu(self) -> float:
        """Difference of the output left to the one network's slack. [pu]"""
        ours = self.of("transmission", UNIT, "output_mw")[0]
        return abs(ours - float(self.net.res_ext_grid.p_mw.sum())) / BASE_MVA

    def nodes_pu(self) -> float:
        """Greatest difference of a node's voltage below an interface. [pu]"""
        worst, compared = 0.0, 0
        for area in AREAS:
            copies = self.places[area.name]
            ours = self.run.values(f"feeder_{area.name}", NODE, "v_pu")
            for (t, name), v in ours.items():
                node = name.split("/")[1].rpartition(".")[0]
                if t != T_S or node == "bus":
                    continue
                for places in copies:
                    worst = max(worst, abs(v - self.net.res_bus.vm_pu[places[node]]))
                    compared += 1
        assert compared >= 3 * 5 * len(AREAS)
        return worst


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenDSS solves to 1e-10."""
    monkeypatch.setattr(lda_scenario, "TOLERANCE_PU", 1e-10)


@pytest.mark.usefixtures("tight")
def test_federation_with_opendss_is_the_one_network(tmp_path: Path) -> None:
    study = balanced_area.witness_study(tmp_path)
    run = run_in_one_thread(study, tmp_path)
    witness = Witness(run, tmp_path)
    assert all(tap > 4.0 for tap in witness.taps.values()), "the substations' taps must matter"
    found = {
        "bulk voltage": witness.bulk_voltage_pu(),
        "bulk flow": witness.bulk_flow_pu(),
        "interface": witness.interface_pu(),
        "slack": witness.slack_pu(),
        "node voltage": witness.nodes_pu(),
    }
    print({name: f"{value:.1e} pu" for name, value in found.items()})
    assert max(found.values()) < OPENDSS_PU, found


def seat(context: Context) -> Federate:
    """The product's own federates, but pandapower in the plants' seats."""
    if context.seating.kind == "feeder":
        return pandapower_area.build(context)
    return without_settlement(context)


def test_federation_with_pandapower_in_the_plants_seat_is_the_one_network(tmp_path: Path) -> None:
    study = balanced_area.witness_study(tmp_path)
    witness = Witness(run_in_one_thread(study, tmp_path, seat), tmp_path)
    found = {
        "bulk voltage": witness.bulk_voltage_pu(),
        "bulk flow": witness.bulk_flow_pu(),
        "interface": witness.interface_pu(),
        "slack": witness.slack_pu(),
    }
    print({name: f"{value:.1e} pu" for name, value in found.items()})
    assert max(found.values()) < PANDAPOWER_PU, found
