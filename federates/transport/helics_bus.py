"""The federation on HELICS: one named core per host process, a federate per thread.

HELICS time is study time less the span's beginning, in whole seconds; requests are explicit and cannot be
interrupted. Every wire is one publication of raw bytes with one named input. A failure is told to all by a
global error in the failing federate's own words; a clean disconnect would let the others finish on frozen
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

import helics

from federates.core.errors import PeerLostError, TransportError
from federates.core.hostspec import BrokerAddress
from federates.core.time import SimTime, Span
from federates.core.wiring import Wire

_CORE_OPTIONS = "--tick=1s --timeout=5s"
_TEXT_LIMIT = 500


class HelicsCarrier:
    """One federate on HELICS. Created by one thread after another, used by its own thread."""

    def __init__(
        self,
        *,
        name: str,
        core: str,
        hosted: int,
        wires: Sequence[Wire],
        span: Span,
        broker: BrokerAddress,
    ) -> None:
        self._name = name
        self._begin_s = span.begin_s
        self._executing = False
        try:
            self._federate = helics.helicsCreateValueFederate(name, _federate_info(core, hosted, broker))
            self._outs = {w: self._publication(w) for w in wires if w.sender == name}
            self._ins = {w: self._input(w) for w in wires if w.receiver == name}
        except helics.HelicsException as error:
            raise TransportError(f"{name} cannot join the federation: {error}") from error

    def join(self) -> None:
        """Wait until every federate of the federation is there.

        Raises
        ------
        PeerLostError
            If the federation ends instead.
        """
        try:
            helics.helicsFederateEnterInitializingMode(self._federate)
        except helics.HelicsException as error:
            raise PeerLostError(f"{self._name} while joining: {error}") from error

    def send(self, wire: Wire, data: bytes, sent_s: SimTime) -> None:
        """Publish bytes; HELICS stamps them with the present grant.

        Raises
        ------
        PeerLostError
            If the federation has ended.
        """
        try:
            helics.helicsPublicationPublishBytes(self._outs[wire], data)
        except helics.HelicsException as error:
            raise PeerLostError(f"{self._name} at {sent_s} s: {error}") from error

    def wait(self, until: SimTime) -> None:
        """Come back at ``until``.

        Raises
        ------
        PeerLostError
            If the federation ends, or another instant is granted.
        """
        try:
            if not self._executing:
                helics.helicsFederateEnterExecutingMode(self._federate)
                self._executing = True
                return
            granted = helics.helicsFederateRequestTime(self._federate, float(until - self._begin_s))
        except helics.HelicsException as error:
            raise PeerLostError(f"{self._name} waiting for {until} s: {error}") from error
        if granted >= helics.HELICS_TIME_MAXTIME:
            raise PeerLostError(f"{self._name} waiting for {until} s: the federation was ended")
        if granted != until - self._begin_s:
            raise PeerLostError(
                f"{self._name} asked for {until} s and was granted {self._begin_s + granted} s"
            )

    def collect(self) -> Iterable[tuple[Wire, bytes]]:
        """Bytes of the inputs updated by the last grant."""
        for wire, source in self._ins.items():
            if helics.helicsInputIsUpdated(source):
                yield wire, helics.helicsInputGetBytes(source)

    def leave(self) -> None:
        """Disconnect after the final time."""
        helics.helicsFederateDisconnect(self._federate)

    def fail(self, code: int, text: str) -> None:
        """End the federation for everyone, with this federate's words."""
        # HELICS may refuse where another has just ended it
        with suppress(helics.HelicsException):
            helics.helicsFederateGlobalError(self._federate, code, text[:_TEXT_LIMIT])

    def _publication(self, wire: Wire) -> helics.HelicsPublication:
        return helics.helicsFederateRegisterGlobalPublication(
            self._federate, wire.key, helics.HELICS_DATA_TYPE_RAW, ""
        )

    def _input(self, wire: Wire) -> helics.HelicsInput:
        source = helics.helicsFederateRegisterGlobalInput(
            self._federate, f"{wire.key} (input)", helics.HELICS_DATA_TYPE_RAW, ""
        )
        helics.helicsInputAddTarget(source, wire.key)
        helics.helicsInputSetDefaultBytes(source, b"")
        return source


def broker_probe() -> str:
    """What a broker and one federate in this process find of each other, for a health check.

    Raises
    ------
    TransportError
        If they cannot meet.
    """
    try:
        broker = helics.helicsCreateBroker("inproc", "probe-broker", "-f1")
        info = helics.helicsCreateFederateInfo()
        helics.helicsFederateInfoSetCoreTypeFromString(info, "inproc")
        helics.helicsFederateInfoSetCoreName(info, "probe-core")
        helics.helicsFederateInfoSetCoreInitString(info, "--federates=1 --broker=probe-broker")
        federate = helics.helicsCreateValueFederate("probe", info)
        helics.helicsFederateEnterExecutingMode(federate)
        granted = helics.helicsFederateRequestTime(federate, 60.0)
        helics.helicsFederateDisconnect(federate)
        helics.helicsBrokerDisconnect(broker)
    except helics.HelicsException as error:
        raise TransportError(f"HELICS: {error}") from error
    return f"a broker granted second {granted:g}"


def close_library() -> None:
    """Leave HELICS after a clean end."""
    helics.helicsCloseLibrary()


def _federate_info(core: str, hosted: int, broker: BrokerAddress) -> helics.HelicsFederateInfo:
    info = helics.helicsCreateFederateInfo()
    helics.helicsFederateInfoSetCoreTypeFromString(info, "zmq")
    helics.helicsFederateInfoSetCoreName(info, core)
    helics.helicsFederateInfoSetCoreInitString(
        info,
        f"--federates={hosted} {_CORE_OPTIONS} --brokerport={broker.port} --brokerkey={broker.key}",
    )
    for flag in (helics.HELICS_FLAG_UNINTERRUPTIBLE, helics.HELICS_FLAG_TERMINATE_ON_ERROR):
        helics.helicsFederateInfoSetFlagOption(info, flag, True)
    return info
