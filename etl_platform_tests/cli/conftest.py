"""The ``etl`` command within the process of its test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest

from etl_platform.cli.app import run

Etl: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def etl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Etl:
    """The command in this process, which is quicker to start; errors and status are the same."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["etl", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        shown = capsys.readouterr()
        status = ended.value.code
        assert isinstance(status, int)
        return subprocess.CompletedProcess(arguments, status, shown.out, shown.err)

    return call
