"""Every setting of an installation, in one frozen tree: file, then environment, then flags.

Design F: nested, typed, one source of truth; an unknown key is an error; secrets by file only.
Called by the command line; `docs/reference/settings.md` is generated from the descriptions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from kernel.refusals import Invalid
from server.dicom_settings import DimseSettings

_PREFIX: Final = "PIANKU_"
_NOT_SETTINGS: Final = frozenset({"PIANKU_LOG", "PIANKU_REQUIRE_PEERS", "PIANKU_VENV"})


class BadSettings(Invalid):
    """A setting is unknown or has a value it cannot have."""

    code = "bad_settings"


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP door: portal, DICOMweb, SOAP."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.")] = 8080
    workers: Annotated[int, Meta(ge=1, description="HTTP worker processes.")] = 2
    tls_certificate: Annotated[str, Meta(description="PEM certificate chain; empty = no TLS.")] = ""
    tls_key: Annotated[str, Meta(description="PEM private key of the certificate.")] = ""
    client_ca: Annotated[
        str, Meta(description="PEM file of the authorities whose client certificates are read.")
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...], Meta(description="Origins of outside viewers that may call DICOMweb.")
    ] = ()
    max_body_mib: Annotated[int, Meta(ge=1, description="Largest request body, MiB.")] = 8192


class MllpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HL7 v2 door."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.")] = 2575
    receiving_application: Annotated[
        str, Meta(description="What MSH-5 of every message must be; empty = anything.")
    ] = ""
    pix_consumers: Annotated[
        tuple[str, ...],
        Meta(
            description="Who is told of changed cross-references (ITI-10): NAME@HOST:PORT, and "
            "/OID+OID for the domains of interest; without = all."
        ),
    ] = ()


class LedgerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events, views, keys and sessions are kept."""

    engine: Annotated[
        Literal["sqlite", "postgresql"], Meta(description="sqlite (embedded) or postgresql.")
    ] = "sqlite"
    dsn_file: Annotated[
        str, Meta(description="File that holds the PostgreSQL connection string (a secret).")
    ] = ""
    schema: Annotated[str, Meta(description="PostgreSQL schema of this installation.")] = "pianku"
    seal_every_events: Annotated[
        int, Meta(ge=1, description="Sign and export the chain head after so many events.")
    ] = 10_000
    seal_every_seconds: Annotated[
        int, Meta(ge=1, description="... or after so many seconds, whichever comes first.")
    ] = 3600


class DomainSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The affinity domain: identifiers and code sets."""

    repository_oid: Annotated[
        str, Meta(description="repositoryUniqueId; empty = made at the first start.")
    ] = ""
    assigning_authority: Annotated[
        str, Meta(description="OID of the patient id domain; empty = made at the first start.")
    ] = ""
    namespace: Annotated[
        str, Meta(description="Short name (HL7 v2 HD.1) of the patient id domain; empty = none.")
    ] = ""
    identity_domains: Annotated[
        tuple[str, ...],
        Meta(description="Other patient id domains to cross-reference, each NAMESPACE=OID."),
    ] = ()
    source_oid: Annotated[
        str, Meta(description="sourceId of our own submissions; empty = repository_oid.")
    ] = ""
    home_community_oid: Annotated[
        str, Meta(description="homeCommunityId (XCA); empty = derived from repository_oid.")
    ] = ""
    institution: Annotated[str, Meta(description="Name of the hospital.")] = "Pianku"
    patient_feed_required: Annotated[
        bool, Meta(description="Refuse documents of patients no feed or image has made known.")
    ] = True
    codes: Annotated[str, Meta(description="File of code sets instead of the ones we ship.")] = ""
    unchecked_codes: Annotated[
        tuple[str, ...], Meta(description="Code types whose values are not checked.")
    ] = ()


class StudySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When studies count as complete and what is made of them."""

    quiet_seconds: Annotated[
        float, Meta(ge=0, description="A study without news for so long is complete.")
    ] = 60.0
    publish: Annotated[
        bool, Meta(description="Register a KOS manifest of complete studies as XDS-I documents.")
    ] = True


class DocumentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of documents that were handed out or removed."""

    snapshots: Annotated[
        Literal["replace", "keep", "none"],
        Meta(
            description="On-demand documents that were handed out: keep each in place of the one "
            "before it, keep them all, or keep none."
        ),
    ] = "replace"
    erase_removed: Annotated[
        bool, Meta(description="Erase the octets of removed documents that nothing else uses.")
    ] = True
    erase_after_hours: Annotated[
        float, Meta(ge=1, description="... so long after the removal.")
    ] = 24.0


class SubscriptionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Subscriptions to documents (DSUB) and the notifications they cause."""

    consumers: Annotated[
        tuple[str, ...],
        Meta(
            description="Where notifications may go, as scheme://host[:port][/path]; `*.` before a "
            "domain and `*` as port stand for any; empty = nowhere."
        ),
    ] = ()
    address: Annotated[
        str, Meta(description="URL of /dsub as subscribers know it; empty = as they asked.")
    ] = ""
    longest_days: Annotated[
        int, Meta(ge=1, le=36500, description="A subscription lasts so long at most.")
    ] = 3660
    most_per_subscriber: Annotated[
        int, Meta(ge=1, description="Subscriptions that one subscriber may have at once.")
    ] = 10_000
    retry_seconds: Annotated[
        float, Meta(gt=0, description="First wait before an untaken notification is sent again.")
    ] = 5.0
    longest_wait_seconds: Annotated[
        float, Meta(gt=0, description="Each wait is twice the one before, up to this.")
    ] = 3600.0
    give_up_hours: Annotated[
        float, Meta(ge=0, description="A notification untaken for so long is abandoned.")
    ] = 72.0
    ca: Annotated[
        str, Meta(description="PEM file of the authorities of consumers; empty = the system's.")
    ] = ""
    certificate: Annotated[
        str, Meta(description="PEM certificate chain shown to consumers; empty = none.")
    ] = ""
    key: Annotated[str, Meta(description="PEM private key of that certificate.")] = ""


class CommunitySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another community: its responding gateway (XCA)."""

    home_community_oid: Annotated[str, Meta(description="Its homeCommunityId, an OID.")]
    query_url: Annotated[str, Meta(description="Where it answers ITI-38; empty = nowhere.")] = ""
    retrieve_url: Annotated[str, Meta(description="Where it answers ITI-39; empty = nowhere.")] = ""
    imaging_url: Annotated[str, Meta(description="Where it answers RAD-75; empty = nowhere.")] = ""
    assigning_authority: Annotated[
        str, Meta(description="OID of the patient ids it knows; empty = any, sent as given.")
    ] = ""
    ca: Annotated[str, Meta(description="PEM file of its authorities; empty = the gateway's.")] = ""
    certificate: Annotated[
        str, Meta(description="PEM certificate chain shown to it; empty = the gateway's.")
    ] = ""
    key: Annotated[str, Meta(description="PEM private key of that certificate.")] = ""


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How other systems are asked and answered by SOAP: communities, asynchronous answers."""

    query_seconds: Annotated[
        float, Meta(gt=0, description="A community that has not answered a query by then is away.")
    ] = 20.0
    silence_seconds: Annotated[
        float, Meta(gt=0, description="A retrieval without an octet for so long is given up.")
    ] = 30.0
    reply_to: Annotated[
        tuple[str, ...],
        Meta(
            description="Where asynchronous answers may go, written as subscriptions.consumers; "
            "empty = nowhere."
        ),
    ] = ()
    ca: Annotated[
        str, Meta(description="PEM file of other systems' authorities; empty = the system's.")
    ] = ""
    certificate: Annotated[
        str, Meta(description="PEM certificate chain shown to other systems; empty = none.")
    ] = ""
    key: Annotated[str, Meta(description="PEM private key of that certificate.")] = ""


class ManifestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Imaging manifests (XDS-I): those we write and those that others submit."""

    flavour: Annotated[
        Literal["kos", "mado"],
        Meta(description="kos (XDS-I.b manifest) or mado (manifest with description)."),
    ] = "kos"
    retrieve_url: Annotated[
        str, Meta(description="Public base URL of our WADO-RS service, told in manifests.")
    ] = ""
    checks: Annotated[
        Literal["refuse", "warn", "off"],
        Meta(description="What becomes of submitted manifests that contradict their metadata."),
    ] = "refuse"


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may come in."""

    loopback_system: Annotated[
        bool, Meta(description="SOAP, HL7 and any AE title from loopback act as `loopback` (demo).")
    ] = False
    idle_minutes: Annotated[int, Meta(ge=1, description="A session unused so long ends.")] = 30
    absolute_hours: Annotated[int, Meta(ge=1, description="A session ends after this.")] = 12
    lockout_failures: Annotated[int, Meta(ge=1, description="Wrong passwords until locked.")] = 5
    lockout_minutes: Annotated[int, Meta(ge=1, description="How long an account is locked.")] = 30


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installation."""

    data: Annotated[str, Meta(description="Folder that holds everything.")] = "pianku-data"
    profile: Annotated[
        Literal["embedded", "hospital"], Meta(description="Preset the other settings start from.")
    ] = "embedded"
    timezone: Annotated[str, Meta(description="Time zone of the date presets.")] = "Asia/Shanghai"
    http: HttpSettings = HttpSettings()
    dimse: DimseSettings = DimseSettings()
    mllp: MllpSettings = MllpSettings()
    ledger: LedgerSettings = LedgerSettings()
    domain: DomainSettings = DomainSettings()
    study: StudySettings = StudySettings()
    manifest: ManifestSettings = ManifestSettings()
    documents: DocumentSettings = DocumentSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    guard: GuardSettings = GuardSettings()
    gateway: GatewaySettings = GatewaySettings()
    communities: Annotated[
        tuple[CommunitySettings, ...],
        Meta(description="Other communities, a [[communities]] table each; JSON in a variable."),
    ] = ()

    @property
    def directory(self) -> Path:
        """Return the data folder as a path."""
        return Path(self.data)

    def dsn(self) -> str | None:
        """Return the PostgreSQL connection string, None on SQLite; raises BadSettings."""
        if self.ledger.engine == "sqlite":
            return None
        try:
            return Path(self.ledger.dsn_file).read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise BadSettings("ledger.dsn_file cannot be read") from problem


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Return the settings of a TOML file, overlaid by the environment, overlaid by flags.

    `PIANKU_HTTP__PORT=9000` and the flag `{"http.port": 9000}` both mean `http.port`.
    Raises BadSettings naming the key.
    """
    tree: dict[str, Any] = {}
    if file is not None:
        try:
            tree = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as problem:
            raise BadSettings(f"the settings file cannot be read: {problem}") from problem
    for name, value in environment.items():
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS and "TEST_" not in name:
            _put(tree, name[len(_PREFIX) :].lower().split("__"), value)
    for name, value in flags.items():
        if value is not None:
            _put(tree, name.split("."), value)
    from server.profiles import preset  # noqa: PLC0415 - profiles are written in settings' terms

    merged = _overlay(preset(str(tree.get("profile", "embedded"))), tree)
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as problem:
        raise BadSettings(f"settings: {problem}") from problem


def _put(tree: dict[str, Any], path: Sequence[str], value: object) -> None:
    for part in path[:-1]:
        step = tree.setdefault(part, {})
        if not isinstance(step, dict):
            raise BadSettings(f"{'.'.join(path)} is not a setting")
        tree = step
    if isinstance(value, str) and "," in value and path[-1] in _LISTS:
        value = [v.strip() for v in value.split(",")]
    elif path[-1] in _LISTS and isinstance(value, str):
        value = [value] if value else []
    elif path == ["communities"] and isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as problem:
            raise BadSettings("communities is not JSON") from problem
    tree[path[-1]] = value


_LISTS: Final = frozenset(
    {
        "allowed_origins",
        "availability_recipients",
        "consumers",
        "identity_domains",
        "private_transfer_syntaxes",
        "pix_consumers",
        "reply_to",
        "unchecked_codes",
    }
)


def _overlay(base: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in upper.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _overlay(merged[key], value)
        else:
            merged[key] = value
    return merged
