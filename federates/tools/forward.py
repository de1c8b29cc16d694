"""The forward plan of a study: commitment and first price forecast, the same for every coordination model.

One day-ahead clearing per market day, on the forecast of LDAs in which every DER serves its own site.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.errors import ConfigError
from federates.core.forward import FILE, HOURS, ForwardPlan
from federates.core.settings import GivenCommitment, SolveCommitment, Study
from federates.der.model import initial_state
from federates.iso.day_ahead import DayAhead
from federates.iso.market import DayAheadInputs, DayAheadMarket, fixed_curves
from federates.iso.unit_state import UnitState
from federates.lp.solution import SearchBudget
from federates.scenario.lda import LdaScenario
from federates.scenario.system import SystemScenario

KW_PER_MW = 1_000.0
DISTRIBUTION_LOSSES = 0.03
"""Losses below the interface, as a share of demand, in the forward plan only."""


def run(arguments: dict[str, object]) -> dict[str, object]:
    """Write the plan of a study (``study``) into a run's folder (``run_dir``); say how good it is."""
    study = Study.model_validate(arguments["study"])
    plan = forward_plan(study)
    run_dir = Path(str(arguments["run_dir"]))
    plan.write(run_dir / FILE)
    _write_commitment(run_dir / "commitment.csv", plan.committed, SystemScenario(study).case.units.ids)
    return {
        "gap_pct": [round(100.0 * float(g), 4) for g in plan.gap],
        "time_limited": bool(plan.is_time_limited.any()),
    }


def forward_plan(study: Study) -> ForwardPlan:
    """Commitment and prices of every market day of a study."""
    system = SystemScenario(study)
    ldas = [LdaScenario(study, lda.name, system) for lda in study.ldas]
    with_reserves = study.market.reserves.kind != "none"
    market = DayAheadMarket(system.case, system.lda_bus, with_reserves=with_reserves)
    state: UnitState | None = None
    days: list[tuple[DayAhead, UnitState, float, bool]] = []
    for day in study.clock.days:
        inputs = day_inputs(study, system, day)
        net = uncoordinated_net_mw(study, ldas, day)
        cleared, before, gap, limited = _clear(study, market, inputs, net, state, day, system)
        days.append((cleared, before, gap, limited))
        state = cleared.state
    return ForwardPlan(
        committed=np.stack([d.commitment for d, *_ in days]),
        state_on=np.stack([s.on for _, s, *_ in days]),
        state_h=np.stack([s.in_state_h for _, s, *_ in days]),
        state_mw=np.stack([s.output_mw for _, s, *_ in days]),
        state_mwh=np.stack([s.energy_mwh for _, s, *_ in days]),
        lmp_usd_per_mwh=np.stack([d.prices.lmp_usd_per_mwh for d, *_ in days]),
        gap=np.array([gap for *_, gap, _ in days]),
        is_time_limited=np.array([limited for *_, limited in days]),
    )


def day_inputs(study: Study, system: SystemScenario, day: int) -> DayAheadInputs:
    """What the ISO knows of a market day when it clears it."""
    load, available, series = system.expected_day(day, study.clock.day_ahead_issue(day))
    return DayAheadInputs(
        load_mw=load, available_mw=available, series=series, required_mw=system.required_day(day)
    )


def uncoordinated_net_mw(study: Study, ldas: list[LdaScenario], day: int) -> FloatArray:
    """Net demand expected of every LDA whose DERs serve their own sites, shape (24, ldas). [MW]"""
    net = np.zeros((HOURS, len(ldas)))
    for place, lda in enumerate(ldas):
        state = initial_state(lda.fleet)
        for hour, expected in enumerate(lda.expected_day(day, study.clock.day_ahead_issue(day))):
            p, state = lda.uncoordinated_kw(expected, state)
            demand = float(expected.demand_kw.sum()) * (1.0 + DISTRIBUTION_LOSSES)
            net[hour, place] = (demand - float(p.sum())) * lda.multiplicity / KW_PER_MW
    return net


def _clear(
    study: Study,
    market: DayAheadMarket,
    inputs: DayAheadInputs,
    net_mw: FloatArray,
    state: UnitState | None,
    day: int,
    system: SystemScenario,
) -> tuple[DayAhead, UnitState, float, bool]:
    how = study.market.commitment
    if isinstance(how, SolveCommitment):
        limit_s = float(study.federation.solver_limit_s)
        budget = SearchBudget(gap=how.gap, nodes_count=how.nodes, wall_s=limit_s)
        cleared, before = market.commit(inputs, net_mw, state, budget)
        return cleared, before, cleared.search.gap, cleared.search.time_limited
    units = system.case.units.ids
    committed = np.ones((HOURS, len(units)), dtype=np.bool_)
    if isinstance(how, GivenCommitment):
        committed = _read_commitment(how.path, units, day)
    before = state or _matching(market.start_state(inputs, net_mw), committed)
    cleared = market.clear(inputs, fixed_curves(net_mw), None, before, committed)
    return cleared, before, 0.0, False


def _matching(state: UnitState, committed: BoolArray) -> UnitState:
    """State in which the first hour's commitment has stood for long: a given commitment has no history."""
    on = committed[0]
    return UnitState(
        on=on.copy(),
        in_state_h=state.in_state_h,
        output_mw=np.where(on, state.output_mw, 0.0),
        energy_mwh=state.energy_mwh,
    )


def _write_commitment(path: Path, committed: BoolArray, units: tuple[str, ...]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["day", "hour", *units])
        for day, hours in enumerate(committed.astype(int).tolist()):
            writer.writerows([day, hour, *row] for hour, row in enumerate(hours))


def _read_commitment(path: Path, units: tuple[str, ...], day: int) -> BoolArray:
    """Whether each unit is on in each hour of a day, shape (24, units)."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    missing = [u for u in units if u not in header]
    if header[:2] != ["day", "hour"] or missing:
        what = f"misses unit {missing[0]!r}" if missing else "must begin with the columns day, hour"
        raise ConfigError(f"{path}:1: {what}; write it as commitment.csv of a run")
    columns = [header.index(u) for u in units]
    found: dict[int, list[bool]] = {}
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header) or not _is_commitment(row, columns):
            what = "needs a day, an hour and 0 or 1 for every unit"
            raise ConfigError(f"{path}:{line}: {what}; write it as commitment.csv of a run")
        if int(row[0]) == day:
            if int(row[1]) in found:
                raise ConfigError(f"{path}:{line}: day {day}, hour {row[1]} is there twice; drop one")
            found[int(row[1])] = [row[c] == "1" for c in columns]
    if sorted(found) != list(range(HOURS)):
        raise ConfigError(f"{path}: day {day} needs the hours 0 to 23, once each")
    return np.array([found[hour] for hour in range(HOURS)], dtype=np.bool_)


def _is_commitment(row: list[str], columns: list[int]) -> bool:
    return row[0].isdecimal() and row[1].isdecimal() and all(row[c] in {"0", "1"} for c in columns)
