"""Errors of AWS in the platform's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import EtlError, PermanentError
from etl_platform.core.secrets import redact
from etl_platform.sources.stream.protocol import StreamUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

EXPIRED = "ExpiredIteratorException"
INVALID = "InvalidArgumentException"
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ThrottlingException",
        "KMSThrottlingException",
    }
)
_ABSENT = "ResourceNotFoundException"
_FORBIDDEN = frozenset({"AccessDeniedException", "KMSAccessDeniedException", "KMSOptInRequired"})
_DENIED = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "InvalidClientTokenId",
        "ExpiredTokenException",
        "IncompleteSignature",
        "MissingAuthenticationTokenException",
    }
)
_UNREACHABLE = frozenset(
    {
        "EndpointConnectionError",
        "ConnectionClosedError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "HTTPClientError",
        "ProxyConnectionError",
        "ResponseParserError",
        "SSLError",
    }
)


def code(error: ClientError | BotoCoreError) -> str:
    """The error's name: AWS's own, or that of botocore's class."""
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    return str(response.get("Error", {}).get("Code", "unknown"))


def passes(error: ClientError | BotoCoreError) -> bool:
    """Whether the same request may succeed a moment later."""
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__ in _UNREACHABLE
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return code(error) in _THROTTLED or status >= 500


def failure(error: ClientError | BotoCoreError, stream: str, doing: str) -> EtlError:
    """What to raise. What AWS says of a signature is never repeated: it quotes the session token.

    Args:
        error: botocore's.
        stream: the stream and its address, without secrets.
        doing: when it happened, as ``while reading``.
    """
    name = code(error)
    if name in _THROTTLED:
        return StreamUnavailable(
            f"{stream}: asked to slow down again and again {doing} ({name})",
            fix="a shard serves 5 reads and 2 MB a second to all its consumers together: add "
            "shards, or have fewer consumers",
        )
    if passes(error):
        return StreamUnavailable(
            f"{stream}: no answer {doing} ({name})",
            fix="check the region, endpoint_url, and that it can be reached from here",
        )
    if name == _ABSENT:
        return PermanentError(
            f"{stream}: there is no such stream or shard ({_said(error)})",
            fix="check the stream's name, the account and the region",
        )
    if name in _FORBIDDEN:
        return PermanentError(
            f"{stream}: not allowed ({_said(error)})",
            fix="allow kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords, "
            "and kms:Decrypt for an encrypted stream",
        )
    if name in _DENIED or "Credentials" in name or name in {"NoRegionError", "ProfileNotFound"}:
        return PermanentError(
            f"{stream}: no usable credentials ({name})",
            fix="check region, profile, access_key_id and secret_access_key, or the role that this "
            "process runs with",
        )
    return PermanentError(f"{stream}: refused {doing} ({name}: {_said(error)})")


def _said(error: ClientError | BotoCoreError) -> str:
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    return redact(str(response.get("Error", {}).get("Message", "")))
