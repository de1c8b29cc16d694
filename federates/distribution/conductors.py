"""Overhead line configurations from conductors on one pole, by the modified Carson equations.

Kersting, *Distribution System Modeling and Analysis*, sections 4.1 and 5.1: 60 Hz, earth of 100 ohm-metre,
the neutral reduced after Kron. Conductors and spacing are those of the IEEE PES test feeder documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray
from federates.distribution.model import LineConfig

_INCH_PER_FT = 12.0
_OMEGA = 2 * np.pi * 60
_ELASTANCE = 11.17689
"""Of air. [mile/uF]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conductor:
    """A bare overhead conductor."""

    name: str
    gmr_ft: float
    r_ohm_per_mile: float
    diameter_in: float
    ampacity_a: float


ACSR_556 = Conductor(name="acsr556", gmr_ft=0.0313, r_ohm_per_mile=0.1859, diameter_in=0.927, ampacity_a=730)
ACSR_336 = Conductor(name="acsr336", gmr_ft=0.0244, r_ohm_per_mile=0.306, diameter_in=0.721, ampacity_a=530)
ACSR_4_0 = Conductor(name="acsr4_0", gmr_ft=0.00814, r_ohm_per_mile=0.592, diameter_in=0.563, ampacity_a=340)
ACSR_1_0 = Conductor(name="acsr1_0", gmr_ft=0.00446, r_ohm_per_mile=1.12, diameter_in=0.398, ampacity_a=230)
CONDUCTORS = (ACSR_1_0, ACSR_4_0, ACSR_336, ACSR_556)
"""From the lightest to the heaviest."""

_POSITION_FT = np.array([[0.0, 28.0], [2.5, 28.0], [7.0, 28.0]])
"""Places of the phase wires on the pole, across and up; spacing ID 500."""
_NEUTRAL_FT = np.array([4.0, 24.0])


def overhead_config(
    name: str, conductor: Conductor, neutral: Conductor, phases: tuple[int, ...], places: tuple[int, ...]
) -> LineConfig:
    """Return the configuration of phase wires and a neutral on one pole.

    Parameters
    ----------
    name
        Of the configuration.
    conductor, neutral
        Of the phases and of the neutral.
    phases
        Phases, in the order of the matrices.
    places
        Place of each phase on the pole, 0 to 2 from one end.
    """
    wires = [conductor] * len(phases) + [neutral]
    at_ft = np.vstack([_POSITION_FT[list(places)], _NEUTRAL_FT])
    distance_ft = np.linalg.norm(at_ft[:, None] - at_ft[None], axis=2)
    image_ft = np.linalg.norm(at_ft[:, None] - at_ft[None] * [1.0, -1.0], axis=2)
    b_us_per_mile = _OMEGA * np.linalg.inv(_elastance(wires, distance_ft, image_ft))
    return LineConfig(
        name=name,
        phases=phases,
        z_ohm_per_mile=_impedance(wires, distance_ft),
        b_us_per_mile=b_us_per_mile.astype(np.complex128),
        ampacity_a=conductor.ampacity_a,
    )


def _impedance(wires: list[Conductor], distance_ft: FloatArray) -> ComplexArray:
    """Return the phase impedances, the last wire reduced. [ohm/mile]"""
    reach_ft = distance_ft.copy()
    np.fill_diagonal(reach_ft, [wire.gmr_ft for wire in wires])
    primitive = 0.09530 + 0.12134j * (np.log(1 / reach_ft) + 7.93402)
    primitive += np.diag([wire.r_ohm_per_mile for wire in wires])
    reduced: ComplexArray = (
        primitive[:-1, :-1] - np.outer(primitive[:-1, -1], primitive[-1, :-1]) / primitive[-1, -1]
    )
    return reduced


def _elastance(wires: list[Conductor], distance_ft: FloatArray, image_ft: FloatArray) -> FloatArray:
    """Return the phases' potential coefficients, the last wire reduced. [mile/uF]"""
    reach_ft = distance_ft.copy()
    np.fill_diagonal(reach_ft, [wire.diameter_in / 2 / _INCH_PER_FT for wire in wires])
    primitive = _ELASTANCE * np.log(image_ft / reach_ft)
    reduced: FloatArray = (
        primitive[:-1, :-1] - np.outer(primitive[:-1, -1], primitive[-1, :-1]) / primitive[-1, -1]
    )
    return reduced
