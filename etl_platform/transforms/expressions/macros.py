"""Functions that a project defines: an expression with arguments, put in where it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.core.errors import ConfigError, PermanentError, QueryRefused
from etl_platform.transforms.expressions.allowed import FUNCTIONS

_SIGNATURE = re.compile(r"(?P<name>[a-z_][a-z0-9_]*)\s*\((?P<arguments>[a-z0-9_,\s]*)\)")
_DEEPEST = 8
_LARGEST = 5_000


@dataclass(frozen=True, slots=True)
class Macro:
    """``name(arguments)`` stands for ``body``, in which the arguments are columns.

    >>> macro = Macro.parse("cents(amount)", "CAST(amount * 100 AS BIGINT)", where="defs.yaml:3")
    >>> macro.name, macro.arguments
    ('cents', ('amount',))
    """

    name: str
    arguments: tuple[str, ...]
    body: str

    @classmethod
    def parse(cls, signature: str, body: str, *, where: str) -> Macro:
        """Read a definition.

        Raises:
            ConfigError: the signature is none, or an argument stands twice.
        """
        found = _SIGNATURE.fullmatch(signature.strip())
        if found is None:
            raise ConfigError(
                f"{where}: {signature!r} is no signature of a macro", valid="name(a, b): expression"
            )
        if found["name"] in FUNCTIONS or found["name"].upper() in exp.FUNCTION_BY_NAME:
            raise ConfigError(
                f"{where}: there is a function {found['name']!r} already",
                fix="give the macro another name",
            )
        arguments = tuple(part.strip() for part in found["arguments"].split(",") if part.strip())
        if len(set(arguments)) != len(arguments):
            raise ConfigError(f"{where}: macro {found['name']!r} has an argument twice")
        return cls(found["name"], arguments, body)


def expand(
    tree: exp.Expr, bodies: Mapping[str, tuple[Macro, exp.Expr]], *, where: str, depth: int = 0
) -> exp.Expr:
    """Put the bodies of macros in the place of their calls; bodies may call other macros.

    Raises:
        PermanentError: a wrong number of arguments, or macros that call each other without end.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous) or node.name.lower() not in bodies:
            return node
        if depth >= _DEEPEST:
            raise PermanentError(
                f"{where}: macro {node.name!r} calls itself, or macros are nested more than "
                f"{_DEEPEST} deep"
            )
        macro, body = bodies[node.name.lower()]
        given = [expand(one, bodies, where=where, depth=depth) for one in node.expressions]
        if len(given) != len(macro.arguments):
            raise PermanentError(
                f"{where}: macro {macro.name} takes {len(macro.arguments)} arguments, "
                f"got {len(given)}",
                valid=f"{macro.name}({', '.join(macro.arguments)})",
            )
        values = dict(zip(macro.arguments, given, strict=True))
        uses = [c for c in body.find_all(exp.Column) if not c.table and c.name in values]
        size = _size(body) + sum(_size(values[use.name]) for use in uses)
        if size > _LARGEST:
            # Told before it is built: macros that repeat their argument grow by powers.
            raise QueryRefused(
                f"{where}: macro {macro.name!r} becomes too large",
                valid=f"at most {_LARGEST:,} parts",
            )

        def fill(part: exp.Expr) -> exp.Expr:
            if isinstance(part, exp.Column) and not part.table and part.name in values:
                return exp.paren(values[part.name].copy(), copy=False)
            return part

        filled = expand(body.copy(), bodies, where=where, depth=depth + 1).transform(fill)
        return exp.paren(filled, copy=False)

    return tree.transform(replace)


def _size(tree: exp.Expr) -> int:
    return sum(1 for _ in tree.walk())
