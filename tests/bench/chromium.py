"""A headless Chromium of our own, spoken to through a pipe: no port, no profile that outlives it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
LIMIT_S = 60.0
Answer = dict[str, object]

# the browser reads commands from descriptor 3 and answers on 4
_AS_3_AND_4 = """
import os, sys
there, back = int(sys.argv[1]), int(sys.argv[2])
os.dup2(there, 103); os.dup2(back, 104); os.dup2(103, 3); os.dup2(104, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserStuckError(TimeoutError):
    """The browser itself stopped answering: no statement about the page."""


def program() -> str | None:
    """Chromium on this machine; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page in a browser of its own."""

    def __init__(self, path: str, profile: Path, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        read_there, self._write = os.pipe()
        self._read, write_back = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_3_AND_4, str(read_there), str(write_back), path, *FLAGS,
             f"--user-data-dir={profile}"],
            pass_fds=(read_there, write_back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(read_there)
        os.close(write_back)
        self._pending = b""
        self._count = 0
        self._session: object = None
        self.events: list[Answer] = []
        """What happened meanwhile."""
        try:
            target = self("Target.createTarget", url="about:blank")["targetId"]
            self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        except BaseException:
            self.close()
            raise

    def __call__(self, method: str, **params: object) -> Answer:
        """Ask for something of the DevTools protocol; what happens meanwhile goes to ``events``."""
        self._count += 1
        message: Answer = {"id": self._count, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + self._limit_s
        while True:
            answer = self._next(until, method)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result = answer["result"]
                assert isinstance(result, dict)
                return result
            self.events.append(answer)

    def value(self, expression: str) -> Answer:
        """What a script on the page comes to; it answers in JSON."""
        result = self("Runtime.evaluate", expression=expression, awaitPromise=True)["result"]
        assert isinstance(result, dict)
        found = json.loads(str(result["value"]))
        assert isinstance(found, dict)
        return found

    def open(self, path: Path) -> None:
        """Open a file and wait until it is there."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")
        self("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + self._limit_s
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            if time.monotonic() > until:
                raise TimeoutError(f"{path} did not load within {self._limit_s:.0f} s")
            self.value("JSON.stringify({})")
            time.sleep(0.05)

    def close(self) -> None:
        """End the browser and what it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _next(self, until: float, method: str) -> Answer:
        while b"\0" not in self._pending:
            if not select.select([self._read], [], [], max(until - time.monotonic(), 0.0))[0]:
                raise BrowserStuckError(f"Chromium has not answered {method} within {self._limit_s:.0f} s")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._pending += part
        message, self._pending = self._pending.split(b"\0", 1)
        found = json.loads(message)
        assert isinstance(found, dict)
        return found
