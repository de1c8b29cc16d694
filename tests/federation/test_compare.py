"""Models side by side, by the command: one plan, two runs at once, one page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federates.core.exit_codes import ExitCode
from federates.core.forward import FILE
from runner.cli import _code
from runner.manifest import read_run
from tests.build import TINY

pytestmark = pytest.mark.federation
SHORT = ("--set", "horizon.duration=15 min")


def test_models_are_run_from_one_plan_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = _code(["compare", str(TINY), *SHORT, "--models", "M0,M5", "--out", str(tmp_path), "--json"])
    told = capsys.readouterr()
    assert code == ExitCode.DONE, told.err
    found = json.loads(told.out)
    runs = {model: Path(folder) for model, folder in found["runs"].items()}
    assert list(runs) == ["M0", "M5"]
    started = [read_run(run_dir) for run_dir in runs.values()]
    assert [run.coordination for run in started] == ["uncoordinated", "layered_total_dso"]
    assert len({run.scenario.scenario_hash for run in started}) == 1
    assert all(run.scenario.plan_reused for run in started)
    assert len({(run_dir / FILE).read_bytes() for run_dir in runs.values()}) == 1
    for own in found["models"].values():
        assert own["cost_realised_usd"] > 0.0
        assert own["cost_forward_usd"] > own["cost_forward_ders_usd"] > 0.0
        left_usd = own["cost_realised_usd"] - own["cost_compared_usd"]
        assert own["storage_left_usd"] == pytest.approx(left_usd, abs=1e-6)
        assert own["settlement_unexplained_usd"] <= 0.01
    assert found["models"]["M5"]["bypass_messages"] == 0
    assert found["verdicts"]["one_commitment"]["result"] == "supported"
    assert found["verdicts"]["accounts_close"]["result"] == "supported"
    assert (Path(found["out_dir"]) / "compare.html").stat().st_size > 1_000_000
