"""Everything about a study that can be known before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from federates.coordination.catalog import MODELS
from federates.core.errors import ConfigError, WiringError
from federates.core.hostspec import TransportName
from federates.core.settings import LinkLoss, federate_names
from federates.core.wiring import Wire
from runner.entrants import entrants
from runner.faults import Fault, KeyPath, StudyError
from runner.plan import Plan, make_plan
from runner.study import LoadedStudy, load_study
from runner.tool import call_tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A study with nothing wrong in it."""

    loaded: LoadedStudy
    """The study."""
    federates: tuple[str, ...]
    """Who takes part."""
    plan: Plan
    """Federations in time, processes, wires."""
    counts: Mapping[str, int]
    """Buses, units, LDAs, simulated feeders; empty where the data were not read."""


def check(
    path: Path, sets: Sequence[str] = (), *, transport: TransportName = "helics", deep: bool = True
) -> Checked:
    """The study of a file, checked: form, wiring, plan, and (``deep``) what only the data can tell.

    Raises
    ------
    StudyError
        With every fault; faults of the data are looked for only in a study whose form is right.
    """
    loaded = load_study(path, sets)
    plan = planned(loaded, transport)
    counts = read_data(loaded) if deep else {}
    return Checked(loaded=loaded, federates=federate_names(loaded.study), plan=plan, counts=counts)


def planned(loaded: LoadedStudy, transport: TransportName) -> Plan:
    """Plan of a study's run: its wires, processes and federations in time.

    Raises
    ------
    StudyError
        If the wiring does not fit, an event is about a link that the coordination model lacks, a
        federation would be too long for its transport, or a model to compare with cannot be run.
    """
    try:
        plan = make_plan(loaded.study, transport)
    except WiringError as error:
        raise StudyError([loaded.fault(("coordination",), *_split(str(error)))]) from None
    except ConfigError as error:
        raise StudyError([loaded.fault(("federation", "chain"), *_split(str(error)))]) from None
    faults = [*_unwired_events(loaded, plan.topology.wires), *_unknown_entrants(loaded)]
    if faults:
        raise StudyError(faults)
    return plan


def _unknown_entrants(loaded: LoadedStudy) -> Iterable[Fault]:
    """Models to compare that cannot be run."""
    try:
        entrants(loaded.study.compare)
    except ConfigError as error:
        yield loaded.fault(("compare",), *_split(str(error)))


def _split(text: str) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    what, _, remedy = text.partition("; ")
    return what, remedy


def _unwired_events(loaded: LoadedStudy, wires: Sequence[Wire]) -> Iterable[Fault]:
    coordination = {(link.out, link.into) for link in MODELS[loaded.study.coordination].links}
    coordinating = [w for w in wires if (w.out, w.into) in coordination]
    for i, event in enumerate(loaded.study.events):
        if not isinstance(event, LinkLoss):
            continue
        reached = sorted({w.receiver for w in coordinating if w.sender == event.sender})
        if event.receiver not in reached:
            what = f"no coordination link goes from {event.sender} to {event.receiver}"
            known = ", ".join(reached) or "nobody"
            remedy = f"under {loaded.study.coordination!r} {event.sender} sends to {known}"
            yield loaded.fault(("events", i, "receiver"), what, remedy)


def read_data(loaded: LoadedStudy) -> dict[str, int]:
    """Counts of what the study's data hold, read by an engine in a child process.

    Raises
    ------
    StudyError
        If a bus, unit, feeder table, regulator or series is not what the study says.
    """
    found = call_tool("check", {"study": loaded.resolved})
    faults = [_fault(loaded, item) for item in cast("list[dict[str, str]]", found["faults"])]
    if faults:
        raise StudyError(faults)
    return cast("dict[str, int]", found["counts"])


def _fault(loaded: LoadedStudy, found: Mapping[str, str]) -> Fault:
    return loaded.fault(_key_path(found["path"]), *_split(found["what"]))


def _key_path(text: str) -> KeyPath:
    parts = [part for part in re.split(r"[.\[\]]", text) if part]
    return tuple(int(part) if part.isdecimal() else part for part in parts)
