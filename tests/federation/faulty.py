"""The real federates of a study, one of which goes wrong as a file in the run's folder says.

Hosts are given ``KINDS`` in place of the catalog's list. What is broken is always this process' own part: its
acts, its building, the messages that it sends, the names that it gives to HELICS.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from federates.catalog import build as build_kind
from federates.core import messages
from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import NotConvergedError
from federates.core.ports import PORTS
from federates.core.protocol import Federate, Grant, Handler, Outbox
from federates.core.run_folder import write_whole
from federates.core.time import SimTime
from tests.instead import Instead

KINDS = tuple((kind, "tests.federation.faulty") for kind in PORTS)
FAULT = "fault.json"
FAULT_AT = "fault_at.txt"
"""File in the run's folder with the monotonic time of the fault. [s]"""
OWN_WORDS = "the pole leans; set it upright"
LONG_S = 600.0
IMPOSSIBLE_MW = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, where, and from which instant on."""

    federate: str
    what: str
    at_s: SimTime = -(10**6)

    def write(self, folder: Path) -> None:
        write_whole(folder / FAULT, json.dumps(asdict(self)).encode())


def note_fault(folder: Path) -> None:
    """Remember when the fault happened."""
    write_whole(folder / FAULT_AT, str(time.monotonic()).encode())


class Faulty(Instead):
    """A federate that goes wrong from an instant on."""

    def __init__(self, federate: Federate, fault: Fault, folder: Path) -> None:
        super().__init__(federate, self._misbehaving)
        self._fault = fault
        self._folder = folder
        self._noted = False

    def _misbehaving(self, act: Handler) -> Handler:
        def acts(grant: Grant) -> Outbox:
            if grant.now < self._fault.at_s:
                return act(grant)
            if not self._noted and self._fault.what in AT_ONCE_SEEN:
                self._noted = True
                note_fault(self._folder)
            before, after = ACTS[self._fault.what]
            before(grant.now)
            return after(act(grant))

        return acts


def _kill(_: SimTime) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(now: SimTime) -> None:
    raise NotConvergedError(f"at {now} s {OWN_WORDS}")


def _bug(_: SimTime) -> None:
    raise ZeroDivisionError("division by zero\nin the second line of its text")


def _hang(_: SimTime) -> None:
    time.sleep(LONG_S)


def _make_programs_infeasible(_: SimTime) -> None:
    """From now on the first row of every linear program of this process asks for the impossible."""
    from federates.lp.program import Program

    solve = Program.solve

    def solves_the_impossible(program: Program) -> object:
        program.set_row_bounds(np.array([0]), np.array([IMPOSSIBLE_MW]), np.array([IMPOSSIBLE_MW]))
        return solve(program)

    Program.solve = solves_the_impossible  # type: ignore[method-assign,assignment]


def _draw_thirtyfold(_: SimTime) -> None:
    """From now on the customers of this process' plants draw thirty times what they should."""
    from federates.feeder.plant import Plant

    begin = Plant.begin_step

    def begins(plant: Plant, *, demand_p_kw: FloatArray, demand_q_kvar: FloatArray, **rest: object) -> None:
        begin(plant, demand_p_kw=30.0 * demand_p_kw, demand_q_kvar=30.0 * demand_q_kvar, **rest)  # type: ignore[arg-type]

    Plant.begin_step = begins  # type: ignore[method-assign,assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryPower:
    """The message of that name, in kW: another version's."""

    p_kw: FloatArray
    q_kvar: FloatArray


def _in_kilowatts(outbox: Outbox) -> Outbox:
    return _with_all(outbox, BoundaryPower(p_kw=np.ones(3), q_kvar=np.ones(3)))


def _as_grid_state(outbox: Outbox) -> Outbox:
    seen = messages.GridState(
        unit_output_mw=np.ones(1), bus_load_mw=np.ones(1), losses_mw=0.0, interchange_mw=np.ones(1)
    )
    return _with_all(outbox, seen)


def _with_all(outbox: Outbox, message: object) -> Outbox:
    return replace(outbox, sent=[replace(sent, message=message) for sent in outbox.sent])


def _a_thousandfold(outbox: Outbox) -> Outbox:
    sent = [
        replace(s, message=replace(s.message, p_mw=1e3 * s.message.p_mw, q_mvar=1e3 * s.message.q_mvar))
        if isinstance(s.message, messages.BoundaryPower)
        else s
        for s in outbox.sent
    ]
    return replace(outbox, sent=sent)


def _nothing(_: SimTime) -> None:
    pass


def _same(outbox: Outbox) -> Outbox:
    return outbox


ACTS: dict[str, tuple[Callable[[SimTime], None], Callable[[Outbox], Outbox]]] = {
    "kill": (_kill, _same),
    "raise": (_raise, _same),
    "bug": (_bug, _same),
    "hang": (_hang, _same),
    "infeasible": (_make_programs_infeasible, _same),
    "thirtyfold": (_draw_thirtyfold, _same),
    "kilowatts": (_nothing, _in_kilowatts),
    "wrong message": (_nothing, _as_grid_state),
    "thousandfold": (_nothing, _a_thousandfold),
}
"""What a federate does before it acts, and what becomes of what it sends."""
AT_ONCE_SEEN = frozenset({"kill", "raise", "bug", "hang"})
"""Faults that can be noticed when they happen; others lead to an error later, from which time counts."""


def _never_comes(context: Context) -> None:
    note_fault(context.run_dir)
    time.sleep(LONG_S)


def _publishes_elsewhere(context: Context) -> None:
    """This federate's publications have names that nobody has asked for."""
    import helics

    register = helics.helicsFederateRegisterGlobalPublication

    def registers(federate: object, key: str, *rest: object) -> object:
        note_fault(context.run_dir)
        elsewhere = f"{key} of old" if key.startswith(f"{context.name}.") else key
        return register(federate, elsewhere, *rest)

    helics.helicsFederateRegisterGlobalPublication = registers


def _takes_anothers_name(context: Context) -> None:
    """This federate joins HELICS under the name of the study's first federate."""
    import helics

    create = helics.helicsCreateValueFederate

    def creates(name: str, info: object) -> object:
        if name == context.name:
            note_fault(context.run_dir)
        return create("iso" if name == context.name else name, info)

    helics.helicsCreateValueFederate = creates


BUILDS: dict[str, Callable[[Context], None]] = {
    "never comes": _never_comes,
    "publishes elsewhere": _publishes_elsewhere,
    "another's name": _takes_anothers_name,
}
"""What goes wrong while a federate is being built."""


def build(context: Context) -> Federate:
    """The real federate of a seat, faulty where the run's folder says so."""
    path = context.run_dir / FAULT
    fault = Fault(**json.loads(path.read_bytes())) if path.exists() else None
    if fault is None or fault.federate != context.name:
        return build_kind(context)
    if fault.what in BUILDS:
        BUILDS[fault.what](context)
        return build_kind(context)
    return Faulty(build_kind(context), fault, context.run_dir)
