"""A proposed contract as YAML, with the evidence for each rule above it."""

from __future__ import annotations

from etl_platform.quality.suggestions.suggesting import Suggestion

_INTRODUCTION = (
    "The rows it was made from meet it. Rules that warn are guesses with room: watch them, then",
    "set action to block or quarantine, or delete them. docs/contracts.md explains every rule.",
)
_MOST = 10**9


def to_yaml(suggestion: Suggestion, heading: str) -> str:
    """The ``contract`` of a component's YAML; every comment is one line.

    Args:
        heading: of which rows the contract was made.
    """
    import yaml

    lines = [_comment(text) for text in (heading, *_INTRODUCTION, *suggestion.notes)]
    lines += ["contract:", "  rules:" if suggestion.rules else "  rules: []"]
    for one in suggestion.rules:
        rule = yaml.safe_dump(
            dict(one.rule),
            default_flow_style=True,
            sort_keys=False,
            width=_MOST,
            allow_unicode=True,
        )
        lines += ["    " + _comment(one.evidence), f"    - {rule.strip()}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    # A line break or a control character of a column's name would end the comment.
    return "# " + "".join(char if char.isprintable() else " " for char in text)
