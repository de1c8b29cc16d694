"""Whole runs of the real federates, some of which say what they should not.

What is broken is what a federate sends, so that everybody else carries it out in good faith, on the grid and
in the accounts. Runs are prepared one by one and carried out in one process, which reads the engines once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from federates.catalog import build as build_kind
from federates.core.context import Context
from federates.core.forward import FILE
from federates.core.messages import DerOffers, DerStores, InterfaceBid, IntervalMeters, SetPoints
from federates.core.protocol import Federate, Grant, Handler, Outbox
from federates.core.run_folder import RunFolder, write_whole
from federates.core.wiring import Link
from runner.manifest import Done, ScenarioRecord, manifest, write_done, write_run, write_study
from runner.scenario import plan_hash, scenario_hash
from runner.study import load_study
from tests.build import ROOT
from tests.federation.study_runs import run_in_this_process, study_of
from tests.instead import Instead

SAYS = "says.json"
"""File in the run's folder: what is said instead, by the kind of federate that says it."""
PAST = "past.json"
"""File in the run's folder: links that its coordination model does not have."""
BEYOND_MW = 1e3
"""More than any DER gives or draws: the plant does all that it can. [MW]"""
MORE_SHARE = 0.5
"""By how much a net demand is overstated."""
LACKING_MW = 1.0
"""By how much a total DSO promises to import less than it can. [MW]"""


def _rests(message: object) -> object:
    """Whatever is awarded, every DER is told to give nothing."""
    if not isinstance(message, SetPoints):
        return message
    return replace(message, p_mw=np.zeros_like(message.p_mw))


def _gives_all(message: object) -> object:
    """Whatever is awarded, every DER is told to give all that it can."""
    if not isinstance(message, SetPoints):
        return message
    return replace(message, p_mw=np.full_like(message.p_mw, BEYOND_MW))


def _draws_all(message: object) -> object:
    """Whatever is awarded, every DER is told to draw all that it can."""
    if not isinstance(message, SetPoints):
        return message
    return replace(message, p_mw=np.full_like(message.p_mw, -BEYOND_MW))


def _asks_for_more(message: object) -> object:
    """A bid at net imports that are too great."""
    if not isinstance(message, InterfaceBid):
        return message
    return replace(message, import_mw=message.import_mw + MORE_SHARE * np.abs(message.import_mw))


def _promises_what_it_lacks(message: object) -> object:
    """A bid at net imports below those that the area comes down to."""
    if not isinstance(message, InterfaceBid):
        return message
    return replace(message, import_mw=message.import_mw - LACKING_MW)


def _hides_its_stores(message: object) -> object:
    """Stores that cannot be charged or discharged."""
    if not isinstance(message, DerStores):
        return message
    none = np.zeros_like(message.charge_mw)
    return replace(message, charge_mw=none, discharge_mw=none)


def _offers_no_choice(message: object) -> object:
    """Offers without a block: every DER at its least injection, whatever the price."""
    if not isinstance(message, DerOffers):
        return message
    none, nothing = np.zeros(0), np.zeros(0, dtype=np.int64)
    return replace(message, interval=nothing, der=nothing, width_mw=none, price_usd_per_mwh=none)


def _loses_a_meter(message: object) -> object:
    """Meters of an interval without that of the bus that draws most."""
    if not isinstance(message, IntervalMeters):
        return message
    load_mwh = message.load_mwh.copy()
    load_mwh[load_mwh.argmax()] = 0.0
    return replace(message, load_mwh=load_mwh)


SAYINGS: dict[str, Callable[[object], object]] = {
    "rests": _rests,
    "gives all": _gives_all,
    "draws all": _draws_all,
    "asks for more": _asks_for_more,
    "promises what it lacks": _promises_what_it_lacks,
    "hides its stores": _hides_its_stores,
    "offers no choice": _offers_no_choice,
    "loses a meter": _loses_a_meter,
}
"""What becomes of a message."""


def variant(base: Path, folder: Path, path: Path, *sets: str) -> Path:
    """A run of a study that is still to be carried out, with the forward plan of run ``base``; its folder."""
    folder.mkdir()
    loaded = load_study(path, sets)
    scenario = ScenarioRecord(
        scenario_hash=scenario_hash(loaded), plan_hash=plan_hash(loaded), plan_reused=True
    )
    write_run(folder, manifest(loaded, folder, datetime.now(UTC), [], scenario))
    write_study(folder, loaded)
    return _ready(folder, base)


def mutant(base: Path, folder: Path, says: Mapping[str, str], past: Sequence[Link] = ()) -> Path:
    """Run ``base`` again, still to be carried out; its folder.

    ``says``: what federates of a kind say instead, by kind; ``past``: links beside those of its model.
    """
    folder.mkdir()
    for name in ("run.json", "study.yaml"):
        shutil.copy(base / name, folder / name)
    write_whole(folder / SAYS, json.dumps(dict(says)).encode())
    write_whole(folder / PAST, json.dumps([astuple(link) for link in past]).encode())
    return _ready(folder, base)


def _ready(folder: Path, base: Path) -> Path:
    shutil.copy(base / FILE, folder / FILE)
    write_whole(RunFolder(folder).study, study_of(folder).model_dump_json().encode())
    return folder


def carry_out(folders: Sequence[Path]) -> None:
    """Carry prepared runs out on loopback, one after the other, in a process of their own."""
    command = [sys.executable, "-m", "tests.federation.mutant", *map(str, folders)]
    subprocess.run(command, cwd=ROOT, check=True)
    for folder in folders:
        write_done(folder, Done(ended="", table_hashes={}, wall_s={}))


def build(context: Context) -> Federate:
    """The real federate of a seat; what it sends is changed where the run's folder says so."""
    path = context.run_dir / SAYS
    says = json.loads(path.read_bytes()) if path.exists() else {}
    what = says.get(context.seating.kind)
    return build_kind(context) if what is None else Instead(build_kind(context), _saying(SAYINGS[what]))


def _saying(change: Callable[[object], object]) -> Callable[[Handler], Handler]:
    def other(act: Handler) -> Handler:
        def acts(grant: Grant) -> Outbox:
            outbox = act(grant)
            return replace(outbox, sent=[replace(sent, message=change(sent.message)) for sent in outbox.sent])

        return acts

    return other


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:]):
        beside = json.loads((each / PAST).read_bytes()) if (each / PAST).exists() else ()
        run_in_this_process(study_of(each), each, build, past=tuple(Link(*link) for link in beside))
