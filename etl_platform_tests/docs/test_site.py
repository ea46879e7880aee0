"""The site builds without a warning, its links lead somewhere, and its reference is the code."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

PROJECT = Path(__file__).parents[2]
SITE = PROJECT / "docs" / "site"


def module(name: str) -> ModuleType:
    """A module of the site, which is no package."""
    spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The built site; warnings are errors, as in ``make docs``."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        build(load_config(str(SITE / "mkdocs.yml"), site_dir=str(folder)))
    yield folder
    logging.getLogger("mkdocs").handlers.clear()


class Places(HTMLParser):
    """What a page links, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.links.add(value)
            if name in ("id", "name") and value is not None:
                self.anchors.add(value)


def test_every_link_leads_to_a_file_and_a_place_in_it(site: Path) -> None:
    pages = {path: Places(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 25
    lost, outside = [], set()
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                outside.add(parts.netloc)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.is_file() or (
                parts.fragment and known is not None and parts.fragment not in known.anchors
            ):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []
    # Nothing that a page needs comes from the network: these are links that people may follow.
    assert outside <= {"semver.org", "squidfunk.github.io", "github.com", "127.0.0.1:3000"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_link_of_a_page_outside_of_the_site_leads_to_a_file(name: str) -> None:
    text = (PROJECT / name).read_text()
    links = re.findall(r"\]\(([^)#]+)", text)
    assert [link for link in links if "://" not in link and not (PROJECT / link).exists()] == []
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


def test_every_diagram_is_drawn_and_no_picture_is_left_over() -> None:
    hooks = module("hooks")
    wanted = {
        hooks.drawing(match[1])
        for page in hooks.DOCS.rglob("*.md")
        for match in hooks.MERMAID.finditer(page.read_text())
    }
    assert {path.name for path in (hooks.DOCS / "diagrams").iterdir()} == wanted


def test_the_reference_names_every_command_attribute_and_setting(site: Path) -> None:
    from typer.main import get_command

    from etl_platform import components
    from etl_platform.cli.app import app
    from etl_platform.core.settings import Settings

    commands, attributes, settings = (
        (site / "reference" / f"{name}.html").read_text()
        for name in ("commands", "components", "settings")
    )
    for name, command in get_command(app).commands.items():
        assert f'id="etl-{name}"' in commands or hasattr(command, "commands"), name
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert f"<code>{parameter.opts[0]}</code>" in commands, (name, parameter.opts)
    for name in components.__all__:
        model = getattr(components, name).get_model_cls()
        assert f"etl_platform.{name}" in attributes
        for field in model.model_json_schema()["properties"]:
            assert f"<code>{field}</code>" in attributes, (name, field)
    for field in Settings.model_fields:
        assert f"<code>ETL_{field.upper()}</code>" in settings


def test_the_reference_is_written_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = module("reference")
    monkeypatch.setattr("sys.argv", ["reference.py", str(tmp_path)])
    reference.main()
    assert {path.stem: path.read_text() for path in tmp_path.iterdir()} == reference.pages()


def test_the_runbook_has_a_row_for_every_kind_of_alert() -> None:
    from etl_platform.components import AlertsComponent

    schema = AlertsComponent.get_model_cls().model_json_schema()
    kinds = schema["$defs"]["RouteOptions"]["properties"]["kinds"]["items"]["enum"]
    runbook = (PROJECT / "docs" / "alerts.md").read_text().split("## Runbook")[1]
    assert [kind for kind in kinds if f"| `{kind}` |" not in runbook] == []
