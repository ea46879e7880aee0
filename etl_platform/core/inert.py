"""Texts that somebody else wrote, made harmless: they steer nothing that shows them.

Comments, names and values of a source are written by anybody. They reach Markdown that a browser
renders (Dagster shows descriptions and metadata so), comments of YAML and SQL, and terminals.
"""

from __future__ import annotations

import re
from html import unescape

MOST_CHARACTERS = 500
TEMPLATE = re.compile(r"\{(?=[{%#])")
"""Where a template of Jinja begins."""
_MARKUP = {
    ord("\\"): "\\\\",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord("["): "\\[",
    ord("`"): "'",
}
_ESCAPED = re.compile(r"\\([\\\[])")
_TICKS = re.compile("`+")


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    r"""A text on one line in which nothing is invisible: what cannot be printed is escaped.

    >>> one_line("a\nb \x1b[31m\u202e")
    'a b \\x1b[31m\\u202e'
    """
    shown = " ".join(text.split())
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _escaped(c) for c in shown)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def prose(text: str, most: int = MOST_CHARACTERS) -> str:
    """A description: one line, whose markup and templates are shown as they are written.

    >>> prose("see <script> and {{ env.X }}")
    'see &lt;script&gt; and { { env.X }}'
    """
    return TEMPLATE.sub("{ ", one_line(text, most).translate(_MARKUP))


def plain(described: str) -> str:
    r"""A description as a terminal or a message shows it, which know no markup.

    >>> plain(prose("a < b, see [1]"))
    'a < b, see [1]'
    """
    return unescape(_ESCAPED.sub(r"\1", described))


def fenced(code: str, language: str = "sql") -> str:
    """A block of code for Markdown, whose fence is longer than any that the code has.

    >>> print(fenced("SELECT '``` ![x](y)'"))
    ````sql
    SELECT '``` ![x](y)'
    ````
    """
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in _TICKS.findall(code))])
    return f"{fence}{language}\n{code}\n{fence}"


def _escaped(char: str) -> str:
    code = ord(char)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
