"""``etl format``: SQL models in one layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl format

etl format defs/marts/models/worst_days.sql

etl format --check
"""


@dataclass(frozen=True, slots=True)
class Formatted:
    """What became of a file.

    Attributes:
        diff: from what it is to what it would be; empty where it is formatted already.
        error: why it stays as it is.
    """

    path: str
    diff: str = ""
    error: str | None = None


def format(  # noqa: A001 - the name of the command
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files, or folders with all .sql files below; default: the project's models.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; show what would change.")
    ] = False,
    project: Annotated[
        Path, typer.Option("--project", help="A folder of the Dagster project.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Write SQL models in one layout, each in its own dialect.

    Headers and comments stay. A file that could not be printed without losing a comment or changing
    what it means stays as it is, and is told.

    Exit status 1 when a file cannot be formatted, or, with --check, is not.
    """
    from etl_platform.cli.printing import print_json

    found = [_format(path, check) for path in _files(paths, project)]
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        _show(found, check)
    if any(one.error or (check and one.diff) for one in found):
        raise typer.Exit(1)


def _files(paths: list[Path] | None, project: Path) -> list[Path]:
    from etl_platform.core.errors import ConfigError

    if not paths:
        from etl_platform.components.model_tests import project_models

        return sorted(m.path for m in project_models(project) if m.path.suffix == ".sql")
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise ConfigError(f"there is no file or folder {str(path)!r}")
        found |= dict.fromkeys(sorted(path.rglob("*.sql")) if path.is_dir() else [path])
    return [*found]


def _format(path: Path, check: bool) -> Formatted:
    from difflib import unified_diff

    from etl_platform.core.errors import EtlError
    from etl_platform.transforms.formatting import formatted

    name = str(path)
    text = path.read_text(encoding="utf-8")
    try:
        made = formatted(text, name)
    except EtlError as error:
        return Formatted(name, error=str(error))
    if made != text and not check:
        # Beside it first: a file that is cut off is no model any more.
        beside = path.with_suffix(".sql.formatted")
        beside.write_text(made, encoding="utf-8")
        beside.chmod(path.stat().st_mode)
        beside.replace(path)
    if made == text:
        return Formatted(name)
    lines = unified_diff(
        text.splitlines(), made.splitlines(), name, f"{name} (formatted)", lineterm=""
    )
    return Formatted(name, "\n".join(lines) or f"{name}: it does not end with one line break")


def _show(found: Iterable[Formatted], check: bool) -> None:
    same = 0
    for one in found:
        if one.error is not None:
            typer.echo(one.error, err=True)
        elif not one.diff:
            same += 1
        elif check:
            typer.echo(one.diff)
        else:
            typer.echo(f"formatted {one.path}")
    typer.echo(f"{same:,} files were formatted already")
