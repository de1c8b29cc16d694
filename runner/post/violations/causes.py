"""Why a feeder left its limits: for each violation the first cause whose rule the tables bear out.

The order is from what a DSO knew beforehand, over what came too fast for it, to what it never saw. What no
rule fits is not explained, and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.post.violations import rules
from runner.post.violations.history import History
from runner.post.violations.rules import AWARD_SHARE, BUS_MOVE_PU, DISPATCH_STEPS, FLOW_SHARE, NO_ROOM_KW
from runner.post.violations.scene import Scene
from runner.post.violations.violation import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a limit was left."""

    key: str
    """Stable name."""
    title: str
    """A few words."""
    rule: str
    """When it is taken to be the cause."""
    find: Callable[[Scene], str | None]
    """The figures that bear it out; None where nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A violation with its cause."""

    violation: Violation
    cause: Cause
    shown_by: str
    """The figures that bear it out."""


def explained(violation: Violation, history: History) -> Explained:
    """A violation with the first cause that the tables bear out."""
    scene = Scene(violation=violation, history=history)
    for cause in CAUSES:
        shown = cause.find(scene)
        if shown is not None:
            return Explained(violation=violation, cause=cause, shown_by=shown)
    raise AssertionError("the last cause fits every violation")


CAUSES: tuple[Cause, ...] = (
    Cause(
        key="event",
        title="a message was lost or held",
        rule="an event on a message to or from the area took effect in its interval",
        find=rules.event,
    ),
    Cause(
        key="exhausted",
        title="foreseen, nothing left to dispatch",
        rule="the DSO's dispatch expected to be outside, and its DERs had no more than "
        f"{NO_ROOM_KW:g} kW of room against it",
        find=rules.exhausted,
    ),
    Cause(
        key="unsolved",
        title="foreseen, no better dispatch found",
        rule="the DSO's dispatch expected to be outside though its DERs had room, and broke limits even as "
        "its program relaxes them",
        find=rules.unsolved,
    ),
    Cause(
        key="relaxed",
        title="foreseen, limit relaxed",
        rule="the same, but it kept the limits as its program relaxes them: to the state with DERs at their "
        "base where that is outside, and heads in active power",
        find=rules.relaxed,
    ),
    Cause(
        key="reserve",
        title="reserve was called",
        rule="reserve asked of the area moved its import that way",
        find=rules.reserve,
    ),
    Cause(
        key="bus",
        title="the bus voltage jumped",
        rule=f"short; the transmission bus moved by at least {BUS_MOVE_PU:g} pu in the first step, by more "
        "than the voltage was outside and by half of what the voltage moved",
        find=rules.bus,
    ),
    Cause(
        key="award",
        title="a new award moved the area",
        rule=f"short, and began within {DISPATCH_STEPS} steps of an award that differs from the one before "
        f"by {AWARD_SHARE:.0%} of the area's greatest import",
        find=rules.award,
    ),
    Cause(
        key="rearranged",
        title="a new dispatch rearranged DERs",
        rule=f"short, and began within {DISPATCH_STEPS} steps of an award that hardly differs from the one "
        "before: set-points moved within the area",
        find=rules.rearranged,
    ),
    Cause(
        key="steered",
        title="DERs moved between awards",
        rule=f"short; the feeder's draw moved that way in the first step by {FLOW_SHARE:.0%} of its "
        "greatest, half of it or more by its DERs",
        find=rules.steered,
    ),
    Cause(
        key="drawn",
        title="load or sun moved within a step",
        rule="the same, less than half of it by its DERs",
        find=rules.drawn,
    ),
    Cause(
        key="regulators",
        title="regulators still on their way",
        rule="short, and taps moved in it or in the step in which it was over",
        find=rules.regulators,
    ),
    Cause(
        key="unwatched",
        title="no DSO looks at the feeders",
        rule="under this coordination model the DSO tells nobody what its feeders carry",
        find=rules.unwatched,
    ),
    Cause(
        key="unresolved",
        title="overrides could not resolve it",
        rule="the DSO's check of the interval left limits broken after its overrides",
        find=rules.unresolved,
    ),
    Cause(
        key="late",
        title="overrides came an interval late",
        rule="the check of its worst step's interval found nothing broken on the feeder, a later one did",
        find=rules.late,
    ),
    Cause(
        key="insufficient",
        title="overrides fell short in the plant",
        rule="the check of the interval found limits broken and left none on the DSO's twin",
        find=rules.insufficient,
    ),
    Cause(
        key="alone",
        title="load and sun alone",
        rule="no DSO dispatched, and the head would be above its limit without what its DERs do",
        find=rules.alone,
    ),
    Cause(
        key="powerless",
        title="seen, but the DSO had no more say",
        rule="the DSO's twin as metered showed the voltage or the head outside; under this model it speaks "
        "before the market only",
        find=rules.powerless,
    ),
    Cause(
        key="corrected",
        title="the DSO's own corrections",
        rule=f"the feeder drew beside its dispatch that way by {FLOW_SHARE:.0%} of its greatest draw (a "
        "head: at all), half of it or more as its DERs moved since",
        find=rules.corrected,
    ),
    Cause(
        key="forecast",
        title="load or sun beside the forecast",
        rule="the same, less than half of it by its DERs",
        find=rules.forecast,
    ),
    Cause(
        key="moved_taps",
        title="regulators moved after the dispatch",
        rule="taps moved between a dispatch that expected to be inside and the worst step",
        find=rules.moved_taps,
    ),
    Cause(
        key="unseen",
        title="the DSO's twin did not show it",
        rule="the dispatch expected to be inside, or the twin as metered showed the voltage or the head "
        "inside, or the check found nothing broken",
        find=rules.unseen,
    ),
    Cause(
        key="unexplained",
        title="not explained",
        rule="none of these",
        find=rules.unexplained,
    ),
)
"""Causes in the order in which they are tried."""
