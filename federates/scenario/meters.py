"""What an LDA's meters show: heads of feeders at once, some loads late, both with errors.

Which loads have a meter, and every error, hang on the feeder's ``seed_id`` and the time alone. A larger share
of metered loads holds the smaller one. A load's meter reads voltage too; its reading is brought to rated
voltage.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.core.time import LEAD_IN_PHYSICS_S, SimTime
from federates.der.seeds import Stream, generator
from federates.scenario.lda import LdaScenario


class Meters:
    """Meters of one LDA."""

    def __init__(self, scenario: LdaScenario) -> None:
        self._scenario = scenario
        self._settings = scenario.study.estimation
        self._step_s = scenario.study.horizon.step_s
        self._loads_count = np.bincount(scenario.load_feeder, minlength=len(scenario.seed_ids)).tolist()
        drawn = [
            generator(seed, Stream.METER_PLACEMENT).random(count)
            for seed, count in zip(scenario.seed_ids, self._loads_count, strict=True)
        ]
        self.load: IntArray = np.flatnonzero(np.concatenate(drawn) < self._settings.meters)
        """Place of each metered load in the LDA, shape (meters,)."""
        peak_kw = np.bincount(scenario.load_feeder, scenario.peak_kw, minlength=len(scenario.seed_ids))
        self.head_sigma_kw: FloatArray = np.asarray(self._settings.head_noise * peak_kw, dtype=np.float64)
        """Standard deviation of each head's error, shape (feeders,). [kW] or [kvar]"""

    def read_at(self, step: SimTime) -> SimTime:
        """Physical step in which the loads were read that are known at the end of ``step``. [s]"""
        return max(step - self._settings.delay * self._step_s, -LEAD_IN_PHYSICS_S)

    def loads_kva(self, step: SimTime) -> ComplexArray:
        """Metered loads as known at the end of a physical step, shape (meters,). [kVA]"""
        read_at = self.read_at(step)
        kw, kvar = self._scenario.demand(read_at)
        noise = self._noise(read_at)[:, self.load]
        kw, kvar = kw[self.load], kvar[self.load]
        return np.asarray(kw * (1.0 + noise[0]) + 1j * kvar * (1.0 + noise[1]))

    def heads_kva(self, step: SimTime, power_kva: ComplexArray) -> ComplexArray:
        """Readings of the feeders' heads in a physical step, shape (feeders,). [kVA]"""
        drawn = np.stack([self._draws(seed, Stream.HEAD_NOISE, step, 1) for seed in self._scenario.seed_ids])
        return np.asarray(power_kva + self.head_sigma_kw * (drawn[:, 0, 0] + 1j * drawn[:, 1, 0]))

    def _noise(self, step: SimTime) -> FloatArray:
        """Relative errors of every load's reading of P and Q, were it metered, shape (2, loads)."""
        drawn = [
            self._draws(seed, Stream.METER_NOISE, step, count)
            for seed, count in zip(self._scenario.seed_ids, self._loads_count, strict=True)
        ]
        return self._settings.noise * np.concatenate(drawn, axis=1)

    def _draws(self, seed_id: int, stream: Stream, step: SimTime, columns: int) -> FloatArray:
        """Standard normals of one feeder in one physical step, shape (2, columns)."""
        since_midnight = step - self._scenario.study.clock.day_start_s
        return generator(seed_id, stream, since_midnight // self._step_s).standard_normal((2, columns))
