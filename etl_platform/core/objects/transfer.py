"""Large objects in parts, several on their way at once, a bounded number of them in memory."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from etl_platform.core.errors import EtlError

PART_BYTES = 16 * 1024 * 1024
_AT_ONCE = 4
_MOST_PARTS = 10_000


class Ask(Protocol):
    """One request about the object that is written, by its operation's name."""

    def __call__(self, operation: str, **given: object) -> Any: ...


def upload(ask: Ask, path: Path, condition: Mapping[str, str]) -> str:
    """Write a file in parts; returns the object's ETag.

    A failure gives up the parts that were written; those of a killed process stay until the
    bucket's lifecycle rule removes them.
    """
    size = path.stat().st_size
    part_bytes = max(PART_BYTES, -(-size // _MOST_PARTS))
    begun = ask("create_multipart_upload")["UploadId"]

    def one(number: int) -> dict[str, object]:
        with path.open("rb") as file:
            file.seek(number * part_bytes)
            body = file.read(part_bytes)
        found = ask("upload_part", UploadId=begun, PartNumber=number + 1, Body=body)
        return {"ETag": found["ETag"], "PartNumber": number + 1}

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            parts = list(pool.map(one, range(-(-size // part_bytes))))
        made = ask(
            "complete_multipart_upload",
            UploadId=begun,
            MultipartUpload={"Parts": parts},
            **condition,
        )
    except BaseException:
        with contextlib.suppress(EtlError):
            ask("abort_multipart_upload", UploadId=begun)
        raise
    return str(made["ETag"]).strip('"')


def download(part: Callable[[int, int], bytes], size: int, path: Path) -> None:
    """Write an object of ``size`` bytes into a file, which appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with draft.open("wb") as file:
            handle = file.fileno()
            os.truncate(handle, size)

            def one(start: int) -> None:
                body = part(start, min(PART_BYTES, size - start))
                os.pwrite(handle, body, start)

            starts = range(0, size, PART_BYTES)
            if len(starts) > 1:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    list(pool.map(one, starts))
            elif starts:
                one(0)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
