"""The report at the end of a run: a fault of it is a warning and never the end of the run."""

from __future__ import annotations

from pathlib import Path

from federates.core.exit_codes import ExitCode
from runner.cli import _run_answer
from runner.reporting import draw_report
from runner.run import RunEnd
from tests.unit.runner_post.report_runs import full_run


def test_a_report_is_drawn_in_a_process_of_its_own(tmp_path: Path) -> None:
    run_dir = full_run(tmp_path / "run")
    assert draw_report(run_dir) == ""
    assert (run_dir / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_keeps_a_report_from_being_drawn_is_said_in_one_text(tmp_path: Path) -> None:
    warning = draw_report(tmp_path)
    assert warning.startswith("the report was not drawn: error: ")
    assert "run.json is not there" in warning
    assert warning.endswith(f"draw it again with: tandem report {tmp_path}")


def test_a_run_whose_report_was_not_drawn_counts_all_the_same(tmp_path: Path) -> None:
    warning = "the report was not drawn: no space"
    end = RunEnd(
        run_dir=full_run(tmp_path / "run"),
        status="done",
        exit_reason="done",
        code=ExitCode.DONE,
        table_hashes={},
        wall_s={"run": 1.0, "report": 0.1},
        warning=warning,
    )
    answer = _run_answer(end)
    assert answer.code is ExitCode.DONE
    assert answer.complaint == f"warning: {warning}"
    assert "report.html" not in answer.text
    assert "\nfeeders: 1 violation: not explained 1\n" in answer.text
