"""What a DSO believes of its loads: estimated from telemetry at a gate, and forecast for the interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from federates.core import tables
from federates.core.arrays import BoolArray, ComplexArray, FloatArray
from federates.core.messages import Telemetry
from federates.core.protocol import Received
from federates.core.tables import Recorder
from federates.core.time import SimTime
from federates.dso.estimation import (
    HeadReading,
    LoadReadings,
    Prior,
    estimate_loads,
    forecast_loads,
    kept_share,
    late_readings,
)
from federates.dso.twin import Conditions, Twin
from federates.scenario.lda import ExpectedLda, LdaScenario
from federates.scenario.meters import Meters

KW_PER_MW = 1_000.0
PASSES = 2
"""Estimates made of one telemetry: the second takes the losses at the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of the active, or of the reactive, power of a feeder's loads; the head aside."""

    prior: Prior
    meters: LoadReadings


class Observer:
    """Synchronises a twin with telemetry, and forecasts demand from what it then shows.

    Losses, capacitors and what voltage does to loads are the twin's, with taps, DERs and voltage as metered.
    They are taken out of what the heads' meters show.
    """

    def __init__(self, scenario: LdaScenario, recorder: Recorder) -> None:
        self._scenario = scenario
        self._recorder = recorder
        self._settings = scenario.study.estimation
        self._meters = Meters(scenario)
        self._feeders = tuple(f"{scenario.name}/{name}" for name in scenario.feeder_names)
        self._loads = [np.flatnonzero(scenario.load_feeder == k) for k in range(len(self._feeders))]

    def expected(
        self, interval: SimTime, now: SimTime, received: Received[Telemetry], twin: Twin
    ) -> ExpectedLda:
        """What is expected of a market interval: demand by the estimate, the rest by the common forecast.

        Leaves the twin at the telemetry's taps.
        """
        horizon = self._scenario.study.horizon
        step = received.sent_s // horizon.step_s * horizon.step_s
        load_kva = self._estimate(step, received.message, twin)
        before = self._scenario.day_ahead_demand(step, horizon.step_s)
        target = self._scenario.day_ahead_demand(interval, horizon.market_interval_s)
        kept = kept_share(interval + horizon.market_interval_s // 2 - step, self._settings.persistence_s)
        return replace(
            self._scenario.expected(interval, now),
            demand_kw=forecast_loads(load_kva.real, before.kw, target.kw, kept),
            demand_kvar=forecast_loads(load_kva.imag, before.kvar, target.kvar, kept),
        )

    def _estimate(self, step: SimTime, seen: Telemetry, twin: Twin) -> ComplexArray:
        """Loads of the LDA in the telemetry's physical step, at rated voltage, shape (loads,). [kVA]"""
        active, reactive = self._known(step, seen)
        forecast_kva = np.concatenate(
            [p.prior.power + 1j * q.prior.power for p, q in zip(active, reactive, strict=True)]
        )
        shown_kva = (seen.feeder_p_mw + 1j * seen.feeder_q_mvar) * KW_PER_MW
        twin.set_taps(seen.taps)
        load_kva, drawn_kva = forecast_kva, self._drawn_kva(twin, seen, forecast_kva)
        for _ in range(PASSES):
            head_kva = self._by_feeder(load_kva) + shown_kva - drawn_kva
            load_kva = np.concatenate(
                [
                    self._best(p, head.real, k) + 1j * self._best(q, head.imag, k)
                    for k, (p, q, head) in enumerate(zip(active, reactive, head_kva, strict=True))
                ]
            )
            drawn_kva = self._drawn_kva(twin, seen, load_kva)
        if step >= 0:
            self._recorder.add(
                tables.ESTIMATE,
                step,
                self._feeders,
                self._by_feeder(load_kva).real,
                self._by_feeder(forecast_kva).real,
                drawn_kva.real,
                drawn_kva.imag,
                (drawn_kva - shown_kva).real,
                (drawn_kva - shown_kva).imag,
                *twin.load_voltage_range_pu(),
            )
        return load_kva

    def _known(self, step: SimTime, seen: Telemetry) -> tuple[list[_Known], list[_Known]]:
        """Forecasts of the day before and readings of P, and of Q, feeder by feeder."""
        step_s, read_at = self._scenario.study.horizon.step_s, self._meters.read_at(step)
        now = self._scenario.day_ahead_demand(step, step_s)
        then = self._scenario.day_ahead_demand(read_at, step_s)
        kept = kept_share(step - read_at, self._settings.persistence_s)

        def known(now_power: FloatArray, then_power: FloatArray, read_mw: FloatArray) -> list[_Known]:
            return [
                self._of_feeder(now_power[mine], then_power[mine], now.sigma, read_mw * KW_PER_MW, k, kept)
                for k, mine in enumerate(self._loads)
            ]

        return known(now.kw, then.kw, seen.load_p_mw), known(now.kvar, then.kvar, seen.load_q_mvar)

    def _of_feeder(
        self, now: FloatArray, then: FloatArray, sigma: float, readings: FloatArray, feeder: int, kept: float
    ) -> _Known:
        """What is known of a feeder's loads; ``readings`` of all meters of the LDA. [kW] or [kvar]"""
        prior, prior_then = (
            Prior(power=power, own_sigma=self._settings.load_sigma, common_sigma=sigma)
            for power in (now, then)
        )
        at = np.searchsorted(self._loads[feeder], self._meters.load[self._mine(feeder)])
        meters = late_readings(
            at, readings[self._mine(feeder)], prior_then, prior, noise=self._settings.noise, kept=kept
        )
        return _Known(prior=prior, meters=meters)

    def _mine(self, feeder: int) -> BoolArray:
        """Which meters are at a feeder's loads, shape (meters,)."""
        return np.asarray(self._scenario.load_feeder[self._meters.load] == feeder)

    def _best(self, known: _Known, head: float, feeder: int) -> FloatArray:
        """Active or reactive power of a feeder's loads that fits best, shape (loads,). [kW] or [kvar]"""
        reading = HeadReading(power=head, sigma=float(self._meters.head_sigma_kw[feeder]))
        return estimate_loads(known.prior, reading, known.meters).power

    def _drawn_kva(self, twin: Twin, seen: Telemetry, load_kva: ComplexArray) -> ComplexArray:
        """What each feeder draws on the twin, DERs and voltage as metered, shape (feeders,). [kVA]"""
        twin.set_conditions(
            Conditions(v_pu=seen.head_v_pu, demand_kw=load_kva.real.copy(), demand_kvar=load_kva.imag.copy())
        )
        return twin.feeder_power_kva(seen.der_p_mw * KW_PER_MW, seen.der_q_mvar * KW_PER_MW)

    def _by_feeder(self, load_kva: ComplexArray) -> ComplexArray:
        """Sums over each feeder's loads, shape (feeders,). [kVA]"""
        return np.array([load_kva[mine].sum() for mine in self._loads])
