"""What only the data can tell about a study: files, buses, units, feeders, series."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from federates.cases.case import TransmissionCase
from federates.core.errors import TandemError
from federates.core.settings import FeederGroup, Study, UnitTrip
from federates.scenario.system import SystemScenario, feeder_tables, system_case

Fault = dict[str, str]
BUSES_SHOWN = 3
"""Buses of a grid that a fault names as examples."""


def run(arguments: dict[str, object]) -> dict[str, object]:
    """Faults of a resolved study (key ``study``) as ``{path, what}``; ``counts`` when there is none."""
    study = Study.model_validate(arguments["study"])
    faults = [
        fault
        for k, lda in enumerate(study.ldas)
        for g, group in enumerate(lda.feeders)
        for fault in _feeder_faults(group, f"ldas.{k}.feeders.{g}")
    ]
    try:
        case = system_case(study)
    except TandemError as error:
        return {"faults": [*faults, {"path": _case_path(study, error), "what": str(error)}]}
    faults += _case_faults(study, case)
    if not faults:
        faults = _series_faults(study)
    if faults:
        return {"faults": faults}
    counts = {
        "buses": len(case.buses.ids),
        "units": len(case.units.ids),
        "ldas": len(study.ldas),
        "simulated_feeders": sum(g.count for lda in study.ldas for g in lda.feeders),
    }
    return {"faults": [], "counts": counts}


def _case_path(study: Study, error: TandemError) -> str:
    stressed = next((b for b in study.transmission.rating_factors if repr(b) in str(error)), None)
    if stressed is not None:
        return f"transmission.rating_factors.{stressed}"
    return "transmission.path" if hasattr(study.transmission, "path") else "transmission"


def _feeder_faults(group: FeederGroup, path: str) -> list[Fault]:
    try:
        feeder = feeder_tables(group, 0)
    except TandemError as error:
        key = _model_key(group, str(error))
        return [{"path": f"{path}.{key}", "what": line} for line in str(error).split("\n")]
    known = [r.name for r in feeder.regulators]
    return [
        {
            "path": f"{path}.regulators.v_set.{name}",
            "what": f"no regulator {name!r}{_did_you_mean(name, known)}",
        }
        for name in group.regulators.v_set
        if name not in known
    ]


def _model_key(group: FeederGroup, what: str) -> str:
    head_bus = getattr(group.model, "head_bus", None)
    if head_bus is not None and f"no bus {head_bus!r}" in what:
        return "model.head_bus"
    return "model.path" if hasattr(group.model, "path") else "model"


def _case_faults(study: Study, case: TransmissionCase) -> list[Fault]:
    faults = [
        {
            "path": f"ldas.{k}.bus",
            "what": f"no bus {lda.bus!r} in {case.name}{_bus_hint(lda.bus, case.buses.ids)}",
        }
        for k, lda in enumerate(study.ldas)
        if lda.bus not in case.buses.ids
    ]
    units = case.units.ids
    faults += [
        {
            "path": f"events.{k}.unit",
            "what": f"no unit {e.unit!r} in {case.name}{_did_you_mean(e.unit, units)}",
        }
        for k, e in enumerate(study.events)
        if isinstance(e, UnitTrip) and e.unit not in units
    ]
    for k, lda in enumerate(study.ldas):
        for g, group in enumerate(lda.feeders):
            profile = group.ders.pv.profile if group.ders.pv else None
            if profile is not None and profile not in units:
                what = (
                    f"no unit {profile!r} in {case.name}{_did_you_mean(profile, units)}; "
                    "without a profile the sun is that of a clear sky"
                )
                faults.append({"path": f"ldas.{k}.feeders.{g}.ders.pv.profile", "what": what})
    return faults


def _series_faults(study: Study) -> list[Fault]:
    scenario = SystemScenario(study)
    for day in study.clock.days:
        try:
            scenario.expected_day(day, study.clock.day_ahead_issue(day))
            scenario.block(max(study.clock.midnight(day), 0))
        except TandemError as error:
            place = next(
                (k for k, lda in enumerate(study.ldas) if str(error).startswith(f"{lda.name}:")), None
            )
            path = "horizon.start" if place is None else f"ldas.{place}.multiplicity"
            return [{"path": path, "what": str(error)}]
    return []


def _bus_hint(name: str, known: Sequence[str]) -> str:
    """Near names; else some of the grid's, for who asks by number where buses have names."""
    some = ", ".join(repr(bus) for bus in known[:BUSES_SHOWN])
    return _did_you_mean(name, known) or f"; its {len(known)} buses are called {some} and so on"


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
