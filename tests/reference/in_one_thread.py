"""A study's federation in this very thread, its federates and tables kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from federates import catalog
from federates.coordination.catalog import MODELS
from federates.core.context import Context, seatings
from federates.core.forward import FILE
from federates.core.heartbeat import Heartbeat
from federates.core.protocol import Federate
from federates.core.run_folder import RunFolder
from federates.core.settings import Study, federate_names
from federates.core.tables import Recorder, Table
from federates.core.time import whole_span
from federates.core.wiring import expand
from federates.recording.memory import MemoryRecorder
from federates.tools.forward import forward_plan
from federates.transport.impairment import Impairment, loss_windows
from federates.transport.loopback_host import run_on_loopback
from federates.transport.seating import Workshop

BuildFederate = Callable[[Context], Federate]


@dataclass(slots=True)
class FinishedRun:
    """Federates and tables of a federation that has run to its end."""

    federates: dict[str, Federate] = field(default_factory=dict)
    recorders: dict[str, MemoryRecorder] = field(default_factory=dict)

    def values(self, federate: str, table: Table, column: str) -> dict[tuple[int, str], float]:
        """Values of one column of a federate's table by instant and id."""
        recorder = self.recorders[federate]
        rows, ids = recorder.rows(table), recorder.ids(table)
        t_s = np.asarray(rows.t_s).tolist()
        return dict(zip(zip(t_s, ids, strict=True), recorder.column(table, column).tolist(), strict=True))


def run_in_one_thread(
    study: Study, folder: Path, build: BuildFederate = catalog.build, *, is_planned: bool = True
) -> FinishedRun:
    """Run a study to its end on loopback; a forward plan is made first where anyone needs it."""
    finished, names, everyone = FinishedRun(), federate_names(study), seatings(study)
    run_folder = RunFolder(folder)
    if is_planned:
        forward_plan(study).write(folder / FILE)
    Heartbeat.create(run_folder.heartbeat("all"), names)

    def kept(context: Context) -> Federate:
        federate = build(context)
        finished.federates[context.name] = federate
        return federate

    def open_recorder(federate: str, _span: int) -> Recorder:
        return finished.recorders.setdefault(federate, MemoryRecorder())

    with Heartbeat(run_folder.heartbeat("all"), names) as heartbeat:
        shop = Workshop(
            folder=run_folder,
            study=study,
            seatings=everyone,
            wires=expand(MODELS[study.coordination].all_links, everyone),
            build=kept,
            open_recorder=open_recorder,
            impairment=Impairment(loss_windows(study), study.seed),
            heartbeat=heartbeat,
        )
        run_on_loopback(shop, names, (whole_span(study.clock),))
    return finished
