"""Energy: what is injected and drawn at every bus in every interval adds up.

Per interval, with offers ``x`` at buses, net injection ``p``, losses ``l`` and demand ``d``::

    sum of x at n + short_n - surplus_n - p_n = d_n          price alpha_n: the LMP
    sum_n p_n - l = 0                                        price lambda

One free column per bus and interval stands for the net injection; bids meet it in the nodal rows only, so
that line rows never touch bids. Every load may be left unserved and every surplus dumped, at a price. Losses
are zero until :class:`~federates.iso.products.losses.Losses` opens them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.network import MarketNetwork
from federates.iso.penalties import Penalties
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import Solution

DIRECT_USD_PER_MWH = 1e-6
"""Price of using a direct-current line: too little to matter, enough to leave it idle where it is no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Columns and rows of the energy product over ``times`` intervals."""

    net: IntArray
    """Net injection, shape (times, buses)."""
    short: IntArray
    """Load not served by penalty step, shape (times, buses, steps)."""
    surplus: IntArray
    """Energy without a taker, shape (times, buses)."""
    loss: IntArray
    """Losses, shape (times,)."""
    direct: IntArray
    """Flow of direct-current lines forwards and backwards, shape (times, dc lines, 2)."""
    nodal: IntArray
    """Nodal rows, shape (times, buses); their price is the LMP."""
    balance: IntArray
    """System rows, shape (times,)."""
    step_share: FloatArray
    """Width of each shortage step as a share of the load, shape (steps,)."""
    step_usd_per_mwh: FloatArray
    """Its price, shape (steps,). [$/MWh]"""
    surplus_usd_per_mwh: float
    """Price of energy without a taker. [$/MWh]"""

    @classmethod
    def add_to(
        cls, blueprint: Blueprint, network: MarketNetwork, penalties: Penalties, times_count: int
    ) -> Energy:
        """Add the product's columns and rows; offers enter through :meth:`inject`."""
        n, d = network.buses_count, network.dc_from.size
        steps = np.array(penalties.short)
        free = (times_count, n)
        energy = cls(
            net=blueprint.columns(free, -np.inf, np.inf, 0.0),
            short=blueprint.columns((*free, len(steps)), 0.0, 0.0, steps[:, 1]),
            surplus=blueprint.columns(free, 0.0, np.inf, penalties.surplus_usd_per_mwh),
            loss=blueprint.columns((times_count,), 0.0, 0.0, 0.0),
            direct=blueprint.columns(
                (times_count, d, 2), 0.0, network.dc_limit_mw[:, None], DIRECT_USD_PER_MWH
            ),
            nodal=blueprint.rows(free, 0.0, 0.0),
            balance=blueprint.rows((times_count,), 0.0, 0.0),
            step_share=steps[:, 0],
            step_usd_per_mwh=steps[:, 1],
            surplus_usd_per_mwh=penalties.surplus_usd_per_mwh,
        )
        blueprint.entries(energy.nodal, energy.net, -1.0)
        blueprint.entries(energy.nodal[..., None], energy.short, 1.0)
        blueprint.entries(energy.nodal, energy.surplus, -1.0)
        blueprint.entries(energy.balance[:, None], energy.net, 1.0)
        blueprint.entries(energy.balance, energy.loss, -1.0)
        for way, sign in enumerate((1.0, -1.0)):
            energy.inject(blueprint, energy.direct[..., way], network.dc_from, -sign)
            energy.inject(blueprint, energy.direct[..., way], network.dc_to, sign)
        return energy

    def inject(
        self, blueprint: Blueprint, columns: IntArray, bus: IntArray, sign: float | FloatArray
    ) -> None:
        """Let ``columns``, shape (times, k), inject ``sign`` MW each at ``bus``, shape (k,)."""
        blueprint.entries(self.nodal[:, bus], columns, sign)

    def set_demand(self, program: Program, demand_mw: FloatArray, load_mw: FloatArray) -> None:
        """Set what has to be served.

        Parameters
        ----------
        demand_mw
            Withdrawal minus injections that are not offered, shape (times, buses). [MW]
        load_mw
            The part that can be left unserved, shape (times, buses). [MW]
        """
        program.set_row_bounds(self.nodal.ravel(), demand_mw.ravel(), demand_mw.ravel())
        program.set_column_bounds(self.short.ravel(), 0.0, self._short_mw(load_mw).ravel())

    def _short_mw(self, load_mw: FloatArray) -> FloatArray:
        """Width of each shortage step, shape (times, buses, steps). [MW]"""
        load = load_mw[..., None]
        begins = np.concatenate(([0.0], np.cumsum(self.step_share[:-1])))
        left = np.maximum(load - begins * load, 0.0)
        share = np.where(np.isfinite(self.step_share), self.step_share, 1.0)
        width: FloatArray = np.minimum(left, share * load)
        return width

    def raise_demand(
        self, program: Program, demand_mw: FloatArray, load_mw: FloatArray, more_mw: FloatArray
    ) -> None:
        """Ask for a little more everywhere: its dual is the price of the next MW.

        What is asked for can be left unserved like the load, else nothing could be short of all of it.
        """
        rows = (demand_mw + more_mw).ravel()
        program.set_row_bounds(self.nodal.ravel(), rows, rows)
        width = self._short_mw(load_mw)
        width[..., -1] += more_mw
        program.set_column_bounds(self.short.ravel(), 0.0, width.ravel())

    def price_usd_per_mwh(self, solution: Solution) -> FloatArray:
        """Locational marginal prices, shape (times, buses). [$/MWh]"""
        return solution.row_dual[self.nodal]

    def scale_penalties(self, program: Program, factor: float) -> None:
        """Make shortage and surplus ``factor`` times as dear as they are."""
        dear = np.broadcast_to(factor * self.step_usd_per_mwh, self.short.shape)
        program.set_costs(self.short.ravel(), dear.ravel())
        program.set_costs(self.surplus.ravel(), factor * self.surplus_usd_per_mwh)

    def flow_mw(self, network: MarketNetwork, x: FloatArray) -> FloatArray:
        """Branch flows, shape (times, branches). [MW]"""
        return network.flow_mw(x[self.net] - x[self.loss][:, None] * network.loss_weight)

    def direct_mw(self, x: FloatArray) -> FloatArray:
        """Flow of direct-current lines, shape (times, dc lines). [MW]"""
        flow: FloatArray = x[self.direct[..., 0]] - x[self.direct[..., 1]]
        return flow

    def cost_usd_per_h(self, x: FloatArray) -> FloatArray:
        """Cost of shortage, surplus and direct-current lines, shape (times,). [$/h]"""
        short = x[self.short].sum(axis=1) @ self.step_usd_per_mwh
        surplus = self.surplus_usd_per_mwh * x[self.surplus].sum(axis=1)
        cost: FloatArray = short + surplus + DIRECT_USD_PER_MWH * x[self.direct].sum(axis=(1, 2))
        return cost

    def shed_mw(self, x: FloatArray) -> FloatArray:
        """Load not served, shape (times, buses). [MW]"""
        shed: FloatArray = x[self.short].sum(axis=2)
        return shed
