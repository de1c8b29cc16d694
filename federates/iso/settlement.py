r"""Two settlements: what one interval makes everybody earn and owe, and where the difference comes from.

Participants k sit at buses n(k). Injections are positive, withdrawals negative, so every amount below is paid
*to* the participant; a price keeps its sign. With x for injections, DA and RT for the two markets, M for the
meters, and :math:`\pi` for published (capped) prices:

.. math::

    E^{DA}_k &= x^{DA}_k \pi^{DA}_{n(k)}  \qquad
    E^{RT}_k  = (x^M_k - x^{DA}_k) \, \pi^{RT}_{n(k)} \\
    R^{DA}_k &= r^{DA}_k \rho^{DA}_k      \qquad
    R^{RT}_k  = (r^{RT}_k - r^{DA}_k) \, \rho^{RT}_k

Load that was not served is no injection: x^DA of a load is what the market *served* (:func:`served_mw`). What
the market takes up without a taker is a withdrawal of the ISO's own, metered as zero.

A market's dispatch x moves p' = sum_k x_k - l + d through the alternating-current grid, with l the losses at
the buses where the market puts them and d the direct-current lines' injections; 1'p' = 0 and the flows are
f = H p' + s (s: flow that phase shifts drive). Raw prices are :math:`\lambda + H'\mu + \nu` (mu: signed
prices of the line ratings, nu: loss parts). Hence what a market takes in by its raw prices is

.. math::

    -\sum_k x_k \pi^{raw}_{n(k)} =
        \underbrace{-\mu'(f - s) + \sum_{dc} d_{dc} (\pi^{raw}_{to} - \pi^{raw}_{from})}_{congestion\ rent}
        \underbrace{{} - \nu'p' - \pi^{raw\prime} l}_{loss\ surplus}

The left side is made of statement lines, the right side of duals, flows and losses: each is computed from its
own definition. In real time both right-hand terms are taken at real-time prices, for the real-time dispatch
less the day-ahead one. Published prices leave the cost of caps, :math:`\sum_k x_k(\pi - \pi^{raw})`.

Between dispatch and meters lie deviations, which the units that share an imbalance make good. Minute by
minute a unit u with share phi_u gives

.. math::

    \phi_u \, [(W - S) + L^{AC}] =
        \underbrace{\phi_u \, [(W - S) + L^{mkt}]}_{response\ to\ deviations}
      + \underbrace{\phi_u \, [L^{AC} - L^{mkt}]}_{loss\ difference}

beyond what it was set to (W: all that is drawn, S: all set outputs, L: losses). The *AC-DC loss difference*
is the second part at the unit's real-time price. *Imbalance* is what
the deviations pay less what the first part earns, each MWh against the mean price of the units that respond,
:math:`\bar\pi = \sum_u \phi_u \pi_{n(u)}`; with x^O the participant's own injection, response left out,

.. math::

    imbalance = \sum_k (\pi_{n(k)} - \bar\pi) (x^{RT}_k - x^O_k)
        - \sum_u (\pi_{n(u)} - \bar\pi) \phi_u (W - S + L^{mkt})

which is zero where one price holds everywhere. Deviations and responses add up to the same energy unless a
meter is missing; then its energy is no imbalance but stays unexplained, at that mean price. So

.. math::

    -\sum_k E_k = congestion\ rent + loss\ surplus - cap\ cost + imbalance - loss\ difference + unexplained

``unexplained`` is what statement lines, duals and meters do not agree upon; :mod:`federates.iso.ledger` books
it last. Sources: A. Ott, IEEE Trans. Power Systems 18 (2003) 528 (two settlements); E. Litvinov, T. Zheng,
G. Rosenwald, P. Shamsollahi, IEEE Trans. Power Systems 19 (2004) 1137 (loss and congestion surplus).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the participants and the direct-current lines of a system are."""

    bus: IntArray
    """Bus of each participant, shape (participants,)."""
    buses_count: int
    """Number of buses."""
    dc_from: IntArray
    """Bus at which each direct-current line draws, shape (dc lines,)."""
    dc_to: IntArray
    """Bus at which it injects, shape (dc lines,)."""
    shift_flow_mw: FloatArray
    """Flow that the phase shifts alone drive, shape (branches,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What one market decides for one interval: positions, prices, and the grid that carries them."""

    injection_mw: FloatArray
    """Average injection that is awarded, shape (participants,). [MW]"""
    lmp_usd_per_mwh: FloatArray
    """Published price, shape (buses,). [$/MWh]"""
    raw_usd_per_mwh: FloatArray
    """Price before caps, shape (buses,). [$/MWh]"""
    loss_usd_per_mwh: FloatArray
    """Loss part of the raw price, shape (buses,). [$/MWh]"""
    loss_mw: FloatArray
    """Losses where the market puts them, shape (buses,). [MW]"""
    flow_mw: FloatArray
    """Branch flows, shape (branches,). [MW]"""
    line_price_usd_per_mwh: FloatArray
    """Price of each rating, negative where the flow from *from* to *to* is at it, (branches,). [$/MWh]"""
    dc_mw: FloatArray
    """Flow of direct-current lines, shape (dc lines,). [MW]"""
    reserve_mw: FloatArray
    """Reserve awarded, shape (participants, products). [MW]"""
    reserve_usd_per_mwh: FloatArray
    """Price of each product where the participant is, same shape. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What the meters read over one market interval; responses are zero for all but units."""

    injection_mwh: FloatArray
    """Shape (participants,). [MWh]"""
    own_mwh: FloatArray
    """The same without the shared imbalance: what a unit was set to, shape (participants,). [MWh]"""
    drawn_response_mwh: FloatArray
    """Share of what was drawn beyond all set outputs, losses aside, shape (participants,). [MWh]"""
    loss_response_mwh: FloatArray
    """Share of the AC losses, shape (participants,). [MWh]"""
    share_h: FloatArray
    """Share of an imbalance integrated over the interval, shape (participants,). [h]"""
    losses_mwh: float
    """AC losses. [MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proceeds:
    """Energy, reserves and money of one market over some time, and what explains the money."""

    energy_mwh: FloatArray
    """Quantity settled, shape (participants,). [MWh]"""
    energy_usd: FloatArray
    """Paid for energy, shape (participants,). [$]"""
    reserve_mwh: FloatArray
    """Reserve settled, shape (participants, products). [MWh]"""
    reserve_usd: FloatArray
    """Paid for reserves, same shape. [$]"""
    price_usd: FloatArray
    """LMP where the participant is, integrated over time, shape (participants,). [$/MW]"""
    hours: float
    """Length of the time. [h]"""
    congestion_rent_usd: float
    """What line ratings earn. [$]"""
    loss_surplus_usd: float
    """What marginal prices of losses collect beyond the losses' cost. [$]"""
    cap_cost_usd: float
    """Paid at published prices less at raw ones. [$]"""
    imbalance_usd: float = 0.0
    """What deviations pay less what making them good costs. [$]"""
    loss_difference_usd: float = 0.0
    """Paid for AC losses beyond the market's. [$]"""

    def __add__(self, other: Proceeds) -> Proceeds:
        """Both times together."""
        return Proceeds(
            energy_mwh=self.energy_mwh + other.energy_mwh,
            energy_usd=self.energy_usd + other.energy_usd,
            reserve_mwh=self.reserve_mwh + other.reserve_mwh,
            reserve_usd=self.reserve_usd + other.reserve_usd,
            price_usd=self.price_usd + other.price_usd,
            hours=self.hours + other.hours,
            congestion_rent_usd=self.congestion_rent_usd + other.congestion_rent_usd,
            loss_surplus_usd=self.loss_surplus_usd + other.loss_surplus_usd,
            cap_cost_usd=self.cap_cost_usd + other.cap_cost_usd,
            imbalance_usd=self.imbalance_usd + other.imbalance_usd,
            loss_difference_usd=self.loss_difference_usd + other.loss_difference_usd,
        )


def settle_day_ahead(places: Places, market: Market, length_h: float) -> Proceeds:
    """What the day-ahead market pays for ``length_h`` of its awards. [h]"""
    lmp = market.lmp_usd_per_mwh[places.bus]
    energy_mwh = length_h * market.injection_mw
    return Proceeds(
        energy_mwh=energy_mwh,
        energy_usd=energy_mwh * lmp,
        reserve_mwh=length_h * market.reserve_mw,
        reserve_usd=length_h * market.reserve_mw * market.reserve_usd_per_mwh,
        price_usd=length_h * lmp,
        hours=length_h,
        congestion_rent_usd=length_h * congestion_rent_usd_per_h(places, market, market),
        loss_surplus_usd=length_h * loss_surplus_usd_per_h(places, market, market),
        cap_cost_usd=length_h * _cap_cost_usd_per_h(places, market, market.injection_mw),
    )


def settle_real_time(
    places: Places, day_ahead: Market, real_time: Market, metered: Metered, length_h: float
) -> Proceeds:
    """What the real-time market pays for one interval's departure from the day-ahead awards.

    Parameters
    ----------
    day_ahead
        The day-ahead market of the hour that holds the interval.
    real_time
        The interval's dispatch.
    metered
        What the meters read over the interval.
    length_h
        Length of the interval. [h]
    """
    lmp = real_time.lmp_usd_per_mwh[places.bus]
    energy_mwh = metered.injection_mwh - length_h * day_ahead.injection_mw
    reserve_mwh = length_h * (real_time.reserve_mw - day_ahead.reserve_mw)

    def departure(of_usd_per_h: float, from_usd_per_h: float) -> float:
        return length_h * (of_usd_per_h - from_usd_per_h)

    market_losses_mw = float(real_time.loss_mw.sum())
    own_deviation_mwh = metered.own_mwh - length_h * real_time.injection_mw
    response_mwh = metered.drawn_response_mwh + market_losses_mw * metered.share_h
    difference_mwh = metered.loss_response_mwh - market_losses_mw * metered.share_h
    return Proceeds(
        energy_mwh=energy_mwh,
        energy_usd=energy_mwh * lmp,
        reserve_mwh=reserve_mwh,
        reserve_usd=reserve_mwh * real_time.reserve_usd_per_mwh,
        price_usd=length_h * lmp,
        hours=length_h,
        congestion_rent_usd=departure(
            congestion_rent_usd_per_h(places, real_time, real_time),
            congestion_rent_usd_per_h(places, real_time, day_ahead),
        ),
        loss_surplus_usd=departure(
            loss_surplus_usd_per_h(places, real_time, real_time),
            loss_surplus_usd_per_h(places, real_time, day_ahead),
        ),
        cap_cost_usd=departure(
            _cap_cost_usd_per_h(places, real_time, real_time.injection_mw),
            _cap_cost_usd_per_h(places, real_time, day_ahead.injection_mw),
        ),
        imbalance_usd=float((_mean_response_price(lmp, metered) - lmp) @ (own_deviation_mwh + response_mwh)),
        loss_difference_usd=float(lmp @ difference_mwh),
    )


def _mean_response_price(lmp: FloatArray, metered: Metered) -> float:
    """Mean price of the units that share an imbalance, by their shares; 0 where nobody does. [$/MWh]"""
    shared_h = float(metered.share_h.sum())
    return float(lmp @ metered.share_h) / shared_h if shared_h > 0.0 else 0.0


def meter_gap_mwh(metered: Metered) -> float:
    """Energy metered in, less energy metered out and lost: zero where no meter is missing. [MWh]"""
    return float(metered.injection_mwh.sum()) - metered.losses_mwh


def congestion_rent_usd_per_h(places: Places, prices: Market, dispatch: Market) -> float:
    """What line ratings earn on the flows of ``dispatch`` at the shadow prices of ``prices``. [$/h]

    Phase shifts drive flows that nobody injects, so that their part is taken off; a direct-current line earns
    the difference of prices between its ends.
    """
    raw = prices.raw_usd_per_mwh
    of_lines = -prices.line_price_usd_per_mwh @ (dispatch.flow_mw - places.shift_flow_mw)
    return float(of_lines + (raw[places.dc_to] - raw[places.dc_from]) @ dispatch.dc_mw)


def loss_surplus_usd_per_h(places: Places, prices: Market, dispatch: Market) -> float:
    """What the loss parts of ``prices`` collect from ``dispatch``, less what its losses cost. [$/h]"""
    carried_mw = _carried_mw(places, dispatch)
    collected = -prices.loss_usd_per_mwh @ carried_mw
    return float(collected - prices.raw_usd_per_mwh @ dispatch.loss_mw)


def _carried_mw(places: Places, market: Market) -> FloatArray:
    """Net injection into the alternating-current grid, losses taken off, shape (buses,). [MW]"""
    net_mw = np.bincount(places.bus, weights=market.injection_mw, minlength=places.buses_count)
    np.add.at(net_mw, places.dc_to, market.dc_mw)
    np.subtract.at(net_mw, places.dc_from, market.dc_mw)
    carried: FloatArray = net_mw - market.loss_mw
    return carried


def _cap_cost_usd_per_h(places: Places, prices: Market, injection_mw: FloatArray) -> float:
    above_raw = prices.lmp_usd_per_mwh - prices.raw_usd_per_mwh
    return float(above_raw[places.bus] @ injection_mw)


def served_mw(injection_mw: FloatArray, bus: IntArray, shed_mw: FloatArray) -> FloatArray:
    """Injections with the load that was not served taken off, in proportion, from a bus's withdrawals.

    Parameters
    ----------
    injection_mw
        Asked for, withdrawals negative, shape (participants,). [MW]
    bus
        Bus of each participant, shape (participants,).
    shed_mw
        Not served, shape (buses,). [MW]
    """
    drawn_mw = np.maximum(-injection_mw, 0.0)
    at_bus = np.bincount(bus, weights=drawn_mw, minlength=shed_mw.size)
    share = np.divide(shed_mw, at_bus, out=np.zeros_like(shed_mw), where=at_bus > 0.0)
    served: FloatArray = injection_mw + share[bus] * drawn_mw
    return served
