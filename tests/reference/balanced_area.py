"""A balanced distribution area, its bulk grid, and both in ONE network of an independent program.

The same figures are written twice: as a MATPOWER file and feeder tables for the federation, and as one
pandapower network in which the bulk grid (read by pandapower's own converter) and every feeder, as often as
it stands at its bus, are solved together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
from pandapower.converter.pypower import from_ppc

from federates.core.settings import Study

FEET_PER_KM, FEET_PER_MILE = 3280.839895, 5280.0
FEEDER_KV, HOUSE_KV, BULK_KV = 4.16, 0.48, 69.0
SELF_OHM, MUTUAL_OHM = 0.36 + 0.95j, 0.12 + 0.40j
"""Series impedance of every line per mile; balanced, so its positive sequence is self less mutual."""
SUBSTATION_R_PCT, SUBSTATION_X_PCT, SUBSTATION_MVA = 1.0, 8.0, 5.0
"""Of one feeder's substation share, as the manual of studies states it."""
HOUSE_KVA, HOUSE_R_PCT, HOUSE_X_PCT = 750.0, 1.1, 2.0
LINES = (("h", "a", 2600.0), ("a", "b", 2200.0), ("a", "c", 1800.0))
LOADS = (("b", 4.16, 900.0, 300.0), ("c", 4.16, 1200.0, 400.0), ("d", 0.48, 450.0, 150.0))
"""Bus, kV, kW and kvar."""
TAP_STEP_PCT = 0.625

BUS = np.array(
    [
        [1, 3, 0.0, 0.0, 0, 0, 1, 1, 0, 230, 1, 1.1, 0.9],
        [2, 2, 40.0, 10.0, 0, 0, 1, 1, 0, 230, 1, 1.1, 0.9],
        [3, 1, 60.0, 20.0, 0, 0, 1, 1, 0, 230, 1, 1.1, 0.9],
        [4, 1, 0.0, 0.0, 0, 8, 1, 1, 0, 69, 1, 1.1, 0.9],
        [5, 1, 40.0, 12.0, 0, 0, 1, 1, 0, 69, 1, 1.1, 0.9],
        [6, 1, 45.0, 14.0, 0, 0, 1, 1, 0, 69, 1, 1.1, 0.9],
    ]
)
GEN = np.array(
    [[1, 0, 0, 300, -300, 1.03, 100, 1, 300, 0], [2, 0, 0, 200, -200, 1.02, 100, 1, 150, 0]], dtype=float
)
BRANCH = np.array(
    [
        [1, 2, 0.010, 0.080, 0.10, 300, 300, 300, 0, 0, 1],
        [1, 3, 0.012, 0.095, 0.12, 300, 300, 300, 0, 0, 1],
        [2, 3, 0.014, 0.110, 0.13, 300, 300, 300, 0, 0, 1],
        [3, 4, 0.003, 0.060, 0.00, 300, 300, 300, 0.98, 0, 1],
        [4, 5, 0.030, 0.110, 0.02, 300, 300, 300, 0, 0, 1],
        [4, 6, 0.040, 0.130, 0.02, 300, 300, 300, 0, 0, 1],
        [5, 6, 0.050, 0.160, 0.02, 300, 300, 300, 0, 0, 1],
    ]
)
COST_USD_PER_MWH = (20.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One LDA of the witness."""

    name: str
    bus: str
    feeders_count: int
    multiplicity: int


AREAS = (
    Area(name="east", bus="5", feeders_count=1, multiplicity=6),
    Area(name="west", bus="6", feeders_count=2, multiplicity=4),
)


def write_case(path: Path) -> None:
    """Write the bulk grid as a MATPOWER file."""
    cost = np.array([[2, 0, 0, 2, c, 0] for c in COST_USD_PER_MWH])
    parts = ["function mpc = witness", "mpc.version = '2';", "mpc.baseMVA = 100;"]
    for name, matrix in (("bus", BUS), ("gen", GEN), ("branch", BRANCH), ("gencost", cost)):
        rows = "\n".join("\t" + "\t".join(f"{x:.12g}" for x in row) + ";" for row in matrix)
        parts.append(f"mpc.{name} = [\n{rows}\n];")
    path.write_text("\n".join(parts) + "\n")


def write_feeder(folder: Path) -> None:
    """Write the balanced feeder's tables."""
    folder.mkdir()
    head = "name,head_bus,kv,source\nbalanced,h,4.16,made by hand for the tests\n"
    (folder / "feeder.csv").write_text(head)

    def triangle(own: float, mutual: float) -> str:
        return f"{own} {mutual} {own} {mutual} {mutual} {own}"

    columns = "name,phases,ampacity_a,r_ohm_per_mile,x_ohm_per_mile,b_us_per_mile"
    matrices = ",".join(
        (triangle(SELF_OHM.real, MUTUAL_OHM.real), triangle(SELF_OHM.imag, MUTUAL_OHM.imag), triangle(0, 0))
    )
    (folder / "configs.csv").write_text(f"{columns}\nw,123,800,{matrices}\n")
    lines = "".join(f"{a}-{b},{a},{b},w,{feet},\n" for a, b, feet in LINES)
    (folder / "lines.csv").write_text("name,bus1,bus2,config,length_ft,ampacity_a\n" + lines)
    unit = f"t,b,d,123,{FEEDER_KV},{HOUSE_KV},{HOUSE_KVA},{HOUSE_R_PCT},{HOUSE_X_PCT},wye,wye\n"
    (folder / "transformers.csv").write_text(
        "name,bus1,bus2,phases,kv1,kv2,kva,r_pct,x_pct,connection1,connection2\n" + unit
    )
    loads = "".join(f"l{bus},{bus},123,wye,{kv},{kw},{kvar},pq\n" for bus, kv, kw, kvar in LOADS)
    (folder / "loads.csv").write_text("name,bus,phases,connection,kv,kw,kvar,model\n" + loads)


def witness_study(folder: Path) -> Study:
    """One market interval of the areas, coupled to 1e-9, every node recorded; inputs go to ``folder``."""
    write_case(folder / "witness.m")
    write_feeder(folder / "balanced")
    return reread_study(folder)


def reread_study(folder: Path) -> Study:
    """The study whose inputs stand in ``folder``."""
    model = {"kind": "table", "path": str(folder / "balanced")}
    ldas = [
        {
            "name": area.name,
            "bus": area.bus,
            "multiplicity": area.multiplicity,
            "feeders": [{"name": "f", "model": model, "count": area.feeders_count, "seed_id": 10 * k}],
        }
        for k, area in enumerate(AREAS, start=1)
    ]
    return Study.model_validate(
        {
            "schema_version": 1,
            "name": "witness",
            "coordination": "uncoordinated",
            "horizon": {"start": "2020-03-27T18:00:00", "duration": 300},
            "transmission": {"kind": "matpower", "path": str(folder / "witness.m")},
            "market": {"commitment": {"kind": "all_on"}},
            "ldas": ldas,
            "coupling": {"tolerance_pu": 1e-9},
            "record": {"nodes": True, "bulk_every": 60},
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the loads of one LDA draw, in the order of feeders and `LOADS`."""

    p_kw: np.ndarray
    q_kvar: np.ndarray


def bulk_network(unit_mw: np.ndarray, load_mva: np.ndarray) -> Any:
    """Bulk grid by pandapower's own converter, buses by number; outputs [MW] and loads [MVA] as given."""
    bus, gen = BUS.copy(), GEN.copy()
    bus[:, 2], bus[:, 3] = load_mva.real, load_mva.imag
    gen[:, 1] = unit_mw
    ppc = {"version": "2", "baseMVA": 100.0, "bus": bus, "gen": gen, "branch": BRANCH.copy()}
    return from_ppc(ppc, f_hz=60, validate_conversion=False)


def add_area(net: Any, bulk_bus: int, feeders_count: int, demand: Demand, tap: float) -> dict[str, int]:
    """Hang one set of feeders on a bulk bus; the places of its buses by name."""
    buses = {"mv": pandapower.create_bus(net, vn_kv=FEEDER_KV)}
    _transformer(
        net,
        (bulk_bus, buses["mv"]),
        (BULK_KV, FEEDER_KV),
        (SUBSTATION_MVA * feeders_count, SUBSTATION_R_PCT, SUBSTATION_X_PCT),
        tap,
    )
    for feeder in range(feeders_count):
        names = {"h": buses["mv"]}
        for name in "abcd":
            names[name] = pandapower.create_bus(net, vn_kv=HOUSE_KV if name == "d" else FEEDER_KV)
            buses[f"f{feeder + 1}_{name}"] = names[name]
        z_ohm_per_km = (SELF_OHM - MUTUAL_OHM) / FEET_PER_MILE * FEET_PER_KM
        for a, b, feet in LINES:
            pandapower.create_line_from_parameters(
                net, names[a], names[b], length_km=feet / FEET_PER_KM, r_ohm_per_km=z_ohm_per_km.real,
                x_ohm_per_km=z_ohm_per_km.imag, c_nf_per_km=0.0, max_i_ka=1.0,
            )  # fmt: skip
        house = (HOUSE_KVA / 1e3, HOUSE_R_PCT, HOUSE_X_PCT)
        _transformer(net, (names["b"], names["d"]), (FEEDER_KV, HOUSE_KV), house, 0.0)
        for k, (bus, *_) in enumerate(LOADS):
            place = feeder * len(LOADS) + k
            pandapower.create_load(
                net, names[bus], p_mw=demand.p_kw[place] / 1e3, q_mvar=demand.q_kvar[place] / 1e3
            )
    return buses


def _transformer(
    net: Any, buses: tuple[int, int], kv: tuple[float, float], rating: tuple[float, float, float], tap: float
) -> None:
    mva, r_pct, x_pct = rating
    pandapower.create_transformer_from_parameters(
        net, buses[0], buses[1], sn_mva=mva, vn_hv_kv=kv[0], vn_lv_kv=kv[1], vkr_percent=r_pct,
        vk_percent=math.hypot(r_pct, x_pct), pfe_kw=0.0, i0_percent=0.0, shift_degree=0.0, tap_side="lv",
        tap_neutral=0, tap_min=-16, tap_max=16, tap_pos=round(tap), tap_step_percent=TAP_STEP_PCT,
        tap_changer_type="Ratio",
    )  # fmt: skip


def solve(net: Any) -> None:
    """Solve tightly."""
    pandapower.runpp(
        net, init="dc", calculate_voltage_angles=True, tolerance_mva=1e-11, max_iteration=50, numba=False,
        trafo_model="pi",
    )  # fmt: skip


def solve_together(
    unit_mw: np.ndarray, outside_mva: np.ndarray, demands: Mapping[str, Demand], taps: Mapping[str, float]
) -> tuple[Any, dict[str, list[dict[str, int]]]]:
    """Bulk grid and every copy of every feeder in one network; the copies' buses by area."""
    net = bulk_network(unit_mw, outside_mva)
    places: dict[str, list[dict[str, int]]] = {}
    for area in AREAS:
        bus = int(area.bus)
        places[area.name] = [
            add_area(net, bus, area.feeders_count, demands[area.name], taps[area.name])
            for _ in range(area.multiplicity)
        ]
    solve(net)
    return net, places
