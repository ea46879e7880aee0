"""Lineage over many hops, on small graphs that one can draw."""

from __future__ import annotations

from etl_platform.planner.lineage.graph import Atlas, Edge, Known, LineageGraph, NodeKind

T = NodeKind.TABLE


def known(
    name: str, columns: str, inputs: str = "", sources: dict[str, str] | None = None
) -> Known:
    """``sources`` maps a column to ``table.column`` texts, separated by blanks."""
    read = None
    if sources is not None:
        pairs = {c: [tuple(ref.split(".")) for ref in text.split()] for c, text in sources.items()}
        read = {c: tuple((table, column) for table, column in p) for c, p in pairs.items()}
    return Known(name, T, tuple(columns.split()), tuple(inputs.split()), read)


ATLAS = Atlas(
    {
        one.name: one
        for one in (
            known("raw", "id amount note", sources={}),
            known("rate", "day factor", sources={}),
            known(
                "paid",
                "id total n",
                "raw rate",
                {"id": "raw.id", "total": "raw.amount rate.factor", "n": ""},
            ),
            known("report", "total share", "paid", {"total": "paid.total", "share": "paid.total"}),
            known("python", "x y", "paid"),
            known("after", "z", "python", {"z": "python.x"}),
            known("filtered", "day", "rate raw", {"day": "rate.day"}),
            known("loop", "a", "loop raw", {"a": "loop.a raw.id"}),
        )
    }
)


def drawn(graph: LineageGraph) -> set[str]:
    """``raw.id > paid.id``; a table as a whole is its name alone."""
    return {
        f"{'.'.join(filter(None, (e.from_table, e.from_column)))} > "
        f"{'.'.join(filter(None, (e.table, e.column)))}"
        for e in graph.edges
    }


def test_a_column_is_followed_up_and_down_over_every_hop() -> None:
    graph = ATLAS.graph("paid", "total")
    assert drawn(graph) == {
        "raw.amount > paid.total",
        "rate.factor > paid.total",
        "paid.total > report.total",
        "paid.total > report.share",
        "paid > python",
        "python > after",
    }
    assert graph.node("raw").columns == ("amount",)
    assert next(node.name for node in graph.nodes) == "paid"


def test_up_down_and_depth_limit_the_walk() -> None:
    assert drawn(ATLAS.graph("report", "share", down=False, depth=1)) == {
        "paid.total > report.share"
    }
    assert drawn(ATLAS.graph("report", "share", down=False)) == {
        "paid.total > report.share",
        "raw.amount > paid.total",
        "rate.factor > paid.total",
    }
    assert drawn(ATLAS.graph("raw", "note", up=False)) == set()
    assert drawn(ATLAS.graph("raw", "id", up=False)) == {
        "raw.id > paid.id",
        "raw.id > loop.a",
        "paid > python",
        "python > after",
        "loop.a > loop.a",
    }


def test_a_table_has_all_its_columns_and_names_tables_that_only_choose_its_rows() -> None:
    graph = ATLAS.graph("filtered")
    assert drawn(graph) == {"rate.day > filtered.day", "raw > filtered"}
    assert ATLAS.graph("raw", down=False).node("raw").columns == ("id", "amount", "note")


def test_what_nobody_recorded_is_followed_table_by_table_and_no_column_is_guessed() -> None:
    graph = ATLAS.graph("after", "z", down=False)
    assert drawn(graph) == {
        "python.x > after.z",
        "paid > python",
        "raw > paid",
        "rate > paid",
    }
    assert not graph.node("python").traced
    assert graph.node("after").traced


def test_a_table_that_reads_itself_ends() -> None:
    assert drawn(ATLAS.graph("loop", "a", down=False)) == {"loop.a > loop.a", "raw.id > loop.a"}


def test_a_column_that_is_gone_by_now_stays_in_what_was_made_from_it() -> None:
    atlas = Atlas({"t": known("t", "a", sources={}), "u": known("u", "x", "t", {"x": "t.old t.a"})})
    assert atlas.graph("u").node("t").columns == ("a", "old")
    assert Edge("t", "old", "u", "x") in atlas.graph("u").edges
