"""What is fixed before any coordination model acts, so that all of them start alike.

The commitment of every unit and the first price forecast come from one day-ahead clearing on the forecast of
the uncoordinated model; they belong to the scenario, not to a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.errors import MissingInputError
from federates.core.run_folder import write_whole

FILE = "forward.npz"
HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardPlan:
    """Commitment and first price forecast of every market day of a study."""

    committed: BoolArray
    """Whether each unit is on, shape (days, 24, units)."""
    state_on: BoolArray
    """Whether each unit is on in the hour before each day, shape (days, units)."""
    state_h: FloatArray
    """How long it has been so, shape (days, units). [h]"""
    state_mw: FloatArray
    """Output in the hour before each day, shape (days, units). [MW]"""
    state_mwh: FloatArray
    """Energy in the units' stores before each day, shape (days, units). [MWh]"""
    lmp_usd_per_mwh: FloatArray
    """Price at each bus, shape (days, 24, buses). [$/MWh]"""
    gap: FloatArray
    """Certified gap of each day's commitment, shape (days,); 0 where it was given."""
    is_time_limited: BoolArray
    """Whether the clock ended the search, which then cannot be repeated exactly, shape (days,)."""

    def write(self, path: Path) -> None:
        """Write the plan, whole or not at all."""
        import io

        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in self.__slots__})
        write_whole(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path | BinaryIO) -> ForwardPlan:
        """Plan of a file.

        Raises
        ------
        MissingInputError
            If there is no such file.
        """
        if isinstance(path, Path) and not path.is_file():
            raise MissingInputError(f"{path}: no forward plan; a run prepares it before its federates start")
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})
