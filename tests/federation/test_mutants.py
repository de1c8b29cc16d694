"""Falsifiers fire on whole runs in which somebody says what he should not; without him, on none.

A case names the run that is done again and what is said in it; the other runs of the comparison stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from federates.core.wiring import Link
from runner.idle import idle_days
from runner.manifest import read_run
from runner.post.compare.comparison import comparable, compare_runs
from runner.post.compare.verdicts import verdicts
from runner.shipped import shipped_studies
from tests.build import DUCK_DAY, KEYS, TINY
from tests.federation.mutant import carry_out, mutant, variant
from tests.federation.study_runs import NOON_OF_SUN, Runs, run

pytestmark = pytest.mark.federation

NULL = shipped_studies()["null_no_constraint"]
SHORT = "horizon.duration=5 min"
WHOLE_DAY = (
    "horizon.start=2020-03-27",
    "horizon.duration=24 h",
    "horizon.step=300 s",
    "horizon.market_interval=1 h",
    "market.look_ahead=3",
)
BATTERIES_AT_WEAK_HEADS = (
    "horizon.duration=20 min",
    "ldas.0.feeders.0.ders.battery.power=3 MW",
    "ldas.0.feeders.0.ders.battery.energy=6 MWh",
    "ldas.0.feeders.0.export_limit=500 kVA",
)
"""More at the evening's price than the head of lda1/solar1 may export."""
COORDINATED = ("M1", "M2", "M3", "M4", "M5")
DUCK_MODELS = ("M0", "M2", "M4", "M5")
Folders = dict[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run done again, what is said in it, and the statements that it refutes."""

    code: str
    refuted: tuple[str, ...]
    says: Mapping[str, str] = field(default_factory=dict)
    past: tuple[Link, ...] = ()
    """Links that the model does not have."""


NOON = (
    Case(code="M1", says={"dso": "asks for more"}, refuted=("forward_blind_below_full",)),
    Case(code="M2", says={"aggregator": "rests"}, refuted=("override_unwinds",)),
    # what overrides then take is demand, whose like is not bought but sold again
    Case(code="M2", says={"aggregator": "draws all"}, refuted=("override_costs",)),
    Case(code="M2", says={"transmission": "loses a meter"}, refuted=("accounts_close",)),
    Case(code="M4", says={"dso": "asks for more"}, refuted=("forward_full_below_envelope",)),
    Case(
        code="M5",
        says={"aggregator": "gives all", "dso": "promises what it lacks"},
        refuted=("layered_holds_limits", "layered_breaks_less", "layered_delivers"),
    ),
    Case(
        code="M5",
        past=(Link("aggregator", "offers", "iso", "der_offers"),),
        refuted=("layered_precludes_bypass",),
    ),
)
"""H1, at a noon with more sun than a head may export."""
EVENING = (
    Case(
        code="M1",
        says={"aggregator": "rests"},
        refuted=(
            "blind_breaks_limits",
            "blind_exports_at_the_peak",
            "blind_breaks_export_at_the_peak",
        ),
    ),
    Case(code="M5", says={"aggregator": "gives all"}, refuted=("layered_holds_export_at_the_peak",)),
)
"""H1, at the hour of greatest price."""
UNBOUND = (
    Case(
        code="M5",
        says={"aggregator": "hides its stores"},
        refuted=(
            "no_constraint_central_alike",
            "no_constraint_layered_alike",
            "forward_layered_near_full",
        ),
    ),
    Case(code="M5", says={"aggregator": "draws all"}, refuted=("layered_near_full_visibility",)),
    Case(code="M4", says={"aggregator": "offers no choice"}, refuted=("flexibility_matters",)),
)
"""H2, where no feeder limit matters."""
DUCK = (
    Case(
        code="M5",
        says={"aggregator": "rests"},
        refuted=(
            "layered_cuts_net_load_peak",
            "layered_flattens_net_load",
            "override_cuts_part_of_the_peak",
        ),
    ),
    Case(code="M4", says={"aggregator": "rests"}, refuted=("full_sight_flattens_net_load",)),
)
"""H4, on the day of sun and its steep evening."""


@pytest.fixture(scope="module")
def noon(stressed: Runs) -> Folders:
    return {code: stressed(KEYS[code]) for code in COORDINATED}


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    out = tmp_path_factory.mktemp("evening")
    return variants(NULL, out, {code: (*BATTERIES_AT_WEAK_HEADS, of(code)) for code in ("M0", "M1", "M5")})


@pytest.fixture(scope="module")
def unbound(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    sets = {code: (SHORT, of(code)) for code in ("M1", "M2", "M3", "M4")}
    exact = {"M5": (SHORT, of("M5"), "market.bid={kind: exact_cuts}")}
    return variants(NULL, tmp_path_factory.mktemp("unbound"), {**sets, **exact})


@pytest.fixture(scope="module")
def duck(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    given = request.config.getoption("--run-dir")
    if given:
        runs = {read_run(done.parent).coordination: done.parent for done in sorted(given.glob("*/done.json"))}
        return {code: runs[KEYS[code]] for code in DUCK_MODELS}
    sets = {code: (of(code),) for code in DUCK_MODELS}
    return variants(DUCK_DAY, tmp_path_factory.mktemp("duck"), sets)


def of(code: str) -> str:
    return f"coordination={KEYS[code]}"


def variants(path: Path, out: Path, sets: Mapping[str, tuple[str, ...]]) -> Folders:
    """Runs of a study, all from the first one's forward plan."""
    first, *others = sets
    base = run(path, out, *sets[first]).run_dir
    runs = {code: variant(base, out / code, path, *sets[code]) for code in others}
    carry_out(list(runs.values()))
    return {first: base, **runs}


def results(folders: Folders, idle: Path | None) -> dict[str, str]:
    """Result of every verdict."""
    runs = list(folders.values())
    compared = compare_runs(runs) if idle is None else compare_runs(runs, idle)
    return {verdict.key: verdict.result for verdict in verdicts(compared)}


def refute(folders: Folders, cases: tuple[Case, ...], tmp_path: Path) -> None:
    """Every case's statements hold for the runs, and not with the run that is done again."""
    idle = None
    if "M4" in folders:
        found = idle_days(comparable(list(folders.values())), tmp_path)
        assert isinstance(found, Path), found
        idle = found
    kept = results(folders, idle)
    others = [
        mutant(folders[case.code], tmp_path / str(k), case.says, case.past) for k, case in enumerate(cases)
    ]
    carry_out(others)
    for case, other in zip(cases, others, strict=True):
        told = results({**folders, case.code: other}, idle)
        for key in case.refuted:
            assert (kept[key], told[key]) == ("supported", "not supported"), (case, key)


def test_tier_bypassing_at_noon(noon: Folders, tmp_path: Path) -> None:
    refute(noon, NOON, tmp_path)


def test_a_run_that_plans_for_itself(noon: Folders, tmp_path: Path) -> None:
    # how long a search may take is no part of the scenario, and decides what it finds
    alone = run(TINY, tmp_path, *NOON_OF_SUN, of("M5"), "federation.solver_limit=200 s").run_dir
    told = results({**noon, "M5": alone}, None)
    assert (results(noon, None)["one_commitment"], told["one_commitment"]) == ("supported", "not supported")


def test_tier_bypassing_at_the_evening_peak(evening: Folders, tmp_path: Path) -> None:
    refute(evening, EVENING, tmp_path)


def test_no_constraint(unbound: Folders, tmp_path: Path) -> None:
    refute(unbound, UNBOUND, tmp_path)


def test_a_day_of_little_sun_is_no_duck_and_credits_nobody(tmp_path: Path) -> None:
    told = results(variants(NULL, tmp_path, {code: (*WHOLE_DAY, of(code)) for code in ("M0", "M5")}), None)
    assert told["net_load_is_a_duck"] == "not supported"
    assert told["layered_cuts_net_load_peak"] == told["layered_flattens_net_load"] == "not tested"


@pytest.mark.duck
@pytest.mark.timeout(3600)
def test_a_duck_whose_areas_rest(duck: Folders, tmp_path: Path) -> None:
    refute(duck, DUCK, tmp_path)
