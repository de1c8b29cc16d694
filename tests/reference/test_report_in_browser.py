"""A report in a real browser, from its file: all is drawn, nothing is asked for, the console is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.post.figures.catalog import FIGURES
from runner.post.report import write_report
from tests.bench.browse_report import heard, look
from tests.bench.chromium import program
from tests.unit.runner_post.report_runs import full_run


@pytest.mark.slow
@pytest.mark.skipif(program() is None, reason="needs Chromium")
def test_every_figure_is_drawn_and_nothing_is_fetched(tmp_path: Path) -> None:
    seen = look(write_report(full_run(tmp_path / "run")), tmp_path / "shots")
    assert seen.faults == []
    assert seen.figures == seen.saved == len(FIGURES)
    assert seen.views > seen.figures


@pytest.mark.slow
@pytest.mark.skipif(program() is None, reason="needs Chromium")
def test_the_look_sees_a_script_that_the_policy_does_not_name(tmp_path: Path) -> None:
    path = write_report(full_run(tmp_path / "run"))
    page = path.read_text(encoding="utf-8")
    assert heard(path) == []
    path.write_text(page.replace("</body>", "<script>1</script></body>"), encoding="utf-8")
    assert any("Content Security Policy" in said for said in heard(path))
