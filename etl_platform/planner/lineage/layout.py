"""Where the boxes of a lineage picture stand: layers from left to right, few crossings.

The method of Sugiyama, Tagawa and Toda (1981): longest paths give the layers, sweeps by the mean
position of neighbours give the order in a layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from etl_platform.planner.lineage.graph import LineageGraph, Node

ROW = 20
"""Height of a column's row in pixels."""
HEAD = 40
_LETTER = 7.3
_PADDING = 14
_GAP_X, _GAP_Y, MARGIN = 96, 26, 24
_NARROWEST = 150
_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A table in the picture: pixels from the left and from above."""

    node: Node
    x: float
    y: float
    width: float
    height: float

    def row(self, column: str | None) -> float:
        """The middle of a column's row, from above; of the heading for None."""
        if column is None:
            return self.y + HEAD / 2
        return self.y + HEAD + ROW * (self.node.columns.index(column) + 0.5)


@dataclass(frozen=True, slots=True)
class Layout:
    """All boxes by name, and the size of the whole in pixels."""

    boxes: Mapping[str, Box]
    width: float
    height: float


def arrange(graph: LineageGraph, headings: Mapping[str, tuple[str, str]]) -> Layout:
    """Place a graph's tables. ``headings`` are the two lines on top of each."""
    layers = _layers(graph)
    columns = _ordered(graph, layers)
    heights = {n.name: HEAD + ROW * len(n.columns) + (6 if n.columns else 0) for n in graph.nodes}
    nodes = {node.name: node for node in graph.nodes}
    tallest = max(sum(heights[n] + _GAP_Y for n in names) - _GAP_Y for names in columns)
    boxes: dict[str, Box] = {}
    x = float(MARGIN)
    for names in columns:
        texts = [text for n in names for text in (*nodes[n].columns, *headings[n])]
        width = max(_NARROWEST, max(map(len, texts)) * _LETTER + 2 * _PADDING)
        y = MARGIN + (tallest - sum(heights[n] + _GAP_Y for n in names) + _GAP_Y) / 2
        for name in names:
            boxes[name] = Box(nodes[name], x, y, width, heights[name])
            y += heights[name] + _GAP_Y
        x += width + _GAP_X
    return Layout(boxes, x - _GAP_X + MARGIN, tallest + 2 * MARGIN)


def _layers(graph: LineageGraph) -> dict[str, int]:
    """The longest way to each table; an edge that closes a circle is not counted."""
    sources = defaultdict[str, dict[str, None]](dict)
    for edge in graph.edges:
        sources[edge.table][edge.from_table] = None
    found: dict[str, int] = {}
    for node in graph.nodes:
        pending = [(node.name, iter(sources[node.name]))]
        open_names = {node.name}
        while pending:
            name, rest = pending[-1]
            following = next((s for s in rest if s not in found and s not in open_names), None)
            if following is not None:
                open_names.add(following)
                pending.append((following, iter(sources[following])))
                continue
            pending.pop()
            known = [found[source] for source in sources[name] if source in found]
            found.setdefault(name, 1 + max(known, default=-1))
    return found


def _ordered(graph: LineageGraph, layers: Mapping[str, int]) -> list[list[str]]:
    names: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    for node in graph.nodes:
        names[layers[node.name]].append(node.name)
    near = defaultdict[str, list[str]](list)
    for edge in graph.edges:
        near[edge.table].append(edge.from_table)
        near[edge.from_table].append(edge.table)
    for sweep in range(_SWEEPS):
        place = {n: i / max(1, len(layer) - 1) for layer in names for i, n in enumerate(layer)}
        order = names if sweep % 2 == 0 else names[::-1]
        for layer in order:
            # A table without neighbours stays where it is.
            means = {
                n: sum(place[o] for o in near[n]) / len(near[n]) if near[n] else place[n]
                for n in layer
            }
            layer.sort(key=lambda n: means[n])
            place |= {n: i / max(1, len(layer) - 1) for i, n in enumerate(layer)}
    return [layer for layer in names if layer]
