"""Exit codes of the command and of the federation's processes; documented and stable."""

from __future__ import annotations

from enum import IntEnum

from federates.core.errors import ConfigError, InfeasibleError, ModelError, NotConvergedError


class ExitCode(IntEnum):
    """What a process ended with."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    CONFIG = 3
    FEDERATE_DIED = 4
    NOT_SOLVED = 5
    """A fixed point did not converge or a market had no solution."""
    RESOURCES = 7
    """No port, disk or memory was left."""
    INTERRUPTED = 130


_DISK_FULL = 28


def exit_code_of(error: BaseException) -> ExitCode:
    """Exit code of a federate's process that ends with ``error``."""
    match error:
        case ConfigError():
            return ExitCode.CONFIG
        case NotConvergedError() | InfeasibleError() | ModelError():
            return ExitCode.NOT_SOLVED
        case MemoryError():
            return ExitCode.RESOURCES
        case OSError(errno=number) if number == _DISK_FULL:
            return ExitCode.RESOURCES
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.FEDERATE_DIED
