"""Finished runs of one scenario under several models, whose figures are chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from federates.core import tables as t
from federates.recording.parquet import ParquetRecorder
from runner.manifest import ClockRecord, Done, write_done
from tests.build import KEYS
from tests.unit.runner_post.run_folders import HOUR, record, run_folder

WIND_MW = 1_000.0


def finished(run_dir: Path, coordination: str, **settings: object) -> Path:
    """Mark a run as finished, with its settings."""
    (run_dir / "study.json").write_text(json.dumps({"coordination": coordination, **settings}))
    write_done(run_dir, Done(ended="", table_hashes={}, wall_s={}))
    return run_dir


def chosen_run(
    folder: Path,
    code: str,
    *,
    cost_usd: float = 1_000.0,
    forward_usd: float = 1_000.0,
    forward_ders_usd: float = 0.0,
    forward_stored_kwh: float = 0.0,
    steps_broken: int = 0,
    left_kwh: float = 0.0,
    left_in: str = "battery",
    shortfall_mw: float = 0.0,
    overridden_kw: float = 0.0,
    minutes_bound: int = 0,
    bypass: int = 0,
    unexplained_usd: float = 0.0,
    scenario_hash: str = "1" * 64,
    net_load_mw: Sequence[float] = (),
    spilt_mw: float = 0.0,
    **settings: object,
) -> Path:
    """A run of an hour of LDA ``a``, ten times at its interface, of 100 feeder-steps; its day is that hour.

    Its day-ahead price is 20 $/MWh, its award 10 MW, its costs and violations as named. With a net load of
    each hour it is a day of hours, with 1,000 MW of wind, of which so much is spilt.
    """
    clock = ClockRecord(start="2020-07-15T00:00:00", duration_s=86_400, step_s=3_600, market_s=3_600)
    run_dir = run_folder(
        folder, coordination=KEYS[code], scenario_hash=scenario_hash, clock=clock if net_load_mw else HOUR
    )
    hours = [(3_600 * k, "system") for k in range(max(len(net_load_mw), 1))]
    steps = [(60 * k, "a/f1") for k in range(100)]
    broken = [1.0] * steps_broken + [0.0] * (100 - steps_broken)
    record(run_dir, t.FEEDER, steps, {"lines_over_count": broken})
    cleared = {
        "true_cost_usd_per_h": [12.0 * cost_usd, *[0.0] * (len(hours) - 1)],
        "variable_available_mw": [WIND_MW] * len(hours),
        "variable_mw": [WIND_MW - spilt_mw] * len(hours),
    }
    record(run_dir, t.CLEARING, hours, cleared)
    record(run_dir, t.DA_CLEARING, [(0, "system")], {"true_cost_usd_per_h": [forward_usd]})
    scheduled = {"cost_usd": [forward_ders_usd / 10.0], "stored_kwh": [forward_stored_kwh]}
    record(run_dir, t.DA_DER, [(0, "a/f1/battery/supplier")], scheduled)
    record(run_dir, t.DA_INTERFACE, [(0, "a")], {"award_mw": [10.0], "lmp_usd_per_mwh": [20.0]})
    record(run_dir, t.AWARD, [(0, "a")], {"award_mw": [10.0], "lmp_usd_per_mwh": [25.0]})
    record(run_dir, t.BID, [(0, "a/0/00")], {"import_mw": [10.0]})
    record(run_dir, t.HEAD, [(0, "a")], {"p_mw": [10.0]})
    record(run_dir, t.LMP, [(0, "1")], {"energy_usd_per_mwh": [25.0]})
    record(run_dir, t.SYSTEM, hours, {"load_mw": [mw + WIND_MW for mw in net_load_mw] or [0.0]})
    record(run_dir, t.DER_SERVICE, [(0, "a/f1/battery")], {})
    record(run_dir, t.DER_TYPE, [(60, f"a/f1/{left_in}")], {"soc_kwh": [left_kwh]})
    record(run_dir, t.DER_START, [(0, "a/f1/battery")], {})
    record(run_dir, t.DISPATCH, [(0, "a")], {"shortfall_mw": [shortfall_mw]})
    bound = [(300 * k, "a/f1") for k in range(max(minutes_bound // 5, 1))]
    record(run_dir, t.BINDING, bound, {"head_count": [float(minutes_bound > 0)] * len(bound)})
    if overridden_kw:
        recorder = ParquetRecorder(run_dir, "dso_a_override", 0)
        recorder.add(t.OVERRIDE, 0, ["a/f1/x"], [overridden_kw], [0.0], [0.0], text=["head"])
        recorder.close()
    record(run_dir, t.ACCOUNT, [(0, "real_time")], {"unexplained_usd": [unexplained_usd]})
    record(run_dir, t.SETTLEMENT, [(0, "lda/a/real_time/energy")], {"amount_usd": [-250.0]})
    passing = [(0, "dso_a>iso/bids"), *((k, "agg_a_x>iso/der_offers") for k in range(bypass))]
    record(run_dir, t.MESSAGE, passing, {"size_bytes": [10.0] * len(passing)})
    return finished(run_dir, KEYS[code], **settings)


def idle_days(folder: Path, forward_usd: float) -> Path:
    """Day-ahead tables of the same hour with the DERs of LDA ``a`` idle."""
    record(folder, t.DA_CLEARING, [(0, "system")], {"true_cost_usd_per_h": [forward_usd]})
    record(folder, t.DA_DER, [(0, "a/f1/battery/supplier")], {})
    return folder
