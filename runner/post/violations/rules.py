"""Rules for causes: each answers with the figures that bear it out, or with None.

What was not recorded is NaN and bears nothing out: comparisons are written such that NaN fails them.
"""

from __future__ import annotations

import numpy as np

from runner.post.violations.scene import Scene
from runner.post.violations.violation import Kind

NO_ROOM_KW = 1.0
"""DERs of a feeder that have no more room than this are at their ends. [kW]"""
AWARD_SHARE = 0.05
"""An award moves an area where it differs from the one before by this share of the area's greatest import."""
DISPATCH_STEPS = 2
"""Steps within which a new dispatch makes itself felt: its own and the next, in which regulators answer."""
BUS_MOVE_PU = 0.001
"""Least movement of a bus voltage within a step that counts as one. [pu]"""
HALF = 0.5
"""From here on a part of a movement is most of it."""
FLOW_SHARE = 0.02
"""Least movement of a feeder's draw that counts as one, as a share of its greatest."""


def event(scene: Scene) -> str | None:
    """What happened to a message of the area, from the beginning of the interval on."""
    v, t_s = scene.violation, scene.history.plant.t_s
    begin = t_s[scene.market_start(v.first)]
    return next((what for at, what in scene.history.events if begin <= at < v.to_s), None)


def exhausted(scene: Scene) -> str | None:
    """The dispatch expected to be outside, and no DER could help any more."""
    return _foreseen(scene) if scene.room_kw <= NO_ROOM_KW else None


def unsolved(scene: Scene) -> str | None:
    """The dispatch expected to be outside, DERs had room, and limits were broken as they were relaxed."""
    broken = scene.history.outlook.broken_count[scene.violation.worst]
    is_judged = scene.violation.kind is not Kind.HEAD
    return _foreseen(scene) if is_judged and broken > 0.0 and scene.room_kw > NO_ROOM_KW else None


def relaxed(scene: Scene) -> str | None:
    """The dispatch expected to be outside, DERs had room, and no limit was broken as it was relaxed."""
    return _foreseen(scene) if scene.room_kw > NO_ROOM_KW else None


def reserve(scene: Scene) -> str | None:
    """Reserve moved the area's import that way."""
    asked_mw = float(scene.history.reserve_mw[scene.violation.first])
    if not scene.sign * asked_mw < 0.0:
        return None
    return f"{abs(asked_mw):,.2f} MW {'less' if asked_mw > 0.0 else 'more'} import asked of the area"


def bus(scene: Scene) -> str | None:
    """The bus moved by more than the voltage was outside, and made most of what the voltage moved."""
    first, bus_pu = scene.violation.first, scene.history.bus_pu
    if not scene.is_voltage or not scene.is_short or first == 0:
        return None
    jump_pu = float(bus_pu[first] - bus_pu[first - 1])
    moved_pu = float(scene.measured[first] - scene.measured[first - 1])
    if not -scene.sign * jump_pu >= max(scene.excess_pu, BUS_MOVE_PU, HALF * abs(moved_pu)):
        return None
    return f"bus {jump_pu:+.4f} pu in the step, the voltage {moved_pu:+.4f} pu"


def award(scene: Scene) -> str | None:
    """It came with the dispatch of an award that is another than before."""
    step_mw = _award_step_mw(scene)
    return _dispatched(scene) if abs(step_mw) >= AWARD_SHARE * scene.history.most_mw else None


def rearranged(scene: Scene) -> str | None:
    """It came with a new dispatch of nearly the same award."""
    step_mw = _award_step_mw(scene)
    return _dispatched(scene) if abs(step_mw) < AWARD_SHARE * scene.history.most_mw else None


def steered(scene: Scene) -> str | None:
    """The feeder's draw moved that way within the step, mostly by its DERs."""
    moved_kw, by_ders_kw = _moves_kw(scene)
    return _moved(scene) if scene.sign * by_ders_kw >= HALF * abs(moved_kw) else None


def drawn(scene: Scene) -> str | None:
    """The feeder's draw moved that way within the step, mostly by load and sun."""
    moved_kw, by_ders_kw = _moves_kw(scene)
    return _moved(scene) if scene.sign * by_ders_kw < HALF * abs(moved_kw) else None


def regulators(scene: Scene) -> str | None:
    """Taps moved, and it was over."""
    v = scene.violation
    taps = scene.taps_moved(v.first, v.last + 1)
    if v.kind is Kind.HEAD or not scene.is_short or taps == 0.0:
        return None
    return f"{taps:.0f} tap steps until it was over"


def unwatched(scene: Scene) -> str | None:
    """Nobody is told what the feeder carries."""
    h, at = scene.history, scene.violation.worst
    if h.say.by_dso:
        return None
    return (
        f"feeder {h.plant.p_kw[at]:+,.0f} kW, of it its photovoltaics {-h.sun_kw[at]:+,.0f} kW, "
        f"its other DERs {-h.steered_kw[at]:+,.0f} kW"
    )


def unresolved(scene: Scene) -> str | None:
    """The DSO's overrides left limits broken."""
    left = float(scene.history.insight.left_count[scene.violation.worst])
    return f"{left:.0f} limits left broken after the overrides" if left > 0.0 else None


def late(scene: Scene) -> str | None:
    """The check before its worst step found nothing, a later one did while it went on or as it ended."""
    v, broken = scene.violation, scene.history.insight.broken_count
    later = broken[v.worst + 1 : v.last + 2]
    if broken[v.worst] != 0.0 or not (later > 0.0).any():
        return None
    return f"the check found nothing broken, a later one {np.nanmax(later):.0f} limits"


def insufficient(scene: Scene) -> str | None:
    """The DSO's overrides left nothing broken on its twin, and the plant was outside all the same."""
    broken = float(scene.history.insight.broken_count[scene.violation.worst])
    return f"{broken:.0f} limits broken at the check, none left after the overrides" if broken > 0.0 else None


def alone(scene: Scene) -> str | None:
    """No DSO dispatched, and the head would be above its limit without its DERs, losses aside."""
    if scene.violation.kind is not Kind.HEAD or scene.has_outlook:
        return None
    at, plant = scene.violation.worst, scene.history.plant
    alone_kva = float(np.hypot(plant.p_kw[at] + scene.history.steered_kw[at], plant.q_kvar[at]))
    if not alone_kva > scene.head_limit_kva:
        return None
    return f"{scene.text(alone_kva)} without its DERs, limit {scene.text(scene.head_limit_kva)}"


def powerless(scene: Scene) -> str | None:
    """The DSO saw it, and speaks before the market only."""
    shown = scene.seen(inside=False)
    if scene.history.say.after_clearing or shown is None:
        return None
    return f"the twin as metered showed {scene.text(shown)}"


def corrected(scene: Scene) -> str | None:
    """The feeder draws beside its dispatch, mostly by what its DERs moved since."""
    beside_kw, by_ders_kw = _beside_kw(scene)
    return _beside(scene) if scene.sign * by_ders_kw >= HALF * abs(beside_kw) else None


def forecast(scene: Scene) -> str | None:
    """The feeder draws beside its dispatch, mostly by load and sun."""
    beside_kw, by_ders_kw = _beside_kw(scene)
    return _beside(scene) if scene.sign * by_ders_kw < HALF * abs(beside_kw) else None


def moved_taps(scene: Scene) -> str | None:
    """Regulators moved after a dispatch that expected to be inside."""
    worst = scene.violation.worst
    taps = scene.taps_moved(scene.market_start(worst), worst)
    if scene.violation.kind is Kind.HEAD or not scene.has_outlook or taps == 0.0:
        return None
    return f"{taps:.0f} tap steps since a dispatch that expected {scene.text(scene.expected)}"


def unseen(scene: Scene) -> str | None:
    """The dispatch, the twin as metered or the check did not show it."""
    if scene.has_outlook:
        return f"the dispatch expected {scene.text(scene.expected)}"
    shown = scene.seen(inside=True)
    if shown is not None:
        return f"the twin as metered showed {scene.text(shown)}"
    found_nothing = scene.history.insight.broken_count[scene.violation.worst] == 0.0
    return "the check found nothing broken" if found_nothing else None


def unexplained(_: Scene) -> str | None:
    """Whatever is left."""
    return ""


def _foreseen(scene: Scene) -> str | None:
    if not scene.is_foreseen:
        return None
    expected = scene.text(scene.expected)
    return f"the dispatch expected {expected}, its DERs had {scene.room_kw:,.0f} kW of room"


def _award_step_mw(scene: Scene) -> float:
    """Award of its first interval less the one before; NaN without one. [MW]"""
    start, award_mw = scene.market_start(scene.violation.first), scene.history.award_mw
    return float(award_mw[start] - award_mw[start - 1]) if start > 0 else np.nan


def _dispatched(scene: Scene) -> str | None:
    """What a new dispatch moved, where the violation came with it."""
    first, plant = scene.violation.first, scene.history.plant
    start = scene.market_start(first)
    if not scene.history.say.dispatched or not scene.is_short or first - start >= DISPATCH_STEPS:
        return None
    draw_kw = plant.p_kw[first] - plant.p_kw[start - 1]
    return (
        f"award {_award_step_mw(scene):+,.2f} MW, feeder {draw_kw:+,.0f} kW, "
        f"from {scene.text(scene.measured[start - 1])} to {scene.text(scene.measured[first])}"
    )


def _moves_kw(scene: Scene) -> tuple[float, float]:
    """Change of the feeder's draw in the first step, and the part of its DERs. [kW]"""
    h, first = scene.history, scene.violation.first
    before = max(first - 1, 0)
    moved_kw = h.plant.p_kw[first] - h.plant.p_kw[before]
    return float(moved_kw), float(h.steered_kw[before] - h.steered_kw[first])


def _moved(scene: Scene) -> str | None:
    moved_kw, by_ders_kw = _moves_kw(scene)
    if not scene.is_short or not scene.sign * moved_kw >= _least_flow_kw(scene):
        return None
    return f"feeder {moved_kw:+,.0f} kW in the step, of it its DERs {by_ders_kw:+,.0f} kW"


def _beside_kw(scene: Scene) -> tuple[float, float]:
    """What the feeder draws in the worst step beside its dispatch, and the part that its DERs moved since."""
    h, worst = scene.history, scene.violation.worst
    beside_kw = h.plant.p_kw[worst] - h.outlook.p_kw[worst]
    return float(beside_kw), float(h.steered_kw[scene.market_start(worst)] - h.steered_kw[worst])


def _beside(scene: Scene) -> str | None:
    beside_kw, by_ders_kw = _beside_kw(scene)
    least_kw = 0.0 if scene.violation.kind is Kind.HEAD else _least_flow_kw(scene)
    if not scene.sign * beside_kw > least_kw:
        return None
    return f"feeder {beside_kw:+,.0f} kW beside its dispatch, of it its DERs {by_ders_kw:+,.0f} kW since"


def _least_flow_kw(scene: Scene) -> float:
    """Movement of a feeder's draw that counts. [kW]"""
    return FLOW_SHARE * float(np.abs(scene.history.plant.p_kw).max())
