"""The one full stack of the whole suite: it starts in half a minute, so every test that needs Airflow shares it."""

from collections.abc import Iterator

import pytest

from nurture.stack import control
from nurture.stack.parts import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with Airflow on free ports, in a folder of its own."""
    with control.running(tmp_path_factory.mktemp("stack")) as running:
        yield running
