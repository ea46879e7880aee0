"""The models of a project beside their unit tests, found without connecting to anything."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.transforms.testing.spec import SUFFIX, UnitTest, read_tests

if TYPE_CHECKING:
    from etl_platform.transforms.model import Model


class MadeOfModels(ABC):
    """A component whose tables are computed by models."""

    @abstractmethod
    def models(self, context: dg.ComponentLoadContext) -> Sequence[Model]:
        """The models, checked."""


@dataclass(frozen=True, slots=True)
class TestedModel:
    """A model with the tests of one file."""

    model: Model
    path: Path
    tests: tuple[UnitTest, ...]


def project_models(folder: Path) -> tuple[Model, ...]:
    """Every model of the Dagster project that a folder or file belongs to.

    Raises:
        ConfigError: there is no project.
        PermanentError: what is wrong with a model, as when definitions load.
    """
    try:
        tree = dg.ComponentTree.for_project(folder)
    except Exception as error:
        # Dagster raises a bare Exception where no pyproject.toml above has [tool.dg].
        raise ConfigError(
            f"{folder} belongs to no Dagster project: {error}", fix="name one with --project"
        ) from error
    components = tree.get_all_components(MadeOfModels)  # pyright: ignore[reportArgumentType] # any class may be asked for
    return tuple(model for one in components for model in one.models(tree.load_context))


def with_tests(models: Iterable[Model], only: Path | None = None) -> tuple[TestedModel, ...]:
    """The models that have tests: ``<name>.test.yaml`` beside the model's own file.

    Args:
        only: the one file of tests to be read.

    Raises:
        ConfigError, UnknownName: a file of tests is malformed, or there is no model of its name.
    """
    folders: dict[Path, dict[str, Model]] = {}
    for model in models:
        named = folders.setdefault(model.path.parent, {})
        named[model.table.name] = model
        if model.path.suffix == ".sql":
            named[model.path.stem] = model
    found: list[TestedModel] = []
    for folder, named in sorted(folders.items()):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if only not in (None, path):
                continue
            name = path.name.removesuffix(SUFFIX)
            if name not in named:
                raise UnknownName("model", name, named, where=str(path))
            found.append(TestedModel(named[name], path, read_tests(path)))
    return tuple(found)
