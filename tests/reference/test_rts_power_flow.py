"""The AC network of RTS-GMLC against the voltages that its own bus table states.

``V Mag`` of ``bus.csv`` is a power flow at ``MW Inj`` of ``gen.csv``. A general root finder on the nodal
equations, in the MATPOWER branch convention that ``case.py`` promises, must find it again. The published
angles are not compared: no DC flow reproduces them in area 3.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from federates.cases.case import TransmissionCase
from federates.cases.rts_files import source_rows
from federates.cases.rts_gmlc import read_rts_gmlc

CASE = read_rts_gmlc(voltage_support=False)
DC_FLOW_MW = 100.0  # "MW Load" of dc_branch.csv
MEAN_PU, GREATEST_PU = 0.0016, 0.0100  # the table's flow differs in what it does not tell, such as DC losses


def admittance(case: TransmissionCase, ratio: np.ndarray, shunt_mvar: np.ndarray) -> np.ndarray:
    """Nodal admittance matrix of pi branches with taps on the from side. [pu]"""
    buses, br = len(case.buses.ids), case.branches
    y = 1.0 / (br.r_pu + 1j * br.x_pu)
    matrix = np.diag(1j * shunt_mvar / case.base_mva)
    np.add.at(matrix, (br.from_bus, br.from_bus), (y + 0.5j * br.b_pu) / ratio**2)
    np.add.at(matrix, (br.to_bus, br.to_bus), y + 0.5j * br.b_pu)
    np.add.at(matrix, (br.from_bus, br.to_bus), -y / ratio)
    np.add.at(matrix, (br.to_bus, br.from_bus), -y / ratio)
    assert matrix.shape == (buses, buses)
    return matrix


def voltage_difference(ratio: np.ndarray, shunt_mvar: np.ndarray) -> np.ndarray:
    """Distance of the solved voltages from the table's, shape (buses,). [pu]"""
    y = admittance(CASE, ratio, shunt_mvar)
    injected_mw = {row["GEN UID"]: float(row["MW Inj"]) for row in source_rows("gen.csv")}
    p_mw, q_mvar = -CASE.buses.load_mw, -CASE.buses.load_mvar
    np.add.at(p_mw, CASE.units.bus, [injected_mw[unit] for unit in CASE.units.ids])
    p_mw[CASE.dc_lines.from_bus] -= DC_FLOW_MW
    p_mw[CASE.dc_lines.to_bus] += DC_FLOW_MW
    held = np.zeros(p_mw.size, dtype=bool)
    held[CASE.units.bus[CASE.units.regulates]] = True
    angled = np.arange(p_mw.size) != CASE.reference_bus
    stated_pu = CASE.buses.v_start_pu

    def voltage(x: np.ndarray) -> np.ndarray:
        angle, magnitude = np.zeros(p_mw.size), stated_pu.copy()
        angle[angled], magnitude[~held] = np.split(x, [angled.sum()])
        return magnitude * np.exp(1j * angle)

    def mismatch(x: np.ndarray) -> np.ndarray:
        v = voltage(x)
        s_mva = CASE.base_mva * v * np.conj(y @ v)
        return np.concatenate(((s_mva.real - p_mw)[angled], (s_mva.imag - q_mvar)[~held]))

    solution = root(mismatch, np.concatenate((np.zeros(angled.sum()), stated_pu[~held])), tol=1e-9)
    assert solution.success
    return np.abs(np.abs(voltage(solution.x)) - stated_pu)


def test_the_network_reproduces_the_published_voltages() -> None:
    difference_pu = voltage_difference(CASE.branches.ratio, CASE.buses.shunt_mvar)
    assert difference_pu.mean() < MEAN_PU
    assert difference_pu.max() < GREATEST_PU


@pytest.mark.parametrize(
    ("ratio", "shunt_mvar"),
    [
        (1.0 / CASE.branches.ratio, CASE.buses.shunt_mvar),
        (np.ones_like(CASE.branches.ratio), CASE.buses.shunt_mvar),
        (CASE.branches.ratio, -CASE.buses.shunt_mvar),
    ],
    ids=["taps on the other side", "no taps", "reactors as capacitors"],
)
def test_any_other_reading_of_the_data_does_not(ratio: np.ndarray, shunt_mvar: np.ndarray) -> None:
    difference_pu = voltage_difference(ratio, shunt_mvar)
    assert difference_pu.mean() > 2.0 * MEAN_PU
    assert difference_pu.max() > 2.0 * GREATEST_PU
