"""Speed of one feeder's optimal power flow against distopf: ``python -m tests.bench.bench_against_distopf``.

distopf pins packages of its own: give the interpreter of an environment that holds it, ``--python PATH``.
Both solve the IEEE 123-node feeder with 30 DERs that may set P and Q, as a linear program on the three-phase
linear branch flow: distopf its own case for least curtailment, here the least import at a solved state of
OpenDSS. The data are each program's own, so results are not compared; CPU times are, of all that a new
interval costs. distopf builds its model anew at every interval, which is what its public calls do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

REPEATS = 5
DERS = 30


def theirs() -> tuple[float, float]:
    """CPU time of building distopf's model and of solving it, medians. [ms]"""
    distopf = importlib.import_module("distopf")
    case = distopf.create_case(distopf.CASES_DIR / "csv" / "ieee123_30der")
    case.gen_data["control_variable"] = "PQ"
    build, solve = [], []
    for _ in range(REPEATS):
        begin = time.process_time()
        model = distopf.LinDistModel(
            branch_data=case.branch_data,
            bus_data=case.bus_data,
            gen_data=case.gen_data,
            cap_data=case.cap_data,
            reg_data=case.reg_data,
        )
        built = time.process_time()
        result = distopf.lp_solve(model, distopf.gradient_curtail(model))
        solved = time.process_time()
        if not result.success:
            raise SystemExit(f"distopf: {result.message}")
        build.append(1e3 * (built - begin))
        solve.append(1e3 * (solved - built))
    return statistics.median(build), statistics.median(solve)


def ours() -> tuple[float, float]:
    """CPU time of OpenDSS, map and program, and of its solution, medians. [ms]"""
    from federates.dso.bid import FeederBidder
    from federates.dso.case import FeederLimits
    from tests.unit.dso.area import area, expected_kw, offers

    one = area("ieee123", DERS, 0.5, 1.0)
    columns = replace(offers(one.size_kw), q_limit_kvar=0.44 * one.size_kw)
    build, solve = [], []
    for _ in range(REPEATS):
        begin = time.process_time()
        bidder = FeederBidder(one.map, "feeder")
        bidder.refresh(one.point(0.6 * expected_kw(columns)), columns, FeederLimits())
        program = bidder.program()
        built = time.process_time()
        program.at_range_end(greatest=False)
        build.append(1e3 * (built - begin))
        solve.append(1e3 * (time.process_time() - built))
    return statistics.median(build), statistics.median(solve)


def main() -> None:
    """Print both and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter with distopf")
    parser.add_argument("--theirs", action="store_true", help="measure distopf in this interpreter")
    given = parser.parse_args()
    if given.theirs:
        print(json.dumps(theirs()))
        return
    command = [str(given.python), str(Path(__file__).resolve()), "--theirs"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    other = json.loads(answer.stdout.strip().splitlines()[-1])
    mine = ours()
    for name, a, b in zip(("build", "solve"), mine, other, strict=True):
        print(f"{name}: {a:.1f} ms, distopf {b:.1f} ms = {b / a:.0f} times as much")
    print(
        f"an interval: {sum(mine):.1f} ms, distopf {sum(other):.1f} ms = {sum(other) / sum(mine):.0f} times"
    )


if __name__ == "__main__":
    main()
