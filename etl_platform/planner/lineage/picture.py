"""Lineage as a picture: a box per table, a row per column, a line per dependency.

One SVG element that needs nothing else: no script, no font, no network; it follows the reader's
light or dark theme. Pointing at a column shows what it comes from and what is made of it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape

from etl_platform.planner.lineage.graph import Edge, LineageGraph, Node, NodeKind, Place
from etl_platform.planner.lineage.layout import HEAD, ROW, Box, Layout, arrange

_STYLE = """.lineage{--ground:#fff;--text:#1c1e21;--ink:#6b7280;--line:#c9ced6;--soft:#f5f6f8;
--table:#4f7fe0;--source:#2e7d4f;--sink:#b7791f;--mark:#e8effc;color-scheme:light dark}
@media (prefers-color-scheme:dark){.lineage{--ground:#16181c;--text:#e6e8eb;--ink:#9aa1ac;
--line:#4a505a;--soft:#1e2126;--table:#7aa2f7;--source:#6cc08b;--sink:#e0af68;--mark:#26324d}}
.lineage text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:var(--text)}
.lineage .name{font-weight:600}.lineage .note{fill:var(--ink);font-size:11px}
.lineage .box{fill:var(--soft);stroke:var(--line)}.lineage .row rect{fill:transparent}
.lineage .row:hover rect,.lineage .asked rect{fill:var(--mark)}
.lineage path{fill:none;stroke:var(--ink);stroke-width:1.3;opacity:.65;transition:opacity .15s}
.lineage .rows{stroke-dasharray:5 4}
.lineage .bar.table{fill:var(--table)}.lineage .bar.source{fill:var(--source)}
.lineage .bar.sink{fill:var(--sink)}
"""
_MOST_POINTED_AT = 300
"""Columns that react to the pointer; a larger picture is drawn without."""
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(graph: LineageGraph) -> str:
    """The picture as an SVG document."""
    headings = {node.name: _heading(node) for node in graph.nodes}
    layout = arrange(graph, headings)
    numbers: dict[Place, int] = {
        (node.name, column): number
        for number, (node, column) in enumerate(
            (node, column) for node in graph.nodes for column in node.columns
        )
    }
    title = f"Lineage of {_asked(graph)}"
    body = [_path(edge, layout, index) for index, edge in enumerate(graph.edges)]
    body += [_box(layout.boxes[n.name], headings[n.name], graph, numbers) for n in graph.nodes]
    width, height = round(layout.width), round(layout.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lineage" role="img" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<title>{_text(title)}</title><style>{_STYLE}{_pointing(graph, numbers)}</style>"
        f'<rect width="{width}" height="{height}" fill="var(--ground)"/>'
        f"{''.join(body)}</svg>\n"
    )


def html(graph: LineageGraph) -> str:
    """The picture as a page, which scrolls where it is larger than the window."""
    title = _text(f"Lineage of {_asked(graph)}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>:root{{color-scheme:light dark;--ground:#fff;"
        "--text:#1c1e21;--ink:#6b7280}\n@media (prefers-color-scheme:dark){:root{--ground:#16181c;"
        "--text:#e6e8eb;--ink:#9aa1ac}}\n"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;background:var(--ground);"
        "color:var(--text)}h1{font-size:1.5rem;margin:0}p{color:var(--ink);margin:.2rem 0 1rem}"
        ".wide{overflow-x:auto}</style></head><body>\n"
        f"<h1>{title}</h1>\n<p>From left to right; a dashed line: the table is read, but no column "
        "is known to come from it. Point at a column to follow it.</p>\n"
        f'<div class="wide">{svg(graph)}</div>\n</body></html>\n'
    )


def _asked(graph: LineageGraph) -> str:
    return graph.table if graph.column is None else f"{graph.table}.{graph.column}"


def _heading(node: Node) -> tuple[str, str]:
    if node.kind is not NodeKind.TABLE:
        return node.name, f"{node.system or 'database'}, {node.kind}"
    note = "" if node.version is None else f"version {node.version}"
    return node.name, note if node.traced else f"{note}, columns not traced".lstrip(", ")


def _box(
    box: Box, heading: tuple[str, str], graph: LineageGraph, numbers: Mapping[Place, int]
) -> str:
    name, note = heading
    rows = [
        f'<g class="row c{numbers[box.node.name, column]}{_is_asked(graph, box.node, column)}">'
        f'<rect x="{box.x + 1:.0f}" y="{box.row(column) - ROW / 2:.0f}" '
        f'width="{box.width - 2:.0f}" height="{ROW}"/>'
        f'<text x="{box.x + 14:.0f}" y="{box.row(column) + 4:.0f}">{_text(column)}</text></g>'
        for column in box.node.columns
    ]
    asked = " asked" if graph.table == box.node.name and graph.column is None else ""
    return (
        f'<g class="node {box.node.kind}{asked}">'
        f'<rect class="box" x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" '
        f'height="{box.height:.0f}" rx="6"/>'
        f'<rect class="bar {box.node.kind}" x="{box.x:.0f}" y="{box.y + 6:.0f}" width="4" '
        f'height="{HEAD - 12}" rx="2"/>'
        f'<text class="name" x="{box.x + 14:.0f}" y="{box.y + 17:.0f}">{_text(name)}</text>'
        f'<text class="note" x="{box.x + 14:.0f}" y="{box.y + 32:.0f}">{_text(note)}</text>'
        f"{''.join(rows)}</g>"
    )


def _is_asked(graph: LineageGraph, node: Node, column: str) -> str:
    return " asked" if (node.name, column) == (graph.table, graph.column) else ""


def _path(edge: Edge, layout: Layout, index: int) -> str:
    start, end = layout.boxes[edge.from_table], layout.boxes[edge.table]
    x, y = start.x + start.width, start.row(edge.from_column)
    line = f"M{x:.0f} {y:.0f}"
    for lane in layout.lanes.get((edge.from_table, edge.table), ()):
        line += f"{_curve(x, y, lane.left, lane.y)}H{lane.right:.0f}"
        x, y = lane.right, lane.y
    line += _curve(x, y, end.x, end.row(edge.column))
    kind = "rows" if edge.column is None else "values"
    what = " → ".join(
        table if column is None else f"{table}.{column}"
        for table, column in ((edge.from_table, edge.from_column), (edge.table, edge.column))
    )
    return f'<path class="{kind} e{index}" d="{line}"><title>{_text(what)}</title></path>'


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = max(40.0, abs(x2 - x1) / 2)
    return f"C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"


def _pointing(graph: LineageGraph, numbers: Mapping[Place, int]) -> str:
    """Rules by which a column that is pointed at shows its lines, and hides all others."""
    if len(numbers) > _MOST_POINTED_AT:
        return ""
    above, below = defaultdict[Place, list[int]](list), defaultdict[Place, list[int]](list)
    for index, edge in enumerate(graph.edges):
        if edge.column is not None:
            above[edge.table, edge.column].append(index)
            below[edge.from_table, edge.from_column].append(index)
    rules: list[str] = []
    for place, number in numbers.items():
        lines = {
            *_followed(place, above, [(e.from_table, e.from_column) for e in graph.edges]),
            *_followed(place, below, [(e.table, e.column) for e in graph.edges]),
        }
        if lines:
            shown = ",".join(f".e{line}" for line in sorted(lines))
            rules.append(
                f".lineage:has(.c{number}:hover) path:not({shown}){{opacity:.07}}"
                f".lineage:has(.c{number}:hover) :is({shown}){{stroke:var(--table);opacity:1}}"
            )
    return "\n".join(rules)


def _followed(
    place: Place, edges: Mapping[Place, Iterable[int]], ends: list[Place]
) -> Iterable[int]:
    waiting, seen = [place], set[int]()
    while waiting:
        for index in edges.get(waiting.pop(), ()):
            if index not in seen:
                seen.add(index)
                waiting.append(ends[index])
    return seen


def _text(text: str) -> str:
    """The text for XML, without the characters that it cannot hold."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
