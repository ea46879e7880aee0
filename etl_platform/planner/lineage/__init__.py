"""Where columns come from and what is made of them: of one statement, and over many tables."""

from etl_platform.planner.lineage.graph import Edge, LineageGraph, Node, NodeKind
from etl_platform.planner.lineage.tracing import ColumnRef, lineage, output_lineage

__all__ = [
    "ColumnRef",
    "Edge",
    "LineageGraph",
    "Node",
    "NodeKind",
    "lineage",
    "output_lineage",
]
