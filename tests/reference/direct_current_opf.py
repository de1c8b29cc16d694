"""pandapower's DC optimal power flow of a market case: the independent oracle of the dispatch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from federates.cases.case import TransmissionCase

BASE_MVA = 100.0
NO_LIMIT_MVA = 9_999.0


def oracle_net(case: TransmissionCase) -> Any:
    """pandapower net of ``case`` with one linear cost per unit, the price of its first block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pandapower.converter.pypower.from_ppc import from_ppc

        return from_ppc(_ppc(case), validate_conversion=False)


def solve(net: Any) -> tuple[float, np.ndarray]:
    """Cost [$/h] and LMP by bus [$/MWh]."""
    import pandapower as pp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.rundcopp(net)
    return float(net.res_cost), net.res_bus.lam_p.to_numpy()


def _ppc(case: TransmissionCase) -> dict[str, Any]:
    n, branches, units = len(case.buses.ids), case.branches, case.units
    bus = np.zeros((n, 13))
    bus[:, 0], bus[:, 1] = np.arange(n), 1
    bus[:, 2], bus[:, 6], bus[:, 7] = case.buses.load_mw, 1, 1.0
    bus[:, 9], bus[:, 10], bus[:, 11], bus[:, 12] = case.buses.base_kv, 1, 1.1, 0.9
    gens = np.flatnonzero((units.p_max_mw != 0.0) | (units.p_min_mw != 0.0))
    bus[np.unique(units.bus[gens]), 1] = 2
    bus[units.bus[gens[0]], 1] = 3
    gen = np.zeros((gens.size, 21))
    gen[:, 0], gen[:, 3], gen[:, 4], gen[:, 5] = units.bus[gens], 1e3, -1e3, 1.0
    gen[:, 6], gen[:, 7] = BASE_MVA, 1
    gen[:, 8], gen[:, 9] = units.p_max_mw[gens], units.p_min_mw[gens]
    cost = np.zeros((gens.size, 6))
    cost[:, 0], cost[:, 3], cost[:, 4] = 2, 2, units.block_usd_per_mwh[gens, 0]
    line = np.zeros((branches.x_pu.size, 13))
    line[:, 0], line[:, 1] = branches.from_bus, branches.to_bus
    line[:, 2], line[:, 3] = branches.r_pu, branches.x_pu
    line[:, 5] = np.where(np.isfinite(branches.rating_mw), branches.rating_mw, NO_LIMIT_MVA)
    line[:, 8] = np.where(branches.is_transformer, branches.ratio, 0.0)
    line[:, 9] = branches.shift_deg
    line[:, 10], line[:, 11], line[:, 12] = 1, -360, 360
    return {"version": "2", "baseMVA": BASE_MVA, "bus": bus, "gen": gen, "branch": line, "gencost": cost}
