"""M0: the DSO tells the ISO the net demand that it expects, and does nothing else."""

from __future__ import annotations

from federates.core.arrays import FloatArray
from federates.core.protocol import Grant
from federates.core.time import SimTime
from federates.dso.roles.net_quantity import NetQuantity
from federates.dso.roles.seen import seen_state, telemetry
from federates.scenario.lda import ExpectedLda


class NetDemand(NetQuantity):
    """Expects every DER to serve its own site."""

    def real_time_kw(self, grant: Grant, interval: SimTime, expected: ExpectedLda) -> FloatArray:
        """Every DER serves its own site from what it stores now."""
        del interval
        seen = telemetry(self.ports, grant, self.name).message
        p_kw, _ = self.scenario.uncoordinated_kw(expected, seen_state(seen))
        return p_kw
