"""One-shot tools that need engines: run in a child process, so that the command itself loads none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from federates.core import errors
from federates.core.errors import ModelError

LIMIT_S = 600.0
_LAST_LINES = 5


def child_environment() -> dict[str, str]:
    """Environment in which a child process finds the same packages as this one."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def call_tool(name: str, arguments: Mapping[str, object], limit_s: float = LIMIT_S) -> dict[str, object]:
    """What a tool finds.

    Raises
    ------
    TandemError
        The error that ended the tool; a ``ModelError`` if it ends without an answer or takes longer than
        ``limit_s``.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder, tempfile.TemporaryFile() as log:
        request = Path(folder) / "arguments.json"
        request.write_text(json.dumps(arguments), encoding="utf-8")
        # the child ends when its standard input does: it stays open until the answer is read
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "federates", "--tool", name, str(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=child_environment(),
        )
        watch = threading.Timer(limit_s, child.kill)
        watch.start()
        try:
            assert child.stdout is not None
            answer = child.stdout.read()
            code = child.wait()
        finally:
            watch.cancel()
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()
        log.seek(0)
        return _answer(name, answer, code, log.read().decode(errors="replace"))


def _answer(name: str, answer: bytes, code: int, log: str) -> dict[str, object]:
    try:
        found = cast("dict[str, object]", json.loads(answer.splitlines()[-1]))
    except (ValueError, IndexError):
        tail = " | ".join(log.strip().splitlines()[-_LAST_LINES:])
        what = "was stopped" if code < 0 else f"ended with code {code}"
        raise ModelError(f"the tool {name!r} {what} without an answer: {tail}") from None
    error = found.get("error")
    if isinstance(error, dict):
        kind = getattr(errors, str(error.get("type")), ModelError)
        raise kind(str(error.get("message")))
    return found
