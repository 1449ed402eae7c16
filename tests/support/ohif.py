"""OHIF as an outside viewer: its shipped `dist/`, served on an origin of its own.

PS3.18 10 seen by a viewer nobody here wrote. PIANKU_OHIF_DIST names the folder: `npm pack
@ohif/app@3.13.2`, unpacked. Never part of the product. Called by the walk that looks at it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

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
