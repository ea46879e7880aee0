"""A schema registry as Confluent defines its REST interface: schemas by id, kept for ever."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, model_validator

from etl_platform.core.errors import ConfigError, PermanentError, TransientError
from etl_platform.core.secrets import (
    SecretReference,
    check_no_literal_secret,
    redact,
    reference_or_literal,
    resolve,
)
from etl_platform.sources.stream.formats.avro.schema import AvroSchema, schema_of

if TYPE_CHECKING:
    import httpx

_GONE = 404
_BUSY = (408, 425, 429)
_DEEPEST_REFERENCE = 20


class RegistryUnavailable(TransientError):
    """The schema registry does not answer."""


class UnknownSchema(PermanentError):
    """The registry has no Avro schema of that id or version."""


class RegistryOptions(BaseModel):
    """Where the schema registry is, and who asks."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(
        description="Base address, or a secret reference to it.",
        examples=["https://registry:8081", "env://REGISTRY_URL"],
    )
    user: SecretReference | None = Field(
        default=None, description="Basic authentication: secret reference."
    )
    password: SecretReference | None = Field(
        default=None, description="Its password: secret reference."
    )
    token: SecretReference | None = Field(
        default=None, description="Bearer token: secret reference."
    )
    ca_file: str | None = Field(
        default=None, description="Certificates to trust instead of the system's."
    )
    timeout_s: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        check_no_literal_secret(self.url)
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.user is not None and self.token is not None:
            raise ValueError("either user and password, or a token")
        return self


@dataclass(frozen=True, slots=True)
class _Absent:
    why: str


class SchemaRegistry:
    """Asks for each id once: what an id means never changes. May be shared by threads."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._known: dict[str, AvroSchema] = {}
        self._client: httpx.Client | None = None
        self._login: _Login | None = None

    def by_id(self, number: int) -> AvroSchema:
        """The schema of an id.

        Raises:
            UnknownSchema: there is none, or it is no Avro.
            RegistryUnavailable: no answer, or none that can be used now.
            PermanentError: the registry refuses these credentials.
        """
        return self._schema(f"/schemas/ids/{number}", f"schema id {number}", 0)

    def version(self, subject: str, number: int) -> AvroSchema:
        """One version of a subject's schema; raises as :meth:`by_id` does."""
        return self._version(subject, number, 0)

    def _version(self, subject: str, number: int, depth: int) -> AvroSchema:
        where = f"version {number} of subject {subject!r}"
        return self._schema(f"/subjects/{quote(subject, safe='')}/versions/{number}", where, depth)

    def _schema(self, path: str, where: str, depth: int) -> AvroSchema:
        with self._lock:
            known = self._known.get(path)
        if known is not None:
            return known
        if depth > _DEEPEST_REFERENCE:
            raise UnknownSchema(f"{where}: its references lead too deep")
        answer = self._ask(path, where)
        if answer.get("schemaType", "AVRO") != "AVRO":
            raise UnknownSchema(f"{where} is {answer['schemaType']}, not Avro")
        references = tuple(
            self._version(str(one["subject"]), int(one["version"]), depth + 1)
            for one in answer.get("references") or ()
        )
        try:
            found = schema_of(answer["schema"], where, references)
        except ConfigError as error:
            raise UnknownSchema(error.what) from error
        with self._lock:
            return self._known.setdefault(path, found)

    def _ask(self, path: str, where: str) -> dict[str, Any]:
        import httpx

        try:
            answer = self._connected().get(path)
        except httpx.TransportError as error:
            raise RegistryUnavailable(
                f"the schema registry does not answer when asked for {where}: {error}",
                fix="see whether it runs, and whether its address is reachable from here",
            ) from error
        if answer.status_code == _GONE:
            raise UnknownSchema(f"{where} is unknown to the schema registry")
        if answer.status_code in _BUSY or answer.status_code >= 500:
            raise RegistryUnavailable(
                f"the schema registry answers {answer.status_code} when asked for {where}"
            )
        if answer.status_code != 200:
            raise PermanentError(
                f"the schema registry answers {answer.status_code} when asked for {where}",
                fix="check user, password or token under registry:",
            )
        try:
            found: dict[str, Any] = answer.json()
            found["schema"]
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryUnavailable(
                f"what answers at the schema registry's address is none: {where} came without "
                "a schema",
                fix="check url under registry:",
            ) from error
        return found

    def _connected(self) -> httpx.Client:
        login = _Login.read(self._options)
        with self._lock:
            if self._client is None or login != self._login:
                # What was made with an older login may be in use by another thread: it is left
                # to end by itself.
                self._client, self._login = _client(self._options, login), login
            return self._client

    def close(self) -> None:
        """Let go of connections; the next question opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


@dataclass(frozen=True, slots=True, repr=False)
class _Login:
    """The address and who asks, as the references hold it now."""

    url: str
    user: str | None
    password: str | None
    token: str | None

    @classmethod
    def read(cls, options: RegistryOptions) -> _Login:
        given = (options.user, options.password, options.token)
        user, password, token = (None if ref is None else resolve(ref) for ref in given)
        return cls(reference_or_literal(options.url), user, password, token)


def _client(options: RegistryOptions, login: _Login) -> httpx.Client:
    import ssl

    import httpx

    headers = {"Accept": "application/vnd.schemaregistry.v1+json"}
    if login.token is not None:
        headers["Authorization"] = f"Bearer {login.token}"
    identity = None
    if login.user is not None and login.password is not None:
        identity = httpx.BasicAuth(login.user, login.password)
    try:
        trusted = ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        raise ConfigError(f"registry: ca_file {options.ca_file!r}: {error}") from error
    try:
        return httpx.Client(
            base_url=login.url,
            headers=headers,
            auth=identity,
            verify=trusted,
            timeout=options.timeout_s,
        )
    except httpx.InvalidURL as error:
        raise ConfigError(f"registry: url {redact(login.url)}: {error}") from None
