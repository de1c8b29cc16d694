"""Hand-made transmission cases and windows for market tests."""

from __future__ import annotations

import numpy as np

from federates.cases.case import DcLines, TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow, branches_of, buses_of, units_of
from federates.iso.offers import UnitWindow


def case_of(
    buses: list[BusRow], branches: list[BranchRow], units: list[UnitRow], reference_bus: int = 0
) -> TransmissionCase:
    none = np.zeros(0, dtype=np.int64)
    return TransmissionCase(
        name="hand",
        base_mva=100.0,
        buses=buses_of(buses),
        branches=branches_of(branches),
        dc_lines=DcLines(ids=(), from_bus=none, to_bus=none, limit_mw=np.zeros(0)),
        units=units_of(units),
        reference_bus=reference_bus,
        source="hand",
    )


def offer(name: str, bus: int, width_mw: float, price: float) -> UnitRow:
    """A thermal unit with one block from 0 MW and no ramp limit worth speaking of."""
    return UnitRow(
        id=name,
        bus=bus,
        kind="thermal",
        p_max_mw=width_mw,
        ramp_mw_per_min=1e4,
        blocks=((width_mw, price),),
    )


def two_bus(rating_mw: float = 60.0) -> TransmissionCase:
    """A 100 MW at 50 on bus 1, B 200 MW at 80 on bus 2, one line; load belongs on bus 2."""
    return case_of(
        [BusRow(id="1", base_kv=138.0), BusRow(id="2", base_kv=138.0, load_mw=150.0)],
        [BranchRow(id="L", from_bus=0, to_bus=1, r_pu=0.01, x_pu=0.1, rating_mw=rating_mw)],
        [offer("A", 0, 100.0, 50.0), offer("B", 1, 200.0, 80.0)],
    )


def pjm5() -> TransmissionCase:
    """The PJM five-bus system (F. Li and R. Bo, IEEE PES General Meeting 2010; MATPOWER ``case5``)."""
    loads = [0.0, 300.0, 300.0, 400.0, 0.0]
    lines = [
        (0, 1, 0.00281, 0.0281, 400.0),
        (0, 3, 0.00304, 0.0304, np.inf),
        (0, 4, 0.00064, 0.0064, np.inf),
        (1, 2, 0.00108, 0.0108, np.inf),
        (2, 3, 0.00297, 0.0297, np.inf),
        (3, 4, 0.00297, 0.0297, 240.0),
    ]
    return case_of(
        [BusRow(id=name, base_kv=230.0, load_mw=load) for name, load in zip("ABCDE", loads, strict=True)],
        [
            BranchRow(id=f"L{k}", from_bus=f, to_bus=t, r_pu=r, x_pu=x, rating_mw=rate)
            for k, (f, t, r, x, rate) in enumerate(lines)
        ],
        [
            offer("alta", 0, 40.0, 14.0),
            offer("park city", 0, 170.0, 15.0),
            offer("solitude", 2, 520.0, 30.0),
            offer("sundance", 3, 200.0, 40.0),
            offer("brighton", 4, 600.0, 10.0),
        ],
        reference_bus=3,
    )


def all_on(case: TransmissionCase) -> UnitWindow:
    """Every unit may give between nothing and its greatest output."""
    n = len(case.units.ids)
    return UnitWindow(
        lower_mw=case.units.p_min_mw, upper_mw=case.units.p_max_mw, committed=np.ones(n, dtype=np.bool_)
    )
