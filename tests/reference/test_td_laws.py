"""Laws of the T-D coupling, on the federation's own fixed point with the shipped studies' areas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from federates import catalog
from federates.core.arrays import FloatArray
from federates.core.codec import encode
from federates.core.context import Context
from federates.core.messages import BoundaryVoltage
from federates.core.ports import TransmissionPorts
from federates.core.protocol import Federate, Grant, Handler, Outbox
from federates.core.settings import Study
from federates.core.tables import INTERFACE, SYSTEM, TABLES, Table
from federates.feeder.federate import FIRST_PASS_OFFSET_S
from runner.study import load_study
from tests.instead import Instead
from tests.reference.given_dispatch import GivenDispatch
from tests.reference.in_one_thread import FinishedRun, run_in_one_thread
from tests.reference.seats import SETTLE_OFFSET_S, without_settlement

STUDIES = Path(__file__).parents[2] / "configs" / "studies"
EVENING = ("coordination=uncoordinated", "horizon.start=2020-03-27T19:00:00")
STEP_S, DISPATCH_OFFSET_S, BID_OFFSET_S = 60, 1, 53
WARM_MW = 1e-4
"""OpenDSS starts from its last solution, so that a second solve is one iteration better: by less than the
fixed point's tolerance, 1e-6 of 100 MVA."""
WARM_SHARE = 1e-6
"""A linear program starts from its last basis, whose factors may differ in the last digits; a dispatch
that hangs on it moves by less than this."""


def rts(*sets: str) -> Study:
    """The shipped day, cut to some minutes of its evening."""
    return load_study(STUDIES / "rts_day.yaml", [*EVENING, *sets]).study


def one_area(bus: str, *, bump: float, support: bool) -> Study:
    """One LDA of the shipped day at a bus, with so much extra demand in the evening."""
    study = rts("horizon.duration=300", f"transmission.voltage_support={str(support).lower()}")
    lda = next(lda for lda in study.ldas if lda.bus == bus)
    group = lda.feeders[0].model_copy(update={"evening_bump": bump})
    return study.model_copy(update={"ldas": (lda.model_copy(update={"feeders": (group,)}),)})


# -- raising a load lowers its voltage ------------------------------------------------------------------


@pytest.mark.parametrize(("bus", "support"), [("303", True), ("315", True), ("108", False), ("110", False)])
def test_more_load_in_an_area_lowers_the_voltage_of_its_bus(bus: str, support: bool, tmp_path: Path) -> None:
    def build(context: Context) -> Federate:
        # a unit at the bus itself would hold its voltage whatever the load
        if context.name == "iso":
            return GivenDispatch(context, idle_at=(bus,))
        return without_settlement(context)

    found = []
    for place, bump in enumerate((0.0, 0.4)):
        folder = tmp_path / str(place)
        folder.mkdir()
        run = run_in_one_thread(one_area(bus, bump=bump, support=support), folder, build, is_planned=False)
        found.append([list(run.values("transmission", INTERFACE, c).values())[-1] for c in ("p_mw", "v_pu")])
    (p_low, v_low), (p_high, v_high) = found
    print(f"bus {bus}: {p_low:.1f} -> {p_high:.1f} MW, {v_low:.5f} -> {v_high:.5f} pu")
    assert p_high > p_low + 2.0
    assert v_high < v_low - 1e-5


# -- passes, residuals, and what one exchange would leave ------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass as transmission saw it."""

    t_s: int
    v_pu: FloatArray
    s_mva: np.ndarray


def watched(passes: list[Pass], transmission: Federate) -> Federate:
    """Transmission whose passes are noted."""

    def noting(handler: Handler) -> Handler:
        def act(grant: Grant) -> Outbox:
            outbox = handler(grant)
            v = [sent.message.v_pu for sent in outbox.sent if isinstance(sent.message, BoundaryVoltage)]
            powers = grant.inbox.new(TransmissionPorts().power).values()
            s = [complex(p.p_mw.sum(), p.q_mvar.sum()) for p in powers]
            passes.append(Pass(t_s=grant.now, v_pu=np.array(v), s_mva=np.array(s)))
            return outbox

        return act

    return Instead(transmission, noting)


def test_steps_settle_in_three_to_five_passes_and_residuals_are_recorded(tmp_path: Path) -> None:
    trip_s, market_s = 120, 300
    study = rts(
        "horizon.duration=600",
        f"events=[{{kind: unit_trip, at: {trip_s}, duration: 480, unit: 223_STEAM_3}}]",
    )
    passes: list[Pass] = []

    def build(context: Context) -> Federate:
        if context.name == "iso":
            return GivenDispatch(context)
        federate = without_settlement(context)
        return watched(passes, federate) if context.name == "transmission" else federate

    run = run_in_one_thread(study, tmp_path, build, is_planned=False)
    steps: dict[int, list[Pass]] = {}
    for one in passes:
        steps.setdefault(one.t_s // 60 * 60, []).append(one)
    loose = {
        t: (np.abs(s[0].v_pu - s[-1].v_pu).max(), np.abs(s[0].s_mva - s[-1].s_mva).max())
        for t, s in steps.items()
    }
    for t in (min(steps), 0, trip_s, market_s):
        print(f"{t:5d} s: {len(steps[t])} passes, loose error {loose[t][0]:.1e} pu, {loose[t][1]:.4f} MVA")
    quiet = [t for t in steps if t > 0 and t not in (trip_s, market_s)]
    most, worst = max(len(steps[t]) for t in quiet), max(loose[t][0] for t in quiet)
    print(f"between: {most} passes at most, {worst:.1e} pu")
    assert all(3 <= len(steps[t]) <= 5 for t in (min(steps), trip_s))
    assert all(2 <= len(steps[t]) <= 4 for t in (market_s, *quiet))
    for t in (min(steps), trip_s):
        assert loose[t][0] > 10.0 * study.coupling.tolerance_pu, "a step must be one"
    counts = {t: int(n) for (t, _), n in run.values("transmission", SYSTEM, "passes").items()}
    assert counts == {t: len(s) for t, s in steps.items() if t >= 0}
    for column in ("residual_v_pu", "residual_s_pu"):
        assert 0.0 <= max(run.values("transmission", SYSTEM, column).values()) <= study.coupling.tolerance_pu
    for t, s in steps.items():
        if t >= 0:
            told = run.values("transmission", SYSTEM, "residual_v_pu")[t, "system"]
            assert told == pytest.approx(np.abs(s[-1].v_pu - s[-2].v_pu).max(), abs=1e-15)


# -- step twice = step once ------------------------------------------------------------------------------


class Muted:
    """A recorder that can be told not to listen."""

    def __init__(self, context: Context) -> None:
        self._recorder, self.is_muted = context.recorder, False

    def add(
        self, table: Table, t: int, ids: Sequence[str], *columns: object, text: Sequence[str] | None = None
    ) -> None:
        """Pass on what is recorded while it listens."""
        if not self.is_muted:
            self._recorder.add(table, t, ids, *columns, text=text)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the recorder."""
        self._recorder.close()


def bytes_of(outbox: Outbox) -> list[tuple[str, str | None, bytes]]:
    """What goes over the wires, but for transmission's word on whether the step is settled."""
    messages = [
        replace(sent, message=replace(sent.message, converged=False))
        if isinstance(sent.message, BoundaryVoltage)
        else sent
        for sent in outbox.sent
    ]
    return [(sent.port, sent.to, encode(sent.message, 0)) for sent in messages if sent.port != "grid_state"]


def commits(kind: str, now: int, outbox: Outbox) -> bool:
    """Whether an act moves a state that counts per act."""
    match kind:
        case "feeder":
            return now % STEP_S == FIRST_PASS_OFFSET_S or not outbox.again
        case "dso":
            return now % STEP_S == DISPATCH_OFFSET_S
        case "total dso":
            return now % STEP_S in (DISPATCH_OFFSET_S, BID_OFFSET_S)
        case "transmission":
            return not outbox.again
        case "iso":
            return now % STEP_S == SETTLE_OFFSET_S
        case _:
            return False


def acting_twice(kinds: set[str], acts: dict[str, int]) -> Callable[[Context], Federate]:
    """Builder of federates that do everything twice, all but what commits.

    A plant commits in a step's first pass, in which its regulators act, and at its end, where energy moves; a
    total DSO at its dispatch, where it moves the set-points that it holds by what the meter misses, and at
    its bid: of dispatches that cost the same, the one it is linearised at hangs on where its programs stand.
    """

    def build(context: Context) -> Federate:
        recorder, kind = Muted(context), context.seating.kind
        layered = context.study.coordination == "layered_total_dso"
        if kind not in kinds:
            return catalog.build(context)
        federate = catalog.build(replace(context, recorder=recorder))

        def twice(handler: Handler) -> Handler:
            def act(grant: Grant) -> Outbox:
                first = handler(grant)
                if commits("total dso" if kind == "dso" and layered else kind, grant.now, first):
                    return first
                recorder.is_muted = True
                second = handler(grant)
                recorder.is_muted = False
                if kind != "feeder":
                    assert bytes_of(second) == bytes_of(first), f"{context.name} at {grant.now} s"
                acts[kind] = acts.get(kind, 0) + 1
                return first

            return act

        return Instead(federate, twice)

    return build


def physical_tables(run: FinishedRun) -> dict[str, dict[tuple[int, str], float]]:
    """Every column of every table that no clock of the machine is in."""
    return {
        f"{name}/{table.name}/{column.name}": run.values(name, table, column.name)
        for name, recorder in run.recorders.items()
        for table in TABLES.values()
        if table.name in recorder.tables and not table.wall_clock
        for column in table.columns
    }


def once_and_twice(
    model: str, kinds: set[str], folder: Path
) -> tuple[dict[str, dict[tuple[int, str], float]], dict[str, dict[tuple[int, str], float]]]:
    """Tables of a run, and of the same run in which some kinds do everything twice."""
    study = load_study(STUDIES / "tiny.yaml", [f"coordination={model}", "horizon.duration=600"]).study
    acts: dict[str, int] = {}
    runs = []
    for name, build in (
        ("once", catalog.build),
        ("twice", acting_twice(kinds, acts)),
    ):
        (folder / name).mkdir()
        runs.append(physical_tables(run_in_one_thread(study, folder / name, build)))
    assert set(acts) == kinds
    assert min(acts.values()) >= 3
    assert runs[0].keys() == runs[1].keys()
    assert len(runs[0]) > 50
    return runs[0], runs[1]


@pytest.mark.parametrize("model", ["uncoordinated", "grand_central_blind", "layered_total_dso"])
def test_acting_twice_says_the_same_bytes_and_leaves_the_same_run(model: str, tmp_path: Path) -> None:
    once, twice = once_and_twice(model, set(catalog.KINDS) - {"feeder"}, tmp_path)
    # Of two equally good vertices a repeated program of a total DSO may keep the other one, whose set-points
    # differ; so its runs are compared in what the market said.
    layered = model == "layered_total_dso"
    compared = [c for c in once if not layered or any(part in c for part in ("/bid/", "/lmp/", "/da_"))]
    assert len(compared) > 5
    for column in compared:
        assert once[column] == pytest.approx(twice[column], rel=WARM_SHARE, abs=WARM_SHARE), column


def test_a_plant_passed_twice_is_passed_once_to_the_fixed_points_tolerance(tmp_path: Path) -> None:
    once, twice = once_and_twice("uncoordinated", {"feeder"}, tmp_path)
    told = ("interface/", "head/", "feeder/p_kw", "der/p_kw", "award/", "bus/", "unit/")
    compared = [column for column in once if any(part in column for part in told)]
    assert len(compared) > 20
    for column in compared:
        assert once[column] == pytest.approx(twice[column], rel=WARM_MW, abs=WARM_MW), column
