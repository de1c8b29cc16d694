"""A three-bus case, and a dispatch good enough for a power flow: cheap blocks first, no network, no time."""

from __future__ import annotations

import numpy as np

from federates.cases.case import Branches, Buses, DcLines, TransmissionCase, Units
from federates.core.arrays import BoolArray, FloatArray


def units(
    *,
    bus: list[int],
    kind: list[str],
    p_max_mw: list[float],
    q_mvar: list[tuple[float, float]],
    v_set: list[float],
) -> Units:
    """Units at 20 $/MWh that can start from zero; every one with a reactive range regulates."""
    n = len(bus)
    p_max, q = np.array(p_max_mw), np.array(q_mvar)
    return Units(
        ids=tuple(f"g{k}" for k in range(n)),
        bus=np.array(bus, dtype=np.int64),
        kind=tuple(kind),
        p_min_mw=np.zeros(n),
        p_max_mw=p_max,
        q_min_mvar=q[:, 0],
        q_max_mvar=q[:, 1],
        v_set_pu=np.array(v_set),
        regulates=np.ones(n, dtype=np.bool_),
        ramp_mw_per_min=p_max,
        min_up_h=np.zeros(n),
        min_down_h=np.zeros(n),
        no_load_usd_per_h=np.zeros(n),
        block_mw=p_max[:, None],
        block_usd_per_mwh=np.full((n, 1), 20.0),
        start_after_h=np.full((n, 1), np.inf),
        start_usd=np.zeros((n, 1)),
        must_run=np.zeros(n, dtype=np.bool_),
        co2_t_per_mwh=np.zeros(n),
        initial_mw=np.full(n, np.nan),
        energy_mwh=np.zeros(n),
        charge_mw=np.zeros(n),
        round_trip=np.ones(n),
    )


def three_bus_case(q_max_mvar: float = 200.0) -> TransmissionCase:
    """Two 138-kV buses and one 230-kV bus: a line, a line with charging, a transformer, a phase shifter.

    Units: two at bus 0, one at bus 1 (its upper reactive limit is ``q_max_mvar``), support at bus 1.
    """
    return TransmissionCase(
        name="three-bus",
        base_mva=100.0,
        buses=Buses(
            ids=("a", "b", "c"),
            base_kv=np.array([138.0, 138.0, 230.0]),
            area=np.ones(3, dtype=np.int64),
            load_mw=np.array([20.0, 90.0, 120.0]),
            load_mvar=np.array([5.0, 30.0, 25.0]),
            shunt_mvar=np.array([0.0, -10.0, 0.0]),
            v_start_pu=np.ones(3),
        ),
        branches=Branches(
            ids=("ab", "ac", "cb", "ab2"),
            from_bus=np.array([0, 0, 2, 0]),
            to_bus=np.array([1, 2, 1, 1]),
            r_pu=np.array([0.01, 0.002, 0.003, 0.02]),
            x_pu=np.array([0.06, 0.08, 0.09, 0.11]),
            b_pu=np.array([0.05, 0.0, 0.02, 0.0]),
            ratio=np.array([1.0, 1.03, 0.98, 1.0]),
            shift_deg=np.array([0.0, 2.0, 3.0, -4.0]),
            is_transformer=np.array([False, True, True, True]),
            rating_mw=np.array([100.0, 150.0, np.inf, 50.0]),
        ),
        dc_lines=DcLines(
            ids=("dc",), from_bus=np.array([1]), to_bus=np.array([2]), limit_mw=np.array([50.0])
        ),
        units=units(
            bus=[0, 0, 1, 1],
            kind=["thermal", "thermal", "thermal", "support"],
            p_max_mw=[200.0, 100.0, 100.0, 0.0],
            q_mvar=[(-100.0, 100.0), (-50.0, 30.0), (-50.0, q_max_mvar), (-20.0, 20.0)],
            v_set=[1.04, 1.01, 1.02, 1.0],
        ),
        reference_bus=0,
        source="made by hand for the tests",
    )


def merit_order(
    case_units: Units, available_mw: FloatArray, demand_mw: float
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Committed, set-points [MW] and headroom [MW] that meet ``demand_mw``.

    Weather-driven and nuclear output first, then thermal units at their cheapest average cost; what is too
    much is taken from wind and PV.
    """
    fuelled = case_units.of_kind("thermal", "nuclear")
    free = case_units.of_kind("hydro", "wind", "pv", "rtpv")
    set_point = np.where(free, available_mw, 0.0) + np.where(case_units.must_run, case_units.p_min_mw, 0.0)
    committed = free | case_units.must_run | case_units.of_kind("sync_cond", "support")
    full_usd = case_units.no_load_usd_per_h + (case_units.block_mw * case_units.block_usd_per_mwh).sum(axis=1)
    for unit in np.argsort(full_usd / np.maximum(case_units.p_max_mw, 1e-3), kind="stable"):
        gap = demand_mw - set_point.sum()
        if gap <= 0.0:
            break
        if fuelled[unit] and not committed[unit]:
            committed[unit] = True
            set_point[unit] = np.clip(gap, case_units.p_min_mw[unit], 0.8 * case_units.p_max_mw[unit])
    curtailable = case_units.of_kind("wind", "pv")
    surplus = max(set_point.sum() - demand_mw, 0.0)
    set_point[curtailable] *= 1.0 - surplus / max(set_point[curtailable].sum(), surplus, 1e-9)
    headroom = np.where(fuelled & committed, case_units.p_max_mw - set_point, 0.0)
    return committed, set_point, headroom
