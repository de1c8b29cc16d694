"""Whether a federation still goes on, and who holds it up. Pure: rows and a time in, verdict out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from federates.core.exit_codes import ExitCode
from federates.core.heartbeat import Activity, Beat
from federates.core.settings import FederationSettings

STALL_S = 60.0
"""How long everybody may wait while nobody computes. [s]"""
_SOLVER_EXTRA_S = 30.0
NOT_IN = (Activity.ABSENT, Activity.BUILDING, Activity.JOINING)
"""What a federate does before its first instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a federation is ended."""

    reason: str
    """What, where, what to do."""
    culprit: str
    """Federate, or several with commas; empty where nobody is to blame."""
    exit_code: ExitCode
    is_echo: bool = False
    """Whether the process that was noticed may only have followed another's failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long what may take. [s]"""

    startup_s: float
    step_s: float
    iso_s: float

    @classmethod
    def of(cls, settings: FederationSettings) -> Limits:
        """Limits of a study; the ISO's is its solver's and a margin."""
        return cls(
            startup_s=settings.startup_limit_s,
            step_s=settings.step_limit_s,
            iso_s=settings.solver_limit_s + _SOLVER_EXTRA_S,
        )

    def of_kind(self, kind: str) -> float:
        """How long a federate of a kind may compute at one instant. [s]"""
        return self.iso_s if kind == "iso" else self.step_s


def fault_in(
    beats: Mapping[str, Beat],
    *,
    now_s: float,
    launched_s: float,
    begin_s: int,
    limits: Limits,
    kind_of: Callable[[str], str],
) -> Fault | None:
    """The fault that the federates' rows show, if any.

    Parameters
    ----------
    now_s, launched_s
        Monotonic time of the machine now, and when the processes were launched. [s]
    begin_s
        First instant of the first span that the processes run. [s]
    """
    for name, beat in beats.items():
        limit_s = limits.of_kind(kind_of(name))
        if beat.activity is Activity.COMPUTING and now_s - beat.since_s > limit_s:
            key = "solver_limit" if kind_of(name) == "iso" else "step_limit"
            return Fault(
                reason=f"{name} computes at {beat.granted_s} s for more than its limit of {limit_s:g} s; "
                f"raise federation.{key} if that is its work",
                culprit=name,
                exit_code=ExitCode.FEDERATE_DIED,
            )
    starting_s = {
        # in the first span since the launch; in later spans of one process since it is built anew
        name: launched_s if beat.activity is Activity.ABSENT or beat.granted_s == begin_s else beat.since_s
        for name, beat in beats.items()
    }
    return _late(beats, now_s, starting_s, limits) or _stalled(beats, now_s)


def _late(
    beats: Mapping[str, Beat], now_s: float, starting_s: Mapping[str, float], limits: Limits
) -> Fault | None:
    """Who has not joined in time: first who is being built, else who is absent, else who joins."""
    for activity in (Activity.BUILDING, Activity.ABSENT, Activity.JOINING):
        late = [
            name
            for name, beat in beats.items()
            if beat.activity is activity and now_s - starting_s[name] > limits.startup_s
        ]
        if late:
            here = sum(beat.activity not in {Activity.ABSENT, Activity.BUILDING} for beat in beats.values())
            return Fault(
                reason=f"start-up took more than {limits.startup_s:g} s: {here} of {len(beats)} are "
                f"there, missing is {', '.join(late)}; raise federation.startup_limit if it needs longer",
                culprit=", ".join(late),
                exit_code=ExitCode.FEDERATE_DIED,
            )
    return None


def _stalled(beats: Mapping[str, Beat], now_s: float) -> Fault | None:
    """Everybody waits and HELICS grants nothing."""
    waiting = [beat for beat in beats.values() if beat.activity is Activity.WAITING]
    others = {beat.activity for beat in beats.values()} - {Activity.WAITING, Activity.DONE}
    if not waiting or others or now_s - max(beat.since_s for beat in waiting) < STALL_S:
        return None
    at_s = min(beat.granted_s for beat in waiting)
    return Fault(
        reason=f"everybody waits at {at_s} s for {STALL_S:g} s and nobody computes: HELICS grants nothing "
        "more; run again with federation.chain 'day', or with transport loopback",
        culprit="",
        exit_code=ExitCode.UNEXPECTED,
    )


def study_time(beats: Mapping[str, Beat], begin_s: int) -> int:
    """Study time that every federate has reached. [s]"""
    return min(
        (b.granted_s if b.activity not in NOT_IN else begin_s for b in beats.values()), default=begin_s
    )
