"""M0: the DSO tells the ISO the net demand that it expects, and does nothing else."""

from __future__ import annotations

from federates.core.arrays import FloatArray
from federates.core.messages import Telemetry
from federates.dso.roles.fixed_quantity import FixedQuantity
from federates.dso.roles.seen import KW_PER_MW
from federates.scenario.lda import ExpectedLda


class NetDemand(FixedQuantity):
    """Expects every DER to serve its own site."""

    def real_time_kw(self, expected: ExpectedLda, seen: Telemetry) -> FloatArray:
        """Every DER serves its own site from what it stores now."""
        p_kw, _ = self.scenario.uncoordinated_kw(expected, seen.soc_mwh * KW_PER_MW, self.clock.market_s)
        return p_kw

    def quantity_mw(self, drawn_mw: float, p_kw: FloatArray) -> float:
        """All that the interface draws."""
        del p_kw
        return drawn_mw
