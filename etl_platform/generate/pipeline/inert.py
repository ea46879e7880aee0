"""Texts of a source made harmless: whatever they say, they steer nothing that shows or reads them.

A source's comments, names and values are written by anybody. They reach YAML (whose strings Dagster
takes for Jinja templates that give Python literals); what else they reach is in
:mod:`etl_platform.core.inert`.
"""

from __future__ import annotations

import ast

from etl_platform.core.inert import TEMPLATE


def exact(text: str) -> str:
    """What stands directly below ``attributes`` so that Dagster reads exactly this text.

    Its strings are native Jinja templates: ``12`` would become a number, ``{{ env.X }}`` a secret.
    What stands deeper, in the options of tables, is taken as it is written.

    >>> exact("orders"), exact("12"), exact("{{ 1 }}")
    ('orders', "'12'", "{{ '{{ 1 }}' }}")
    """
    shown = text
    if _is_literal(text):
        shown = ascii(text)
    if TEMPLATE.search(text) or "\n" in text:
        return "{{ " + ascii(shown) + " }}"
    return shown


def _is_literal(text: str) -> bool:
    if text.isidentifier():
        return text in ("True", "False", "None")
    try:
        ast.literal_eval(ast.parse(text, mode="eval"))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    except TypeError:  # an unhashable part: Jinja's own attempt would end in this error
        return True
    return True
