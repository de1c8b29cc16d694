"""The PJM 5-bus system: small, congested, with published prices.

Figures: F. Li and R. Bo, "Small test systems for power system economic studies", IEEE PES General Meeting
2010, in the form of the widely used MATPOWER ``case5``. At full load the least cost is 17,479.90 $/h, the
line D-E binds at 240 MW and the prices at A ... E are 16.98, 26.38, 30.00, 39.94 and 10.00 $/MWh.

Ramp rates are not part of the publication. Assumed here: 5 % of capacity a minute for Alta, Park City and
Solitude, 2 % for Sundance and Brighton. Emissions are not part of it either and count as zero.
"""

from __future__ import annotations

import math

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow, branches_of, buses_of, no_dc_lines, units_of

NAME = "pjm5"
BASE_KV = 230.0
SOURCE = "PJM 5-bus system: F. Li and R. Bo, IEEE PES General Meeting 2010"
_BUSES = "ABCDE"
_REFERENCE = "D"
_LOADS = {"B": (300.0, 98.61), "C": (300.0, 98.61), "D": (400.0, 131.47)}
"""Active [MW] and reactive [Mvar] load."""
_LINES = (
    ("A", "B", 0.00281, 0.0281, 0.00712, 400.0),
    ("A", "D", 0.00304, 0.0304, 0.00658, math.inf),
    ("A", "E", 0.00064, 0.0064, 0.03126, math.inf),
    ("B", "C", 0.00108, 0.0108, 0.01852, math.inf),
    ("C", "D", 0.00297, 0.0297, 0.00674, math.inf),
    ("D", "E", 0.00297, 0.0297, 0.00674, 240.0),
)
"""From, to, r, x, b [pu on 100 MVA] and limit [MW]."""
_UNITS = (
    ("Alta", "A", 40.0, 14.0, 30.0, 0.05),
    ("Park City", "A", 170.0, 15.0, 127.5, 0.05),
    ("Solitude", "C", 520.0, 30.0, 390.0, 0.05),
    ("Sundance", "D", 200.0, 40.0, 150.0, 0.02),
    ("Brighton", "E", 600.0, 10.0, 450.0, 0.02),
)
"""Name, bus, capacity [MW], price [$/MWh], reactive range either way [Mvar], ramp [1/min]."""


def read_pjm5() -> TransmissionCase:
    """PJM 5-bus system as a transmission case; all units are always on and go down to zero."""
    buses = [
        BusRow(id=bus, base_kv=BASE_KV, load_mw=p_mw, load_mvar=q_mvar)
        for bus, (p_mw, q_mvar) in ((bus, _LOADS.get(bus, (0.0, 0.0))) for bus in _BUSES)
    ]
    lines = [
        BranchRow(
            id=f"{a}-{b}",
            from_bus=_BUSES.index(a),
            to_bus=_BUSES.index(b),
            r_pu=r_pu,
            x_pu=x_pu,
            b_pu=b_pu,
            rating_mw=limit_mw,
        )
        for a, b, r_pu, x_pu, b_pu, limit_mw in _LINES
    ]
    units = [
        UnitRow(
            id=name,
            bus=_BUSES.index(bus),
            kind="thermal",
            p_max_mw=p_max_mw,
            q_min_mvar=-q_mvar,
            q_max_mvar=q_mvar,
            regulates=True,
            ramp_mw_per_min=ramp_per_min * p_max_mw,
            blocks=((p_max_mw, price),),
            must_run=True,
        )
        for name, bus, p_max_mw, price, q_mvar, ramp_per_min in _UNITS
    ]
    return TransmissionCase(
        name=NAME,
        base_mva=100.0,
        buses=buses_of(buses),
        branches=branches_of(lines),
        dc_lines=no_dc_lines(),
        units=units_of(units),
        reference_bus=_BUSES.index(_REFERENCE),
        source=SOURCE,
    )
