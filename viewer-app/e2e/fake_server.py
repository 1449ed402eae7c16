#!/usr/bin/env python3
"""A stand-in for the Pianku back end, for walks and local work on viewer-app only.

Serves viewer-app/dist, the JSON API and DICOMweb from invented data in memory.
`--dicom DIR` adds the DICOM files of a folder; nothing of them is written anywhere.
Accounts: doctor/doctor (clinician), admin/admin (system_admin), locked/locked.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import mimetypes
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from catalogue import Catalogue
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

DIST = Path(__file__).resolve().parent.parent / "dist"
CSP = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
)
USERS = {
    "doctor": ("doctor", "林医生", ["clinician"]),
    "admin": ("admin", "系统管理员", ["system_admin"]),
}
DW = r"/dicom-web/studies/(?P<study>[\d.]+)"
SERIES = DW + r"/series/(?P<series>[\d.]+)"
INSTANCE = SERIES + r"/instances/(?P<instance>[\d.]+)"


def frame_array(ds, frame: int) -> np.ndarray:
    """The pixels of one frame, decoded."""
    pixels = ds.pixel_array
    return pixels[frame - 1] if int(ds.get("NumberOfFrames", 1)) > 1 else pixels


def frame_bytes(ds, frame: int) -> tuple[str, bytes]:
    """One frame as stored, with its transfer syntax."""
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        count = int(ds.get("NumberOfFrames") or 1)
        return str(syntax), get_frame(ds.PixelData, frame - 1, number_of_frames=count)
    return "1.2.840.10008.1.2.1", np.ascontiguousarray(frame_array(ds, frame)).tobytes()


def picture(ds, frame: int, size: int | None) -> bytes:
    """One frame as JPEG in the window of the file."""
    if "PixelData" not in ds:
        raise KeyError("no pixels")
    pixels = frame_array(ds, frame).astype(np.float32)
    if pixels.ndim == 2:
        pixels = pixels * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
        centre, width = ds.get("WindowCenter"), ds.get("WindowWidth")
        centre = centre[0] if hasattr(centre, "__len__") and not isinstance(centre, str) else centre
        width = width[0] if hasattr(width, "__len__") and not isinstance(width, str) else width
        if centre is None or width is None:
            low, high = np.percentile(pixels, [1, 99])
        else:
            low, high = float(centre) - float(width) / 2, float(centre) + float(width) / 2
        pixels = np.clip((pixels - low) / max(high - low, 1) * 255, 0, 255)
        if ds.PhotometricInterpretation == "MONOCHROME1":
            pixels = 255 - pixels
    image = Image.fromarray(pixels.astype(np.uint8))
    if size:
        image.thumbnail((size, size))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Routes by regular expression; one method a route."""

    protocol_version = "HTTP/1.1"
    catalogue: Catalogue
    delay_seconds = 0.0

    def log_message(self, *_args):
        """Quiet: walks print their own steps."""

    # -- answers ---------------------------------------------------------------
    def send(self, status: int, body: bytes = b"", kind: str = "application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, value, status: int = 200, **headers):
        self.send(status, json.dumps(value, ensure_ascii=False).encode(), **headers)

    def problem(self, status: int, code: str, title: str):
        body = json.dumps({"type": "about:blank", "title": title, "status": status, "code": code})
        self.send(status, body.encode(), "application/problem+json")

    # -- session ---------------------------------------------------------------
    def user(self):
        match = re.search(r"pianku_session=(\w+)", self.headers.get("Cookie", ""))
        return USERS.get(match[1]) if match else None

    def session(self, user):
        expires = dt.datetime.now() + dt.timedelta(hours=8)
        return {
            "user": user[0],
            "display_name": user[1],
            "roles": user[2],
            "csrf": f"csrf-{user[0]}",
            "expires_at": expires.isoformat(timespec="seconds"),
            "must_change_password": False,
        }

    def body(self):
        length = int(self.headers.get("Content-Length", 0))
        return json.loads(self.rfile.read(length) or b"{}")

    def do_POST(self):
        path = urlsplit(self.path).path
        body = self.body()
        if path == "/api/v1/session":
            if body.get("user") == "locked":
                return self.problem(401, "account_locked", "Account locked")
            user = USERS.get(body.get("user"))
            if not user or body.get("password") != user[0]:
                return self.problem(401, "bad_credentials", "Wrong user or password")
            cookie = f"pianku_session={user[0]}; HttpOnly; SameSite=Strict; Path=/"
            return self.json(self.session(user), Set_Cookie=cookie)
        user = self.user()
        if not user:
            return self.problem(401, "signed_out", "Not signed in")
        if self.headers.get("X-Pianku-Csrf") != f"csrf-{user[0]}":
            return self.problem(403, "csrf", "CSRF header missing")
        if "clinician" not in user[2]:
            return self.problem(403, "forbidden", "No permission")
        if path == "/api/v1/studies/search":
            if body.get("name") == "error":
                return self.problem(503, "unavailable", "Search index is not available")
            return self.json(self.catalogue.search(body))
        return self.problem(404, "not_found", "Not found")

    def do_DELETE(self):
        self.send(204, Set_Cookie="pianku_session=; Max-Age=0; Path=/")

    def do_GET(self):
        path = urlsplit(self.path).path
        if not path.startswith(("/api/", "/dicom-web/")):
            return self.static(path)
        user = self.user()
        if not user:
            return self.problem(401, "signed_out", "Not signed in")
        if path == "/api/v1/session":
            return self.json(self.session(user))
        if "clinician" not in user[2]:
            return self.problem(403, "forbidden", "No permission")
        for pattern, method in self.ROUTES:
            match = re.fullmatch(pattern, path)
            if match:
                try:
                    return method(self, **match.groupdict())
                except KeyError:
                    break
        return self.problem(404, "not_found", "Not found")

    # -- api -------------------------------------------------------------------
    def study(self, study):
        self.json(self.catalogue.study(study))

    def timeline(self, patient):
        self.json(self.catalogue.timeline(patient))

    def content(self, entry):
        kind, data = self.catalogue.document(entry)
        self.send(200, data, kind)

    # -- dicom web -------------------------------------------------------------
    def metadata(self, study, series):
        out = []
        for ds in self.catalogue.instances(study, series):
            small = Dataset()
            for element in ds:
                if element.keyword not in {"PixelData", "EncapsulatedDocument"}:
                    small.add(element)
            item = small.to_json_dict(suppress_invalid_tags=True)
            if "EncapsulatedDocument" in ds:
                base = f"/dicom-web/studies/{study}/series/{series}/instances/{ds.SOPInstanceUID}"
                item["00420011"] = {"vr": "OB", "BulkDataURI": f"{base}/bulkdata/00420011"}
            out.append(item)
        self.send(200, json.dumps(out).encode(), "application/dicom+json")

    def frame(self, study, series, instance, frame):
        syntax, data = frame_bytes(self.catalogue.instance(study, series, instance), int(frame))
        part = f"Content-Type: application/octet-stream; transfer-syntax={syntax}\r\n\r\n"
        body = b"--pk\r\n" + part.encode() + data + b"\r\n--pk--\r\n"
        kind = 'multipart/related; type="application/octet-stream"; boundary=pk'
        self.send(200, body, kind, Cache_Control="private, max-age=3600, immutable")

    def rendered(self, study, series, instance, frame="1"):
        ds = self.catalogue.instance(study, series, instance)
        if "EncapsulatedDocument" in ds:
            return self.send(200, bytes(ds.EncapsulatedDocument), "application/pdf")
        return self.send(200, picture(ds, int(frame), None), "image/jpeg")

    def thumbnail(self, study, series=None, instance=None, frame=None):
        series = series or self.catalogue.first_series(study)
        instances = self.catalogue.instances(study, series)
        ds = instances[len(instances) // 2]
        if instance:
            ds = self.catalogue.instance(study, series, instance)
        frames = int(ds.get("NumberOfFrames", 1))
        self.send(200, picture(ds, int(frame or (frames + 1) // 2), 160), "image/jpeg")

    ROUTES = [
        (r"/api/v1/studies/(?P<study>[\d.]+)", study),
        (r"/api/v1/patients/(?P<patient>[\w-]+)/timeline", timeline),
        (r"/api/v1/documents/(?P<entry>[\w-]+)/content", content),
        (SERIES + r"/metadata", metadata),
        (INSTANCE + r"/frames/(?P<frame>\d+)", frame),
        (INSTANCE + r"(?:/frames/(?P<frame>\d+))?/thumbnail", thumbnail),
        (INSTANCE + r"/rendered", rendered),
        (INSTANCE + r"/frames/(?P<frame>\d+)/rendered", rendered),
        (SERIES + r"/thumbnail", thumbnail),
        (DW + r"/thumbnail", thumbnail),
    ]

    # -- the built app ---------------------------------------------------------
    def static(self, path):
        file = (DIST / path.lstrip("/")).resolve()
        if not file.is_file() or DIST not in file.parents:
            file = DIST / "index.html"
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if file.suffix in {".js", ".mjs"}:
            kind = "text/javascript"
        if file.suffix == ".wasm":
            kind = "application/wasm"
        self.send(200, file.read_bytes(), kind)


def main() -> None:
    """Reads the flags and serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--dicom", type=Path, action="append", default=[])
    options = parser.parse_args()
    Handler.catalogue = Catalogue(options.dicom)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print(f"ready http://127.0.0.1:{options.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
