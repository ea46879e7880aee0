"""``etl search``: what the lake has about something."""

from __future__ import annotations

from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl search 'how late did planes leave'

etl search 'customer address' --kind column --schema shop

etl search 'money given back' --json | jq -r '.[].name'
"""
_SHOWN = 80


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you look for, in your words.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, best first.")] = 10,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", help="Only tables, columns...: table, column, model, check, query or page."
        ),
    ] = None,
    schema: Annotated[list[str] | None, typer.Option("--schema", help="Only of a schema.")] = None,
    owner: Annotated[list[str] | None, typer.Option("--owner", help="Only of an owner.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only with a tag.")] = None,
    pii: Annotated[
        bool | None, typer.Option("--pii/--no-pii", help="Only with, or without, personal data.")
    ] = None,
    fresh: Annotated[
        float | None, typer.Option("--fresh", help="Only published within so many hours.")
    ] = None,
    role: Annotated[str | None, typer.Option("--role", help="Search as this role.")] = None,
    as_json: Json = False,
) -> None:
    """Find tables, columns, models, checks, queries, failures and pages of the docs by meaning.

    What a role may not query it does not find either. The catalogue is kept by etl catalog refresh.
    """
    from dataclasses import asdict

    from etl_platform.catalog.documents import KINDS
    from etl_platform.catalog.search import Filters
    from etl_platform.cli.printing import print_json, print_table
    from etl_platform.platform import Platform

    for one in kind or ():
        if one not in KINDS:
            raise typer.BadParameter(f"{one!r} is none of {', '.join(KINDS)}", param_hint="--kind")
    filters = Filters(
        kinds=tuple(k for k in KINDS if k in (kind or ())),
        schemas=tuple(schema or ()),
        owners=tuple(owner or ()),
        tags=tuple(tag or ()),
        pii=pii,
        fresh_s=None if fresh is None else fresh * 3600,
    )
    found = Platform.open().search(text, limit, filters=filters, role=role)
    if as_json:
        print_json([asdict(hit) for hit in found])
        return
    print_table(
        [("score", "right"), ("kind", "left"), ("name", "left"), ("", "left"), ("why", "left")],
        [(f"{h.score:.2f}", h.kind, h.name, _short(h.text), h.why) for h in found],
    )


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
