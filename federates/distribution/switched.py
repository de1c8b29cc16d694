"""What regulators and capacitor controls have switched in a circuit, read and written to the last bit.

Takes the engine's circuit from :mod:`federates.distribution.circuit` and imports no engine itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from federates.core.arrays import FloatArray


class SwitchedState:
    """Tap ratios and capacitor steps of one circuit.

    Parameters
    ----------
    engine
        The engine's circuit.
    windings
        Transformer and number of every regulated winding.
    """

    def __init__(self, engine: Any, windings: Sequence[tuple[str, int]]) -> None:
        self._engine = engine
        self._windings = tuple(windings)
        self._capacitors = tuple(n for n in engine.Capacitors.AllNames if n.lower() != "none")

    def tap_pu(self) -> FloatArray:
        """Ratio of every regulated winding, shape (regulators,). [pu]"""
        return np.array([winding.Tap for winding in self._each_winding()], dtype=np.float64)

    def set_tap_pu(self, ratios: FloatArray) -> None:
        """Put every regulated winding at a ratio, shape (regulators,). [pu]"""
        for winding, ratio in zip(self._each_winding(), ratios.tolist(), strict=True):
            if winding.Tap != ratio:
                winding.Tap = ratio

    def capacitor_steps(self) -> FloatArray:
        """Which steps are on, 1 or 0, capacitor by capacitor, shape (steps,)."""
        return np.concatenate([np.zeros(0), *(bank.States for bank in self._each_capacitor())])

    def set_capacitor_steps(self, steps: FloatArray) -> None:
        """Switch steps on and off, shape (steps,)."""
        first = 0
        for bank in self._each_capacitor():
            before = np.array(bank.States)
            wanted = steps[first : first + before.size].astype(np.int32)
            if not np.array_equal(wanted, before):
                bank.States = wanted
            first += before.size

    def _each_winding(self) -> Iterator[Any]:
        """The engine's one handle on transformers, standing at each regulated winding in turn."""
        handle = self._engine.Transformers
        for name, winding in self._windings:
            handle.Name = name
            handle.Wdg = winding
            yield handle

    def _each_capacitor(self) -> Iterator[Any]:
        handle = self._engine.Capacitors
        for name in self._capacitors:
            handle.Name = name
            yield handle
