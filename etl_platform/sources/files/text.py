"""Texts as UTF-8, strictly: what cannot be decoded is told with its line."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from etl_platform.sources.files.errors import BadFile

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def utf8(pieces: Iterable[bytes], encoding: str, where: str) -> Iterator[bytes]:
    """The text in UTF-8 without byte order mark, in pieces that end anywhere.

    Raises:
        BadFile: bytes that the encoding does not have, or a NUL.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, first = 1, True
    plain = encoding == "utf-8"
    for piece in pieces:
        if first and piece.startswith(codecs.BOM_UTF8):
            if not plain:
                raise BadFile(where, f"encoding is {encoding}, and its mark says utf-8", line=1)
            piece = piece.removeprefix(codecs.BOM_UTF8)
        if plain and piece.isascii() and not decoder.getstate()[0]:
            out = piece
        else:
            try:
                text = decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise _undecodable(error, encoding, where, lines) from error
            if first and encoding != "utf-8":
                text = text.removeprefix("\ufeff")
            out = text.encode("utf-8")
        first = False
        if b"\0" in out:
            line = lines + out[: out.index(b"\0")].count(b"\n")
            raise BadFile(
                where,
                "a NUL character: the file is damaged, binary, or in another encoding",
                line=line,
            )
        lines += out.count(b"\n")
        if out:
            yield out
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _undecodable(error, encoding, where, lines) from error


def _undecodable(error: UnicodeDecodeError, encoding: str, where: str, lines: int) -> BadFile:
    before = error.object[: error.start]
    line = lines + before.decode(encoding, "ignore").count("\n")
    bad = error.object[error.start : error.end].hex(" ")
    return BadFile(
        where,
        f"bytes {bad} are not {encoding} ({error.reason})",
        line=line,
        fix="declare encoding, or have the file written again",
    )
