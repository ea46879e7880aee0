"""What a reference says: where a secret lives, never the secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import AfterValidator

from etl_platform.core.errors import SecretError

SYNTAX = (
    "env://NAME, file:///absolute/path or "
    "aws-secret://name#field (also ?stage=AWSPREVIOUS or ?version=ID before #field)"
)
_PINNED = ("stage", "version")


class SecretScheme(StrEnum):
    """Where a reference points."""

    ENV = "env"
    FILE = "file"
    AWS = "aws-secret"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lives; holds no secret, so it may be shown.

    Attributes:
        field: of a secret that is a JSON object.
        stage: AWS's label of a version: ``AWSCURRENT`` unless it is said, ``AWSPREVIOUS``,
            ``AWSPENDING`` or one of your own.
        version: AWS's id of a version, which no rotation changes.

    >>> SecretRef.parse("aws-secret://prod/shop?stage=AWSPREVIOUS#url").stage
    'AWSPREVIOUS'
    """

    scheme: SecretScheme
    location: str
    field: str | None = None
    stage: str | None = None
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """Read a reference.

        Raises:
            SecretError: when the text is not a reference. The text itself is not repeated, because
                a secret pasted in the place of its reference is the usual reason.
        """
        scheme, separator, rest = text.strip().partition("://")
        if not separator or scheme not in {member.value for member in SecretScheme}:
            raise SecretError(
                "this text is not a secret reference",
                valid=SYNTAX,
                fix="put the value in an environment variable and write env://ITS_NAME here",
            )
        location, _, field = rest.partition("#")
        kind = SecretScheme(scheme)
        pinned: dict[str, str] = {}
        if kind is SecretScheme.AWS:
            location, _, query = location.partition("?")
            pinned = _pinned(query)
        ref = cls(kind, unquote(location), unquote(field) or None, **pinned)
        if not ref.location or (kind is SecretScheme.FILE and ref.location[0] != "/"):
            raise SecretError(f"{scheme}:// does not say where the secret is", valid=SYNTAX)
        if ref.field and kind is not SecretScheme.AWS:
            raise SecretError(f"{scheme}:// takes no #field", valid=SYNTAX)
        return ref

    def __str__(self) -> str:
        pins = {"stage": self.stage, "version": self.version}
        query = urlencode({name: value for name, value in pins.items() if value is not None})
        return (
            f"{self.scheme}://{self.location}"
            + (f"?{query}" if query else "")
            + (f"#{quote(self.field, safe='')}" if self.field else "")
        )


def _pinned(query: str) -> dict[str, str]:
    given = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in given]
    if (query and not given) or len(given) > 1 or any(not value for _, value in given):
        raise SecretError("aws-secret:// takes one of ?stage= and ?version=", valid=SYNTAX)
    if any(name not in _PINNED for name in names):
        raise SecretError("aws-secret:// knows no such parameter", valid="?stage= or ?version=")
    return dict(given)


def _reference(text: str) -> str:
    SecretRef.parse(text)
    return text


SecretReference = Annotated[str, AfterValidator(_reference)]
"""An option that takes ``env://NAME``, ``file:///path`` or ``aws-secret://name#field``, never the
secret itself."""


def is_reference(text: str) -> bool:
    """Whether the text starts like a secret reference."""
    return text.strip().partition("://")[0] in {member.value for member in SecretScheme}
