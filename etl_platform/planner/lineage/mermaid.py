"""Lineage as a Mermaid flowchart, which GitHub and many wikis draw: tables only."""

from __future__ import annotations

from etl_platform.planner.lineage.graph import LineageGraph, NodeKind

_SHAPES = {
    NodeKind.TABLE: ('["', '"]'),
    NodeKind.SOURCE: ('[("', '")]'),
    NodeKind.SINK: ('[("', '")]'),
}


def mermaid(graph: LineageGraph) -> str:
    """The tables and how many columns go from one to the next."""
    numbers = {node.name: f"t{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        left, right = _SHAPES[node.kind]
        lines.append(f"    {numbers[node.name]}{left}{_quoted(node.name)}{right}")
    counts: dict[tuple[str, str], set[str]] = {}
    for edge in graph.edges:
        columns = counts.setdefault((edge.from_table, edge.table), set())
        if edge.column is not None:
            columns.add(edge.column)
    for (source, made), columns in counts.items():
        arrow = f"-->|{_counted(len(columns))}|" if columns else "-.->"
        lines.append(f"    {numbers[source]} {arrow} {numbers[made]}")
    return "\n".join(lines) + "\n"


def _counted(columns: int) -> str:
    return "1 column" if columns == 1 else f"{columns} columns"


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
