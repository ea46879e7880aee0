"""Where a redirect leads, and which ones are not followed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import unquote_plus, urljoin

from etl_platform.sources.api.messages import ApiRefused
from etl_platform.sources.api.transport.urls import Target, target_of
from etl_platform.sources.api.transport.wire import Answer

_SAME_METHOD = {307, 308}
_SEE_OTHER = 303
_SAFE = {"GET", "HEAD"}


def is_redirect(answer: Answer) -> bool:
    """Whether the answer points elsewhere (304 does not, nor 300 without an address)."""
    return answer.status in {301, 302, 303, 307, 308} and "location" in answer.headers


def redirected(
    answer: Answer, target: Target, method: str, body: bytes | None, secrets: Iterable[str]
) -> tuple[Target, str, bytes | None]:
    """The request that a redirect asks for (RFC 9110, section 15.4).

    Raises:
        ApiRefused: the new address is on another server and repeats a credential, or would be sent
            a body; or a changed method would change what is asked.
        BadResponse: no URL of HTTP.
    """
    location = answer.headers["location"]
    with suppress(UnicodeError):  # some servers write UTF-8 where RFC 9110 has ASCII
        location = location.encode("latin-1").decode()
    new = target_of(urljoin(target.url, location))
    elsewhere = new.origin != target.origin
    if elsewhere and carries(location, secrets):
        raise ApiRefused(
            f"{target.shown} redirects to {new.origin} with the credential in the address",
            fix=f"if {new.origin} is the API's own server, write it as base_url",
        )
    if answer.status == _SEE_OTHER:
        return new, "GET" if method != "HEAD" else method, None
    if method in _SAFE:
        return new, method, body
    if elsewhere or answer.status not in _SAME_METHOD:
        raise ApiRefused(
            f"{target.shown} answered {answer.status} to {method} and points to {new.shown}",
            fix="write the new address in the definition if it is to be trusted",
        )
    return new, method, body


def carries(url: str, secrets: Iterable[str]) -> bool:
    """Whether a URL holds a credential, as it stands or quoted."""
    plain = unquote_plus(url)
    return any(secret and (secret in url or secret in plain) for secret in secrets)
