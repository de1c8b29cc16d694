"""The ISO's signal to those who sold reserve: regulation every physical step, and calls of spinning reserve.

Regulation answers what the minute before showed. Units with headroom share every imbalance by themselves;
what they gave, and what the signal asked of DSOs already, is what is needed::

    need = sum over sharing units (output - set-point) + what the last signal asked of DSOs
    signal = need / regulation awarded in its direction, within [-1, 1]

so that DSOs carry the part of the need that they have of all regulation, and units the rest. The part asked
before counts as given: without it, a need that DSOs meet would look like none, and the signal would swing. A
call is an event of the study: a share of the spinning reserve awarded to DSOs, interval by interval, for as
long as it lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.commitment import called_share
from federates.core.messages import ReserveSignal, UnitDispatch
from federates.core.protocol import State
from federates.core.reserve_offer import DSO_PRODUCTS, asked_mw
from federates.core.settings import EventSettings
from federates.core.tables import DEPLOYMENT, EVENT, SIGNAL, Recorder
from federates.core.time import SimTime
from federates.iso.reserves import OF_DSO, REG_DOWN, REG_UP

ASKED_MW = 1e-3
"""What is asked of all DSOs together counts from here on: awards have the solver's noise. [MW]"""
PREFIX = "signal_"
"""Of the names of saved arrays."""


def regulation_signal(need_mw: float, up_mw: float, down_mw: float) -> float:
    """Part of the awarded regulation that a need asks for, in [-1, 1]; positive: upward.

    Parameters
    ----------
    need_mw
        Positive where the system is short. [MW]
    up_mw, down_mw
        Regulation awarded. [MW]
    """
    awarded = up_mw if need_mw > 0.0 else down_mw
    return float(np.clip(need_mw / awarded, -1.0, 1.0)) if awarded > 0.0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Awarded:
    """What one clearing leaves to be asked for."""

    set_point_mw: FloatArray
    """Shape (units,). [MW]"""
    shares: FloatArray
    """1 for units that share an imbalance, shape (units,)."""
    regulation_mw: FloatArray
    """Regulation up and down of units and DSOs together, shape (2,). [MW]"""
    import_mw: FloatArray
    """Net import of each LDA, shape (ldas,). [MW]"""
    reserve_mw: FloatArray
    """Reserve of each LDA, shape (ldas, DSO products). [MW]"""


def awarded(
    dispatch: UnitDispatch, import_mw: FloatArray, unit_reserve_mw: FloatArray, lda_reserve_mw: FloatArray
) -> Awarded:
    """What a real-time clearing leaves to be asked for.

    Parameters
    ----------
    import_mw
        Shape (ldas,). [MW]
    unit_reserve_mw, lda_reserve_mw
        By product, shapes (products, units) and (products, ldas). [MW]
    """
    total = unit_reserve_mw.sum(axis=1) + lda_reserve_mw.sum(axis=1)
    return Awarded(
        set_point_mw=dispatch.set_point_mw,
        shares=(dispatch.headroom_mw > 0.0).astype(np.float64),
        regulation_mw=total[[REG_UP, REG_DOWN]],
        import_mw=import_mw,
        reserve_mw=lda_reserve_mw[OF_DSO].T,
    )


class Signals:
    """Signal by signal: what is asked, and what came of it.

    Parameters
    ----------
    events
        Of the study.
    ldas
        Names of the LDAs.
    units_count
        Number of units.
    recorder
        Takes the tables `SIGNAL`, `DEPLOYMENT` and `EVENT`.
    """

    def __init__(
        self, events: Sequence[EventSettings], ldas: tuple[str, ...], units_count: int, recorder: Recorder
    ) -> None:
        self._events, self._ldas, self._recorder = events, ldas, recorder
        n, nothing = len(ldas), np.zeros(units_count)
        self._awarded = Awarded(
            set_point_mw=nothing,
            shares=nothing,
            regulation_mw=np.zeros(2),
            import_mw=np.zeros(n),
            reserve_mw=np.zeros((n, len(DSO_PRODUCTS))),
        )
        self._last = ReserveSignal(step_s=-1, regulation=0.0, call=0.0, capacity=0.0)

    def need_mw(self, output_mw: FloatArray, out: BoolArray) -> float:
        """What regulation is needed, by the state of the grid as the last step ended. [MW]"""
        sharing = self._awarded.shares * ~out
        carried = float(sharing @ (output_mw - self._awarded.set_point_mw))
        return carried + float(self._asked_mw(self._last.regulation, 0.0).sum())

    def begin(self, given: Awarded) -> None:
        """Take up a clearing."""
        self._awarded = given

    def next(self, now: SimTime, need_mw: float, capacity: float) -> ReserveSignal:
        """Signal of the step that begins now; ``capacity``: share called in the interval gated next."""
        call = called_share(self._events, "spin", now)
        if call != self._last.call:
            self._recorder.add(EVENT, now, ("iso",), [call], text=["share of DSOs' spinning reserve called"])
        regulation = regulation_signal(need_mw, *self._awarded.regulation_mw.tolist())
        self._last = ReserveSignal(step_s=now, regulation=regulation, call=call, capacity=capacity)
        self._recorder.add(SIGNAL, now, ("system",), [regulation], [call], [need_mw])
        return self._last

    def measure(self, interchange_mw: FloatArray) -> None:
        """Write down what the LDAs did in the step of the last signal, where it asked for anything."""
        last = self._last
        regulation, spin = self._asked_mw(last.regulation, 0.0), self._asked_mw(0.0, last.call)
        if np.abs(regulation).sum() + spin.sum() < ASKED_MW:
            return
        delivered = self._awarded.import_mw - interchange_mw
        self._recorder.add(DEPLOYMENT, last.step_s, self._ldas, spin, regulation, delivered)

    def _asked_mw(self, regulation: float, call: float) -> FloatArray:
        return np.array([asked_mw(mine, regulation, call) for mine in self._awarded.reserve_mw])

    def save(self) -> State:
        """The last signal and what it was given for."""
        given, last = self._awarded, self._last
        return {
            f"{PREFIX}last": np.array([float(last.step_s), last.regulation, last.call]),
            **{f"{PREFIX}{name}": getattr(given, name) for name in Awarded.__slots__},
        }

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        step_s, regulation, call = state[f"{PREFIX}last"].tolist()
        self._last = ReserveSignal(step_s=int(step_s), regulation=regulation, call=call, capacity=0.0)
        self._awarded = Awarded(**{name: state[f"{PREFIX}{name}"] for name in Awarded.__slots__})
