"""What every flow does: give credentials, and others when a server refuses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from etl_platform.core.secrets import remember


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is added to a request; no part of it is ever shown.

    Attributes:
        headers: names and values.
        params: names and values of the query.
        secrets: every text that no message may hold; hidden in all that this process tells.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for secret in self.secrets:
            remember(secret)


class Authentication(Protocol):
    """One flow. Called from several threads at the same time.

    A class of your own takes its options as keyword arguments and resolves references with
    :func:`etl_platform.core.secrets.resolve`, at the first call of :meth:`credentials`.
    """

    def credentials(self) -> Credentials:
        """Those that are valid now; fetched or renewed where they are due.

        Raises:
            SecretError: a reference does not resolve.
            ApiRefused: whoever gives tokens gives none.
            ApiUnavailable: it could not be asked.
        """
        ...

    def renewed(self, refused: Credentials) -> Credentials | None:
        """Others than those that the server refused with 401; None when there are no others.

        When many threads were refused at the same time, the first renews for all of them.
        """
        ...


class Nobody:
    """No credentials."""

    def credentials(self) -> Credentials:
        """None at all."""
        return Credentials()

    def renewed(self, refused: Credentials) -> Credentials | None:
        """There are no others."""
        del refused
        return None
