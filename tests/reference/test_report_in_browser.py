"""A report in a real browser, from its file: all is drawn, nothing is asked for, the console is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.post.figures.catalog import FIGURES
from runner.post.report import write_report
from tests.bench.browse_report import heard, look
from tests.bench.chromium import Browser, BrowserStuckError, program
from tests.unit.runner_post.report_runs import full_run


@pytest.mark.slow
@pytest.mark.skipif(program() is None, reason="needs Chromium")
def test_every_figure_is_drawn_and_nothing_is_fetched(tmp_path: Path) -> None:
    report = write_report(full_run(tmp_path / "run"))
    try:
        seen = look(report, tmp_path / "saved", pictures=False)
    except BrowserStuckError as stuck:
        pytest.skip(f"no statement about the page: {stuck}")
    assert seen.faults == []
    assert seen.figures == seen.saved == len(FIGURES)
    assert seen.views > seen.figures


@pytest.mark.slow
@pytest.mark.skipif(program() is None, reason="needs Chromium")
def test_the_look_sees_a_script_that_the_policy_does_not_name(tmp_path: Path) -> None:
    path = write_report(full_run(tmp_path / "run"))
    page = path.read_text(encoding="utf-8")
    try:
        assert heard(path) == []
    except BrowserStuckError as stuck:
        pytest.skip(f"no statement about the page: {stuck}")
    path.write_text(page.replace("</body>", "<script>1</script></body>"), encoding="utf-8")
    assert any("Content Security Policy" in said for said in heard(path))


def test_a_browser_that_does_not_answer_is_named_and_ended(tmp_path: Path) -> None:
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    mute.chmod(0o755)
    with pytest.raises(BrowserStuckError, match=r"not answered Target\.createTarget within 1 s"):
        Browser(str(mute), tmp_path / "profile", limit_s=1.0)
