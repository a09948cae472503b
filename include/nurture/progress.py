"""Progress: how long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # which step, how many of how many


def untold(_step: str, _done: int, _total: int) -> None:
    """Tell nobody how far it is."""
