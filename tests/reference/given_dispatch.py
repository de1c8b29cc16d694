"""An ISO's seat without a market: cheap units first, every market interval anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.core.context import Context
from federates.core.messages import UnitDispatch
from federates.core.ports import IsoPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.scenario.system import SystemScenario
from tests.unit.transmission.builders import merit_order

LOSSES = 0.03


class GivenDispatch:
    """Dispatch for a power flow; units at the buses of ``idle_at`` stay off."""

    def __init__(self, context: Context, idle_at: tuple[str, ...] = ()) -> None:
        self.ports = IsoPorts()
        self._system = SystemScenario(context.study)
        case = self._system.case
        self._idle = np.isin(case.units.bus, [case.buses.index(bus) for bus in idle_at])

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Every market interval."""
        return {0: Phase(Cadence.MARKET, self.dispatch)}

    def start(self) -> Outbox:
        """Dispatch of the lead-in."""
        return self._sent(-1, 0)

    def dispatch(self, grant: Grant) -> Outbox:
        """Dispatch of the interval that begins now."""
        return self._sent(grant.now, grant.now)

    def _sent(self, interval: SimTime, t: SimTime) -> Outbox:
        case = self._system.case
        series = self._system.series("real_time", 0)
        row = int((t - series.t_s[0]) // series.length_s)
        available = np.where(self._idle, 0.0, series.available_mw[row])
        units = case.units
        total_mw = (1.0 + LOSSES) * float(series.load_mw[row].sum())
        on, set_point, headroom = merit_order(units, available, total_mw)
        on = on & ~self._idle
        outbox = Outbox()
        message = UnitDispatch(
            interval_s=interval,
            set_point_mw=np.where(on, set_point, 0.0),
            synchronised=on.astype(np.float64),
            uncurtailed=np.zeros(on.size),
            headroom_mw=np.where(on, headroom, 0.0),
            dc_flow_mw=np.zeros(len(case.dc_lines.ids)),
        )
        outbox.put(self.ports.dispatch, message)
        return outbox

    def save(self) -> State:
        """Nothing is carried."""
        return {"schema": np.array([1.0])}

    def restore(self, state: State) -> None:
        """Nothing is carried."""

    def finish(self) -> None:
        """Nothing is left to do."""
