"""Egret with HiGHS as an oracle: DC optimal power flow of MATPOWER files, unit commitment of pglib-uc files.

Egret 0.6.2 asks its solver for a ``name`` and for pyomo's old base class, and pyomo's HiGHS has neither:
:func:`_highs` gives it both.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def deprecations_of_others() -> Iterator[None]:
    """Let Egret and pyomo warn of what they will have to change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def direct_current_model(path: Path, price_usd_per_mwh: np.ndarray) -> Any:
    """Egret's model data of a MATPOWER file, the units in service at one linear price each."""
    with deprecations_of_others():
        from egret.parsers.matpower_parser import create_ModelData

        model = create_ModelData(str(path))
    generators = model.data["elements"]["generator"].values()
    in_service = [generator for generator in generators if generator["in_service"]]
    for generator, price in zip(in_service, price_usd_per_mwh, strict=True):
        generator["p_cost"]["values"] = {0: 0.0, 1: float(price)}
    return model


def direct_current(model: Any, *, shift_factors: bool) -> tuple[float, np.ndarray]:
    """Cost [$/h] and LMP by bus in file order [$/MWh], by angles or by lazily added shift factors."""
    with deprecations_of_others():
        from egret.models.dcopf import create_btheta_dcopf_model, create_ptdf_dcopf_model, solve_dcopf

        solved = solve_dcopf(
            model,
            _highs(),
            solver_tee=False,
            options={"threads": 1},
            dcopf_model_generator=create_ptdf_dcopf_model if shift_factors else create_btheta_dcopf_model,
        )
    buses = solved.data["elements"]["bus"].values()
    return float(solved.data["system"]["total_cost"]), np.array([float(bus["lmp"]) for bus in buses])


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCommitment:
    """What Egret's search proves."""

    cost_usd: float
    """Cost of its best commitment. [$]"""
    bound_usd: float
    """No commitment costs less. [$]"""


def unit_commitment(path: Path, hours: int, gap: float) -> FoundCommitment:
    """Egret's tight unit commitment of the first hours of a pglib-uc file, without its reserve.

    Start-up and shut-down ramps become max(least output, an hour of ramp): those of this market.
    """
    with deprecations_of_others():
        from egret.models.unit_commitment import create_tight_unit_commitment_model, solve_unit_commitment
        from egret.parsers.pglib_uc_parser import create_ModelData

        model = create_ModelData(str(path)).clone_at_time_indices(list(range(hours)))
        del model.data["system"]["reserve_requirement"]
        for unit in model.data["elements"]["generator"].values():
            if unit["generator_type"] == "thermal":
                edge = min(unit["p_max"], max(unit["p_min"], unit["ramp_up_60min"]))
                unit["startup_capacity"] = unit["shutdown_capacity"] = edge
        solved, results = solve_unit_commitment(
            model,
            _highs(),
            solver_tee=False,
            solver_options={"threads": 1, "mip_rel_gap": gap},
            uc_model_generator=create_tight_unit_commitment_model,
            return_results=True,
        )
    return FoundCommitment(
        cost_usd=float(solved.data["system"]["total_cost"]), bound_usd=float(results.problem.lower_bound)
    )


def _highs() -> Any:
    from pyomo.environ import SolverFactory
    from pyomo.opt.base import OptSolver

    legacy = type(SolverFactory("appsi_highs"))
    return type("Highs", (legacy, OptSolver), {"name": "appsi_highs"})()
