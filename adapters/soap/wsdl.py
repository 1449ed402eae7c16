"""Serve a service's WSDL and the schemas it imports, with the addresses the client used.

Implements ITI TF-2 Appendix W (WSDL) by `?wsdl` and `?xsd=NAME`, the custom of SOAP servers.
Called by the endpoints of the protocols; only names on the list given can be asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from adapters.soap.names import escaped

_SCHEMA_LOCATION: Final = re.compile(r'schemaLocation="([\w.-]+)"')
_ADDRESS: Final = re.compile(r'(<soap12:address location=")[^"]*(")')


class WsdlPages:
    """The WSDL of one service and its schemas, by name."""

    def __init__(self, wsdl: Path, schemas: Mapping[str, Path]) -> None:
        self._wsdl = wsdl.read_text(encoding="utf-8")
        self._schemas = {name: path.read_text("utf-8") for name, path in schemas.items()}

    def wsdl(self, address: str) -> bytes:
        """Return the WSDL with `address` as the service's own."""
        text = _ADDRESS.sub(lambda m: f"{m[1]}{escaped(address)}{m[2]}", self._wsdl)
        return self._located(text, address).encode()

    def schema(self, name: str, address: str) -> bytes | None:
        """Return a schema by its name, or None if the service has none of that name."""
        text = self._schemas.get(name)
        return None if text is None else self._located(text, address).encode()

    def _located(self, text: str, address: str) -> str:
        return _SCHEMA_LOCATION.sub(
            lambda m: f'schemaLocation="{escaped(address)}?xsd={m[1]}"', text
        )
