"""Errors of S3 in the platform's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import EtlError, PermanentError
from etl_platform.core.objects.store import ObjectChanged, ObjectMissing, StoreUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_SLOW = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout"})
WHO_ASKS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
"""Credentials that were good once: they are resolved again before it is given up."""
_UNCONFIGURED = frozenset(
    {"NoCredentialsError", "NoRegionError", "PartialCredentialsError", "ProfileNotFound"}
)
_MALFORMED = frozenset({"ParamValidationError", "InvalidEndpointConfigurationError"})


def code(error: ClientError | BotoCoreError) -> str:
    """The error's name: S3's own, or that of botocore's class."""
    response = getattr(error, "response", None)
    if response is None:
        return type(error).__name__
    return str(response.get("Error", {}).get("Code", "unknown"))


def failure(error: ClientError | BotoCoreError, place: str, doing: str) -> EtlError:
    """What to raise. What S3 says of a signature is never repeated.

    Args:
        error: botocore's.
        place: the bucket or object.
        doing: what was done, as ``to read``.
    """
    name = code(error)
    status = int(
        getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    )
    if name in _CHANGED:
        return ObjectChanged(f"{place} exists already, or is another object by now")
    if name in _ABSENT:
        return ObjectMissing(f"{place} does not exist")
    if name == "NoSuchBucket":
        return PermanentError(
            f"{place}: there is no such bucket",
            fix="check the bucket's name, the endpoint and the region",
        )
    if name == "AccessDenied" or (status == 403 and name not in WHO_ASKS):
        return PermanentError(
            f"{place}: not allowed {doing} ({name})",
            fix="allow s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject",
        )
    if name in WHO_ASKS or name in _UNCONFIGURED:
        return PermanentError(
            f"{place}: no usable credentials {doing} ({name})",
            fix="check region, profile and keys, or the role that this process runs with",
        )
    if name in _SLOW or status >= 500 or (not status and name not in _MALFORMED):
        return StoreUnavailable(
            f"{place}: no answer {doing} ({name})",
            fix="check the endpoint and the region, and that it can be reached from here",
        )
    return PermanentError(f"{place}: refused {doing} ({name})")
