"""Loads of a feeder estimated from a forecast, the power at its head, and some meters.

A distribution feeder has far more loads than meters: forecasts stand in as pseudo-measurements, and the
loads are those that fit forecasts, head and meters best in the sense of weighted least squares (M. E. Baran
and A. W. Kelley, *State estimation for real-time monitoring of distribution systems*, IEEE Transactions on
Power Systems 9(3), 1994). Everything here is linear in the loads, so the solution is closed: with the
forecast x0, its covariance P, measurements z = H x + noise and the noise's covariance R,

    x = x0 + P H' (H P H' + R)^-1 (z - H x0).

A load's relative error against its forecast has a part of its own and one that all loads of the feeder
share, which gives P = diag(own^2) + common common'. Both are taken to fade like a first-order autoregression:
over a time t, the share exp(-t / persistence) is left. That one assumption says what a late reading is still
worth, and how a forecast goes from what is estimated now back to what was expected the day before.

Active and reactive power are estimated apart, each by the same functions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is expected of a feeder's loads before anything is measured."""

    power: FloatArray
    """Drawn by each load at rated voltage, shape (loads,). [kW] or [kvar]"""
    own_sigma: float
    """Standard deviation of each load's own error, relative."""
    common_sigma: float
    """Standard deviation of the error that all loads share, relative."""

    @property
    def relative_sigma(self) -> float:
        """Standard deviation of one load's error, relative."""
        return math.hypot(self.own_sigma, self.common_sigma)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadReading:
    """What all loads of a feeder draw together, by the meter at its head."""

    power: float
    """At rated voltage: losses and what the DERs give are taken out. [kW] or [kvar]"""
    sigma: float
    """Standard deviation of its error. [kW] or [kvar]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReadings:
    """What meters at some loads say of the loads now: ``power = kept * load + noise``."""

    load: IntArray
    """Place of each meter's load, shape (meters,)."""
    kept: float
    """Share of a load's error that is the same now as when it was read, 0 to 1."""
    power: FloatArray
    """Shape (meters,). [kW] or [kvar]"""
    sigma: FloatArray
    """Standard deviation of the noise, shape (meters,); zero is a perfect meter. [kW] or [kvar]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadEstimate:
    """Loads that fit best."""

    power: FloatArray
    """Shape (loads,). [kW] or [kvar]"""
    sigma: FloatArray
    """Standard deviation of each one's error, shape (loads,). [kW] or [kvar]"""


def kept_share(elapsed_s: float, persistence_s: float) -> float:
    """Share of a load's error against its forecast that is left after a time.

    Parameters
    ----------
    elapsed_s
        Time, not negative. [s]
    persistence_s
        Time after which 1/e is left. [s]
    """
    return math.exp(-elapsed_s / persistence_s)


def late_readings(
    load: IntArray, power: FloatArray, then: Prior, now: Prior, *, noise: float, kept: float
) -> LoadReadings:
    """What readings taken some time ago say of the loads now.

    With e the relative error of a load against its forecast, e(then) = kept e(now) + w, where w has the
    variance (1 - kept^2) sigma^2 (a stationary first-order autoregression, seen backwards). The reading is
    forecast(then) (1 + e(then)) and has noise of its own.

    Parameters
    ----------
    load
        Place of each meter's load, shape (meters,).
    power
        Readings, shape (meters,). [kW] or [kvar]
    then, now
        What was expected of the feeder's loads when they were read, and is now.
    noise
        Standard deviation of a reading's noise, relative to the load.
    kept
        As `kept_share` gives it for the time between.
    """
    expected_then, expected_now = then.power[load], now.power[load]
    error = np.divide(power, expected_then, out=np.ones_like(power), where=expected_then != 0.0) - 1.0
    faded = math.sqrt(1.0 - kept**2) * now.relative_sigma
    return LoadReadings(
        load=load,
        kept=kept,
        power=expected_now * (kept + error),
        sigma=np.abs(expected_now) * math.hypot(noise, faded),
    )


def estimate_loads(prior: Prior, head: HeadReading, meters: LoadReadings) -> LoadEstimate:
    """Loads of one feeder by weighted least squares.

    A load that is expected to draw nothing is taken to draw nothing: errors are relative.

    Parameters
    ----------
    prior
        What is expected.
    head
        What all loads draw together.
    meters
        What some of them draw, each load at most once.

    Returns
    -------
    LoadEstimate
        Loads in the prior's order. They are not kept above zero: a meter that says so may be right.

    Raises
    ------
    ConfigError
        If the head's sigma is not positive: a perfect head would contradict perfect meters at every load.
    """
    if head.sigma <= 0.0:
        raise ConfigError(f"load estimate: the head's sigma is {head.sigma}; it must be positive")
    count = meters.load.size
    rows = np.zeros((count + 1, prior.power.size))
    rows[np.arange(count), meters.load] = meters.kept
    rows[-1] = 1.0
    measured = np.append(meters.power, head.power)
    noise = np.append(meters.sigma, head.sigma)
    own, common = prior.own_sigma * prior.power, prior.common_sigma * prior.power
    shared = rows * own**2 + np.outer(rows @ common, common)
    spread = shared @ rows.T + np.diag(noise**2)
    told = np.diag(spread) > 0.0
    gain = np.linalg.solve(spread[np.ix_(told, told)], shared[told])
    miss = (measured - rows @ prior.power)[told]
    variance = own**2 + common**2 - (shared[told] * gain).sum(axis=0)
    return LoadEstimate(power=prior.power + miss @ gain, sigma=np.sqrt(np.maximum(variance, 0.0)))


def forecast_loads(estimated: FloatArray, now: FloatArray, target: FloatArray, kept: float) -> FloatArray:
    """Forecast of loads: what was expected, moved by what is left of the error that is estimated now.

    Parameters
    ----------
    estimated
        Loads now, shape (loads,). [kW] or [kvar]
    now, target
        What was expected the day before of now and of the target time, shape (loads,). [kW] or [kvar]
    kept
        As `kept_share` gives it for the horizon: 1 keeps the whole error, 0 none of it.
    """
    error = np.divide(estimated, now, out=np.ones_like(estimated), where=now != 0.0) - 1.0
    return np.asarray(target * (1.0 + kept * error))
