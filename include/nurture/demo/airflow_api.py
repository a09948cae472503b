"""Airflow's API: trigger a run of a DAG as a person would in its UI, and wait for how it ends."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from nurture.problem import Problem

ENDED = ("success", "failed")


class AirflowApi:
    """Airflow's REST API (v2), logged in as one of its users."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60.0)
        answer = self._http.post("/auth/token", json={"username": user, "password": password})
        if not answer.is_success:
            raise Problem(f"Airflow did not let {user} in ({answer.status_code}): is the password the one in its file?")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def wait_for(self, dag: str, patience: float = 120.0) -> None:
        """Wait until a DAG has been read; raise Problem after `patience` seconds."""
        deadline = time.monotonic() + patience
        while self._http.get(f"/api/v2/dags/{dag}").status_code != 200:
            if time.monotonic() > deadline:
                raise Problem(f"Airflow does not know {dag}: `nurture airflow dags list-import-errors` says why")
            time.sleep(0.5)

    def set_paused(self, dag: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._http.patch(f"/api/v2/dags/{dag}", json={"is_paused": paused}).raise_for_status()

    def trigger(self, dag: str, at: datetime) -> str:
        """Trigger a run with the param `at`, and return its id."""
        body = {"logical_date": None, "conf": {"at": at.isoformat()}}
        answer = self._http.post(f"/api/v2/dags/{dag}/dagRuns", json=body)
        if not answer.is_success:
            raise Problem(f"Airflow did not take a run of {dag}: {answer.text}")
        return str(answer.json()["dag_run_id"])

    def wait(self, dag: str, run: str, told: Callable[[str], None], patience: float = 600.0) -> str:
        """Wait for the end of a run and return its state; `told` hears of each task that has ended."""
        seen: set[str] = set()
        deadline = time.monotonic() + patience
        while True:
            state = self.read(f"/api/v2/dags/{dag}/dagRuns/{run}")["state"]
            for task in self.read(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances?limit=100")["task_instances"]:
                if task["state"] in (*ENDED, "upstream_failed") and task["task_id"] not in seen:
                    seen.add(task["task_id"])
                    told(f"{task['task_id']}: {task['state']}")
            if state in ENDED:
                return state
            if time.monotonic() > deadline:
                raise Problem(f"the run of {dag} has not ended after {patience:.0f} s: look at it in Airflow")
            time.sleep(0.5)

    def read(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what a GET of the API answers."""
        return self._http.get(path, params=query).raise_for_status().json()
