"""M1: the DSO tells the ISO what is left when every DER of a market is taken out, and does nothing else."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.protocol import Grant
from federates.core.time import SimTime
from federates.dso.roles.fixed_quantity import FixedQuantity
from federates.dso.roles.seen import KW_PER_MW, telemetry
from federates.scenario.lda import ExpectedLda


class InflexibleDemand(FixedQuantity):
    """Fixed demand, DERs outside any market, and the losses expected with the others at work."""

    def real_time_kw(self, grant: Grant, interval: SimTime, expected: ExpectedLda) -> FloatArray:
        """The last injections, as far as the interval allows them."""
        del interval
        seen = telemetry(self.ports, grant, self.name).message
        return np.clip(seen.der_p_mw * KW_PER_MW, expected.least_kw, expected.available_kw)

    def quantity_mw(self, drawn_mw: float, p_kw: FloatArray, now: SimTime) -> float:
        """What the interface draws without the injections of DERs that are in a market."""
        return drawn_mw + float(p_kw[self.scenario.directed(now)].sum()) / KW_PER_MW
