"""Unit tests of models as tests of pytest: ``pytest -p etl_platform.cli.pytest_plugin defs/``.

Every ``*.test.yaml`` that is collected is a file of tests; what fails shows the rows that differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from etl_platform.components.model_tests import TestedModel
    from etl_platform.transforms.model import Model
    from etl_platform.transforms.testing.running import Outcome
    from etl_platform.transforms.testing.spec import UnitTest

# As in transforms.testing.spec, which is not imported before a file of tests is met.
_SUFFIX = ".test.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take the files of tests."""
    if not file_path.name.endswith(_SUFFIX):
        return None
    return ModelTestFile.from_parent(parent, path=file_path)


class ModelTestFile(pytest.File):
    """The tests of one model."""

    def collect(self) -> Iterator[pytest.Item]:
        from etl_platform.core.errors import EtlError

        try:
            found = _tested(self.path)
        except EtlError as error:
            raise self.CollectError(str(error)) from error
        for test in found.tests:
            yield ModelTest.from_parent(self, name=test.name, model=found.model, test=test)


class ModelTest(pytest.Item):
    """One test of one model."""

    def __init__(self, *, model: Model, test: UnitTest, **given: Any) -> None:
        super().__init__(**given)
        self.model = model
        self.test = test

    def runtest(self) -> None:
        """Run it.

        Raises:
            NotAsExpectedError: with what came of it.
        """
        from etl_platform.transforms.testing.running import run_test

        outcome = run_test(self.model, self.test)
        if outcome.status != "passed":
            raise NotAsExpectedError(outcome)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        from etl_platform.transforms.testing.rendering import as_text

        if isinstance(excinfo.value, NotAsExpectedError):
            return as_text(excinfo.value.outcome)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.test.line - 1, f"{self.model.table}: {self.name}"


class NotAsExpectedError(Exception):
    """A test that did not pass."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


def _tested(path: Path) -> TestedModel:
    from etl_platform.components.model_tests import with_tests

    return with_tests(_models(path.parent), only=path)[0]


@cache
def _models(folder: Path) -> tuple[Model, ...]:
    from etl_platform.components.model_tests import project_models

    return project_models(folder)
