"""The command ``tandem`` as a child: interrupted as soon as whoever started it is gone, however that happens.

The starter holds the other end of standard input and never writes: ``python -m runner.followed run STUDY``.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import NoReturn

from runner.cli import main as tandem


def main() -> NoReturn:
    """Entry point of the child."""
    threading.Thread(target=_await_end_of_input, name="lifeline", daemon=True).start()
    tandem()


def _await_end_of_input() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
