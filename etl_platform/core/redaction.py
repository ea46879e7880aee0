"""Secrets are hidden where text leaves the process: in errors, logs and tracebacks.

A process remembers what it resolved (:func:`remember`), and from then on no error of the platform,
no record of Python's ``logging`` and no uncaught traceback repeats it, in any usual way of quoting.
Drivers put URLs, connection strings and passwords into their messages in ways that nobody can list,
so what is hidden are the values themselves, and what looks like a credential besides.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from types import TracebackType

HIDDEN = "***"
SHORTEST = 6
"""Values with fewer characters would hide ordinary words; only a pattern hides them."""

_AMONG_WORDS = 12
_TOKEN = 20
_MOST = 4096
_SECRET_WORD = (
    r"(?:password|passwd|pwd|passphrase|secret|token|api_?key|access_?key|private_?key"
    r"|signature)"
)
# The password may itself hold '@' or '/': the last '@' of the word ends it.
_URL_PASSWORD = re.compile(
    r"([a-z][a-z0-9+.\-]*://[^\s:/@?#]*):([^\s@]*(?:@[^\s@]*)*)@", re.IGNORECASE
)
_ASSIGNMENT = re.compile(
    rf"(\b(?:sig|[\w\-.]*{_SECRET_WORD}[\w\-]*)\s*=\s*)('[^']*'|\"[^\"]*\"|[^\s&;,'\")]+)",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"(\b(?:proxy-)?authorization['\"]?\s*[:=]\s*['\"]?)((?:basic|bearer|digest)\s+)?[^\s'\",;]+",
    re.IGNORECASE,
)
_HINTS = ("://", "=", "uthorization", "UTHORIZATION")

_lock = threading.Lock()
_known: dict[str, None] = {}
_pattern: re.Pattern[str] | None = None


def remember(secret: str) -> None:
    """Hide a secret from now on wherever this process tells something.

    For what is read through a reference this happens by itself; for what is got with it, such as a
    token, whoever got it says so. Values shorter than :data:`SHORTEST` are not remembered.
    """
    global _pattern
    forms = [form for form in _forms(secret) if len(form) >= SHORTEST]
    with _lock:
        if all(form in _known for form in forms):
            return
        for form in forms:
            _known.pop(form, None)
            _known[form] = None
        while len(_known) > _MOST:
            # Of a process that lives for months only the newest are of use to anybody.
            _known.pop(next(iter(_known)))
        longest_first = sorted(_known, key=len, reverse=True)
        _pattern = re.compile("|".join(map(_alone, longest_first)))
    _guard()


def hide(text: str) -> str:
    """The text without the secrets that this process has read."""
    pattern = _pattern
    return text if pattern is None else pattern.sub(HIDDEN, text)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Hide what this process has read, credentials of URLs, and ``password=...`` in any text.

    Args:
        text: what is about to be shown.
        known: further secrets, hidden wherever they occur and however short they are.

    >>> redact("cannot reach postgresql://etl:pa@ss@db/shop")
    'cannot reach postgresql://etl:***@db/shop'
    """
    for secret in sorted({s for s in known if s}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = hide(text)
    if not any(hint in text for hint in _HINTS):
        return text
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _AUTHORIZATION.sub(rf"\1\2{HIDDEN}", text)
    return _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)


def _forms(secret: str) -> Iterator[str]:
    """A secret, its lines, the passwords in it, each as it is and as it may be quoted."""
    for part in _parts(secret):
        yield part
        yield quote(part, safe="")
        yield quote(part)
        yield quote_plus(part)
        yield json.dumps(part)[1:-1]
        yield repr(part)[1:-1]
        yield base64.b64encode(part.encode()).decode().rstrip("=")


def _parts(secret: str) -> Iterator[str]:
    yield secret
    lines = secret.splitlines()
    if len(lines) > 1:
        # Of a key in PEM every line is secret, and its frame is none.
        yield from (line.strip() for line in lines if not line.startswith("-----"))
    given = [found[2].strip("'\"") for found in _ASSIGNMENT.finditer(secret)]
    if "://" in secret:
        login = secret.partition("://")[2].rpartition("@")[0]
        user, _, password = login.partition(":")
        # A token may stand in the user's place; a name that is hidden helps nobody.
        given += [password] if password or len(user) < _TOKEN else [user]
    for part in given:
        yield part
        yield unquote(part)


def _alone(form: str) -> str:
    # A short secret is hidden as a word, or `shop12` would take `workshop123` with it.
    escaped = re.escape(form)
    return escaped if len(form) >= _AMONG_WORDS else rf"(?<!\w){escaped}(?!\w)"


@cache
def _guard() -> None:
    """Let logging and uncaught errors pass through :func:`redact`, once per process."""
    make = logging.getLogRecordFactory()

    def redacted(*args: object, **kwargs: object) -> logging.LogRecord:
        return _redacted(make(*args, **kwargs))

    logging.setLogRecordFactory(redacted)
    sys.excepthook = _print_redacted
    threading.excepthook = _print_of_thread


def _redacted(record: logging.LogRecord) -> logging.LogRecord:
    with suppress(TypeError, ValueError):  # wrong arguments: logging itself tells of them
        told = record.getMessage()
        shown = redact(told)
        if shown != told:
            record.msg, record.args = shown, None
    if record.exc_info and record.exc_info[1] is not None:
        told = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        shown = redact(told)
        if shown != told:
            record.exc_info, record.exc_text = None, shown
    return record


def _print_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _print_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        _print_redacted(args.exc_type, args.exc_value, args.exc_traceback)
