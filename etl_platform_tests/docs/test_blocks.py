"""What README and docs show can be written so: YAML, SQL, Python and commands."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_platform import Platform
from etl_platform.core.names import TableName
from etl_platform.core.secrets import use_client
from etl_platform.core.settings import Settings
from etl_platform_tests.docs.blocks import PAGES, PROJECT, Block, blocks, commands

PROGRAMS = {
    *("make", "python", "pytest", "dg", "dagster", "pip", ".", "export", "mkdir", "touch", "cd"),
    *("cp", "mv", "rm", "tar", "rsync", "sqlite3", "pg_dump", "pg_restore", "createdb", "psql"),
    *("git", "systemctl", "docker", "helm", "kubectl", "aws", "celery", "dagster-celery"),
    *("journalctl", "sudo", "curl", "install", "useradd", "npm", "dagster-daemon", "ruff"),
    *("pyright", "createuser", "mkdocs", "sed"),
}
"""Programs besides ``etl`` that pages call."""


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each component, as ``dg check yaml`` uses it."""
    from etl_platform import components

    return {
        f"etl_platform.{name}": getattr(components, name).get_model_cls().model_json_schema()
        for name in components.__all__
    }


def fits(value: object, schema: Mapping[str, Any], of: Mapping[str, Any]) -> bool:
    from jsonschema import Draft202012Validator

    whole = {**schema, "$defs": of.get("$defs", {})}
    return Draft202012Validator(whole).is_valid(value)


def parts() -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every schema within a component's, and the component's."""
    for whole in schemas().values():
        yield whole, whole
        for part in whole.get("$defs", {}).values():
            yield part, whole


def is_part(value: object) -> bool:
    """Whether a fragment may stand somewhere in a component, as its keys or behind a name."""
    if isinstance(value, list):
        return all(any(fits(one, part, of) for part, of in parts()) for one in value)
    if not isinstance(value, dict):
        return False
    if any(fits(value, part, of) for part, of in parts() if "properties" in part):
        return True

    def pair_fits(key: str, inner: object) -> bool:
        return any(
            key in part.get("properties", {}) and fits(inner, part["properties"][key], of)
            for part, of in parts()
        ) or any(fits(inner, part, of) for part, of in parts() if "properties" in part)

    return all(pair_fits(key, inner) for key, inner in value.items())


def read_yaml(text: str) -> Any:
    """As Dagster reads it: dates are text there, and ``on`` is a word."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {"on" if key is True else str(key): plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return value.isoformat() if isinstance(value, date) else value

    return plain(yaml.safe_load(text))


def check_yaml(block: Block, folder: Path) -> None:
    """Let what would read the text in a project read it."""
    from etl_platform.components.stream_source.decoding import decoder_of
    from etl_platform.quality.contract import Contract
    from etl_platform.query.policies import Policies
    from etl_platform.transforms.steps import STEPS
    from etl_platform.transforms.testing.spec import read_tests

    value = read_yaml(block.text)
    first = value[0] if isinstance(value, list) else value
    if "type" in value and "attributes" in value:
        whole = schemas()[value["type"]]
        assert fits(value["attributes"], whole, whole)
    elif "roles" in value:
        Policies.model_validate(value)
    elif "given" in first:
        (folder / "models.test.yaml").write_text(block.text)
        assert read_tests(folder / "models.test.yaml")
    elif "rule" in first:
        Contract.model_validate({"rules": value})
    elif set(first) <= set(STEPS):
        for step in value:
            for name, options in step.items():
                STEPS[name].model_validate(options)
    elif "format" in value and "columns" in value:
        decoder_of(value)
    elif "format" in value:
        from etl_platform.components.stream_source.decoding import as_format

        as_format(value)
    else:
        assert is_part(value.get("attributes", value))


@pytest.mark.parametrize("block", blocks("yaml", "yml"), ids=str)
def test_yaml_is_what_a_component_takes(block: Block, tmp_path: Path) -> None:
    yaml.safe_load(block.text)
    if block.reason is None:
        check_yaml(block, tmp_path)


@pytest.mark.parametrize("block", [b for b in blocks("sql") if b.reason is None], ids=str)
def test_sql_is_read_by_its_parser(block: Block) -> None:
    import sqlglot

    stated = re.search(r"^dialect: (\w+)$", block.text, re.MULTILINE)
    assert sqlglot.parse_one(block.text, dialect=stated[1] if stated else "duckdb") is not None


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_is_read(block: Block) -> None:
    tomllib.loads(block.text)


@pytest.fixture(scope="module")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with two versions of the table that Python blocks ask."""
    import polars as pl

    folder = tmp_path_factory.mktemp("docs_lake")
    made = Settings(
        lake_uri=str(folder / "lake"),
        metastore_url=f"sqlite:///{folder / 'metastore.db'}",
        temp_dir=str(folder / "spill"),
    )
    lake = Platform(made).lake
    for rows in (2, 3):
        flights = pl.DataFrame({"dest": ["ANC"] * rows, "origin": ["EWR"] * rows})
        lake.publish(lake.stage(TableName.parse("nyc.flights"), flights))
    return made


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_runs(
    block: Block, small_lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = compile(block.text, block.place, "exec", dont_inherit=True)
    if block.reason is not None:
        return
    monkeypatch.setattr("etl_platform.core.settings.get_settings", lambda: small_lake)
    monkeypatch.chdir(tmp_path)
    try:
        exec(code, {"__name__": "docs", "__file__": str(tmp_path / "definitions.py")})
    finally:
        use_client(None)  # a resource of secrets is the whole process's


@cache
def etl() -> Any:
    from typer.main import get_command

    from etl_platform.cli.app import app

    return get_command(app)


def check_etl(words: list[str]) -> None:
    """Parse the words as ``etl`` would; nothing is run."""
    from click.exceptions import Exit

    command, context = etl(), None
    while True:
        with suppress(Exit):  # --help and --version
            context = command.make_context(command.name, list(words), parent=context)
            rest = [*context._protected_args, *context.args]
            inner = getattr(command, "commands", {})
            if not rest or not inner:
                return
            command, words = inner[rest[0]], rest[1:]
            continue
        return


@pytest.mark.parametrize("block", blocks("console", "bash", ""), ids=str)
def test_commands_are_known_and_take_these_options(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if block.language == "":
        block = Block(block.place, "console", block.text, block.reason)
    monkeypatch.chdir(tmp_path)
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(block):
        program, *arguments = words
        if program == "etl":
            check_etl(arguments)
        elif program == "make":
            assert {word for word in arguments if "=" not in word} <= targets, words
        elif program == "python" and arguments[:1] == ["-m"]:
            assert find_spec(arguments[1]) is not None, words
        elif program == "python" and arguments[0].endswith(".py"):
            assert (PROJECT / arguments[0]).is_file(), words
        elif program == "pytest":
            assert all((PROJECT / word).exists() for word in arguments if "/" in word), words
        else:
            assert program in PROGRAMS or shutil.which(program), words


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda p: p.name)
def test_commands_within_sentences_exist_with_their_options(page: Path) -> None:
    for words in re.findall(r"`etl ((?:[^`]|\n)+)`", page.read_text()):
        command = etl()
        names = words.split()
        while names and hasattr(command, "commands") and names[0] in command.commands:
            command = command.commands[names.pop(0)]
        assert command is not etl() or names[0].startswith(("-", "C")), f"etl {words}"
        known = {opt for parameter in command.params for opt in parameter.opts}
        for option in re.findall(r"(?<![\w-])--[a-z-]+", words):
            assert option in {*known, "--help", "--version"}, f"etl {words}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda p: p.name)
def test_files_of_the_repository_that_sentences_name_are_there(page: Path) -> None:
    named = re.findall(r"`((?:etl_platform|etl_platform_tests|benchmarks|docs)/[\w./-]+)`",
                       page.read_text())  # fmt: skip
    assert [path for path in named if not (PROJECT / path).exists()] == []
