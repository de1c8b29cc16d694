"""One federation, two transports, one result."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from federates.coordination.catalog import MODELS
from federates.core.context import seatings
from federates.core.heartbeat import Heartbeat
from federates.core.run_folder import RunFolder
from federates.core.settings import Study, federate_names
from federates.core.tables import EVENT, MESSAGE, Recorder
from federates.core.time import market_day_spans, whole_span
from federates.core.wiring import expand
from federates.recording.memory import MemoryRecorder
from federates.transport.impairment import Impairment, loss_windows
from federates.transport.loopback_host import run_on_loopback
from federates.transport.seating import Workshop
from runner.supervise import resume
from tests.federation.runs import everything, rows_of, run
from tests.federation.toy import KINDS, Toy, build, study, two_days, with_link_loss

pytestmark = pytest.mark.federation


def loopback_lines(
    wanted: Study, folder: Path, *, chained: bool = False, shuffle: int | None = None
) -> dict[str, str]:
    """Rows of each federate and table of a federation in this very thread, spans one after the other."""
    recorders: dict[str, MemoryRecorder] = {}
    names = federate_names(wanted)
    everyone = seatings(wanted)
    run_folder = RunFolder(folder)
    Heartbeat.create(run_folder.heartbeat("all"), names)

    def keep(federate: str, span: int) -> Recorder:
        return recorders.setdefault(f"{federate}.{span}", MemoryRecorder())

    with Heartbeat(run_folder.heartbeat("all"), names) as heartbeat:
        shop = Workshop(
            folder=run_folder,
            study=wanted,
            seatings=everyone,
            wires=expand(MODELS[wanted.coordination].all_links, everyone),
            build=build,
            open_recorder=keep,
            impairment=Impairment(loss_windows(wanted), wanted.seed),
            heartbeat=heartbeat,
        )
        clock = wanted.clock
        spans = market_day_spans(clock) if chained else (whole_span(clock),)
        run_on_loopback(shop, names, spans, None if shuffle is None else random.Random(shuffle))
    assert all(recorders[f"{name}.0"].tables for name in names)
    return {
        f"{name}/{table.name}": "\n".join(
            f"{t} {id_} {values}"
            for span in range(len(spans))
            for t, id_, values in _lines(recorders[f"{name}.{span}"], table)
        )
        for name in names
        for table in (EVENT, MESSAGE)
    }


def _lines(recorder: MemoryRecorder, table: object) -> list[tuple[int, str, float]]:
    rows = recorder.rows(table)  # type: ignore[arg-type]
    return [
        (int(t), rows.names[k], float(v).hex())  # type: ignore[misc]
        for t, k, v in zip(rows.t_s, rows.codes, rows.values[0], strict=True)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_federates_within_an_instant_does_not_matter(tmp_path: Path, seed: int) -> None:
    base = loopback_lines(study(), tmp_path / "a")
    assert loopback_lines(study(), tmp_path / "b", shuffle=seed) == base


def test_a_chain_gives_what_one_federation_gives(tmp_path: Path) -> None:
    whole = loopback_lines(two_days(), tmp_path / "a")
    chained = loopback_lines(two_days(), tmp_path / "b", chained=True)
    assert (tmp_path / "b/state/0000/iso.npz").exists()
    assert chained == whole


def test_helics_delivers_what_loopback_delivers(tmp_path: Path) -> None:
    assert run(study(), tmp_path / "loopback", "loopback").status == "done"
    assert run(study(), tmp_path / "helics", "helics").status == "done"
    expected = everything(tmp_path / "loopback")
    assert len(expected["event"]) > 300
    assert everything(tmp_path / "helics") == expected


def test_random_delays_change_nothing_on_helics(tmp_path: Path) -> None:
    short = study(duration=300)
    assert run(short, tmp_path / "plain", "loopback").status == "done"
    slow = Toy(delay_s=0.01, seed=1)
    assert run(short, tmp_path / "slow", "helics", slow).status == "done"
    assert everything(tmp_path / "slow") == everything(tmp_path / "plain")


def test_a_chain_on_helics_gives_what_one_federation_on_loopback_gives(tmp_path: Path) -> None:
    assert run(two_days(chain="whole"), tmp_path / "a", "loopback").spans_done == 1
    outcome = run(two_days(), tmp_path / "b", "helics")
    assert (outcome.status, outcome.spans_done) == ("done", 2)
    assert everything(tmp_path / "b") == everything(tmp_path / "a")


def test_a_resumed_run_gives_what_an_unbroken_one_gives(tmp_path: Path) -> None:
    chained = two_days(chain="day")
    assert run(chained, tmp_path / "a", "loopback").status == "done"
    broken = run(chained, tmp_path / "b", "loopback", Toy(federate="dso_l0", fault="raise", at_s=43_800))
    assert (broken.status, broken.spans_done) == ("failed", 1)
    assert everything(tmp_path / "b") != everything(tmp_path / "a")
    resumed = resume(tmp_path / "b", transport="loopback", kinds=KINDS)
    assert (resumed.status, resumed.spans_done) == ("done", 2)
    assert everything(tmp_path / "b") == everything(tmp_path / "a")


def test_a_lost_link_loses_the_same_messages_on_both_transports(tmp_path: Path) -> None:
    lossy = with_link_loss(study(), "dso_l0", "iso", 100, 300)
    assert run(lossy, tmp_path / "loopback", "loopback").status == "done"
    assert run(lossy, tmp_path / "helics", "helics").status == "done"
    lost = [
        (t, id_)
        for (t, id_, _), (_, what) in rows_of(tmp_path / "helics", EVENT).items()
        if what == "message lost"
    ]
    assert lost
    assert all(100 <= t < 400 and id_.startswith("dso_l0.") for t, id_ in lost)
    assert everything(tmp_path / "helics") == everything(tmp_path / "loopback")
    run(study(), tmp_path / "whole", "loopback")
    assert rows_of(tmp_path / "whole", EVENT) != rows_of(tmp_path / "loopback", EVENT)
