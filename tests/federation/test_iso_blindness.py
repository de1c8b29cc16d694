"""Under M5 nothing that the ISO holds, hears, solves or writes names anybody inside an area, or counts them.

Searched are everything that the ISO's objects hold after a run (its settings among it), the bytes and senders
of every message that it was given, its programs as HiGHS writes them, and the ids and texts of its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec

import numpy as np
import pytest

from federates import catalog
from federates.coordination.catalog import MODELS
from federates.core.codec import encode
from federates.core.context import Context
from federates.core.ports import PORTS
from federates.core.protocol import Federate, Grant, Handler, In, Outbox, Phase
from federates.core.tables import TABLES
from federates.iso import sced, scuc
from federates.lp.program import Program
from federates.recording.memory import MemoryRecorder
from federates.scenario.lda import LdaScenario
from federates.scenario.system import SystemScenario
from tests.build import study
from tests.federation.peopled import RENAMED, SHARED, written
from tests.reference.in_one_thread import run_in_one_thread

pytestmark = pytest.mark.federation

M1, M4, M5 = "grand_central_blind", "grand_central_full", "layered_total_dso"
DERS_MORE = 4
MORE = [*SHARED, *((f"more_{k}", "692", 10, "dora") for k in range(DERS_MORE))]
OPT_OUT = "events=[{kind: der_opt_out, at: 60 s, duration: 60 s, lda: lda1, ders: alpha/pv}]"
"""An event inside an area, which names a feeder; one of the ISO's inputs if nobody takes it out."""
ATOMS = (str, bytes, int, float, bool, type(None), np.ndarray, np.generic)


@dataclass(slots=True)
class Seen:
    """What an ISO was given and made in a run."""

    held: str = ""
    """Every text that its objects hold."""
    inbox: str = ""
    """Senders, ports, and messages as they are on the wire."""
    dump: str = ""
    """Its programs as HiGHS writes them."""
    rows: str = ""
    """Ids and texts of its tables."""
    columns_count: int = 0
    """Columns of all of its programs."""
    people: frozenset[str] = field(default_factory=frozenset)
    """Names of all DERs, loads, feeders, owners and aggregators of the study."""

    def found(self, where: str) -> set[str]:
        """Names of people that one of the texts holds."""
        text = getattr(self, where)
        return {name for name in self.people if name in text}


class Watched:
    """A federate whose inbox is noted down whenever it acts."""

    def __init__(self, inner: Federate, heard: dict[tuple[str, str, int], bytes]) -> None:
        self.inner, self.ports = inner, inner.ports
        self._heard = heard
        for name in ("start", "save", "restore", "finish"):
            setattr(self, name, getattr(inner, name))

    @property
    def phases(self) -> Mapping[int, Phase]:
        return {
            offset: Phase(phase.cadence, self._noting(phase.handler), phase.last_offset_s)
            for offset, phase in self.inner.phases.items()
        }

    def _noting(self, handler: Handler) -> Handler:
        def act(grant: Grant) -> Outbox:
            for name, port in PORTS["iso"].all().items():
                if isinstance(port, In):
                    for sender, got in grant.inbox.all(port).items():
                        self._heard[sender, name, got.sent_s] = encode(got.message, got.sent_s)
            return handler(grant)

        return act


def texts(thing: object, met: set[int] | None = None) -> Iterator[str]:
    """Every text that an object holds, however deep; recorders, which only take, are left out."""
    met = set() if met is None else met
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, bytes):
        yield thing.decode("latin-1")
    elif isinstance(thing, np.ndarray) and thing.dtype.kind in "OUS":
        yield from map(str, thing.ravel().tolist())
    if isinstance(thing, (*ATOMS, MemoryRecorder, type)) or callable(thing) or id(thing) in met:
        return
    met.add(id(thing))
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from texts(key, met)
            yield from texts(value, met)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        for one in thing:
            yield from texts(one, met)
    else:
        slots = (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
        for name in {*slots, *getattr(thing, "__dict__", {})}:
            yield from texts(getattr(thing, name, None), met)


def people(scenarios: list[LdaScenario]) -> frozenset[str]:
    """Names of everybody inside the areas."""
    found: set[str] = set()
    for one in scenarios:
        found |= {*one.fleet.ids, *one.model.load_ids, *one.feeder_names, *one.fleet.customer}
        found |= {group.name for group in one.settings.feeders} | {f"{one.name}_{o}" for o in one.fleet.owner}
    return frozenset(name for name in found if len(name) > 1)


P = ParamSpec("P")
Run = Callable[[str, str], Seen]


def keeping(make: Callable[P, Program], made: list[Program]) -> Callable[P, Program]:
    """The same maker of programs, which are kept beyond their market."""

    def kept(*args: P.args, **options: P.kwargs) -> Program:
        made.append(make(*args, **options))
        return made[-1]

    return kept


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """What the ISO saw of five minutes of a variant of the study under a model; each is run once."""
    done: dict[tuple[str, str], Seen] = {}
    variants = {"base": SHARED, "renamed": RENAMED, "more": MORE}
    with pytest.MonkeyPatch.context() as patched:
        programs: list[Program] = []
        for module in (scuc, sced):
            patched.setattr(module, "Program", keeping(Program, programs))

        def of(model: str, variant: str) -> Seen:
            if (model, variant) not in done:
                programs.clear()
                folder = tmp_path_factory.mktemp("variant")
                done[model, variant] = _seen(folder, model, variants[variant], programs)
            return done[model, variant]

        yield of


def _seen(folder: Path, model: str, ders: list[tuple[str, str, int, str]], programs: list[Program]) -> Seen:
    path = written(folder / "study", ("alpha", "beta"), ders)
    wanted = study(path, f"coordination={model}", "horizon.duration=5 min", OPT_OUT)
    heard: dict[tuple[str, str, int], bytes] = {}
    scenarios: list[LdaScenario] = []

    def build(context: Context) -> Federate:
        federate = catalog.build(context)
        if context.seating.kind == "dso":
            scenarios.append(LdaScenario(wanted, context.lda.name))
        return Watched(federate, heard) if context.name == "iso" else federate

    finished = run_in_one_thread(wanted, folder, build)
    iso, recorder = finished.federates["iso"], finished.recorders["iso"]
    assert isinstance(iso, Watched)
    dumps = []
    for k, program in enumerate(programs):
        dump = folder / f"iso_{k}.lp"
        program._highs.writeModel(str(dump))
        dumps.append(dump.read_text())
    told = [recorder.rows(table) for table in TABLES.values()]
    return Seen(
        held="\n".join(texts(iso.inner)),
        inbox="\n".join(f"{s}>{p} {data.decode('latin-1')}" for (s, p, _), data in heard.items()),
        dump="\n".join(dumps),
        rows="\n".join(name for rows in told for name in (*rows.names, *rows.text)),
        columns_count=sum(program.columns_count for program in programs),
        people=people(scenarios),
    )


WHERE = ("held", "inbox", "dump", "rows")


def test_a_blind_iso_holds_no_name_of_anybody_inside_an_area(run: Run) -> None:
    seen = run(M5, "base")
    assert {"alice", "alpha1", "lda1_supplier"} <= seen.people
    assert any("battery" in name for name in seen.people)
    for where in WHERE:
        assert len(getattr(seen, where)) > 100
        assert seen.found(where) == set(), where
    assert "lda1" in seen.held
    assert "dso_lda1>bids" in seen.inbox
    assert "end" in seen.dump.lower()


@pytest.mark.parametrize("model", [M1, M4])
def test_the_same_search_finds_aggregators_where_the_iso_is_not_blind(run: Run, model: str) -> None:
    """The guard: aggregators with awards of their own are in its objects, its inbox and its tables.

    Their DERs are places in offers and columns in programs there, without names: see the next test.
    """
    assert MODELS[model].offers_to.value == "iso"
    for where in ("held", "inbox", "rows"):
        assert "lda1_supplier" in run(model, "base").found(where), where


def test_settings_are_full_of_names_until_interiors_are_forgotten(tmp_path: Path) -> None:
    """The guard of what is held: the same search of the study that an ISO's process reads."""
    scenario = SystemScenario(study(written(tmp_path / "study", ("alpha", "beta"), SHARED), OPT_OUT))
    assert {"alpha", "beta", "urban", "alpha/pv"} <= set(texts(scenario))
    scenario.forget_interiors()
    left = "\n".join(texts(scenario))
    assert "lda1" in left
    assert not any(name in left for name in ("alpha", "beta", "urban"))


def test_programs_of_a_blind_iso_are_the_same_for_other_names_and_as_large_for_more_ders(run: Run) -> None:
    base, renamed, more = (run(M5, variant) for variant in ("base", "renamed", "more"))
    assert base.people != renamed.people
    assert base.dump == renamed.dump
    assert base.inbox == renamed.inbox
    assert more.dump != base.dump
    assert more.columns_count <= base.columns_count * 1.02


@pytest.mark.parametrize("model", [M1, M4])
def test_elsewhere_every_der_has_columns_in_the_isos_programs(run: Run, model: str) -> None:
    """The guard: each further battery brings a column at least for every hour and for the interval."""
    assert run(model, "more").columns_count >= run(model, "base").columns_count + DERS_MORE * (24 + 1)
