"""Parts: what a stack consists of, how each is started, and how it shows that it is well."""

import http.client
import importlib.metadata
import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nurture.problem import Problem
from nurture.stack import airflow
from nurture.stack.home import DEFAULT_HOME, Home, Ports
from nurture.stack.postgres import Postgres

POSTGRES = "postgres"
EDGES = ("receiver", "sandbox")
# In the order of stopping: a scheduler that still has the API server and the edges lets its tasks end well.
STOPPING = (("scheduler",), ("dag-processor", "triggerer", "api-server", "receiver", "sandbox"))
PARTS = (POSTGRES, *airflow.COMPONENTS, *EDGES)
# The words of Airflow's health page.
_HEARTBEATS = {
    "scheduler": ("scheduler", "latest_scheduler_heartbeat"),
    "dag-processor": ("dag_processor", "latest_dag_processor_heartbeat"),
    "triggerer": ("triggerer", "latest_triggerer_heartbeat"),
}


@dataclass(frozen=True)
class Stack:
    """A home with its ports: everything that its parts are told."""

    home: Home
    ports: Ports

    @classmethod
    def at(cls, folder: Path | None = None) -> "Stack":
        """Return the stack of a folder, the checkout's own by default."""
        home = Home((folder or DEFAULT_HOME).absolute())
        return cls(home, home.ports())

    def database(self) -> Postgres:
        """Return the stack's database server."""
        server = Postgres(self.home.postgres)
        server.port = self.ports.postgres
        return server

    @property
    def dsn(self) -> str:
        """The address of the database `nurture`."""
        return self.database().dsn("nurture")

    def url(self, part: str) -> str:
        """Return where a part is to be looked at."""
        if part == POSTGRES:
            return f"postgresql://127.0.0.1:{self.ports.postgres}"
        if part in EDGES:
            return f"http://127.0.0.1:{getattr(self.ports, part)}"
        return f"http://127.0.0.1:{self.ports.airflow}"

    def environment(self) -> dict[str, str]:
        """Return the environment of every part; what the owner wrote into `secrets.env` has the last word."""
        server = self.database()
        airflows = [name for name in os.environ if name.startswith("AIRFLOW") and not name.startswith("AIRFLOW_CONN_")]
        kept = {name: value for name, value in os.environ.items() if name not in airflows}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        secrets = self.home.secrets()
        loopback = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"]))
        ours = {
            "NURTURE_HOME": str(self.home.path),
            "NURTURE_DSN": server.dsn("nurture"),
            "NURTURE_INBOX": str(self.home.inbox),
            "NURTURE_RECEIVER_URL": self.url("receiver"),
            "NURTURE_SANDBOX_URL": self.url("sandbox"),
            "SENDGRID_HOST": self.url("sandbox"),
            "NURTURE_CRM_HOST": self.url("sandbox"),
            "SENDGRID_WEBHOOK_PUBLIC_KEYS": self.home.webhook_public_key(),
            "NO_PROXY": loopback,
            "no_proxy": loopback,
            **airflow.settings(self.home, self.ports, server.dsn("airflow")),
        }
        told = {**ours, **secrets}
        return {**kept, **told, **self._connections(told)}

    def _connections(self, told: dict[str, str]) -> dict[str, str]:
        """Return the Airflow Connections that the tasks look up."""
        nurture_db = {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": self.ports.postgres,
            "login": "postgres",
            "password": self.database().password,
            "schema": "nurture",
        }
        sendgrid = {"conn_type": "http", "host": told["SENDGRID_HOST"], "password": told["SENDGRID_API_KEY"]}
        crm = {"conn_type": "http", "host": told["NURTURE_CRM_HOST"], "password": told["NURTURE_CRM_TOKEN"]}
        made = {"NURTURE_DB": nurture_db, "SENDGRID_DEFAULT": sendgrid, "CRM_HUBSPOT": crm}
        named = {f"AIRFLOW_CONN_{name}": json.dumps(values) for name, values in made.items()}
        return {name: told.get(name, value) for name, value in named.items()}

    def command(self, part: str) -> list[str]:
        """Return the command line of a part."""
        if part == "receiver":
            return [sys.executable, "-m", "nurture.receiver", "--port", str(self.ports.receiver)]
        if part == "sandbox":
            options = ["--home", str(self.home.sandbox), "--port", str(self.ports.sandbox)]
            options += ["--receiver-url", self.url("receiver"), "--private-key", str(self.home.webhook_key)]
            return [sys.executable, "-m", "nurture.sandbox", *options]
        return airflow.command(part)

    def version(self, part: str) -> str:
        """Return the version of the program behind a part."""
        return importlib.metadata.version("nurture" if part in EDGES else "apache-airflow")

    def is_healthy(self, part: str, born: float = 0) -> bool:
        """Whether a part answers; of Airflow's workers, whether one born then or later gave a sign of life."""
        port = getattr(self.ports, part if part in EDGES else "airflow")
        if part in _HEARTBEATS:
            component, heartbeat = _HEARTBEATS[part]
            answer = ask(port, "/api/v2/monitor/health") or {}
            state = answer.get(component) or {}
            seen = state.get(heartbeat)
            return state.get("status") == "healthy" and bool(seen) and datetime.fromisoformat(seen).timestamp() >= born
        return ask(port, "/health" if part in EDGES else "/api/v2/version") is not None


def ask(port: int, path: str, patience: float = 5) -> dict | None:
    """Return the JSON that 127.0.0.1 answers with 200 (an empty object when it is not JSON), else None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return None
        found = json.loads(body)
        return found if isinstance(found, dict) else {}
    except (OSError, http.client.HTTPException):
        return None
    except ValueError:
        return {}
    finally:
        connection.close()


def dsn_of(folder: Path | None = None) -> str:
    """Return NURTURE_DSN of the environment, else the running stack's database."""
    if folder is None and os.environ.get("NURTURE_DSN"):
        return os.environ["NURTURE_DSN"]
    stack = Stack.at(folder)
    if not stack.database().running:
        raise Problem("there is no database: start the stack with `nurture up`, or set NURTURE_DSN")
    return stack.dsn
