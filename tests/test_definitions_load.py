"""Loading: light enough for every parse of a DAG file, and a look at a mail before it is sent."""

import subprocess
import sys
from pathlib import Path

import pytest

from nurture.definitions.load import load_products, load_sources, product_folders
from nurture.problem import Problem


def test_loading_needs_neither_network_nor_database_nor_heavy_libraries(root: Path):
    heavy = ["pandas", "sqlalchemy", "airflow", "mrml", "css_inline", "jinja2", "html2text", "psycopg2", "phonenumbers"]
    script = (
        "import sys; from nurture.definitions.load import load_products; loaded = load_products(); "
        f"print(*[name for name in {heavy!r} if name in sys.modules]); assert loaded.products and not loaded.problems"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_a_product_says_the_same_hash_as_long_as_it_says_the_same(root: Path):
    first, second = (load_products(root / "include").products["cloud_backup"] for _ in range(2))
    assert first.hash() == second.hash()
    assert {name: scenario.hash() for name, scenario in first.scenarios.items()} == {
        name: scenario.hash() for name, scenario in second.scenarios.items()
    }


def test_every_source_that_a_product_asks_for_is_defined(root: Path):
    assert {"exhibition_badges", "business_cards_cp932", "web_forms", "seminar_attendees", "crm_export"} <= set(
        load_sources(root / "include")
    )


def test_a_folder_without_products_is_one_clear_line(tmp_path: Path):
    with pytest.raises(Problem, match="set NURTURE_INCLUDE to the folder that holds products/"):
        list(product_folders(tmp_path))
