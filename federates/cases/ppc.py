"""A case from matrices in MATPOWER's layout, whichever program wrote them.

Columns: R. D. Zimmerman and C. E. Murillo-Sanchez, "MATPOWER User's Manual", appendix B. Choices made here:

- Rows out of service are dropped, and so are isolated buses without load and units.
- Costs become piecewise linear: polynomials above degree one as equal blocks (``BLOCKS`` of them unless
  the caller asks otherwise), exact at their ends; costs that are not convex are refused.
- A rating of 0 is no limit. Shunt conductance counts as load. Reactive costs are not read.
- Ramps: the 10-minute, else the AGC, else the 30-minute column; where all are 0 a unit may cross its whole
  range in a minute. Minimum times are zero and every unit is of kind ``thermal``.
- A unit with neither start-up nor shut-down cost states nothing about its commitment and is always on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federates.cases.case import DcLines, TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow, branches_of, buses_of, no_dc_lines, units_of
from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError

BLOCKS = 10
"""Blocks into which a polynomial cost of degree two or more is cut."""
_CONVEX_TOLERANCE_USD_PER_MWH = 1e-3  # what breakpoints printed with five decimals may lose
_POLYNOMIAL, _PIECEWISE = 2, 1
_REFERENCE, _ISOLATED = 3, 4
_VOLTAGE_CONTROLLED = (2, 3)

Where = Callable[[str, int], str]
"""File and line (or the like) of a row of ``bus``, ``gen``, ``branch`` or ``gencost``, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """A case in MATPOWER's layout."""

    name: str
    source: str
    base_mva: float
    bus: FloatArray
    """Shape (buses, >= 13)."""
    gen: FloatArray
    """Shape (units, >= 10)."""
    branch: FloatArray
    """Shape (branches, >= 11)."""
    gencost: FloatArray
    """Shape (units or twice as many, >= 5)."""
    bus_names: tuple[str, ...]
    """A name for each bus row; empty: its number."""
    where: Where
    dc_lines: tuple[tuple[int, int, float], ...] = ()
    """From and to bus number, greatest flow either way [MW]."""


def case_of(matrices: Matrices, *, blocks: int = BLOCKS, market_only: bool = False) -> TransmissionCase:
    """Transmission case of MATPOWER matrices, polynomial costs cut into ``blocks`` blocks.

    With ``market_only``, what only a power flow needs may be missing: nominal voltages.

    Raises
    ------
    ConfigError
        If a row cannot be used: unknown bus, no nominal voltage, cost missing or not convex, limits crossed,
        a bus without connection to the reference bus, or not exactly one reference bus.
    """
    kept = _kept_buses(matrices)
    place = {int(matrices.bus[row, 0]): k for k, row in enumerate(kept)}
    branches = _branches(matrices, place)
    reference = _reference(matrices, place)
    _connected(matrices, kept, branches, reference)
    dropped = len(matrices.bus) - len(kept)
    note = f"; {dropped} isolated buses left out" if dropped else ""
    return TransmissionCase(
        name=matrices.name,
        base_mva=matrices.base_mva,
        buses=buses_of([_bus(matrices, int(row), market_only) for row in kept]),
        branches=branches_of(branches),
        dc_lines=_dc_lines(matrices, place),
        units=units_of(_units(matrices, place, blocks)),
        reference_bus=reference,
        source=matrices.source + note,
    )


def _kept_buses(m: Matrices) -> IntArray:
    numbers = [int(number) for number in m.bus[:, 0]]
    for row, number in enumerate(numbers):
        if numbers.index(number) < row:
            raise ConfigError(f"{m.where('bus', row)}: bus {number} occurs twice")
    isolated = m.bus[:, 1] == _ISOLATED
    loaded = np.flatnonzero(isolated & (m.bus[:, 2:4] != 0.0).any(axis=1))
    if loaded.size:
        row = int(loaded[0])
        raise ConfigError(f"{m.where('bus', row)}: bus {numbers[row]} is isolated (type 4) but has load")
    return np.flatnonzero(~isolated)


def _bus(m: Matrices, row: int, market_only: bool) -> BusRow:
    number, _, pd, qd, gs, bs, area, vm, _, base_kv = m.bus[row, :10]
    if base_kv <= 0.0 and not market_only:
        raise ConfigError(
            f"{m.where('bus', row)}: bus {int(number)} has no nominal voltage; write its baseKV in column 10"
        )
    return BusRow(
        id=_bus_id(m, row),
        base_kv=float(base_kv),
        area=int(area),
        load_mw=float(pd + gs),
        load_mvar=float(qd),
        shunt_mvar=float(bs),
        v_start_pu=float(vm) if vm > 0.0 else 1.0,
    )


def _bus_id(m: Matrices, row: int) -> str:
    return m.bus_names[row] if m.bus_names else str(int(m.bus[row, 0]))


def _place(m: Matrices, place: Mapping[int, int], matrix: str, row: int, number: float) -> int:
    try:
        return place[int(number)]
    except KeyError:
        raise ConfigError(
            f"{m.where(matrix, row)}: bus {int(number)} is not in the case or isolated"
        ) from None


def _branches(m: Matrices, place: Mapping[int, int]) -> list[BranchRow]:
    kv = {int(bus[0]): float(bus[9]) for bus in m.bus}
    ids = {int(bus[0]): _bus_id(m, row) for row, bus in enumerate(m.bus)}
    names: dict[str, int] = {}
    rows = []
    for row in np.flatnonzero(m.branch[:, 10] > 0.0):
        f, t, r, x, b, rating, _, _, ratio, shift = (float(value) for value in m.branch[row, :10])
        from_bus, to_bus = (_place(m, place, "branch", int(row), end) for end in (f, t))
        if r == 0.0 and x == 0.0:
            raise ConfigError(f"{m.where('branch', int(row))}: branch {int(f)}-{int(t)} has no impedance")
        rows.append(
            BranchRow(
                id=_numbered(names, f"{ids[int(f)]}-{ids[int(t)]}"),
                from_bus=from_bus,
                to_bus=to_bus,
                r_pu=r,
                x_pu=x,
                b_pu=b,
                ratio=ratio or 1.0,
                shift_deg=shift,
                is_transformer=ratio not in {0.0, 1.0} or shift != 0.0 or kv[int(f)] != kv[int(t)],
                rating_mw=rating if rating > 0.0 else math.inf,
            )
        )
    return rows


def _numbered(names: dict[str, int], name: str) -> str:
    """``name``, and ``name#2`` and so on where it occurs again."""
    names[name] = names.get(name, 0) + 1
    return name if names[name] == 1 else f"{name}#{names[name]}"


def _reference(m: Matrices, place: Mapping[int, int]) -> int:
    rows = np.flatnonzero(m.bus[:, 1] == _REFERENCE)
    if rows.size != 1:
        raise ConfigError(f"{m.where('bus', 0)}: need one reference bus (type 3), found {rows.size}")
    return place[int(m.bus[rows[0], 0])]


def _connected(m: Matrices, kept: IntArray, branches: Sequence[BranchRow], reference: int) -> None:
    neighbours: list[list[int]] = [[] for _ in kept]
    for branch in branches:
        neighbours[branch.from_bus].append(branch.to_bus)
        neighbours[branch.to_bus].append(branch.from_bus)
    reached = {reference}
    frontier = [reference]
    while frontier:
        for bus in neighbours[frontier.pop()]:
            if bus not in reached:
                reached.add(bus)
                frontier.append(bus)
    if len(reached) < len(kept):
        row = int(kept[min(set(range(len(kept))) - reached)])
        raise ConfigError(
            f"{m.where('bus', row)}: bus {int(m.bus[row, 0])} has no branch in service to the reference bus; "
            "connect it or mark it isolated (type 4)"
        )


def _dc_lines(m: Matrices, place: Mapping[int, int]) -> DcLines:
    if not m.dc_lines:
        return no_dc_lines()
    names: dict[str, int] = {}
    return DcLines(
        ids=tuple(_numbered(names, f"DC {f}-{t}") for f, t, _ in m.dc_lines),
        from_bus=np.array([_place(m, place, "dcline", k, x[0]) for k, x in enumerate(m.dc_lines)], np.int64),
        to_bus=np.array([_place(m, place, "dcline", k, x[1]) for k, x in enumerate(m.dc_lines)], np.int64),
        limit_mw=np.array([limit for _, _, limit in m.dc_lines]),
    )


def _units(m: Matrices, place: Mapping[int, int], blocks_count: int) -> list[UnitRow]:
    if len(m.gencost) not in {len(m.gen), 2 * len(m.gen)}:
        raise ConfigError(
            f"{m.where('gencost', 0)}: {len(m.gencost)} cost rows for {len(m.gen)} units; give one a unit"
        )
    rows_of = {int(number): row for row, number in enumerate(m.bus[:, 0])}
    count: dict[int, int] = {}
    rows = []
    for row in np.flatnonzero(m.gen[:, 7] > 0.0):
        number, pg, _, q_max, q_min, v_set, _, _, p_max, p_min = (float(x) for x in m.gen[row, :10])
        bus = _place(m, place, "gen", int(row), number)
        if p_min > p_max or q_min > q_max:
            raise ConfigError(f"{m.where('gen', int(row))}: unit at bus {int(number)} has crossed limits")
        count[bus] = count.get(bus, 0) + 1
        bus_row = rows_of[int(number)]
        no_load, blocks = _cost(m, int(row), p_min, p_max, blocks_count)
        rows.append(
            UnitRow(
                id=f"{_bus_id(m, bus_row)}_G{count[bus]}",
                bus=bus,
                kind="thermal",
                p_max_mw=p_max,
                p_min_mw=p_min,
                q_min_mvar=q_min,
                q_max_mvar=q_max,
                v_set_pu=v_set if v_set > 0.0 else float(m.bus[bus_row, 7]),
                regulates=m.bus[bus_row, 1] in _VOLTAGE_CONTROLLED and q_max > q_min and v_set > 0.0,
                ramp_mw_per_min=_ramp_mw_per_min(m.gen[row], p_min, p_max),
                no_load_usd_per_h=no_load,
                blocks=blocks,
                starts=((0.0, float(m.gencost[row, 1])),),
                must_run=not m.gencost[row, 1:3].any(),
                initial_mw=pg if p_min <= pg <= p_max else math.nan,
            )
        )
    return rows


def _ramp_mw_per_min(gen: FloatArray, p_min_mw: float, p_max_mw: float) -> float:
    if gen.size > 18:
        for column, minutes in ((17, 10.0), (16, 1.0), (18, 30.0)):
            if gen[column] > 0.0:
                return float(gen[column]) / minutes
    return p_max_mw - min(p_min_mw, 0.0)


def _cost(
    m: Matrices, row: int, p_min: float, p_max: float, blocks_count: int
) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Cost at least output [$/h] and (width [MW], price [$/MWh]) of the blocks above it."""
    model, count = int(m.gencost[row, 0]), int(m.gencost[row, 3])
    where = m.where("gencost", row)
    needed = 4 + (2 * count if model == _PIECEWISE else count)
    if model not in {_POLYNOMIAL, _PIECEWISE} or count < 1 or m.gencost.shape[1] < needed:
        raise ConfigError(f"{where}: cost model {model} with {count} terms cannot be read")
    terms = m.gencost[row, 4:needed]
    if model == _POLYNOMIAL:
        p = np.linspace(p_min, p_max, (blocks_count if np.any(terms[:-2]) else 1) + 1)
        cost = np.polyval(terms, p)
    else:
        p, cost = _piecewise(terms[0::2], terms[1::2], p_min, p_max, where)
    width = np.diff(p)
    wide = width > 0.0
    price = np.diff(cost)[wide] / width[wide]
    if (np.diff(price) < -_CONVEX_TOLERANCE_USD_PER_MWH).any():
        raise ConfigError(f"{where}: cost is not convex; a market needs prices that do not fall")
    return float(cost[0]), tuple(
        zip(width[wide].tolist(), np.maximum.accumulate(price).tolist(), strict=True)
    )


def _piecewise(
    x: FloatArray, y: FloatArray, p_min: float, p_max: float, where: str
) -> tuple[FloatArray, FloatArray]:
    """Breakpoints between the limits and cost at them; end segments extend."""
    if x.size < 2 or (np.diff(x) <= 0.0).any():
        raise ConfigError(f"{where}: a piecewise cost needs two or more ascending points")
    p = np.concatenate(([p_min], x[(x > p_min) & (x < p_max)], [p_max]))
    segment = np.clip(np.searchsorted(x, p, side="right") - 1, 0, x.size - 2)
    slope = np.diff(y) / np.diff(x)
    return p, y[segment] + slope[segment] * (p - x[segment])
