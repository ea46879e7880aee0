"""``etl secrets``: whether what definitions and settings refer to is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Json, Module

if TYPE_CHECKING:
    from etl_platform.components.secret_references import SecretUse

EXAMPLES = """[bold]Examples[/bold]

etl secrets check

etl secrets check --json | jq '.[] | select(.resolves | not)'
"""
_AT_ONCE = 8

app = typer.Typer(
    name="secrets", help="References to secrets.", no_args_is_help=True, rich_markup_mode="rich"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a reference; holds no secret.

    Attributes:
        error: None when it resolves.
    """

    reference: str
    used_in: list[str]
    error: str | None


@app.command(epilog=EXAMPLES)
def check(
    module: Module = DEFINITIONS,
    definitions_folder: Annotated[
        Path | None,
        typer.Option(
            "--defs",
            help="Folder of the components' YAML; default: defs/ beside the module.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that each reference to a secret resolves, here and now, and print none.

    Looked through are the settings (ETL_*), the YAML of the components, and the resources of the
    definitions. Exit status 1 when a reference does not resolve, or when a credential stands in a
    definition itself. Run it with the environment and the mounts of the process that it is about.
    """
    from dataclasses import asdict

    from etl_platform.cli.printing import print_json

    found = _checked(_uses(module, definitions_folder))
    if as_json:
        print_json([{**asdict(one), "resolves": one.error is None} for one in found])
    else:
        _show(found)
    if any(one.error is not None for one in found):
        raise typer.Exit(1)


def _uses(module: str, folder: Path | None) -> list[SecretUse]:
    from etl_platform.cli.definitions import definitions_of
    from etl_platform.components.secret_references import (
        in_resources,
        in_settings,
        in_yaml,
        merged,
    )
    from etl_platform.core.settings import get_settings

    uses = [*in_settings(get_settings(), os.environ), *in_yaml(folder or _beside(module))]
    if not any(use.refused for use in uses):
        # With a literal credential the definitions refuse to load.
        uses += in_resources(definitions_of(module).resources or {})
    return merged(uses)


def _beside(module: str) -> Path:
    from importlib.util import find_spec

    from etl_platform.core.errors import ConfigError

    try:
        spec = find_spec(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"module {module!r} cannot be loaded: {error}") from None
    if spec is None or spec.origin is None:
        raise ConfigError(f"module {module!r} cannot be found", fix="name it with --module")
    return Path(spec.origin).parent / "defs"


def _checked(uses: list[SecretUse]) -> list[Checked]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        errors = list(pool.map(_error, uses))
    return [
        Checked(use.reference or "a literal credential", use.places, error)
        for use, error in zip(uses, errors, strict=True)
    ]


def _error(use: SecretUse) -> str | None:
    from etl_platform.core.errors import EtlError
    from etl_platform.core.secrets import resolve

    if use.refused is not None:
        return use.refused
    try:
        resolve(use.reference)
    except EtlError as error:
        return f"{error.what}; {error.fix}" if error.fix else error.what
    return None


def _show(found: list[Checked]) -> None:
    from rich.text import Text

    from etl_platform.cli.printing import print_table

    print_table(
        [("reference", "left"), ("", "left"), ("used in", "left"), ("why not", "left")],
        [
            (
                one.reference,
                Text("resolves", style="green")
                if one.error is None
                else Text("fails", style="bold red"),
                ", ".join(one.used_in),
                one.error,
            )
            for one in found
        ],
        caption=f"{len(found)} references, {sum(one.error is not None for one in found)} fail",
    )
