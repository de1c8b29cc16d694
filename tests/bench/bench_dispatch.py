"""CPU time of the dispatch on the 123-node feeder with 100 DERs: ``python tests/bench/bench_dispatch.py``.

DERs of 200, 350 and 500 % of the load, ratings at 35 %, bids linearised with no DER running: 13 awards over
each bid's range, by passes on the Jacobian and, in the same run, by passes on the radial map.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.distribution.tangent import AreaTangent
from federates.dso.bid import FeederBidder, lda_curve, price_ladder
from federates.dso.case import FeederLimits
from federates.dso.dispatch import FeederOffer, SetPoints, TwinState, dispatch
from tests.unit.dso.area import FORECAST_USD_PER_MWH, area, offers
from tests.unit.dso.test_dispatch import CircuitTwin

SHARES = (2.0, 3.5, 5.0)
DERS = 100
AWARDS = 13


class RadialTangent(AreaTangent):
    """The radial map in the Jacobian's place: losses and the loads' answer to voltage stay."""

    def dw_pu2(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        return self.points[0].dw_pu2(dp_kw, dq_kvar)

    def voltage_rows(self, branch_phases: IntArray) -> tuple[FloatArray, FloatArray]:
        return self.points[0].voltage_rows(branch_phases)


class RadialTwin(CircuitTwin):
    """A twin whose passes are on the radial map."""

    def tangent(self, state: TwinState) -> AreaTangent:
        found = super().tangent(state)
        found = replace(found, heads_by_p=-np.ones_like(found.heads_by_p), heads_by_q=0.0 * found.heads_by_q)
        return RadialTangent(**{f.name: getattr(found, f.name) for f in fields(found)})


def measure(share: float, twin_type: type[CircuitTwin]) -> str:
    """One line of figures."""
    one = area("ieee123", DERS, share, 0.7)
    columns, limits = offers(one.size_kw), FeederLimits(loading_pu=0.35)
    idle = np.clip(np.zeros(DERS), columns.floor_kw, columns.top_kw)
    bidder = FeederBidder(one.map, "feeder")
    bidder.refresh(one.point(idle), columns, limits)
    curve = lda_curve([bidder.sweep(price_ladder(FORECAST_USD_PER_MWH).price_usd_per_mwh)])
    offer = FeederOffer(map=one.map, columns=columns, limits=limits, name="feeder")
    known, twin = SetPoints(p_kw=(idle,), q_kvar=(np.zeros(DERS),)), twin_type(one)
    passes, spent_ms, broken, missed_kw = [], [], 0, []
    for part in np.linspace(0.05, 0.95, AWARDS):
        award = float(curve.import_mw[0] + part * (curve.import_mw[-1] - curve.import_mw[0]))
        begin = time.process_time()
        done = dispatch(award, curve, [offer], twin, known)
        spent_ms.append(1e3 * (time.process_time() - begin))
        passes.append(done.passes_count)
        broken += done.broken_count
        missed_kw.append(1e3 * abs(done.shortfall_mw))
    each_ms = np.sum(spent_ms) / max(np.sum(passes), 1)
    return (
        f"{share:4.0%} {twin_type.__name__:12} passes {np.mean(passes):.2f} (most {max(passes)}), "
        f"{np.mean(spent_ms):5.1f} ms an award, {each_ms:5.1f} ms a pass, {broken} limits broken, "
        f"missed {np.mean(missed_kw):.1f} kW (most {max(missed_kw):.1f})"
    )


if __name__ == "__main__":
    for size in SHARES:
        for kind in (CircuitTwin, RadialTwin):
            print(measure(size, kind))
