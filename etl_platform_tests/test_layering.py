"""The order of the house: a part imports only itself and what stands above it in ``LAYERS``."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import etl_platform

PACKAGE = Path(etl_platform.__file__).parent
LAYERS = (
    "core",
    "metastore",
    "selection",
    "sources",
    "quality",
    "lakehouse",
    "planner",
    "compute",
    "transforms",
    "sinks",
    "catalog",
    "query",
    "monitoring",
    "generate",
    "platform",
    "resources",
    "event_log",
    "instance_storage",
    "side_by_side",
    "lost_runs",
    "run_launcher",
    "undone",
    "runs_now",
    "runs_to_resume",
    "resuming",
    "pruning",
    "structured_logs",
    "publishing",
    "io_manager",
    "components",
    "defs",
    "definitions",
    "metrics",
    "cli",
    "demo",
)
KNOWS_DAGSTER = LAYERS[LAYERS.index("resources") :]
FRONT_DOOR = {"Platform": "platform", "__version__": ""}
"""What ``from etl_platform import ...`` gives besides the layers themselves."""


@pytest.fixture(autouse=True, scope="module")
def _no_garbage_collection() -> Iterator[None]:
    """CPython 3.11 fails to parse when what other tests left is collected in the middle of it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def violations(package: Path) -> list[str]:
    """Every import that goes against the order, as ``file:line what``."""
    found: list[str] = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        layer = inside.parts[0].removesuffix(".py")
        if layer == "__init__":
            continue  # The front door names what lies behind it, and loads it when asked.
        if layer not in LAYERS:
            found.append(f"{inside}: {layer!r} has no place in LAYERS")
            continue
        for line, module in imports(path):
            if problem := against_the_order(layer, module):
                found.append(f"{inside}:{line} {problem}")
    return found


def against_the_order(layer: str, module: str) -> str | None:
    top, _, rest = module.partition(".")
    if top == "dagster" or top.startswith("dagster_"):
        return None if layer in KNOWS_DAGSTER else f"{layer} may not know {top}"
    if top != "etl_platform" or not rest:
        return None
    part = rest.partition(".")[0]
    target = FRONT_DOOR.get(part, "components" if part.endswith("Component") else part)
    if not target:
        return None
    if target not in LAYERS:
        return f"{module} has no place in LAYERS"
    if LAYERS.index(target) > LAYERS.index(layer):
        return f"{layer} may not import {target}"
    return None


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every imported module with its line, also inside functions and for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield node.lineno, alias.name
            case ast.ImportFrom(module="etl_platform"):
                for alias in node.names:
                    yield node.lineno, f"etl_platform.{alias.name}"
            case ast.ImportFrom(module=str(module)):
                yield node.lineno, module
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module
            case _:
                pass


def test_every_import_follows_the_order_of_the_house() -> None:
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (
            "lakehouse/lake.py",
            "from etl_platform.query import QueryTool",
            "lakehouse/lake.py:1 lakehouse may not import query",
        ),
        (
            "core/names.py",
            "def late():\n    import etl_platform.metastore.store",
            "core/names.py:2 core may not import metastore",
        ),
        (
            "core/names.py",
            "if TYPE_CHECKING:\n    from etl_platform import sources",
            "core/names.py:2 core may not import sources",
        ),
        (
            "query/tool.py",
            "from etl_platform import Platform",
            "query/tool.py:1 query may not import platform",
        ),
        (
            "platform.py",
            "import importlib\nimportlib.import_module('etl_platform.components')",
            "platform.py:2 platform may not import components",
        ),
        (
            "quality/audit.py",
            "def late():\n    from dagster import asset",
            "quality/audit.py:2 quality may not know dagster",
        ),
        (
            "platform.py",
            "import dagster_aws.s3",
            "platform.py:1 platform may not know dagster_aws",
        ),
        ("helpers/text.py", "", "helpers/text.py: 'helpers' has no place in LAYERS"),
    ],
)
def test_an_import_against_the_order_is_found(
    tmp_path: Path, file: str, text: str, told: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert violations(tmp_path) == [told]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("query/tool.py", "from etl_platform.lakehouse.lake import Lake"),
        ("query/tool.py", "from etl_platform.query.session import confined\nimport duckdb"),
        ("cli/app.py", "from etl_platform import Platform, __version__"),
        ("resources.py", "import dagster as dg\nfrom dagster_aws.s3 import S3Resource"),
        ("__init__.py", "from etl_platform.platform import Platform"),
    ],
)
def test_an_import_with_the_order_is_not(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert violations(tmp_path) == []
