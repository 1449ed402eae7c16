"""OHIF as an outside viewer: its shipped `dist/`, served on an origin of its own.

PS3.18 10 seen by a viewer nobody here wrote. PIANKU_OHIF_DIST names the folder: `npm pack
@ohif/app@3.13.2`, unpacked. Never part of the product. Called by the walk that looks at it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests.support.browser import Page

DIST: Final = "PIANKU_OHIF_DIST"


def dist() -> Path:
    """Return the folder of OHIF's files; skips visibly when none is named."""
    named = os.environ.get(DIST, "")
    if not named or not (Path(named) / "index.html").is_file():
        pytest.skip(f"{DIST} names no unpacked dist/ of @ohif/app (npm pack @ohif/app@3.13.2)")
    return Path(named)


@contextmanager
def served(port: int, dicomweb: str) -> Generator[str]:
    """Serve OHIF with our DICOMweb root as its data source; return its address."""
    root: dict[str, Any] = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "pianku",
        "configuration": {
            "friendlyName": "Pianku",
            "qidoRoot": dicomweb,
            "wadoRoot": dicomweb,
            "wadoUriRoot": dicomweb.replace("/dicom-web", "/wado"),
            "qidoSupportsIncludeField": True,
            "supportsFuzzyMatching": True,
            "supportsWildcard": True,
            "imageRendering": "wadors",
            "thumbnailRendering": "wadors",
            "enableStudyLazyLoad": True,
            "bulkDataURI": {"enabled": True},
            "omitQuotationForMultipartRequest": True,
        },
    }
    config = {
        "routerBasename": "/",
        "extensions": [],
        "modes": [],
        "showStudyList": True,
        "maxNumberOfWebWorkers": 2,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": False,
        "defaultDataSourceName": "pianku",
        "dataSources": [root],
    }
    script = f"window.config = {json.dumps(config)};".encode()
    handler = partial(_Handler, script=script, directory=str(dist()))
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()


class Doctor:
    """Somebody who looks at OHIF in a window of 1440 x 900 and clicks in it."""

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self._page, self._address, self._folder = page, address, folder
        self._shots = 0

    def opens(self, path: str) -> None:
        """Open a page of OHIF and wait until something is drawn in it."""
        self._page.goto("about:blank")
        self._page.goto(f"{self._address}/{path}")
        self._page.wait("document.body.innerText.length > 10", 240)

    def text(self) -> str:
        """Return what can be read on the page."""
        self._dismisses()
        return str(self._page.evaluate("document.body.innerText"))

    def viewport(self) -> np.ndarray:
        """Return the picture of the middle of the viewport; the window is kept as a file."""
        self._dismisses()
        self._shots += 1
        shot = self._page.screenshot(self._folder / f"ohif-{self._shots:03d}.png")
        return shot[200:700, 500:1100]

    def thumbnail(self) -> np.ndarray:
        """Return the first picture of the list of series."""
        self._page.wait("!!document.querySelector('img[src^=\"data:image\"], img[src^=blob]')", 60)
        left, top, right, bottom = self._page.box("img[src^='data:image'], img[src^=blob]")
        return self._page.screenshot(self._folder / "thumbnail.png")[top:bottom, left:right]

    def scrolls(self, notches: int) -> None:
        """Turn the wheel over the viewport."""
        for _ in range(notches):
            self._mouse("mouseWheel", (800, 500), deltaX=0, deltaY=100)

    def measures(self, begin: tuple[int, int], end: tuple[int, int]) -> None:
        """Draw a length, let it be tracked, and open the panel of measurements."""
        self._clicks_at((522, 23))
        middle = (begin[0] + 20, begin[1] + 20)
        for kind, at in (("mousePressed", begin), ("mouseMoved", middle), ("mouseMoved", end)):
            self._mouse(kind, at, button="left", buttons=1, clickCount=1)
        self._mouse("mouseReleased", end, button="left", buttons=1, clickCount=1)
        self._page.wait_for(lambda: self.clicks("Yes"), "OHIF's question whether to track", 60)
        self._clicks_at((1421, 135))

    def clicks(self, label: str) -> bool:
        """Click the last button of a label; whether there is one."""
        found = self._page.evaluate(
            "(() => { const found = [...document.querySelectorAll('button')].filter(e =>"
            f" e.innerText.trim() === {json.dumps(label)} && e.offsetParent);"
            " if (!found.length) return null;"
            " const r = found.at(-1).getBoundingClientRect();"
            " return [r.left + r.width / 2, r.top + r.height / 2]; })()"
        )
        if found:
            self._clicks_at((round(found[0]), round(found[1])))
        return bool(found)

    def _dismisses(self) -> None:
        self._page.evaluate(
            "[...document.querySelectorAll('button, span')].filter(e => ['Skip all',"
            " 'Confirm and hide'].includes(e.innerText.trim())).forEach(e => e.click())"
        )

    def _clicks_at(self, at: tuple[int, int]) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self._mouse(kind, at, button="left", clickCount=1)

    def _mouse(self, kind: str, at: tuple[int, int], **more: Any) -> None:
        self._page.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)
        time.sleep(0.3)


class _Handler(SimpleHTTPRequestHandler):
    """Files, our configuration, and the page for every other path."""

    def __init__(self, *arguments: Any, script: bytes, directory: str) -> None:
        self._script = script
        super().__init__(*arguments, directory=directory)

    def do_GET(self) -> None:
        """Answer a GET."""
        path = self.path.partition("?")[0]
        if path == "/app-config.js":
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.send_header("Content-Length", str(len(self._script)))
            self.end_headers()
            self.wfile.write(self._script)
            return
        if not Path(self.translate_path(path)).is_file():
            self.path = "/index.html"
        super().do_GET()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""
