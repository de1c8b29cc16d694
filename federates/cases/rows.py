"""Rows from which readers assemble the arrays of a case: one record per element, sensible where silent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from federates.cases.case import Branches, Buses, DcLines, Units
from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class BusRow:
    """One bus; fields as in :class:`~federates.cases.case.Buses`."""

    id: str
    base_kv: float
    area: int = 1
    load_mw: float = 0.0
    load_mvar: float = 0.0
    shunt_mvar: float = 0.0
    v_start_pu: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRow:
    """One line or transformer between buses given by place."""

    id: str
    from_bus: int
    to_bus: int
    r_pu: float
    x_pu: float
    b_pu: float = 0.0
    ratio: float = 1.0
    shift_deg: float = 0.0
    is_transformer: bool = False
    rating_mw: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow:
    """One unit; fields as in :class:`~federates.cases.case.Units`.

    Silent fields mean: costs nothing, holds no voltage, may start and stop at once.
    """

    id: str
    bus: int
    kind: str
    p_max_mw: float
    ramp_mw_per_min: float
    p_min_mw: float = 0.0
    q_min_mvar: float = 0.0
    q_max_mvar: float = 0.0
    v_set_pu: float = 1.0
    regulates: bool = False
    min_up_h: float = 0.0
    min_down_h: float = 0.0
    no_load_usd_per_h: float = 0.0
    blocks: tuple[tuple[float, float], ...] = ()
    """Width [MW] and price [$/MWh] of each cost block above least output."""
    starts: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    """Hours off and cost [$] of each start-up category, hot to cold."""
    must_run: bool = False
    co2_t_per_mwh: float = 0.0
    initial_mw: float = math.nan
    energy_mwh: float = 0.0
    charge_mw: float = 0.0
    round_trip: float = 1.0


def buses_of(rows: Sequence[BusRow]) -> Buses:
    """Bus arrays in the order of ``rows``.

    Raises
    ------
    ConfigError
        If a name occurs twice.
    """
    _unique("bus", [row.id for row in rows])
    return Buses(
        ids=tuple(row.id for row in rows),
        base_kv=_floats(rows, lambda r: r.base_kv),
        area=np.array([row.area for row in rows], dtype=np.int64),
        load_mw=_floats(rows, lambda r: r.load_mw),
        load_mvar=_floats(rows, lambda r: r.load_mvar),
        shunt_mvar=_floats(rows, lambda r: r.shunt_mvar),
        v_start_pu=_floats(rows, lambda r: r.v_start_pu),
    )


def branches_of(rows: Sequence[BranchRow]) -> Branches:
    """Branch arrays in the order of ``rows``.

    Raises
    ------
    ConfigError
        If a name occurs twice.
    """
    _unique("branch", [row.id for row in rows])
    return Branches(
        ids=tuple(row.id for row in rows),
        from_bus=np.array([row.from_bus for row in rows], dtype=np.int64),
        to_bus=np.array([row.to_bus for row in rows], dtype=np.int64),
        r_pu=_floats(rows, lambda r: r.r_pu),
        x_pu=_floats(rows, lambda r: r.x_pu),
        b_pu=_floats(rows, lambda r: r.b_pu),
        ratio=_floats(rows, lambda r: r.ratio),
        shift_deg=_floats(rows, lambda r: r.shift_deg),
        is_transformer=np.array([row.is_transformer for row in rows], dtype=np.bool_),
        rating_mw=_floats(rows, lambda r: r.rating_mw),
    )


def units_of(rows: Sequence[UnitRow]) -> Units:
    """Unit arrays in the order of ``rows``, cost blocks and start-up categories padded.

    Raises
    ------
    ConfigError
        If a name occurs twice.
    """
    _unique("unit", [row.id for row in rows])
    return Units(
        ids=tuple(row.id for row in rows),
        bus=np.array([row.bus for row in rows], dtype=np.int64),
        kind=tuple(row.kind for row in rows),
        p_min_mw=_floats(rows, lambda r: r.p_min_mw),
        p_max_mw=_floats(rows, lambda r: r.p_max_mw),
        q_min_mvar=_floats(rows, lambda r: r.q_min_mvar),
        q_max_mvar=_floats(rows, lambda r: r.q_max_mvar),
        v_set_pu=_floats(rows, lambda r: r.v_set_pu),
        regulates=np.array([row.regulates for row in rows], dtype=np.bool_),
        ramp_mw_per_min=_floats(rows, lambda r: r.ramp_mw_per_min),
        min_up_h=_floats(rows, lambda r: r.min_up_h),
        min_down_h=_floats(rows, lambda r: r.min_down_h),
        no_load_usd_per_h=_floats(rows, lambda r: r.no_load_usd_per_h),
        block_mw=_padded([[w for w, _ in r.blocks] for r in rows], pad=lambda _: 0.0),
        block_usd_per_mwh=_padded([[c for _, c in r.blocks] for r in rows], pad=_last),
        start_after_h=_padded([[h for h, _ in r.starts] for r in rows], pad=lambda _: math.inf),
        start_usd=_padded([[c for _, c in r.starts] for r in rows], pad=_last),
        must_run=np.array([row.must_run for row in rows], dtype=np.bool_),
        co2_t_per_mwh=_floats(rows, lambda r: r.co2_t_per_mwh),
        initial_mw=_floats(rows, lambda r: r.initial_mw),
        energy_mwh=_floats(rows, lambda r: r.energy_mwh),
        charge_mw=_floats(rows, lambda r: r.charge_mw),
        round_trip=_floats(rows, lambda r: r.round_trip),
    )


def no_dc_lines() -> DcLines:
    """Arrays of a case without direct-current lines."""
    nowhere = np.zeros(0, dtype=np.int64)
    return DcLines(ids=(), from_bus=nowhere, to_bus=nowhere, limit_mw=np.zeros(0))


def _floats(rows: Sequence[Row], field: Callable[[Row], float]) -> FloatArray:
    return np.array([field(row) for row in rows], dtype=np.float64)


def _padded(lists: list[list[float]], *, pad: Callable[[list[float]], float]) -> FloatArray:
    width = max((len(values) for values in lists), default=0)
    rows = [values + [pad(values)] * (width - len(values)) for values in lists]
    return np.array(rows, dtype=np.float64).reshape(len(lists), width)


def _last(values: list[float]) -> float:
    return values[-1] if values else 0.0


def _unique(noun: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise ConfigError(f"{noun} {name!r} occurs twice in the transmission case")
        seen.add(name)
