"""The reference, made from the code that it tells of: components, commands and settings.

``python docs/site/reference.py FOLDER`` writes the pages into a folder; ``make docs`` has them in
the site.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]  # a JSON schema as pydantic makes it


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    return {"components": components(), "commands": commands(), "settings": settings()}


def components() -> str:
    """Every attribute of every component, from the schemas that ``dg check yaml`` uses."""
    from etl_platform import components as module

    lines = ["# Components", "", "Attributes of the components in YAML."]
    for name in module.__all__:
        component = getattr(module, name)
        schema = component.get_model_cls().model_json_schema()
        lines += ["", f"## {name}", "", f"`type: etl_platform.{name}`", ""]
        lines += [_prose(inspect.getdoc(component)), ""]
        lines += _attributes(schema)
        for part, definition in schema.get("$defs", {}).items():
            if "properties" in definition:
                lines += ["", f"### {name}: {part}", "", _prose(definition.get("description")), ""]
                lines += _attributes(definition)
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command of ``etl`` with its arguments and options."""
    from typer.main import get_command

    from etl_platform.cli.app import app

    lines = ["# Commands", "", "What `etl COMMAND --help` prints."]
    for words, command in _commands(get_command(app), ()):
        lines += ["", f"## etl {' '.join(words)}", "", _prose(command.help), ""]
        rows = [_parameter(parameter) for parameter in command.params]
        shown = [row for row in rows if row is not None]
        if shown:
            lines += ["| argument or option | meaning | default |", "|---|---|---|", *shown]
        if command.epilog:
            lines += ["", "```text", _plain(command.epilog).strip(), "```"]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Every variable of the environment that is a setting."""
    from etl_platform.core.settings import Settings

    lines = ["# Settings", "", "Read once from the environment of each process.", ""]
    lines += ["| variable | meaning | default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "computed" if field.default_factory else _default(field.default)
        lines.append(f"| `ETL_{name.upper()}` | {_cell(field.description or '')} | {default} |")
    lines.append(
        "| `ETL_DAGSTER_PG_URL` | PostgreSQL (or a secret reference to it) that keeps Dagster's "
        "runs and events. | SQLite below `DAGSTER_HOME` |"
    )
    return "\n".join(lines) + "\n"


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if words and (inner is None or command.invoke_without_command):
        yield words, command
    for name, one in sorted((inner or {}).items()):
        if not one.hidden:
            yield from _commands(one, (*words, name))


def _parameter(parameter: Any) -> str | None:
    if getattr(parameter, "hidden", False):
        return None
    argument = parameter.param_type_name == "argument"
    names = [parameter.name.upper()] if argument else [*parameter.opts, *parameter.secondary_opts]
    default = parameter.default
    if parameter.required:
        shown = "required"
    else:
        shown = "" if callable(default) or default in (None, False, ()) else f"`{default}`"
    told = ", ".join(f"`{name}`" for name in names)
    return f"| {told} | {_cell(parameter.help or '')} | {shown} |"


def _attributes(schema: Schema) -> list[str]:
    required = set(schema.get("required", ()))
    lines = ["| attribute | type | meaning | default |", "|---|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else _default(field.get("default"))
        told = _cell(field.get("description", ""))
        if examples := field.get("examples"):
            told += f" Example: `{_cell(json.dumps(examples[0], default=str))}`"
        lines.append(f"| `{name}` | {_cell(_type(field))} | {told} | {default} |")
    return lines


def _type(field: Schema) -> str:
    if "$ref" in field:
        return field["$ref"].rsplit("/", 1)[-1]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in field:
            return " or ".join(dict.fromkeys(_type(one) for one in field[several]))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{one}`" for one in field.get("enum", [field.get("const")]))
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "object" and isinstance(inner := field.get("additionalProperties"), dict):
        return f"mapping to {_type(inner)}"
    return str(kind)


def _default(value: object) -> str:
    unset = value is None or value == "__DAGSTER_UNSET_DEFAULT__"
    return "" if unset else f"`{_cell(json.dumps(value, default=str))}`"


def _cell(text: str) -> str:
    # Angle brackets would be tags, and links point from the file that the text is of.
    return " ".join(_plain(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _prose(text: str | None) -> str:
    return _plain(text or "").replace("<", "&lt;")


def _plain(text: str) -> str:
    from rich.text import Text

    return Text.from_markup(text).plain if "[/" in text else text


def main() -> None:
    """Write the pages into the folder that the command line names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / f"{name}.md").write_text(text)


if __name__ == "__main__":
    main()
