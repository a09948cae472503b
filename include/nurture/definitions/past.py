"""Past: what has run of a product, as far as a changed definition must heed it."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Walked:
    """A version of a scenario under which somebody is under way or was: its body, how many are, the steps that ran."""

    body: dict[str, Any]
    under_way: int


@dataclass(frozen=True)
class Past:
    """One product's past: its first run's day, its leads, the plan's entries and their days, the scenarios' versions.

    `entries` holds the kept body of every entry that ran; `sent_on` the days on which mails of the plan went out;
    `versions` the kept bodies of each scenario's versions that somebody walked, the newest last.
    """

    leads: int
    first_run_on: dt.date | None = None
    has_sent: bool = False
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent_on: list[dt.date] = field(default_factory=list)
    versions: dict[str, list[Walked]] = field(default_factory=dict)
