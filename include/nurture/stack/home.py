"""Home: the folder of one stack, with its ports, its secrets and its logs.

What is made here is made once and kept: a second `up` finds the same ports, keys and password.
"""

import base64
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from nurture.problem import Problem

CHECKOUT = Path(__file__).parents[3]
DEFAULT_HOME = CHECKOUT / ".nurture"


@dataclass(frozen=True)
class Ports:
    """The ports of 127.0.0.1 on which a stack listens."""

    postgres: int = 5433
    airflow: int = 8080
    receiver: int = 8081
    sandbox: int = 8082


@dataclass(frozen=True)
class Home:
    """One stack's folder; every path of the stack is a property of it."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The folder of the database server."""
        return self.path / "postgres"

    @property
    def airflow(self) -> Path:
        """Airflow's own home."""
        return self.path / "airflow"

    @property
    def sandbox(self) -> Path:
        """The sandbox's store."""
        return self.path / "sandbox"

    @property
    def inbox(self) -> Path:
        """The folder into which source files are put."""
        return self.path / "inbox"

    @property
    def logs(self) -> Path:
        """The folder in which each part writes `<part>.log`."""
        return self.path / "logs"

    @property
    def lock(self) -> Path:
        """The file that the living supervisor holds locked; its process id is inside."""
        return self.path / "supervisor.pid"

    @property
    def processes(self) -> Path:
        """The record of what the supervisor started, by which leftovers of a killed stack are found."""
        return self.path / "processes.json"

    @property
    def admin_password(self) -> Path:
        """The file with the password of Airflow's user `admin`."""
        return self.path / "admin-password"

    @property
    def webhook_key(self) -> Path:
        """The private key (PEM, P-256) with which the sandbox signs its webhooks."""
        return self.path / "webhook-key.pem"

    def make(self) -> None:
        """Make the folders."""
        try:
            for folder in (self.path, self.logs, self.airflow, self.sandbox, self.inbox):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as reason:
            raise Problem(f"{self.path} cannot be made: {reason.strerror}; choose another with --home") from None

    def ports(self) -> Ports:
        """Return the ports that were kept here, else the default ones."""
        file = self.path / "ports.json"
        return Ports(**json.loads(file.read_text())) if file.exists() else Ports()

    def keep_ports(self, ports: Ports) -> None:
        """Keep the ports for the next start."""
        (self.path / "ports.json").write_text(json.dumps(asdict(ports), indent=2) + "\n")

    def secrets(self) -> dict[str, str]:
        """Return `secrets.env`, made at the first call; what its owner adds there is given to every part."""
        file = self.path / "secrets.env"
        if not file.exists():
            made = {name: secrets.token_urlsafe(32) for name in _KEYS}
            made["AIRFLOW__CORE__FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
            made["SENDGRID_API_KEY"] = f"SG.{secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}"
            write_private(file, "".join(f"{name}={value}\n" for name, value in made.items()))
        try:
            lines = file.read_text().splitlines()
        except PermissionError:
            raise Problem(f"{file} belongs to another user: run as that user, or choose another --home") from None
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
        return {name.strip(): value.strip() for name, value in pairs}

    def let_airflow_wait(self) -> None:
        """Let Airflow start no run of its own in this home, so that what runs is what somebody triggers."""
        self.make()
        if _SCHEDULE not in self.secrets():
            with (self.path / "secrets.env").open("a") as kept:
                kept.write("# Remove this line, and start anew, to let Airflow follow the products' schedules.\n")
                kept.write(f"{_SCHEDULE}=False\n")

    def make_admin_password(self) -> str | None:
        """Make the password of Airflow's `admin`; return it when it is new, to be shown once."""
        if self.admin_password.exists():
            return None
        password = secrets.token_urlsafe(12)
        write_private(self.admin_password, password + "\n")
        return password

    def webhook_public_key(self) -> str:
        """Return the public half of the sandbox's webhook key as SendGrid shows it (base64 DER), made once."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        if not self.webhook_key.exists():
            pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            write_private(self.webhook_key, pem.decode())
        key = serialization.load_pem_private_key(self.webhook_key.read_bytes(), None)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(public).decode()


# The keys that every process shares: components that invent their own are healthy and then fail every task.
_KEYS = (
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API__SECRET_KEY",
    "NURTURE_TOKEN_KEY",
    "NURTURE_TRACKING_KEY",
    "NURTURE_CRM_TOKEN",
)


_SCHEDULE = "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    new.replace(file)


def choose_ports(kept: Ports, how: str) -> Ports:
    """Return free ports: the kept ones, or with `auto` another for each that is taken; else a Problem names it."""
    chosen = dict(asdict(kept))
    for port in fields(Ports):
        number = chosen[port.name]
        if is_free(number):
            continue
        if how != "auto":
            raise Problem(
                f"port {number} ({port.name}) is taken: stop what listens there, or run `nurture up --ports auto`"
            )
        chosen[port.name] = free_port(chosen.values())
    return Ports(**chosen)


def ports_of_its_own() -> Ports:
    """Return ports that nobody listens on now, and that two who start at once do not both choose."""
    chosen: dict[str, int] = {}
    for port in fields(Ports):
        chosen[port.name] = free_port(chosen.values())
    return Ports(**chosen)


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(unlike=()) -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, other than those given."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in unlike:
            return port
