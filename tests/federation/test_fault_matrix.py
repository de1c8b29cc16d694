"""Every fault once, on real processes: the run ends soon, says whose fault it was, and leaves nothing behind.

``python -m tests.federation.fault_matrix`` carries them out many times and prints how long each took.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.exit_codes import ExitCode
from runner.plan import FIRST_PORT, SLOT, claimed_ports
from runner.post.hashes import table_hashes
from runner.post.load import load, tables_of
from tests.federation.fault_matrix import (
    CASES,
    GONE_S,
    Case,
    Finding,
    all_findings,
    at_once,
    forward_plan,
    held_ports,
    killed_while_writing,
    plain_run,
    run_on_a_full_disk,
    shortcomings,
)
from tests.federation.runs import broker_port, host_processes

pytestmark = [pytest.mark.federation, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forward_plan(tmp_path_factory.mktemp("forward"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, forward: Path) -> dict[str, str]:
    """Table hashes of the study in one process, undisturbed."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert plain_run(folder, forward, "loopback").status == "done"
    hashes = table_hashes(folder)
    assert len(hashes) > 15
    return hashes


@pytest.fixture(scope="module")
def findings(request: pytest.FixtureRequest, place: Path, forward: Path) -> dict[str, Finding]:
    """What became of the faults that this session asks for, two at a time."""
    wanted = {
        item.callspec.params["case"].name
        for item in request.session.items
        if "case" in getattr(getattr(item, "callspec", None), "params", {})
        and isinstance(item.callspec.params["case"], Case)
    }
    return all_findings([case for case in CASES if case.name in wanted], place, forward)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_ends_the_run_soon_in_its_own_words_and_leaves_nothing_behind(
    findings: dict[str, Finding], case: Case
) -> None:
    finding = findings[case.name]
    assert not shortcomings(case, finding), finding


def test_what_was_written_before_an_error_can_be_read(findings: dict[str, Finding], place: Path) -> None:
    if "error in feeder" not in findings:
        pytest.skip("the fault was not asked for")
    folder = place / "error_in_feeder"
    assert {"interface", "bus", "message"} <= set(tables_of(folder))
    assert load(folder, "interface", ["p_mw"]).num_rows > 0
    assert not list(folder.glob("done/*/*"))


def test_a_runner_killed_while_tables_are_written_leaves_whole_tables_and_no_process(tmp_path: Path) -> None:
    finding = killed_while_writing(tmp_path)
    assert finding.gone_s <= GONE_S
    assert not finding.left
    assert any(tmp_path.glob("*/*/tables/*/*.parquet"))


def test_a_full_disk_is_named_and_has_its_exit_code(tmp_path: Path) -> None:
    try:
        finding = run_on_a_full_disk(tmp_path / "disk")
    except PermissionError as error:
        pytest.skip(str(error))
    assert finding.code == ExitCode.RESOURCES, finding
    assert "disk is full" in finding.message or "No space left on device" in finding.message
    assert "Traceback" not in finding.message
    assert not finding.left


def test_no_free_port_is_named_and_starts_nothing(
    tmp_path: Path, forward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = FIRST_PORT + 2 * SLOT
    monkeypatch.setattr("runner.plan.LAST_PORT", last)
    with held_ports(range(FIRST_PORT, last)):
        outcome = plain_run(tmp_path / "run", forward, "helics")
    assert (outcome.status, outcome.exit_code) == ("failed", ExitCode.RESOURCES)
    assert "free ports in a row" in outcome.exit_reason
    assert not host_processes(tmp_path)


def test_two_studies_at_once_pass_over_the_ports_of_others_and_give_the_tables_of_one_alone(
    tmp_path: Path, forward: Path, alone: dict[str, str]
) -> None:
    with claimed_ports(1) as port:
        stale = range(port, port + SLOT)
    with held_ports(stale) as count:
        assert count > 0
        assert at_once(2, tmp_path, forward) == [alone] * 2
    assert all(broker_port(tmp_path / name) not in stale for name in ("0", "1"))


def test_four_studies_at_once_give_the_tables_of_one_alone(
    tmp_path: Path, forward: Path, alone: dict[str, str]
) -> None:
    assert at_once(4, tmp_path, forward) == [alone] * 4
