"""A small PDF writer for reports: Chinese and Latin text, rules, one picture a page.

Writes PDF 1.5 (ISO 32000-1: 7.5 file structure, 9.7 composite fonts). The Chinese font is not
embedded: its codes are Adobe-GB1 CIDs with a ToUnicode map, which PDFium, pdf.js and Ghostscript
show with a font of the machine. Called by `documents` and `objects`.
"""

from __future__ import annotations

import unicodedata
import zlib
from dataclasses import dataclass, field
from typing import Final

A4: Final = (595, 842)
_MARGIN: Final = 56
_LEADING: Final = 1.62


@dataclass(slots=True)
class Page:
    """One A4 page, filled from the top; `y` is where the next line goes."""

    y: float = A4[1] - _MARGIN
    content: list[str] = field(default_factory=list)
    picture: bytes = b""
    picture_size: tuple[int, int] = (0, 0)


class PdfWriter:
    """Lays text out on A4 pages and writes the file."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._pages = [Page()]
        self._used: dict[int, str] = {}

    def heading(self, text: str, size: float = 17) -> None:
        """Write a centred line in bold."""
        width = text_width(text, size)
        self._line(text, size, (A4[0] - width) / 2, bold=True)

    def label(self, text: str) -> None:
        """Write the bold title of a paragraph."""
        self._page.y -= 5
        self._line(text, 11.5, _MARGIN, bold=True, colour="0.05 0.36 0.49")

    def paragraph(self, text: str, size: float = 10.5) -> None:
        """Write a paragraph, wrapped at the margins."""
        for line in wrap(text, size, A4[0] - 2 * _MARGIN):
            self._line(line, size, _MARGIN)

    def row(self, cells: tuple[str, ...], size: float = 10) -> None:
        """Write cells side by side in columns of equal width."""
        wide = (A4[0] - 2 * _MARGIN) / len(cells)
        top = self._page.y
        for index, cell in enumerate(cells):
            self._page.y = top
            self._line(cell, size, _MARGIN + index * wide)

    def rule(self) -> None:
        """Draw a thin line across the page."""
        y = self._page.y - 5
        self._page.content.append(f"0.6 w 0.55 G {_MARGIN} {y:.1f} m {A4[0] - _MARGIN} {y:.1f} l S")
        self._page.y -= 10

    def picture(self, jpeg: bytes, size: tuple[int, int], height: float = 190) -> None:
        """Place a JPEG of `size` rows, columns in the middle of the page; one a page."""
        page = self._page
        wide = height * size[1] / size[0]
        page.y -= height + 4
        x = (A4[0] - wide) / 2
        page.content.append(f"q {wide:.1f} 0 0 {height:.1f} {x:.1f} {page.y:.1f} cm /Im Do Q")
        page.picture, page.picture_size = jpeg, size
        page.y -= 16

    def new_page(self) -> None:
        """Start the next page."""
        self._pages.append(Page())

    def write(self) -> bytes:
        """Return the file; the same calls always give the same bytes."""
        objects: list[bytes] = []

        def add(body: bytes) -> int:
            objects.append(body)
            return len(objects)

        fonts = self._fonts(add)
        tree = len(objects) + 1 + sum(3 if p.picture else 2 for p in self._pages)
        kids = [_add_page(add, page, fonts, tree) for page in self._pages]
        listed = " ".join(f"{kid} 0 R" for kid in kids)
        add(f"<</Type/Pages/Count {len(kids)}/Kids[{listed}]>>".encode())
        catalog = add(f"<</Type/Catalog/Pages {tree} 0 R>>".encode())
        title = ("\ufeff" + self._title).encode("utf-16-be").hex()
        info = add(f"<</Title<{title}>/Producer(Pianku demo)>>".encode())
        return _file(objects, catalog, info)

    @property
    def _page(self) -> Page:
        return self._pages[-1]

    def _line(
        self, text: str, size: float, x: float, *, bold: bool = False, colour: str = "0.1 0.1 0.1"
    ) -> None:
        if self._page.y < _MARGIN + size:
            self.new_page()
        page = self._page
        page.y -= size * _LEADING
        mode = f"2 Tr {size / 34:.2f} w {colour} RG" if bold else "0 Tr"
        page.content.append(
            f"BT {mode} {colour} rg {x:.1f} {page.y:.1f} Td {self._runs(text, size)} ET"
        )

    def _runs(self, text: str, size: float) -> str:
        parts, run, chinese = [], "", False

        def close() -> None:
            if not run:
                return
            if chinese:
                codes = "".join(f"{self._cid(c):04X}" for c in run)
                parts.append(f"/Song {size} Tf <{codes}> Tj")
            else:
                safe = run.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
                parts.append(f"/Latin {size} Tf ({safe}) Tj")

        for char in text:
            kind = ord(char) > 0x7E
            if kind != chinese:
                close()
                run, chinese = "", kind
            run += char
        close()
        return " ".join(parts)

    def _cid(self, char: str) -> int:
        cid = adobe_gb1_cid(char)
        self._used[cid] = char
        return cid

    def _fonts(self, add: object) -> str:
        assert callable(add)
        latin = add(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
        mapping = "\n".join(
            f"<{cid:04X}> <{char.encode('utf-16-be').hex().upper()}>"
            for cid, char in sorted(self._used.items())
        )
        chunks = mapping.split("\n") if mapping else []
        blocks = "".join(
            f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar\n"
            for part in (chunks[i : i + 100] for i in range(0, len(chunks), 100))
        )
        unicode_map = add(
            _stream(
                (
                    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
                    "/CIDSystemInfo <</Registry(Adobe)/Ordering(UCS)/Supplement 0>> def\n"
                    "/CMapName /Pianku-UCS2 def /CMapType 2 def\n"
                    "1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
                    f"{blocks}endcmap CMapName currentdict /CMap defineresource pop end end"
                ).encode(),
                "",
            )
        )
        descriptor = add(
            b"<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]"
            b"/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 880/StemV 93>>"
        )
        descendant = add(
            (
                "<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo"
                f"<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>/FontDescriptor {descriptor} 0 R"
                "/DW 1000>>"
            ).encode()
        )
        song = add(
            (
                "<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/Identity-H"
                f"/DescendantFonts[{descendant} 0 R]/ToUnicode {unicode_map} 0 R>>"
            ).encode()
        )
        return f"/Font<</Latin {latin} 0 R/Song {song} 0 R>>"


def adobe_gb1_cid(char: str) -> int:
    """Return the Adobe-GB1 CID of a character of GB 2312; raises ValueError for others.

    The collection lists GB 2312 row by row: symbols of row 1 from CID 96, rows 2 and 3 behind
    them, hanzi from CID 940, 94 a row (the last row of the first level is 5 short).
    """
    try:
        # Python's table names two of the symbols by other code points than texts use.
        high, low = {"—": "\u2015", "·": "\u30fb"}.get(char, char).encode("gb2312")
    except (UnicodeEncodeError, ValueError):
        raise ValueError(f"U+{ord(char):04X} is not in GB 2312") from None
    row, cell = high - 0xA0, low - 0xA0
    if row == 1:
        return 95 + cell
    if row == 2 and 17 <= cell <= 66:
        return 190 + cell - 17
    if row == 3:
        return 261 + cell
    if 16 <= row <= 55:
        return 939 + (row - 16) * 94 + cell
    if row >= 56:
        return 4694 + (row - 56) * 94 + cell
    raise ValueError(f"U+{ord(char):04X} is not set by this writer")


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is set."""
    return sum(size if unicodedata.east_asian_width(c) in "WFA" else size * 0.53 for c in text)


def wrap(text: str, size: float, width: float) -> list[str]:
    """Break a text into lines; between any two Chinese characters, at spaces in Latin."""
    lines = [""]
    word = ""
    for char in text + "\n":
        if char.isascii() and char.isalnum():
            word += char
            continue
        if text_width(lines[-1] + word + char, size) > width and lines[-1]:
            if not word and char in "，。；：、）%,.;:)":
                lines[-1] += char
                continue
            lines.append("")
        lines[-1] += word + (char if char != "\n" else "")
        word = ""
    return lines


def _add_page(add: object, page: Page, fonts: str, tree: int) -> int:
    assert callable(add)
    content = add(_stream("\n".join(page.content).encode("latin-1"), ""))
    pictures = ""
    if page.picture:
        high, wide = page.picture_size
        space = (
            "/DeviceRGB" if page.picture[:1] and _components(page.picture) == 3 else "/DeviceGray"
        )
        image = add(
            f"<</Type/XObject/Subtype/Image/Width {wide}/Height {high}/BitsPerComponent 8"
            f"/ColorSpace{space}/Filter/DCTDecode/Length {len(page.picture)}>>\nstream\n".encode()
            + page.picture
            + b"\nendstream"
        )
        pictures = f"/XObject<</Im {image} 0 R>>"
    number: int = add(
        (
            f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 {A4[0]} {A4[1]}]/Contents {content} 0 R"
            f"/Resources<<{fonts}{pictures}>>>>"
        ).encode()
    )
    return number


def _components(jpeg: bytes) -> int:
    position = 2
    while position < len(jpeg):
        marker, length = jpeg[position + 1], int.from_bytes(jpeg[position + 2 : position + 4])
        if marker in {0xC0, 0xC1, 0xC2}:
            return jpeg[position + 9]
        position += 2 + length
    return 3


def _stream(data: bytes, extra: str) -> bytes:
    packed = zlib.compress(data, 9)
    head = f"<</Length {len(packed)}/Filter/FlateDecode{extra}>>\nstream\n".encode()
    return head + packed + b"\nendstream"


def _file(objects: list[bytes], catalog: int, info: int) -> bytes:
    out = bytearray(b"%PDF-1.5\n%\xe7\x89\x87\xe5\xba\x93\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for offset in offsets:
        out += f"{offset:010d} 00000 n \n".encode()
    out += (
        f"trailer\n<</Size {len(objects) + 1}/Root {catalog} 0 R/Info {info} 0 R>>\n"
        f"startxref\n{start}\n%%EOF\n"
    ).encode()
    return bytes(out)
