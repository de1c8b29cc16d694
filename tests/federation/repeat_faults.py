"""Faults of the machine, many times over: a killed runner, a full disk, taken ports, studies at once.

``python -m tests.federation.repeat_faults [TIMES] [PATTERN]`` repeats the tests of ``test_fault_matrix.py``
that carry them out (those whose name holds ``PATTERN``), and prints how often each passed and for how long.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
NAMES = "killed_while or full_disk or no_free_port or at_once"


def durations_s(pattern: str) -> tuple[dict[str, float], str]:
    """Time of each test that passed, and what was printed where one did not."""
    with tempfile.TemporaryDirectory(prefix="tandem-repeat-") as place:
        report = Path(place) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", "--timeout=900"]
        words += [str(HERE / "test_fault_matrix.py"), "-k", pattern]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        cases = list(ET.parse(report).iter("testcase"))
    took = {case.attrib["name"]: float(case.attrib["time"]) for case in cases if len(case) == 0}
    return took, "" if ended.returncode == 0 else ended.stdout


def main(times: int, pattern: str) -> int:
    """Exit code: 0 where every test passed every time."""
    took: dict[str, list[float]] = defaultdict(list)
    failed = 0
    for turn in range(times):
        found, words = durations_s(pattern)
        for name, seconds in found.items():
            took[name].append(seconds)
        if words:
            failed += 1
            print(f"turn {turn + 1}:\n{words}", file=sys.stderr)
    print("| test | passed | s (median, most) |\n|---|---|---|")
    for name, seconds in sorted(took.items()):
        print(f"| {name} | {len(seconds)} of {times} | {np.median(seconds):.1f}, {max(seconds):.1f} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 20, sys.argv[2] if sys.argv[2:] else NAMES))
