"""The files of docs/deployment are read by what would read them, as far as it is here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click import Command

from etl_platform.core.settings import Settings
from etl_platform_tests.docs.blocks import PROJECT

FOLDER = PROJECT / "docs" / "deployment"
VARIABLES = {f"ETL_{name.upper()}" for name in Settings.model_fields} | {"ETL_DAGSTER_PG_URL"}
UNITS = sorted((FOLDER / "systemd").glob("*.service"))


def test_every_variable_of_the_platform_is_one() -> None:
    for path in FOLDER.rglob("*"):
        if path.is_file():
            named = set(re.findall(r"\bETL_[A-Z0-9_]+", path.read_text()))
            assert named <= VARIABLES, path


def test_units_are_what_systemd_takes(tmp_path: Path) -> None:
    paths = []
    for unit in UNITS:
        # Programs have to be where a unit says: here they are those of this environment.
        text = unit.read_text().replace("/opt/etl/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)
        paths.append(str(tmp_path / unit.name))
        sections = re.findall(r"^\[(.*)\]$", text, re.MULTILINE)
        assert sections == ["Unit", "Service", "Install"]
    # Where there is no systemd, what it would say is not asked.
    if program := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [program, "verify", "--man=no", *paths], capture_output=True, text=True
        )
        assert [line for line in done.stderr.splitlines() if "etl-" in line] == []
        assert done.returncode == 0


def commands() -> list[str]:
    services = yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text())["services"]
    return [
        *(re.findall(r"^ExecStart=.*/bin/(.*)$", unit.read_text(), re.MULTILINE)[0]
          for unit in UNITS),
        *(service["command"] for service in services.values() if "command" in service),
    ]  # fmt: skip


@pytest.mark.parametrize("line", commands())
def test_what_is_started_has_these_options(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import create_dagster_webserver_cli

    programs = {
        "dagster": create_dagster_cli,
        "dagster-daemon": create_dagster_daemon_cli,
        "dagster-webserver": create_dagster_webserver_cli,
    }
    program, *words = shlex.split(line)
    command: Command = programs[program]()
    while inner := getattr(command, "commands", None):
        command = inner[words.pop(0)]
    given = [word for word in words if word.startswith("-")]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(given) <= known


def test_compose_names_nothing_that_it_does_not_declare() -> None:
    read = yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text())
    for service in read["services"].values():
        assert set(service.get("secrets", ())) <= set(read["secrets"])
        assert {one["source"] for one in service.get("configs", ())} <= set(read["configs"])
        assert {one.split(":")[0] for one in service.get("volumes", ())} <= set(read["volumes"])
        assert set(service.get("depends_on", ())) <= set(read["services"])
    # Only the port of the machine itself: the UI has no login.
    assert read["services"]["webserver"]["ports"] == ["127.0.0.1:3000:3000"]


def test_what_the_image_is_made_of_is_there() -> None:
    text = (FOLDER / "compose" / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        for path in line.split()[:-1]:
            assert (PROJECT / path).exists(), path


def test_workspaces_are_what_dagster_takes() -> None:
    from dagster._core.workspace.config_schema import process_workspace_config

    compose = yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text())
    for text in (
        (FOLDER / "systemd" / "workspace.yaml").read_text(),
        compose["configs"]["workspace"]["content"],
    ):
        assert process_workspace_config(yaml.safe_load(text)).success


def test_the_values_for_kubernetes_say_what_dagster_yaml_says() -> None:
    values = yaml.safe_load((FOLDER / "kubernetes" / "values.yaml").read_text())
    ours = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    daemon = values["dagsterDaemon"]
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["maxConcurrentRuns"] == ours["concurrency"]["runs"]["max_concurrent_runs"]
    assert queue["tagConcurrencyLimits"] == ours["concurrency"]["runs"]["tag_concurrency_limits"]
    assert daemon["runRetries"]["maxRetries"] == ours["run_retries"]["max_retries"]
    assert (
        daemon["runMonitoring"]["pollIntervalSeconds"]
        == ours["run_monitoring"]["poll_interval_seconds"]
    )


def test_the_options_for_celery_are_those_of_its_executor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    celery = pytest.importorskip("dagster_celery")
    from dagster._config import process_config
    from dagster_celery.cli import get_validated_config

    monkeypatch.setenv("CELERY_BROKER", "redis://127.0.0.1:6379/0")
    monkeypatch.setenv("CELERY_BACKEND", "redis://127.0.0.1:6379/1")
    path = FOLDER / "celery" / "celery.yaml"
    options = yaml.safe_load(path.read_text())["execution"]["config"]
    schema = celery.celery_executor.config_schema.config_type
    read = process_config(schema, options)
    assert read.success, read.errors
    assert read.value["broker"] == "redis://127.0.0.1:6379/0"
    assert isinstance(celery.celery_executor.configured(options), dg.ExecutorDefinition)
    worker = get_validated_config(str(path))
    assert worker["config_source"] == options["config_source"]
