"""docker-compose.yml, which no Docker engine has run here: it keeps the schema, and all that it names exists."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from nurture.cli.main import app
from nurture.stack import airflow
from nurture.stack.home import Home, Ports

# What Airflow's command line and configuration know, asked of a process of its own.
KNOWN = """
import json
from airflow.cli.cli_config import ActionCommand
from airflow.cli.cli_parser import airflow_commands
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
def names(commands, before=()):
    for command in commands:
        yield ' '.join((*before, command.name))
        if not isinstance(command, ActionCommand):
            yield from names(command.subcommands, (*before, command.name))
options = {section: list(found['options']) for section, found in conf.configuration_description.items()}
for section, found in ProvidersManager().provider_configs:
    options.setdefault(section, []).extend(found.get('options', found))
print(json.dumps({'commands': sorted(names(airflow_commands)), 'options': options}))
"""


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KNOWN], env={**os.environ, **settings}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def environments(compose: dict[str, Any]) -> dict[str, str]:
    return {
        name: str(value)
        for service in compose["services"].values()
        for name, value in service.get("environment", {}).items()
    }


def test_it_keeps_the_compose_schema(root: Path):
    program = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_exists(compose: dict[str, Any], known: dict[str, Any]):
    for name, service in compose["services"].items():
        command = service.get("command", [])
        shown = " ".join(command)
        if command[:1] == ["airflow"]:
            assert shown.removeprefix("airflow ") in known["commands"], f"{name}: {shown}"
        elif command[:1] == ["nurture"]:
            found = typer.main.get_command(app).commands[command[1]]  # pyright: ignore[reportAttributeAccessIssue]
            assert set(command[2:]) <= {option for parameter in found.params for option in parameter.opts}
        elif command[:2] == ["python", "-m"]:
            told = subprocess.run(
                [sys.executable, "-m", command[2], "--help"], capture_output=True, text=True, check=True
            )
            assert all(option in told.stdout for option in command[3:] if option.startswith("--")), shown
        else:
            assert service["image"].split(":")[0] in ("postgres", "redis"), f"{name}: {shown}"


def test_every_health_check_asks_something_that_exists(compose: dict[str, Any], known: dict[str, Any]):
    asked = {
        name: " ".join(service.get("healthcheck", {}).get("test", [])) for name, service in compose["services"].items()
    }
    assert [name for name, test in asked.items() if not test] == ["migrations"]
    for test in asked.values():
        command = re.search(r"airflow (jobs check)", test)
        assert command is None or command[1] in known["commands"]


def test_every_setting_of_airflow_exists(compose: dict[str, Any], known: dict[str, Any], tmp_path: Path):
    of_the_local_stack = airflow.settings(Home(tmp_path), Ports(), "")
    for name in [*environments(compose), *of_the_local_stack]:
        if name.startswith("AIRFLOW__"):
            section, option = name.removeprefix("AIRFLOW__").lower().split("__")
            assert option in known["options"].get(section, ()), name


def test_every_variable_of_ours_is_read_by_the_code(compose: dict[str, Any], root: Path):
    code = "\n".join(file.read_text(encoding="utf-8") for file in (root / "include/nurture").rglob("*.py"))
    for name in environments(compose):
        if name.startswith(("NURTURE_", "SENDGRID_", "AIRFLOW_ADMIN")):
            assert f'"{name}"' in code, name
        if name.startswith("AIRFLOW_CONN_"):
            assert f'"{name.removeprefix("AIRFLOW_CONN_").lower()}"' in code, name


def test_the_example_names_exactly_the_variables_that_are_asked_for(root: Path):
    text = (root / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    given = set(re.findall(r"^(\w+)=", (root / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert asked == given


def test_no_secret_stands_in_the_file_and_none_is_given_in_the_example(compose: dict[str, Any], root: Path):
    for name, value in environments(compose).items():
        if re.search(r"KEY|PASSWORD|TOKEN|AUTH$|CONN|URL$|DSN|BACKEND", name) and "SQL_ALCHEMY_CONN_ASYNC" not in name:
            assert "${" in value or "@" not in value, name
    secret = re.compile(r"^\w*(?:PASSWORD|KEY|SECRET|TOKEN)\w*=(.*)$", re.MULTILINE)
    assert set(secret.findall((root / ".env.example").read_text(encoding="utf-8"))) == {""}


def test_nothing_is_published_beyond_loopback(compose: dict[str, Any]):
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_file_that_the_image_is_made_of_exists(compose: dict[str, Any], root: Path):
    dockerfile = (root / "Dockerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"^COPY (.*)$", dockerfile, re.MULTILINE) for name in line.split()[1:-1]}
    assert all((root / name).exists() for name in copied)
    for folder in ("DAGS", "PLUGINS"):
        assert environments(compose)[f"AIRFLOW__CORE__{folder}_FOLDER"].removeprefix("/opt/nurture/") in copied
    assert f"uv=={re.search(r'UV_VERSION := (.*)', (root / 'Makefile').read_text())[1]}" in dockerfile  # pyright: ignore
