"""The kinds of address that a pipeline can be made of; one line per kind, the first that fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import to_identifier
from etl_platform.core.secrets import is_reference, resolve_shown
from etl_platform.generate.objects.addresses import is_place
from etl_platform.generate.pipeline.kinds import apis, databases, objects, streams
from etl_platform.generate.pipeline.model import Ask, Source


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of address is recognised, and what looks at it."""

    name: str
    schemes: tuple[str, ...]
    describe: Callable[[Ask], Source]


KINDS: tuple[Kind, ...] = (
    Kind("database", databases.SCHEMES, databases.describe),
    Kind("API", ("http", "https"), apis.describe),
    Kind("Kafka", ("kafka",), streams.describe_kafka),
    Kind("Kinesis", ("kinesis",), streams.describe_kinesis),
    Kind("files", ("s3", "file", ""), objects.describe),
)


def kind_of(uri: str) -> Kind:
    """What looks at an address.

    Raises:
        ConfigError: nothing does.
        SecretError: it is a reference that does not resolve.
    """
    # file:// is also a reference to a secret: is_place tells which of the two.
    meant = resolve_shown(uri) if is_reference(uri) and not is_place(uri) else uri
    scheme = _scheme(meant)
    for kind in KINDS:
        if scheme in kind.schemes:
            return kind
    raise ConfigError(
        f"addresses that begin with {scheme or 'no scheme'!r} are not known",
        valid=", ".join(f"{one}://" for kind in KINDS for one in kind.schemes if one),
    )


def name_of(uri: str) -> str:
    """A name for what is at an address: of its database, file, bucket, folder or host."""
    if is_reference(uri) and not is_place(uri):
        last = re.split(r"[/#?]", uri.rstrip("/"))[-1]
        return to_identifier(re.sub(r"(?i)_(url|uri|dsn)$", "", last))
    parts = urlsplit(uri)
    last = PurePosixPath(re.split(r"[*?\[{]", parts.path)[0].rstrip("/")).name.partition(".")[0]
    found = to_identifier(last or (parts.hostname or "").partition(".")[0])
    return found if found.strip("_") else "source"


def _scheme(uri: str) -> str:
    scheme, mark, _ = uri.partition("://")
    return scheme.partition("+")[0].lower() if mark else ""
