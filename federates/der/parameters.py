"""What the physical plant knows of its DERs: plain arrays, one place per DER."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DerParameters:
    """Ratings of DERs; every array has shape (ders,). Injection is positive, so is a store's discharge.

    A DER with energy above zero is a store. For any other, the power available is given from outside.

    Raises
    ------
    ConfigError
        If shapes differ, or a rating contradicts another; names the DER.
    """

    ids: tuple[str, ...]
    kind: tuple[str, ...]
    """Key of each DER's model."""
    p_min_kw: FloatArray
    """Least injection; below zero for what can draw. [kW]"""
    p_max_kw: FloatArray
    """Greatest injection. [kW]"""
    s_kva: FloatArray
    """Inverter rating. [kVA]"""
    energy_kwh: FloatArray
    """Usable energy of a store, else zero. [kWh]"""
    eta_charge: FloatArray
    """Energy stored per energy drawn."""
    eta_discharge: FloatArray
    """Energy delivered per energy taken from the store."""
    soc_initial_kwh: FloatArray
    """Energy in the store at the start. [kWh]"""

    def __post_init__(self) -> None:
        size = (len(self.ids),)
        for name in (
            "p_min_kw",
            "p_max_kw",
            "s_kva",
            "energy_kwh",
            "eta_charge",
            "eta_discharge",
            "soc_initial_kwh",
        ):
            if getattr(self, name).shape != size:
                raise ConfigError(f"DER parameters: {name} has shape {getattr(self, name).shape}, not {size}")
        self._require(self.p_min_kw <= self.p_max_kw, "p_min_kw is above p_max_kw")
        largest = np.maximum(np.abs(self.p_min_kw), np.abs(self.p_max_kw))
        self._require(largest <= self.s_kva * (1 + 1e-9), "s_kva is below its active power")
        self._require(
            (self.soc_initial_kwh >= 0) & (self.soc_initial_kwh <= self.energy_kwh),
            "soc_initial_kwh is out of range",
        )
        for name in ("eta_charge", "eta_discharge"):
            eta = getattr(self, name)
            self._require((eta > 0) & (eta <= 1), f"{name} is not in (0, 1]")

    @property
    def is_store(self) -> BoolArray:
        """Whether each DER is a store."""
        mask: BoolArray = self.energy_kwh > 0
        return mask

    def _require(self, holds: BoolArray, problem: str) -> None:
        if not holds.all():
            raise ConfigError(f"DER {self.ids[int(np.argmin(holds))]!r}: {problem}")
