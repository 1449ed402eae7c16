"""A headless Chromium, spoken to over its debugging pipe: no driver, no WebSocket, no profile.

The Chrome DevTools Protocol over file descriptors 3 and 4 (`--remote-debugging-pipe`): JSON
messages, each ended by a NUL. Called by walks that look at the viewer with a user's eyes.
"""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.support.peers import peer, program

_FLAGS: Final = (
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--enable-unsafe-swiftshader", "--hide-scrollbars",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip


class Page:
    """One tab."""

    def __init__(self, read_fd: int, write_fd: int, process: subprocess.Popen[bytes]) -> None:
        self._read, self._write, self._process = read_fd, write_fd, process
        self._buffer = bytearray()
        self._number = 0
        self._session = ""
        self.console: list[str] = []
        """What pages wrote to their console as errors, and exceptions nobody caught."""
        self.failed_requests: list[str] = []
        """Responses with status >= 400."""

    def open_tab(self, width: int, height: int) -> None:
        """Attach to the first tab and watch its console and network."""
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip

    def call(self, method: str, *, seconds: float = 60, **parameters: Any) -> Any:
        """Send a command and return its result."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def goto(self, address: str) -> None:
        """Open an address and wait until the document is loaded."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression (promises are awaited)."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """Wait until an expression is truthy and return its value."""
        return self.wait_for(lambda: self.evaluate(expression), expression, seconds)

    def wait_for(self, probe: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Wait until `probe` is truthy; the failure tells what the page showed."""
        deadline = time.monotonic() + seconds
        while not (value := probe()):
            if time.monotonic() > deadline:
                shown = str(self.evaluate("document.body ? document.body.innerText : ''"))
                raise AssertionError(
                    f"waited {seconds} s for {what}; the page shows:\n{shown[:1500]}\n"
                    f"console: {self.console[-5:]}\nrequests: {self.failed_requests[-5:]}"
                )
            time.sleep(0.1)
        return value

    def type_into(self, selector: str, text: str) -> None:
        """Click an input and type into it as a keyboard would."""
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def press_enter(self) -> None:
        """Press the Enter key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter",
                      windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")  # fmt: skip

    def screenshot(self, path: Path | None = None) -> np.ndarray:
        """Return the picture of the tab (rows, columns, RGB) and write it to `path` if given."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def box(self, selector: str) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of an element, in pixels of the screenshot."""
        box = self.evaluate(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; })()"
        )
        left, top, right, bottom = (round(v) for v in box)
        return left, top, right, bottom

    def _receive(self, deadline: float) -> dict[str, Any]:
        while (end := self._buffer.find(b"\0")) < 0:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError("the browser did not answer in time")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise AssertionError(f"the browser ended with {self._process.wait()}")
            self._buffer += chunk
        message: dict[str, Any] = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        self._notice(message)
        return message

    def _notice(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.console.append(str(message["params"]["exceptionDetails"])[:600])
            case "Runtime.consoleAPICalled" if message["params"]["type"] == "error":
                self.console.append(str(message["params"]["args"])[:600])
            case "Network.responseReceived":
                response = message["params"]["response"]
                if response["status"] >= 400:
                    self.failed_requests.append(f"{response['status']} {response['url']}")


@contextmanager
def browser(width: int = 1440, height: int = 900) -> Generator[Page]:
    """Start a Chromium with an empty profile; skips visibly where it is not installed."""
    peer("chromium")
    profile = Path(tempfile.mkdtemp(prefix="pianku-chromium-"))
    # Kept away from 3 and 4, which the child needs for itself.
    ours_out, theirs_in, theirs_out, ours_in = _pipes()
    process = subprocess.Popen(
        [program("chromium"), *_FLAGS[:-1], f"--user-data-dir={profile}",
         f"--window-size={width},{height}", _FLAGS[-1]],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # Python's own descriptors close at exec; only these two are made inheritable, in the child.
        close_fds=False, start_new_session=True,
        preexec_fn=lambda: (os.dup2(theirs_in, 3), os.dup2(theirs_out, 4)),  # noqa: PLW1509
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    page = Page(ours_in, ours_out, process)
    try:
        page.open_tab(width, height)
        yield page
    finally:
        os.close(ours_out)  # the browser ends when its commands end
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # our own session: started with start_new_session
            process.wait()
        os.close(ours_in)
        shutil.rmtree(profile, ignore_errors=True)


def _pipes() -> tuple[int, int, int, int]:
    ends = []
    for low_read, low_write in (os.pipe(), os.pipe()):
        for low in (low_read, low_write):
            ends.append(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20))
            os.close(low)
    command_read, command_write, answer_read, answer_write = ends
    return command_write, command_read, answer_write, answer_read
