"""The meters of the bulk grid: energy of a market interval from the accepted solutions of its steps."""

from __future__ import annotations

from dataclasses import fields, replace

from federates.core.arrays import FloatArray
from federates.core.messages import IntervalMeters
from federates.core.time import SimTime
from federates.transmission.network import FlowSolution

S_PER_H = 3_600.0


class IntervalMeter:
    """Integrates accepted solutions, each of which holds for one physical step, until it is read.

    Parameters
    ----------
    step_s
        Length of a physical step. [s]
    """

    def __init__(self, step_s: int) -> None:
        self._step_h = step_s / S_PER_H
        self._sum: IntervalMeters | None = None

    def add(
        self, flow: FlowSolution, set_point_mw: FloatArray, outside_mw: FloatArray, carried_mw: FloatArray
    ) -> None:
        """Take the solution that ends a step.

        Parameters
        ----------
        flow
            The accepted solution.
        set_point_mw
            Outputs before any share in an imbalance, shape (units,). [MW]
        outside_mw
            Withdrawal outside LDAs, shape (buses,). [MW]
        carried_mw
            Net import of the LDAs as the solution carries it, shape (ldas,). [MW]
        """
        h = self._step_h
        beyond_mw = float(outside_mw.sum() + carried_mw.sum() - set_point_mw.sum())
        step = IntervalMeters(
            interval_s=0,
            unit_mwh=h * flow.unit_mw,
            set_point_mwh=h * set_point_mw,
            load_mwh=h * outside_mw,
            interchange_mwh=h * carried_mw,
            losses_mwh=h * flow.losses_mw,
            drawn_response_mwh=h * beyond_mw * flow.share,
            loss_response_mwh=h * flow.losses_mw * flow.share,
            share_h=h * flow.share,
        )
        self._sum = step if self._sum is None else _added(self._sum, step)

    def read(self, interval: SimTime) -> IntervalMeters:
        """Readings since the last reading, which become those of ``interval``; the meter starts again.

        Raises
        ------
        ValueError
            If nothing was added.
        """
        if self._sum is None:
            raise ValueError(f"meters of the interval at {interval} s: no step was taken")
        readings = replace(self._sum, interval_s=interval)
        self._sum = None
        return readings


def _added(total: IntervalMeters, step: IntervalMeters) -> IntervalMeters:
    sums = {f.name: getattr(total, f.name) + getattr(step, f.name) for f in fields(IntervalMeters)}
    return IntervalMeters(**sums)
