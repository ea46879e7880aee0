"""The least that Dagster takes for a project, for commands that are given one."""

from __future__ import annotations

from pathlib import Path

MODELS_OF_ORDERS = """
type: etl_platform.SqlModelsComponent
attributes:
  target_schema: marts
  external_tables:
    shop.orders: {country: VARCHAR, amount: INTEGER}
"""


def models_folder(root: Path, component: str | None = None) -> Path:
    """Make a project named after its folder below ``root``; returns ``<package>/defs/marts``.

    ``component`` is the text of the folder's ``defs.yaml``; without it there is none.
    """
    package = f"acme_{root.name}"
    folder = root / package / "defs" / "marts"
    folder.mkdir(parents=True)
    for place in (root / package, root / package / "defs"):
        (place / "__init__.py").touch()
    (root / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
    )
    if component is not None:
        (folder / "defs.yaml").write_text(component)
    return folder
