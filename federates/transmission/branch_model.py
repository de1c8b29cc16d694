"""Branch flows and bus injections from complex voltages, by the pi model of the case alone.

No engine takes part: what a solver returns as voltages is read here, so that flows, losses and bus balances
are those of the case, whatever the solver made of its input.
"""

from __future__ import annotations

import numpy as np

from federates.cases.case import Branches, TransmissionCase
from federates.core.arrays import ComplexArray, FloatArray, IntArray


class BranchModel:
    """The pi models of all branches and the bus shunts of a case, in per unit.

    Each branch has series admittance ``ys = 1 / (r + jx)``, half of ``jb`` at either end and an ideal
    transformer of ratio ``t = ratio * exp(j shift)`` on its from side (MATPOWER manual, section 3.2).
    """

    __slots__ = ("_base_mva", "_from", "_n_buses", "_shunt_pu", "_to", "_yff", "_yft", "_ytf", "_ytt")

    def __init__(self, case: TransmissionCase) -> None:
        branches: Branches = case.branches
        series = 1.0 / _complex(branches.r_pu, branches.x_pu)
        shift = np.deg2rad(branches.shift_deg)
        tap = _complex(branches.ratio * np.cos(shift), branches.ratio * np.sin(shift))
        self._base_mva = case.base_mva
        self._n_buses = len(case.buses.ids)
        self._from = branches.from_bus
        self._to = branches.to_bus
        self._ytt = series + _complex(np.zeros_like(branches.b_pu), 0.5 * branches.b_pu)
        self._yff = self._ytt / np.abs(tap) ** 2
        self._yft = -series / np.conj(tap)
        self._ytf = -series / tap
        shunt_pu = case.buses.shunt_mvar / case.base_mva
        self._shunt_pu = _complex(np.zeros_like(shunt_pu), shunt_pu)

    def flows_mva(self, v: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
        """Complex power that enters each branch at its from and its to end.

        Parameters
        ----------
        v
            Bus voltages, shape (buses,). [pu]

        Returns
        -------
        tuple
            Two arrays of shape (branches,), P + jQ. [MVA]
        """
        v_from, v_to = v[self._from], v[self._to]
        s_from = v_from * np.conj(self._yff * v_from + self._yft * v_to)
        s_to = v_to * np.conj(self._ytf * v_from + self._ytt * v_to)
        return s_from * self._base_mva, s_to * self._base_mva

    def injections_mva(self, v: ComplexArray) -> ComplexArray:
        """Complex power that each bus must inject to hold the voltages ``v``, shape (buses,). [MVA]

        Bus shunts count as part of the grid.
        """
        s_from, s_to = self.flows_mva(v)
        shunts_mva = np.abs(v) ** 2 * np.conj(self._shunt_pu) * self._base_mva
        return shunts_mva + self._sum_at(self._from, s_from) + self._sum_at(self._to, s_to)

    def _sum_at(self, bus: IntArray, s: ComplexArray) -> ComplexArray:
        total = np.zeros(self._n_buses, dtype=np.complex128)
        np.add.at(total, bus, s)
        return total


def _complex(real: FloatArray, imag: FloatArray) -> ComplexArray:
    z = np.empty(real.shape, dtype=np.complex128)
    z.real, z.imag = real, imag
    return z
