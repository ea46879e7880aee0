"""Pictures of lineage, read back as the XML that they are."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

from etl_platform.planner.lineage.graph import Atlas, Known, LineageGraph, NodeKind
from etl_platform.planner.lineage.layout import arrange
from etl_platform.planner.lineage.mermaid import mermaid
from etl_platform.planner.lineage.picture import html, svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</style><script>alert("x")</script>\x00\x1b&'


def chain(column: str = "b") -> LineageGraph:
    """``db:a -> a -> b -> c`` by column, ``a -> c`` over a layer, ``d -> c`` by rows alone."""
    tables = (
        Known("db:a", NodeKind.SOURCE, (column,), (), {}, "sqlite"),
        Known("a", NodeKind.TABLE, (column,), ("db:a",), {column: (("db:a", column),)}),
        Known("b", NodeKind.TABLE, (column,), ("a",), {column: (("a", column),)}),
        Known("d", NodeKind.TABLE, ("x",), (), None),
        Known(
            "c",
            NodeKind.TABLE,
            (column, "n"),
            ("a", "b", "d"),
            {column: (("b", column), ("a", column)), "n": ()},
        ),
    )
    return Atlas({one.name: one for one in tables}).graph("c")


def texts(root: ET.Element, kind: str) -> list[str]:
    return [str(found.text) for found in root.iter(f"{SVG}text") if found.get("class") == kind]


def test_every_table_is_a_box_every_column_a_row_and_every_edge_a_line() -> None:
    root = ET.fromstring(svg(chain()))
    assert sorted(texts(root, "name")) == ["a", "b", "c", "d", "db:a"]
    rows = [g for g in root.iter(f"{SVG}g") if str(g.get("class")).startswith("row")]
    assert len(rows) == 5
    titles = [str(path[0].text) for path in root.iter(f"{SVG}path")]
    assert sorted(titles) == ["a.b → b.b", "a.b → c.b", "b.b → c.b", "d → c", "db:a.b → a.b"]
    dashed = [p for p in root.iter(f"{SVG}path") if str(p.get("class")).startswith("rows")]
    assert [str(path[0].text) for path in dashed] == ["d → c"]


def test_boxes_stand_from_left_to_right_and_do_not_overlap() -> None:
    graph = chain()
    layout = arrange(graph, {node.name: (node.name, "") for node in graph.nodes})
    boxes = layout.boxes
    for edge in graph.edges:
        start, end = boxes[edge.from_table], boxes[edge.table]
        assert start.x + start.width < end.x
    # The edge over a layer passes between its boxes.
    (lane,) = layout.lanes["a", "c"]
    passed = [box for box in boxes.values() if box.x == lane.left]
    assert passed
    for box in passed:
        assert not box.y <= lane.y <= box.y + box.height
    by_layer: dict[float, list[str]] = {}
    for name, box in boxes.items():
        by_layer.setdefault(box.x, []).append(name)
    for names in by_layer.values():
        ordered = sorted(names, key=lambda name: boxes[name].y)
        for above, below in pairwise(ordered):
            assert boxes[above].y + boxes[above].height < boxes[below].y


def test_names_from_databases_are_text_and_never_markup() -> None:
    for text in (svg(chain(HOSTILE)), html(chain(HOSTILE))):
        assert "<script" not in text
        assert "\x00" not in text
    assert ET.fromstring(svg(chain(HOSTILE))) is not None


def test_the_page_needs_no_network_and_follows_the_theme() -> None:
    page = html(chain())
    assert "default-src 'none'" in page
    assert "prefers-color-scheme:dark" in page
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import""", page)
    assert page.count("://") == 1  # the name of SVG itself


def test_pointing_at_a_column_shows_all_lines_up_and_down_from_it() -> None:
    text = svg(chain())
    edges = [str(p[0].text) for p in ET.fromstring(text).iter(f"{SVG}path")]
    rules = dict(re.findall(r"has\(\.c(\d+):hover\) path:not\(([^)]*)\)", text))
    shown = {frozenset(edges[int(e[2:])] for e in rule.split(",")) for rule in rules.values()}
    everything = frozenset(edges) - {"d → c"}
    assert shown == {everything, everything - {"a.b → c.b"}}


def test_a_circle_is_drawn() -> None:
    tables = {
        "p": Known("p", NodeKind.TABLE, ("x",), ("q",), {"x": (("q", "x"),)}),
        "q": Known("q", NodeKind.TABLE, ("x",), ("p", "q"), {"x": (("p", "x"), ("q", "x"))}),
    }
    root = ET.fromstring(svg(Atlas(tables).graph("p")))
    assert len(list(root.iter(f"{SVG}path"))) == 3


def test_mermaid_counts_columns_between_tables() -> None:
    chart = mermaid(chain('b"]'))
    assert 't1["c"]' in chart or 't0["c"]' in chart
    assert "-->|1 column|" in chart
    assert "-.->" in chart
    assert '[("db:a")]' in chart
