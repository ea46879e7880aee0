"""The fenced blocks of README and docs, and the commands that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

PROJECT = Path(__file__).parents[2]
PAGES = (
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
)
_BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>[^\n]+) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        place: file and line.
        reason: why it cannot be run, where a comment before it says so.
    """

    place: str
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return self.place


def blocks(*languages: str) -> list[Block]:
    """All blocks in these languages."""
    return [block for page in PAGES if page.exists() for block in _of(page, languages)]


def _of(page: Path, languages: tuple[str, ...]) -> Iterator[Block]:
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        if match["language"] in languages:
            line = text.count("\n", 0, match.start("language")) + 1
            place = f"{page.relative_to(PROJECT)}:{line}"
            yield Block(place, match["language"], dedent(match["text"]), match["reason"])


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block: of a console those after ``$``, else every line.

    A quote that is open at a line's end goes on in the next; what a pipe, a redirection or ``&&``
    separates are commands of their own.
    """
    lines = iter(block.text.splitlines())
    for line in lines:
        if block.language == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        if "<<" in line:
            end = line.split("<<", 1)[1].strip().strip("'\"")
            while next(lines).strip() != end:
                pass
            line = line.split("<<", 1)[0]
        while True:
            try:
                words = _words(line)
                break
            except ValueError:
                line += "\n" + next(lines)
        yield from _single(words)


def _words(line: str) -> list[str]:
    line = re.sub(r"\\\n\s*", " ", line)
    if line.rstrip().endswith("\\"):
        raise ValueError("goes on in the next line")
    reader = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    reader.whitespace_split = True
    return list(reader)


def _single(words: list[str]) -> Iterator[list[str]]:
    one: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set("|&;"):
            while one and _ASSIGNMENT.match(one[0]):
                one.pop(0)
            if one:
                yield one
            one = []
        elif word in (">", ">>", "<"):
            one.append("<redirection>")
        elif one and one[-1] == "<redirection>":
            one.pop()
        else:
            one.append(word)
