"""Connections: what a Connection of Airflow's says, as the address that SQLAlchemy opens.

Airflow itself is not needed: outside it a Connection stands in the environment, as Airflow reads it there.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import sqlalchemy as sa

from nurture.problem import Problem

# Airflow's connection types that SQLAlchemy calls otherwise; any other type is the name of a dialect already.
_DIALECTS = {
    "postgres": "postgresql+psycopg2", "postgresql": "postgresql+psycopg2", "mysql": "mysql+mysqldb",
    "mssql": "mssql+pymssql", "redshift": "redshift+redshift_connector",
}  # fmt: skip


def address_of(
    kind: str, host: str | None, login: str | None, password: str | None, port: int | None, schema: str | None,
    extra: Mapping[str, Any],
) -> str:  # fmt: skip
    """Return the address of a Connection; what its extra says in words and numbers goes to the driver."""
    options = {
        key: str(value) for key, value in extra.items() if isinstance(value, str | int | float) and key[0] != "_"
    }
    dialect = _DIALECTS.get(kind, kind.replace("_", "+"))
    if dialect == "sqlite":
        return sa.URL.create(dialect, database=schema or host).render_as_string(hide_password=False)
    url = sa.URL.create(dialect, login or None, password or None, host or None, port, schema or None, options)
    return url.render_as_string(hide_password=False)


def of_environment(env: Mapping[str, str], name: str) -> str:
    """Return the address that AIRFLOW_CONN_<NAME> holds, as a URI or as JSON; raise Problem where there is none."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    said = env.get(variable, "").strip()
    if not said:
        raise Problem(f"no Connection {name!r}: add it in Airflow (Admin, Connections), or set {variable}")
    try:
        if said.startswith("{"):
            return _of_json(json.loads(said))
        parts = urlsplit(said)
        return address_of(
            parts.scheme, unquote(parts.hostname or ""), unquote(parts.username or ""), unquote(parts.password or ""),
            parts.port, unquote(parts.path[1:]), dict(parse_qsl(parts.query)),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(f"{variable} is neither a URI nor the JSON of a Connection: {type(error).__name__}") from error


def _of_json(said: dict[str, Any]) -> str:
    extra = said.get("extra") or {}
    return address_of(
        said["conn_type"], said.get("host"), said.get("login"), said.get("password"),
        int(said["port"]) if said.get("port") else None, said.get("schema"),
        json.loads(extra) if isinstance(extra, str) else extra,
    )  # fmt: skip
