"""The house rules that a program can check: style, types, the direction of imports, SQL."""

import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
CHECKS = {
    "ruff check": ["ruff", "check", "--quiet", "."],
    "ruff format": ["ruff", "format", "--check", "--quiet", "."],
    "types": ["basedpyright", "--level", "error"],
    "imports": ["lint-imports", "--no-cache"],
    "sql": ["sqlfluff", "lint", "--processes", "0", "--disable-progress-bar", "sql"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_keeps_the_house_rules(check: str, root: Path):
    program, *arguments = CHECKS[check]
    done = subprocess.run([BIN / program, *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
