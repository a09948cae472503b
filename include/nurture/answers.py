"""Answers: the two ways in which an edge fails, and no others leave one.

What an answer means follows what the far side can have received when it came.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal


@dataclass
class Refused(Exception):
    """The far side said no, or was certainly not reached: nothing of the request was done.

    `indexes` are the positions of the recipients at fault, where the answer names them. `stops` says that no other
    request would fare better until a person mends something or time passes (`retry_after`); `holds` names what the
    far side will not take until a person has mended it: everything, or all that leaves from the sender's domain.
    """

    reason: str
    indexes: list[int] = field(default_factory=list)
    stops: bool = False
    retry_after: timedelta | None = None
    holds: Literal["", "everything", "domain"] = ""

    def __str__(self) -> str:
        """Say it in one line."""
        return self.reason


class Unanswered(Exception):
    """Nobody knows whether the request was taken."""
