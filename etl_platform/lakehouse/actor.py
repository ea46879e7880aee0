"""Who changed a table: kept in the commit, so that the table itself tells."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from etl_platform.core.redaction import HIDDEN, redact

ACTOR_KEY = "etl_actor"
_LONGEST = 200
"""Characters of a command that are kept."""
_NAMES_A_SECRET = re.compile(r"--?[\w-]*(password|passwd|pwd|secret|token|key)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Actor:
    """The process that made a commit.

    Attributes:
        user: the account that it ran as, by the system's own list: the environment cannot say
            another. The number, where the list has no name.
        host: the machine's or container's name.
        command: the program and its arguments, without secrets, at most 200 characters.
        pid: the process's number on that host.
    """

    user: str
    host: str
    command: str
    pid: int

    @classmethod
    def present(cls) -> Actor:
        """This process."""
        return cls(*_account(os.geteuid()), command_text(sys.argv), os.getpid())

    def to_json(self) -> str:
        """The form kept in the Delta commit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Actor:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"


def command_text(argv: Sequence[str]) -> str:
    """A command line as people would type it.

    Documents among the arguments, such as those by which Dagster starts its own processes, are
    left out: they say nothing to people, and may hold settings.
    """
    if not argv:
        return ""
    program = Path(argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    words = [name]
    for before, word in pairwise(argv):
        if _NAMES_A_SECRET.fullmatch(before):
            words.append(HIDDEN)
        else:
            words.append("..." if word.lstrip().startswith(("{", "[")) else word)
    text = redact(" ".join(words))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


@cache
def _account(uid: int) -> tuple[str, str]:
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run as a number that has no name
        user = str(uid)
    return user, socket.gethostname()
