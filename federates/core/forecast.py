"""Forecasts as a pure function of (actual series, issue time, target time, seed), read alike by every model.

The error is a martingale in the issue time: time is cut into fixed buckets of five minutes, bucket ``k``
holds one standard normal ``z[k]`` for each column, and the relative error of a forecast for a target in
bucket ``T`` issued in bucket ``s`` is

    e(s, T) = sum over k in [s, T) of w(T - k) z[k]

with w(1) = ``sigma_short`` and w(2) = ... = w(144) such that the variance over 144 buckets (12 h) is
``sigma_day`` squared; w is zero beyond. So the standard deviation grows from ``sigma_short`` at five minutes
to ``sigma_day`` at twelve hours and stays there; waiting one bucket removes the share of what that bucket
told, which makes later forecasts consistent updates of earlier ones (martingale model of forecast
evolution: D. Heath and P. Jackson, IIE Transactions 26(3), 1994).

Columns of one quantity may share part of their innovations (``correlation``), as the loads of one region
do; streams share nothing. ``z`` depends on nothing but (seed, stream, column, bucket): Philox counters, no
state. It is rounded to
2**-20, so that sums are exact integers and a forecast does not depend, by a single bit, on which other
targets were asked for with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.core.time import SimTime

BUCKET_S = 300
SATURATION_BUCKETS = 144
_COLUMNS_PER_BLOCK = 16
_COUNTERS_PER_BUCKET = _COLUMNS_PER_BLOCK // 8  # four words a counter, two normals a word
_COMMON_BLOCK = 1 << 32
_BUCKET_ORIGIN = 1 << 40  # buckets before the study's start keep a positive counter
_QUANTUM = 2.0**-20
_LOW_WORD = np.uint64(0xFFFFFFFF)
_HIGH_SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastModel:
    """How forecasts differ from what comes.

    Raises
    ------
    ConfigError
        If the standard deviations are not 0 <= sigma_short <= sigma_day, the correlation is not in [0, 1],
        or the seed is not an unsigned 64-bit number.
    """

    kind: Literal["martingale", "perfect"] = "martingale"
    """``perfect``: forecasts equal the actual series."""
    sigma_short: float = 0.005
    """Relative standard deviation five minutes ahead."""
    sigma_day: float = 0.03
    """Relative standard deviation twelve hours ahead and more."""
    correlation: float = 0.0
    """Share of the variance that all columns of a stream have in common, 0 to 1."""
    seed: int = 0
    """Seed of the study."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sigma_short <= self.sigma_day < math.inf:
            raise ConfigError(
                f"forecast error: need 0 <= sigma_short <= sigma_day, "
                f"got {self.sigma_short} and {self.sigma_day}"
            )
        if not 0.0 <= self.correlation <= 1.0:
            raise ConfigError(f"forecast error: correlation {self.correlation} is not between 0 and 1")
        if not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"forecast error: seed {self.seed} is not an unsigned 64-bit number")

    def standard_deviation(self, horizon_s: int) -> float:
        """Relative standard deviation at a horizon of whole buckets; zero up to the issue time."""
        if self.kind == "perfect" or horizon_s <= 0:
            return 0.0
        later = min(horizon_s // BUCKET_S, SATURATION_BUCKETS) - 1
        return math.sqrt(self.sigma_short**2 + later * self._weight**2) if later >= 0 else 0.0

    def error(self, target_s: IntArray, issue_s: SimTime, stream: int, columns: int) -> FloatArray:
        """Relative errors of forecasts for ``target_s`` issued at ``issue_s``.

        Parameters
        ----------
        target_s : ndarray
            Study times, shape (times,). [s]
        issue_s : int
            Study time at which the forecast is made; targets in its bucket or earlier have no error. [s]
        stream : int
            Which quantity; streams are independent. Not negative.
        columns : int
            Number of columns; the first columns are the same whatever their number.

        Returns
        -------
        ndarray
            Shape (times, columns).
        """
        if self.kind == "perfect" or target_s.size == 0 or columns == 0:
            return np.zeros((target_s.size, columns))
        issue = issue_s // BUCKET_S
        target = np.maximum(target_s // BUCKET_S, issue)
        first = max(issue, int(target.min()) - SATURATION_BUCKETS)
        z = self._innovations(stream, first, int(target.max()) - first, columns)
        told = np.zeros((z.shape[0] + 1, columns), dtype=np.int64)
        np.cumsum(z, axis=0, out=told[1:])
        begin = np.maximum(issue, target - SATURATION_BUCKETS) - first
        last = np.maximum(target - 1 - first, begin)
        end = target - first
        newest = told[end] - told[last]
        older = told[last] - told[begin]
        error: FloatArray = (self.sigma_short * newest + self._weight * older) * _QUANTUM
        return error

    def forecast(self, actual: FloatArray, target_s: IntArray, issue_s: SimTime, stream: int) -> FloatArray:
        """Forecasts of ``actual`` issued at ``issue_s``: actual * max(0, 1 + error).

        Parameters
        ----------
        actual : ndarray
            What comes at each target, shape (times, ...). Any unit.
        target_s : ndarray
            Study time at which each value begins, shape (times,). [s]
        issue_s : int
            Study time at which the forecast is made. [s]
        stream : int
            Which quantity; streams are independent. Not negative.

        Returns
        -------
        ndarray
            In the shape and unit of ``actual``; no value changes its sign. A forecast of what a unit can
            give may exceed its capacity: the caller caps it.
        """
        columns = math.prod(actual.shape[1:])
        error = self.error(target_s, issue_s, stream, columns).reshape(actual.shape)
        forecast: FloatArray = actual * np.maximum(0.0, 1.0 + error)
        return forecast

    def _innovations(self, stream: int, first: int, buckets: int, columns: int) -> IntArray:
        """Standard normals of consecutive buckets in units of 2**-20, shape (buckets, columns)."""
        own = _columns(self.seed, stream, first, buckets, columns)
        if self.correlation == 0.0:
            return own
        common = _block(self.seed, stream, _COMMON_BLOCK, first, buckets, 1)
        mixed: IntArray = np.rint(
            math.sqrt(self.correlation) * common + math.sqrt(1.0 - self.correlation) * own
        ).astype(np.int64)
        return mixed

    @property
    def _weight(self) -> float:
        """Weight of a bucket's innovation on all but the next bucket."""
        return math.sqrt((self.sigma_day**2 - self.sigma_short**2) / (SATURATION_BUCKETS - 1))


def _columns(seed: int, stream: int, first: int, buckets: int, columns: int) -> IntArray:
    """Independent normals of consecutive buckets in units of 2**-20, shape (buckets, columns)."""
    z = np.empty((buckets, columns), dtype=np.int64)
    for block, begin in enumerate(range(0, columns, _COLUMNS_PER_BLOCK)):
        width = min(_COLUMNS_PER_BLOCK, columns - begin)
        z[:, begin : begin + width] = _block(seed, stream, block, first, buckets, width)
    return z


def _block(seed: int, stream: int, block: int, first: int, buckets: int, width: int) -> IntArray:
    """Normals of one block of columns, shape (buckets, width)."""
    counter = np.array([(first + _BUCKET_ORIGIN) * _COUNTERS_PER_BUCKET, block, 0, 0], dtype=np.uint64)
    generator = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64), counter=counter)
    words = generator.random_raw(buckets * _COLUMNS_PER_BLOCK // 2).reshape(buckets, -1)
    return _normals(words[:, : (width + 1) // 2], width)


def _normals(words: np.typing.NDArray[np.uint64], width: int) -> IntArray:
    """Normals in units of 2**-20 by Box and Muller (1958), two from each 64-bit word."""
    uniform = ((words >> _HIGH_SHIFT).astype(np.float64) + 1.0) * 2.0**-32
    angle = (words & _LOW_WORD).astype(np.float64) * (math.tau * 2.0**-32)
    radius = np.sqrt(-2.0 * np.log(uniform)) / _QUANTUM
    pairs = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=2).reshape(len(words), -1)
    z: IntArray = np.rint(pairs[:, :width]).astype(np.int64)
    return z
