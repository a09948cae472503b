"""The one full stack of the whole suite: it starts in half a minute, so every test that needs Airflow shares it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nurture.stack import control
from nurture.stack.home import Home
from nurture.stack.parts import Stack


@pytest.fixture(scope="session")
def always_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what marketing wrote in which every product's calendar is always open, so that no hour matters."""
    source = Path(__file__).parents[1] / "include"
    copy = tmp_path_factory.mktemp("include")
    for name in ("company.yaml", "vocabulary.yaml"):
        shutil.copy(source / name, copy / name)
    for name in ("layout", "products", "sources"):
        shutil.copytree(source / name, copy / name)
    for file in copy.glob("products/*/product.yaml"):
        text = re.sub(r"^calendar: \w+", "calendar: always", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        file.write_text(text, encoding="utf-8")
    return copy


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, always_open: Path) -> Iterator[Stack]:
    """A stack with Airflow on free ports, in a folder of its own, that nurtures the always open products."""
    home = tmp_path_factory.mktemp("stack")
    Home(home).let_airflow_wait()  # what it starts of its own would depend on the day of the test
    with ExitStack() as until_the_end:
        with pytest.MonkeyPatch.context() as patch:  # its parts keep the environment in which it was started
            patch.setenv("NURTURE_INCLUDE", str(always_open))
            running = until_the_end.enter_context(control.running(home))
        yield running
