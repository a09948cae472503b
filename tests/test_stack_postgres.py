"""The embedded PostgreSQL: starts for anybody, anywhere, and survives what kills it."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import psycopg2
import pytest

from nurture.problem import Problem
from nurture.stack.postgres import Postgres


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    made = Postgres(tmp_path / "pg", fast=True)
    yield made
    made.stop()


def asked(server: Postgres, question: str, database: str = "postgres"):
    session = psycopg2.connect(server.dsn(database).replace("+psycopg2", ""))
    try:
        with session.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0]
    finally:
        session.close()


def test_japanese_names_are_found_alike(server: Postgres):
    server.start()
    assert asked(server, "select similarity('田中製作所', '田中製作')") > 0.5


def test_only_its_owner_reads_the_password_and_the_data(server: Postgres):
    server.start()
    assert stat.S_IMODE((server.home / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_it_listens_on_loopback_with_a_password_and_on_no_socket_file(server: Postgres):
    server.start()
    assert asked(server, "show listen_addresses") == "127.0.0.1"
    assert asked(server, "show unix_socket_directories") == ""
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres", password="wrong")


def test_what_was_committed_is_there_after_a_kill_and_a_new_start(tmp_path: Path):
    server = Postgres(tmp_path / "pg")
    server.start()
    session = psycopg2.connect(server.dsn("postgres").replace("+psycopg2", ""))
    with session, session.cursor() as cursor:
        cursor.execute("create table kept as select 7 as number")
    session.close()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    again = Postgres(tmp_path / "pg")
    try:
        again.start()
        assert asked(again, "select number from kept") == 7
    finally:
        again.stop()
        server.stop()
    assert not again.running


def test_a_process_id_that_went_to_somebody_else_does_not_hinder_the_start(server: Postgres):
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n0\n5432\n")
    assert not server.running
    server.start()
    assert server.running


def test_a_second_handle_takes_over_the_running_server(server: Postgres):
    server.start()
    other = Postgres(server.home)
    other.start()
    assert (other.pid, other.port) == (server.pid, server.port)


def test_a_database_is_copied_from_a_template_and_made_once(server: Postgres):
    server.start()
    server.create_database("first")
    session = psycopg2.connect(server.dsn("first").replace("+psycopg2", ""))
    with session, session.cursor() as cursor:
        cursor.execute("create table things as select 1 as thing")
    session.close()
    server.create_database("second", template="first")
    server.create_database("second", template="first")
    assert asked(server, "select thing from things", "second") == 1
    server.drop_database("second")
    assert asked(server, "select count(*) from pg_database where datname = 'second'") == 0


def test_a_taken_port_is_one_line_that_names_it(server: Postgres):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(Problem, match=f"port {port} of 127.0.0.1: it is taken") as caught:
            server.start(port)
    assert "\n" not in str(caught.value)
    assert not server.running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_hands_over_to_somebody_else_even_below_a_closed_folder(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "pg", fast=True)
    try:
        server.start()
        assert server.data.stat().st_uid != 0
        assert asked(server, "select 1") == 1
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_starts_for_a_user_without_a_home_and_with_a_locale_that_is_missing(tmp_path: Path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for parent in (tmp_path, *takewhile(lambda each: each != Path(gettempdir()), tmp_path.parents)):
        parent.chmod(0o755)  # pytest's folders are closed to others
    program = (
        "import os, sys; from pathlib import Path; from nurture.stack.postgres import Postgres\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "server = Postgres(Path(sys.argv[1])); server.start(); print(server.version); server.stop()"
    )
    environment = {"LANG": "ja_JP.UTF-8", "LC_ALL": "ja_JP.UTF-8", "HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "pg")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("18.")
