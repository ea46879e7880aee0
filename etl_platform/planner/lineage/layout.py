"""Where the boxes of a lineage picture stand: layers from left to right, few crossings.

The method of Sugiyama, Tagawa and Toda (1981): longest paths give the layers, sweeps by the mean
position of neighbours give the order in a layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from etl_platform.planner.lineage.graph import LineageGraph, Node

ROW = 20
"""Height of a column's row in pixels."""
HEAD = 40
_LETTER = 7.3
_PADDING = 14
_GAP_X, _GAP_Y, MARGIN = 96, 26, 24
_LANE = 8
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
class Lane:
    """Where lines between two tables pass a layer that neither of them is in."""

    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """All boxes by name, the lanes between two tables from left to right, and the whole's size."""

    boxes: Mapping[str, Box]
    lanes: Mapping[tuple[str, str], Sequence[Lane]]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Passage:
    """The place of a lane, among the tables of a layer."""

    source: str
    made: str
    layer: int


_Item: TypeAlias = str | _Passage


def arrange(graph: LineageGraph, headings: Mapping[str, tuple[str, str]]) -> Layout:
    """Place a graph's tables. ``headings`` are the two lines on top of each."""
    layers = _ordered(graph, _layers(graph))
    nodes = {node.name: node for node in graph.nodes}

    def height(item: _Item) -> float:
        if isinstance(item, _Passage):
            return _LANE
        rows = len(nodes[item].columns)
        return HEAD + ROW * rows + (6 if rows else 0)

    heights = [sum(height(item) + _GAP_Y for item in layer) - _GAP_Y for layer in layers]
    tallest = max(heights)
    boxes: dict[str, Box] = {}
    lanes = defaultdict[tuple[str, str], list[Lane]](list)
    x = float(MARGIN)
    for layer, own in zip(layers, heights, strict=True):
        names = [item for item in layer if isinstance(item, str)]
        texts = [text for n in names for text in (*nodes[n].columns, *headings[n])]
        width = max(_NARROWEST, max(map(len, texts), default=0) * _LETTER + 2 * _PADDING)
        y = MARGIN + (tallest - own) / 2
        for item in layer:
            if isinstance(item, str):
                boxes[item] = Box(nodes[item], x, y, width, height(item))
            else:
                lanes[item.source, item.made].append(Lane(x, x + width, y + _LANE / 2))
            y += height(item) + _GAP_Y
        x += width + _GAP_X
    return Layout(boxes, lanes, x - _GAP_X + MARGIN, tallest + 2 * MARGIN)


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


def _ordered(graph: LineageGraph, layers: Mapping[str, int]) -> list[list[_Item]]:
    items: list[list[_Item]] = [[] for _ in range(max(layers.values()) + 1)]
    for node in graph.nodes:
        items[layers[node.name]].append(node.name)
    near = defaultdict[_Item, list[_Item]](list)
    for source, made in dict.fromkeys((edge.from_table, edge.table) for edge in graph.edges):
        way: list[_Item] = [source]
        for layer in range(layers[source] + 1, layers[made]):
            way.append(_Passage(source, made, layer))
            items[layer].append(way[-1])
        way.append(made)
        for left, right in pairwise(way):
            near[left].append(right)
            near[right].append(left)
    place = {item: i / max(1, len(layer) - 1) for layer in items for i, item in enumerate(layer)}
    for sweep in range(_SWEEPS):
        for layer in items if sweep % 2 == 0 else items[::-1]:
            # What has no neighbours stays where it is.
            means = {
                item: sum(place[other] for other in near[item]) / len(near[item])
                if near[item]
                else place[item]
                for item in layer
            }
            layer.sort(key=lambda item: means[item])
            place |= {item: i / max(1, len(layer) - 1) for i, item in enumerate(layer)}
    return [layer for layer in items if layer]
