"""Nobody asks for a forecast that is made later than he acts, nor for what has not happened yet.

The federates are the real ones; the scenarios that they read from are watched.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from federates.catalog import build as build_kind
from federates.core.context import Context
from federates.core.forward import FILE
from federates.core.ports import PORTS
from federates.core.protocol import Federate, Grant, Handler, Outbox
from federates.core.tables import EVENT, Recorder
from federates.core.time import Clock, SimTime
from federates.scenario.lda import LdaScenario
from federates.scenario.system import SystemScenario
from runner.post.load import load
from runner.supervise import supervise
from tests.build import TINY, study
from tests.federation.fault_matrix import BASE, forward_plan
from tests.instead import Instead

pytestmark = pytest.mark.federation

KINDS = tuple((kind, "tests.federation.test_no_foresight") for kind in PORTS)
_now: list[SimTime] = []
"""Instant of the act that is going on; one thread runs all federates."""
_asked: Counter[str] = Counter()


class Watched(Instead):
    """A federate that says when it acts, and what was asked for meanwhile."""

    def __init__(self, federate: Federate, name: str, recorder: Recorder) -> None:
        super().__init__(federate, self._acting)
        self._name = name
        self._recorder = recorder

    def _acting(self, act: Handler) -> Handler:
        def acts(grant: Grant) -> Outbox:
            _now.append(grant.now)
            _asked.clear()
            outbox = act(grant)
            _now.pop()
            for what, count in sorted(_asked.items()):
                self._recorder.add(EVENT, grant.now, (self._name,), [float(count)], text=[what])
            return outbox

        return acts


def _watch(scenario: type, name: str, clock: Clock) -> None:
    """Refuse a question about what is not known yet; a forecast's second argument is when it is made.

    For a day-ahead market that is the instant at which its forecasts are made. The lead-in plays the first
    one later than that.
    """
    ask: Callable[..., object] = getattr(scenario, name)

    def asks(self: object, *about: SimTime) -> object:
        if _now:
            _asked[f"{scenario.__name__}.{name}"] += 1
            known_s = clock.day_ahead_issue(about[0]) if name == "expected_day" else _now[-1]
            assert about[:2][-1] <= known_s, f"{scenario.__name__}.{name}{about} at {_now[-1]} s"
        return ask(self, *about)

    setattr(scenario, name, asks)


def build(context: Context) -> Federate:
    """The real federate of a seat, watched."""
    if not hasattr(build, "watching"):
        build.watching = True  # type: ignore[attr-defined]
        for scenario in (LdaScenario, SystemScenario):
            for name in ("expected", "expected_day"):
                _watch(scenario, name, context.clock)
        for name in ("actual", "demand"):
            _watch(LdaScenario, name, context.clock)
    return Watched(build_kind(context), context.name, context.recorder)


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forward_plan(tmp_path_factory.mktemp("forward"))


@pytest.mark.parametrize("model", ["uncoordinated", "grand_central_blind", "layered_total_dso"])
def test_no_federate_looks_ahead_of_the_instant_at_which_it_acts(
    tmp_path: Path, forward: Path, model: str
) -> None:
    shutil.copy(forward, tmp_path / FILE)
    wanted = study(TINY, *BASE, f"coordination={model}")
    outcome = supervise(wanted, tmp_path, transport="loopback", kinds=KINDS)
    assert outcome.status == "done", outcome.exit_reason
    rows = load(tmp_path, EVENT.name)
    asked = {
        (name.partition("_")[0], what)
        for name, what in zip(rows["id"].to_pylist(), rows[EVENT.text].to_pylist(), strict=True)
    }
    assert {
        ("iso", "SystemScenario.expected"),
        ("iso", "SystemScenario.expected_day"),
        ("dso", "LdaScenario.expected"),
        ("dso", "LdaScenario.expected_day"),
        ("feeder", "LdaScenario.actual"),
        ("feeder", "LdaScenario.demand"),
    } <= asked
    assert not {("dso", "LdaScenario.actual"), ("dso", "LdaScenario.demand")} & asked
