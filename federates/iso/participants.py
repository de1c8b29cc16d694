"""Who takes part in the settlement, in one order, and what clearings and meters say of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray, IntArray
from federates.core.messages import DerOffers, IntervalMeters
from federates.iso.day_ahead import DayAhead
from federates.iso.market import der_awards
from federates.iso.network import market_network
from federates.iso.sced import Clearing
from federates.iso.settlement import Market, Metered, Places, served_mw

Place = tuple[str, int]
"""A name and its bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserves:
    """Reserves that one clearing awards."""

    unit_mw: FloatArray
    """Award of each unit, shape (units, products). [MW]"""
    lda_mw: FloatArray
    """Award of each LDA, shape (ldas, products). [MW]"""
    price_usd_per_mwh: FloatArray
    """Price of each product where it is provided, shape (buses, products). [$/MWh]"""
    unit_cost_usd_per_h: FloatArray
    """What each unit asked for its awards, shape (units,). [$/h]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatched:
    """What one clearing decides for one interval, as the settlement takes it."""

    unit_mw: FloatArray
    """Output of each unit, shape (units,). [MW]"""
    load_mw: FloatArray
    """Load outside LDAs that was asked for, shape (buses,). [MW]"""
    loss_mw: FloatArray
    """Losses where the market puts them, shape (buses,). [MW]"""
    import_mw: FloatArray
    """Net import of each LDA's own curve, shape (ldas,). [MW]"""
    der_mw: FloatArray
    """Injection awarded to the DERs of each aggregator in the market, shape (aggregators,). [MW]"""
    shed_mw: FloatArray
    """Load not served, shape (buses,). [MW]"""
    surplus_mw: FloatArray
    """Energy without a taker, shape (buses,). [MW]"""
    flow_mw: FloatArray
    """Branch flows, shape (branches,). [MW]"""
    line_price_usd_per_mwh: FloatArray
    """Signed price of each rating, shape (branches,). [$/MWh]"""
    dc_mw: FloatArray
    """Flow of direct-current lines, shape (dc lines,). [MW]"""
    lmp_usd_per_mwh: FloatArray
    """Published price, shape (buses,). [$/MWh]"""
    raw_usd_per_mwh: FloatArray
    """Price before caps, shape (buses,). [$/MWh]"""
    loss_usd_per_mwh: FloatArray
    """Loss part of the raw price, shape (buses,). [$/MWh]"""
    reserves: Reserves | None = None
    """Reserves; None where the market has none."""


def dispatched(
    cleared: Clearing | DayAhead,
    hour: int | EllipsisType,
    *,
    load_mw: FloatArray,
    loss_mw: FloatArray,
    der_mw: FloatArray,
    reserves: Reserves | None = None,
) -> Dispatched:
    """One interval of a clearing: an hour of a day-ahead one, or (``...``) all of a real-time one.

    Parameters
    ----------
    load_mw, loss_mw
        Load outside LDAs and losses that were served, shape (buses,). [MW]
    der_mw
        Injection awarded to the DERs of each aggregator, shape (aggregators,). [MW]
    reserves
        Reserves of the interval.
    """
    prices = cleared.prices
    return Dispatched(
        unit_mw=cleared.unit_mw[hour],
        load_mw=load_mw,
        loss_mw=loss_mw,
        import_mw=cleared.curve_mw[hour],
        der_mw=der_mw,
        shed_mw=cleared.shed_mw[hour],
        surplus_mw=cleared.surplus_mw[hour],
        flow_mw=cleared.flow_mw[hour],
        line_price_usd_per_mwh=cleared.line_price_usd_per_mwh[hour],
        dc_mw=cleared.dc_mw[hour],
        lmp_usd_per_mwh=prices.lmp_usd_per_mwh[hour],
        raw_usd_per_mwh=prices.raw_usd_per_mwh[hour],
        loss_usd_per_mwh=prices.loss_usd_per_mwh[hour],
        reserves=reserves,
    )


def der_injections_mw(offers: Sequence[DerOffers], hour: int, taken_mw: FloatArray) -> FloatArray:
    """Injection awarded to the DERs of each aggregator together, shape (aggregators,). [MW]

    Parameters
    ----------
    offers
        In wiring order.
    hour
        Interval of the offers that the award is for.
    taken_mw
        Part taken of each block, all aggregators' blocks one after the other. [MW]
    """
    ends = np.cumsum([int((o.interval == hour).sum()) for o in offers]).tolist()
    parts = [taken_mw[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    return np.array([der_awards(o, hour, p).sum() for o, p in zip(offers, parts, strict=True)])


class Participants:
    """Who has statements, in the order of every array: units, loads, LDAs, DERs, the ISO's own takers.

    Under a model in which aggregators have awards of their own, an LDA's position is its interchange less
    theirs, forward and metered, so that nothing is settled twice.
    """

    def __init__(
        self,
        case: TransmissionCase,
        ldas: Sequence[Place],
        aggregators: Sequence[Place],
        products: tuple[str, ...] = (),
    ) -> None:
        self.products = products
        """Names of the reserve products, in the order of every array of them."""
        network = market_network(case)
        buses = np.arange(network.buses_count)
        self._lda_bus: IntArray = np.array([bus for _, bus in ldas], dtype=np.int64)
        self._der_bus: IntArray = np.array([bus for _, bus in aggregators], dtype=np.int64)
        groups = (case.units.bus, buses, self._lda_bus, self._der_bus, buses)
        self.places = Places(
            bus=np.concatenate(groups),
            buses_count=buses.size,
            dc_from=network.dc_from,
            dc_to=network.dc_to,
            shift_flow_mw=network.shift_flow_mw,
        )
        self.names: tuple[str, ...] = (
            *(f"unit/{name}" for name in case.units.ids),
            *(f"load/{name}" for name in case.buses.ids),
            *(f"lda/{name}" for name, _ in ldas),
            *(f"der/{name}" for name, _ in aggregators),
            *(f"iso/{name}" for name in case.buses.ids),
        )
        ends = np.cumsum([group.size for group in groups]).tolist()
        self.units, self.loads, self.ldas, self.ders, self.takers = (
            slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)
        )
        self.count = len(self.names)
        self.groups = {"unit": self.units, "load": self.loads, "lda": self.ldas, "der": self.ders}
        """Part of every array that each kind of participant has, the ISO's own takers left out."""

    def market(self, cleared: Dispatched) -> Market:
        """Positions of everybody in one clearing."""
        asked_mw = np.concatenate(
            (cleared.unit_mw, -cleared.load_mw, -cleared.import_mw, cleared.der_mw, -cleared.surplus_mw)
        )
        bus, buses = self.places.bus, np.arange(self.places.buses_count)
        served = served_mw(
            np.append(asked_mw[: self.takers.start], -cleared.loss_mw),
            np.append(bus[: self.takers.start], buses),
            cleared.shed_mw,
        )
        return Market(
            injection_mw=np.append(served[: self.takers.start], asked_mw[self.takers]),
            lmp_usd_per_mwh=cleared.lmp_usd_per_mwh,
            raw_usd_per_mwh=cleared.raw_usd_per_mwh,
            loss_usd_per_mwh=cleared.loss_usd_per_mwh,
            loss_mw=-served[self.takers.start :],
            flow_mw=cleared.flow_mw,
            line_price_usd_per_mwh=cleared.line_price_usd_per_mwh,
            dc_mw=cleared.dc_mw,
            **self._reserves(cleared.reserves),
        )

    def _reserves(self, reserves: Reserves | None) -> dict[str, FloatArray]:
        """Reserve fields of a `Market`: awards and prices of everybody, shape (participants, products)."""
        awarded_mw = np.zeros((self.count, len(self.products)))
        price = np.zeros((self.count, len(self.products)))
        if reserves is not None:
            awarded_mw[self.units] = reserves.unit_mw
            awarded_mw[self.ldas] = reserves.lda_mw
            price = reserves.price_usd_per_mwh[self.places.bus]
        return {"reserve_mw": awarded_mw, "reserve_usd_per_mwh": price}

    def metered(self, read: IntervalMeters, der_mwh: FloatArray) -> Metered:
        """Energy of everybody over one interval, given that of the aggregators, shape (aggregators,)."""
        at_lda = np.bincount(self._der_bus, weights=der_mwh, minlength=self.places.buses_count)
        others = (-read.load_mwh, -read.interchange_mwh - at_lda[self._lda_bus], der_mwh)
        injection_mwh = np.zeros(self.count)
        injection_mwh[: self.takers.start] = np.concatenate((read.unit_mwh, *others))
        own_mwh = injection_mwh.copy()
        own_mwh[self.units] = read.set_point_mwh

        def of_units(values: FloatArray) -> FloatArray:
            padded = np.zeros(self.count)
            padded[self.units] = values
            return padded

        return Metered(
            injection_mwh=injection_mwh,
            own_mwh=own_mwh,
            drawn_response_mwh=of_units(read.drawn_response_mwh),
            loss_response_mwh=of_units(read.loss_response_mwh),
            share_h=of_units(read.share_h),
            losses_mwh=read.losses_mwh,
        )

    def drawn_mwh(self, read: IntervalMeters) -> FloatArray:
        """Net withdrawal of loads and LDAs, by which they share the accounts, shape (participants,). [MWh]"""
        drawn = np.zeros(self.count)
        drawn[self.loads] = np.maximum(read.load_mwh, 0.0)
        drawn[self.ldas] = np.maximum(read.interchange_mwh, 0.0)
        return drawn
