"""The command line: quick to help, one line for what went wrong."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from nurture.stack.home import free_port


def nurture(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nurture.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_help_needs_none_of_the_heavy_libraries():
    program = "import sys, nurture.cli.main; print({'airflow', 'pandas', 'sqlalchemy', 'psycopg2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_help_names_every_command_with_what_it_does():
    told = nurture("--help").stdout
    for command in ("up", "down", "status", "migrate", "airflow", "demo", "check", "land", "run"):
        assert f" {command} " in told


def test_an_error_is_one_line_with_the_mend(tmp_path: Path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        ports = {"postgres": free_port(), "airflow": taken, "receiver": free_port(), "sandbox": free_port()}
        (tmp_path / "ports.json").write_text(json.dumps(ports))
        done = nurture("up", "--home", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"nurture: port {taken} (airflow) is taken: stop what listens there, or run `nurture up --ports auto`"
    ]


def test_a_stack_that_is_down_is_told_with_exit_code_one(tmp_path: Path):
    done = nurture("status", "--home", str(tmp_path), "--json")
    assert done.returncode == 1
    assert {part["health"] for part in json.loads(done.stdout)["parts"].values()} == {"stopped"}
    assert nurture("down", "--home", str(tmp_path)).stdout == "The stack was not up.\n"


def test_a_database_that_is_gone_is_one_line_with_what_to_do(root: Path) -> None:
    gone = f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/none"
    done = subprocess.run(
        [sys.executable, "-m", "nurture.cli", "sends", "held"],
        env={**os.environ, "NURTURE_DSN": gone}, capture_output=True, text=True, check=False, cwd=root,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "the database does not answer" in done.stderr
    assert "run the same command again" in done.stderr
