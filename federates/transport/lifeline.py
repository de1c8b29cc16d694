"""A host process dies when its launcher dies, however that happens."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

from federates.core.exit_codes import ExitCode

_PR_SET_PDEATHSIG = 1


def follow_launcher() -> None:
    """End this process as soon as its launcher is gone: at once on Linux, at the pipe's end elsewhere.

    The launcher holds the other end of standard input and never writes.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_await_end_of_input, name="lifeline", daemon=True).start()


def _await_end_of_input() -> None:
    # os.read, not sys.stdin: a daemon thread inside Python's buffered reader aborts the interpreter's exit
    while os.read(0, 1):
        pass
    os._exit(ExitCode.INTERRUPTED)
