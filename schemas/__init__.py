"""What the standards say, as data: XSD, WSDL and code sets in our own words.

The SOURCE.md of each folder names the clauses followed (ITI TF-2 Appendix V, TF-3 4.2).
Adapters, server and tests ask for a file here; nothing else lives here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parent


def path(name: str) -> Path:
    """Return the path of a schema file, named by its folder and file: `xds/rim.xsd`."""
    return _ROOT.joinpath(*name.split("/"))
