"""Whether an answer is what was promised, before anyone reads it."""

from __future__ import annotations

import orjson

from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.api.transport.wire import Answer

_EMPTY = {204, 205, 304}


def check_answer(answer: Answer, accept: str, where: str) -> None:
    """Refuse another content type than ``accept`` promises, and JSON that ends too early.

    Raises:
        BadResponse: saying what came instead.
    """
    if answer.status in _EMPTY:
        return
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not _promised(kind, accept):
        raise BadResponse(
            f"{where} answered with {kind} where {accept} was promised",
            valid=accept,
            fix="look at the address in a browser; or say the type in the header Accept",
        )
    if _is_json(kind) and not _complete(answer.body):
        raise BadResponse(f"{where} answered with JSON that ends too early or is none")


def _promised(kind: str, accept: str) -> bool:
    for entry in accept.lower().split(","):
        wanted = entry.partition(";")[0].strip()
        if wanted in {"*/*", kind} or (wanted.endswith("/*") and kind.startswith(wanted[:-1])):
            return True
        if wanted == "application/json" and _is_json(kind):
            return True
        if wanted in {"application/xml", "text/xml"} and (
            kind.endswith("+xml") or kind in {"application/xml", "text/xml"}
        ):
            return True
    return False


def _is_json(kind: str) -> bool:
    return kind in {"application/json", "text/json"} or kind.endswith("+json")


def _complete(body: bytes) -> bool:
    """Whether JSON is whole: counting brackets is enough unless texts hold some of them."""
    if body.count(b"{") == body.count(b"}") and body.count(b"[") == body.count(b"]"):
        return bool(body.strip())
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
