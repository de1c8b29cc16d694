"""What the coordination models cost on equal information: the order that theory proves, on the linear maps.

Taps fixed, one interval, perfect information, the maps' losses constant, the same losses of transmission and
the same penalties. With X_1 the dispatches of units and DERs, and X those that keep the feeders' limits:

* M1 minimises over X_1, M4 over X, a subset: C_fwd(M1) <= C(M4).
* What M2 realises (M1's award, least override, balance restored by units) lies in X: C(M4) <= C_real(M2).
* M3 minimises over the part of X inside the envelopes: C(M4) <= C(M3).
* M5 with exact curves finds the optimum over X, at M4's prices: C(M5) = C(M4).

All of it is the product's own: messages, maps, curves, envelopes and the ISO's dispatch. What a dispatch
leaves unserved or beyond a rating is priced at the ISO's penalty steps in every model alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray, IntArray
from federates.core.messages import DerOffers, FeederModel
from federates.dso.case import FeederCase
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.envelope import Ability, equal, operating_envelope
from federates.dso.feeder_model import SeenFeeder, area_rows, feeder_model, reach_columns
from federates.dso.override import CheckedFeeder
from federates.dso.program import ReducedProgram
from federates.iso.feeder_models import feeder_rows
from federates.iso.market import der_awards, der_book
from federates.iso.network import market_network
from federates.iso.penalties import Penalties
from federates.iso.sced import Clearing, Sced
from tests.reference.layers import (
    CONSTANT_MW,
    LOAD_MW,
    Below,
    below,
    cleared,
    exact_bids,
    grid,
    layered_cost_usd_per_h,
)
from tests.unit.iso.market_cases import all_on

EQUAL = 1e-6
"""Relative difference of cost: bids are rounded to 1 W a set, the dispatch breaks ties by 1e-5 $/MWh."""
LMP_USD_PER_MWH = 1e-4
KEPT = 2e-6
"""How far a dispatch may exceed a limit of the map: the programs' tolerance, in pu^2 and MW."""
STRICT = 1e-4
"""Relative difference of cost that is no rounding."""
SCARCE_MW = 2.2 * LOAD_MW
"""Load outside the LDAs that needs the DERs which M1 awards and the feeders do not carry."""

Injections = tuple[tuple[FloatArray, ...], ...]
"""Of one set, by LDA and feeder, each of shape (ders,), in fleet order. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a model's dispatch is and costs."""

    cost_usd_per_h: float
    p_kw: Injections
    found: Clearing


def sets(layer: Below) -> list[int]:
    return [one.multiplicity for one in layer.areas]


def offers_of(layer: Below, columns: Sequence[Sequence[DerColumns]]) -> tuple[list[DerOffers], list[int]]:
    """One aggregator per feeder, and the LDA of each."""
    offers, lda = [], []
    for place, (own, m) in enumerate(zip(columns, sets(layer), strict=True)):
        for feeder in own:
            offers.append(
                DerOffers(
                    interval_s=0,
                    length_s=300,
                    intervals=1,
                    floor_mw=feeder.floor_kw * m / KW_PER_MW,
                    interval=np.zeros(feeder.der.size, dtype=np.int64),
                    der=feeder.der,
                    width_mw=feeder.width_kw * m / KW_PER_MW,
                    price_usd_per_mwh=feeder.price_usd_per_mwh,
                )
            )
            lda.append(place)
    return offers, lda


def models_of(layer: Below) -> list[FeederModel]:
    """What each LDA's DSO publishes, knowing what its DERs can do but not what they ask for it."""
    models = []
    for points, columns, m in zip(layer.points, layer.columns, sets(layer), strict=True):
        seen, first = [], 0
        for point, own in zip(points, columns, strict=True):
            count = own.ders_count
            reach = reach_columns(own.floor_kw, own.top_kw, own.base_kw, own.q_kvar)
            directed, column = np.ones(count, dtype=np.bool_), first + np.arange(count)
            seen.append(
                SeenFeeder(point=point, reach=reach, directed=directed, limits=layer.limits, column=column)
            )
            first += count
        rows = area_rows(seen, first, constant_mw=CONSTANT_MW, substation_mw=np.inf)
        models.append(feeder_model([rows], interval_s=0, length_s=300, multiplicity=m))
    return models


def dispatched(
    case: TransmissionCase,
    layer: Below,
    load_mw: FloatArray,
    *,
    losses: bool,
    columns: Sequence[Sequence[DerColumns]] | None = None,
    models: Sequence[FeederModel] = (),
) -> Outcome:
    """The ISO's dispatch of every DER: M1; with offers cut to envelopes M3, with feeder rows M4."""
    offers, lda = offers_of(layer, layer.columns if columns is None else columns)
    buses = [layer.areas[k].bus for k in lda]
    book = der_book(offers, buses, 0)
    demand = load_mw + drawn_mw(layer, nothing(layer), load_mw.size)
    np.add.at(demand, book.floor_bus, -book.floor_mw)
    sced = Sced(market_network(case), case.units, block_bus=book.bus, losses=losses, loss_tolerance_mw=1e-9)
    price = Penalties().feeder_usd_per_mwh
    rows = feeder_rows(models, offers, lda, 0, excess_usd_per_mwh=price) if models else None
    found = sced.clear(demand, all_on(case), blocks=book.blocks, feeder=rows)
    ends = np.cumsum([offer.der.size for offer in offers])
    parts = np.split(found.block_mw, ends[:-1])
    each = [
        der_awards(offer, 0, part) * KW_PER_MW / sets(layer)[place]
        for offer, part, place in zip(offers, parts, lda, strict=True)
    ]
    p_kw = tuple(
        tuple(p for p, of in zip(each, lda, strict=True) if of == k) for k in range(len(layer.areas))
    )
    of_blocks = float(found.block_mw @ book.price_usd_per_mwh)
    cost = found.objective_usd_per_h - of_blocks + ders_usd_per_h(layer, p_kw)
    return Outcome(cost_usd_per_h=cost, p_kw=p_kw, found=found)


def nothing(layer: Below) -> Injections:
    return tuple(tuple(np.zeros(c.ders_count) for c in own) for own in layer.columns)


def drawn_mw(layer: Below, p_kw: Injections, buses: int) -> FloatArray:
    """Import of all LDAs at injections, by bus, on the maps. [MW]"""
    drawn = np.zeros(buses)
    for one, points, own in zip(layer.areas, layer.points, p_kw, strict=True):
        heads = [pt.head_power_kw(pt.map.to_map_order(p), 0.0 * p) for pt, p in zip(points, own, strict=True)]
        drawn[one.bus] += one.multiplicity * (CONSTANT_MW + sum(heads) / KW_PER_MW)
    return drawn


def ders_usd_per_h(layer: Below, p_kw: Injections) -> float:
    """What all DERs ask for injections against their floors. [$/h]"""
    return sum(
        m * sum(c.cost_usd_per_h(p) for c, p in zip(columns, own, strict=True))
        for columns, own, m in zip(layer.columns, p_kw, sets(layer), strict=True)
    )


def excess(layer: Below, p_kw: Injections) -> float:
    """Greatest excess over any feeder's limit on its map. [pu^2] or [MW]"""
    return max(
        float(case.excess(case.point.map.to_map_order(p), case.columns.q_kvar).max())
        for cases, own in zip(cases_of(layer), p_kw, strict=True)
        for case, p in zip(cases, own, strict=True)
    )


def cases_of(layer: Below) -> list[list[FeederCase]]:
    return [
        [
            bidder.refresh(point, columns, layer.limits)
            for bidder, point, columns in zip(*of_area, strict=True)
        ]
        for of_area in zip(layer.bidders, layer.points, layer.columns, strict=True)
    ]


def overridden(layer: Below, p_kw: Injections) -> Injections:
    """The dispatch nearest to an award that keeps every limit: least sum of MW moved to the base."""
    done = []
    for bidders, points, columns, asked in zip(layer.bidders, layer.points, layer.columns, p_kw, strict=True):
        own = []
        for bidder, point, offered, p in zip(bidders, points, columns, asked, strict=True):
            base = offered.base_kw.clip(offered.floor_kw, offered.top_kw)
            moves = CheckedFeeder(asked_kw=p, rest_kw=base, q_kvar=offered.q_kvar, name=bidder.name).columns()
            program = ReducedProgram(bidder.refresh(point, moves, layer.limits), bidder.name)
            own.append(point.map.to_fleet_order(program.at_price(0.0).p_kw))
        done.append(tuple(own))
    return tuple(done)


def realised(
    case: TransmissionCase, layer: Below, load_mw: FloatArray, p_kw: Injections, *, losses: bool
) -> Outcome:
    """Units, shortages and overloads that balance given injections, at least cost."""
    sced = Sced(market_network(case), case.units, losses=losses, loss_tolerance_mw=1e-9)
    found = sced.clear(load_mw + drawn_mw(layer, p_kw, load_mw.size), all_on(case))
    cost = found.objective_usd_per_h + ders_usd_per_h(layer, p_kw)
    return Outcome(cost_usd_per_h=cost, p_kw=p_kw, found=found)


class MapJudge:
    """A feeder's limits on its linear map, as shares of themselves, for the operating envelopes."""

    def __init__(self, case: FeederCase) -> None:
        self._case = case
        self._unit = np.abs(case.bound)
        self._kept = np.flatnonzero(np.isfinite(self._unit).ravel())
        self.magnitude = np.full(self._kept.size, np.inf)

    def excess(self, p_kw: FloatArray) -> FloatArray:
        over: FloatArray = (self._case.excess(p_kw, self._case.columns.q_kvar) / self._unit).ravel()
        return over[self._kept]

    def slopes(self, p_kw: FloatArray, limits: IntArray) -> FloatArray:
        one = np.eye(p_kw.size)
        moved = [self.excess(p_kw + step)[limits] - self.excess(p_kw)[limits] for step in one]
        return np.stack(moved, axis=1)


def enveloped(layer: Below) -> list[list[DerColumns]]:
    """Offers cut to what every DER may do whatever the others do."""
    cut = []
    for cases, columns in zip(cases_of(layer), layer.columns, strict=True):
        own = []
        for case, offered in zip(cases, columns, strict=True):
            mine = case.columns
            base = mine.base_kw.clip(mine.floor_kw, mine.top_kw)
            ability = Ability(reference_kw=base, least_kw=mine.floor_kw, most_kw=mine.top_kw)
            envelope = operating_envelope(MapJudge(case), ability, equal)
            least, most = (case.point.map.to_fleet_order(v) for v in (envelope.least_kw, envelope.most_kw))
            below_kw, up_to_kw = offered.filled_kw(least), offered.filled_kw(most)
            own.append(replace(offered, floor_kw=least, width_kw=up_to_kw - below_kw))
        cut.append(own)
    return cut


@cache
def outcomes(*, congested: bool, losses: bool, scarce: bool) -> dict[str, Outcome]:
    """All models on one scenario."""
    layer, case = below(congested=congested), grid(congested=congested, losses=losses)
    load = SCARCE_MW if scarce else LOAD_MW
    done = {
        "M1": dispatched(case, layer, load, losses=losses),
        "M4": dispatched(case, layer, load, losses=losses, models=models_of(layer)),
        "M3": dispatched(case, layer, load, losses=losses, columns=enveloped(layer)),
    }
    done["M2"] = realised(case, layer, load, overridden(layer, done["M1"].p_kw), losses=losses)
    for code, one in sorted(done.items()):
        print(code, f"{one.cost_usd_per_h:.4f} $/h, excess {excess(layer, one.p_kw):.1e},"
              f" shed {one.found.shed_mw.sum():.2f} MW, over {one.found.overload_mw:.2f} MW")  # fmt: skip
    return done


every_case = pytest.mark.parametrize("losses", [False, True], ids=["lossless", "losses"])


@every_case
@pytest.mark.parametrize("scarce", [False, True], ids=["ample", "scarce"])
def test_blind_is_cheapest_forward_full_sight_cheapest_in_truth(losses: bool, scarce: bool) -> None:
    layer = below(congested=True)
    done = outcomes(congested=True, losses=losses, scarce=scarce)
    cost = {code: one.cost_usd_per_h for code, one in done.items()}
    step = STRICT * cost["M4"]
    assert cost["M1"] < cost["M4"] - step
    assert cost["M4"] < cost["M2"] - step
    assert cost["M4"] < cost["M3"] - step
    # blind awards break limits, the others keep them to the programs' tolerance
    assert excess(layer, done["M1"].p_kw) > 100 * KEPT
    assert all(excess(layer, done[code].p_kw) <= KEPT for code in ("M2", "M3", "M4"))
    assert (done["M4"].found.feeder_excess == 0.0).all()
    own = done["M4"].found.block_usd_per_mwh
    assert np.ptp(own) > 10.0, "feeder limits bind: DERs' places are worth different prices"
    assert (done["M2"].found.shed_mw.sum() > 1.0) == scarce


@every_case
def test_the_exact_bid_costs_what_full_sight_costs_at_the_same_prices(losses: bool) -> None:
    layer, case = below(congested=True), grid(congested=True, losses=losses)
    full = outcomes(congested=True, losses=losses, scarce=False)["M4"]
    found = cleared(case, layer, exact_bids(layer), LOAD_MW, losses=losses)
    assert (
        max(found.shed_mw.sum(), found.overload_mw, full.found.overload_mw, full.found.shed_mw.sum()) == 0.0
    )
    cost = layered_cost_usd_per_h(case, layer, layer.exact, found)
    apart = np.abs(found.prices.raw_usd_per_mwh - full.found.prices.raw_usd_per_mwh).max()
    print(f"M5 {cost:.4f} $/h, gap {cost / full.cost_usd_per_h - 1.0:.1e}, LMPs apart {apart:.1e} $/MWh")
    assert cost == pytest.approx(full.cost_usd_per_h, rel=EQUAL)
    assert apart <= LMP_USD_PER_MWH
    assert found.binding.tolist() == full.found.binding.tolist() != []


@every_case
def test_where_no_feeder_binds_all_cost_the_same(losses: bool) -> None:
    done = outcomes(congested=False, losses=losses, scarce=False)
    for code in ("M2", "M3", "M4"):
        assert done[code].cost_usd_per_h == pytest.approx(done["M1"].cost_usd_per_h, rel=EQUAL), code
    idle = ders_usd_per_h(below(congested=False), nothing(below(congested=False)))
    assert ders_usd_per_h(below(congested=False), done["M1"].p_kw) != pytest.approx(idle, rel=1e-3)
