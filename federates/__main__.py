"""Hosts federates of one federation, or a one-shot tool: the composition root.

``python -m federates SPEC.json`` seats the federates that the runner's spec names and runs them;
``python -m federates --tool NAME ARGUMENTS.json`` runs a tool of the catalog and prints one JSON object.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federates.core.heartbeat import Heartbeat
    from federates.core.hostspec import HostSpec
    from federates.core.run_folder import RunFolder
    from federates.core.tables import Recorder
    from federates.transport.seating import Workshop

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def main(arguments: list[str]) -> int:
    """Exit code of the process."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"
    match arguments:
        case ["--tool", name, path]:
            return _run_tool(name, Path(path))
        case [path]:
            return _run_host(Path(path))
        case _:
            sys.stderr.write("usage: python -m federates SPEC.json | --tool NAME ARGUMENTS.json\n")
            return 2


def _run_tool(name: str, path: Path) -> int:
    from federates.catalog import run_tool
    from federates.core.errors import TandemError
    from federates.core.exit_codes import exit_code_of
    from federates.transport.lifeline import follow_launcher

    follow_launcher()
    try:
        found = run_tool(name, json.loads(path.read_bytes()))
    except TandemError as error:
        sys.stdout.write(json.dumps({"error": {"type": type(error).__name__, "message": str(error)}}) + "\n")
        return exit_code_of(error)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _run_host(path: Path) -> int:
    from federates.core.hostspec import HostSpec
    from federates.core.run_folder import RunFolder
    from federates.transport.lifeline import follow_launcher

    follow_launcher()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    spec = HostSpec.read(path)
    try:
        _host(spec)
    except BaseException as error:  # noqa: BLE001 - the top of the process
        code = 1
        try:
            code = _report(error, spec, RunFolder(spec.run_dir))
            logging.shutdown()
        finally:
            # never the interpreter's own exit: HELICS would disconnect cleanly and the others go on
            os._exit(code)
    return 0


def _host(spec: HostSpec) -> None:
    from federates.core.heartbeat import Heartbeat
    from federates.core.run_folder import RunFolder

    folder = RunFolder(spec.run_dir)
    with Heartbeat(folder.heartbeat(spec.host), spec.federates) as heartbeat:
        shop = _workshop(spec, folder, heartbeat)
        if spec.transport == "loopback":
            from federates.transport.loopback_host import run_on_loopback

            # asked to leave: unwind, so that what is recorded is written
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            run_on_loopback(shop, spec.federates, spec.spans)
        else:
            from federates.transport.helics_host import run_on_helics

            assert spec.broker is not None
            (span,) = spec.spans
            run_on_helics(
                shop,
                spec.federates,
                span,
                host=spec.host,
                broker=spec.broker,
                report=lambda failure: _report(failure, spec, folder),
            )


def _workshop(spec: HostSpec, folder: RunFolder, heartbeat: Heartbeat) -> Workshop:
    from federates.catalog import build
    from federates.coordination.catalog import MODELS
    from federates.core.context import seatings
    from federates.core.settings import Study
    from federates.core.wiring import expand
    from federates.recording.parquet import ParquetRecorder
    from federates.transport.impairment import Impairment, loss_windows
    from federates.transport.seating import Workshop

    study = Study.model_validate_json(folder.study.read_bytes())
    kinds = dict(spec.kinds) or None
    everyone = seatings(study)

    def open_recorder(federate: str, span: int) -> Recorder:
        return ParquetRecorder(spec.run_dir, federate, span, start=study.horizon.start)

    return Workshop(
        folder=folder,
        study=study,
        seatings=everyone,
        wires=expand(MODELS[study.coordination].all_links, everyone),
        build=lambda context: build(context, kinds),
        open_recorder=open_recorder,
        impairment=Impairment(loss_windows(study), study.seed),
        heartbeat=heartbeat,
    )


def _report(error: BaseException, spec: HostSpec, folder: RunFolder) -> int:
    """Write the host's first error in one line for the runner and whole for the log; its exit code."""
    from federates.core.exit_codes import ExitCode, exit_code_of
    from federates.core.run_folder import HostError
    from federates.transport.seating import FederateFailure

    if folder.error(spec.host).exists():
        return HostError.read(folder.error(spec.host)).exit_code
    logging.getLogger("federates").error("the host %s ends", spec.host, exc_info=error)
    federate, t, cause = spec.host, None, error
    if isinstance(error, FederateFailure) and error.__cause__ is not None:
        federate, t, cause = error.federate, error.t, error.__cause__
    code = exit_code_of(cause)
    found = HostError(
        federate=federate,
        type=type(cause).__name__,
        message=str(cause),
        t=t,
        at_s=time.monotonic(),
        exit_code=code,
    )
    try:
        found.write(folder.error(spec.host))
    except OSError:
        # a full disk: the exit code alone can still be left behind
        return ExitCode.RESOURCES
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
