"""The pages: their numbers are the database's, no person is on them, and no stranger sees them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import builders
import httpx
import loopback
import pytest
import sqlalchemy as sa
from fastapi import HTTPException

from nurture.definitions.load import load_products
from nurture.pages import words
from nurture.pages.app import create_app
from nurture.stack.parts import Stack

DAY = timedelta(days=1)
PERSON = {"name": "佐藤 花子", "company": "株式会社さくら物流"}
ADDRESS = "hanako@sakura.example"


def everybody() -> Callable[[str], bool]:
    return lambda _: True


def of_shifts() -> Callable[[str], bool]:
    return lambda product: product == "shift_planner"


def of_nothing() -> Callable[[str], bool]:
    return lambda _: False


def nobody() -> Callable[[str], bool]:
    raise HTTPException(401)


@contextmanager
def pages(dsn: str, reader: Callable[[], Callable[[str], bool]] = everybody) -> Iterator[httpx.Client]:
    with (
        loopback.serving(create_app(reader, dsn, lambda: builders.NOON)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
    ):
        yield client


def words_of(answer: httpx.Response) -> str:
    """Return what a person reads: the text of the body, without the tags."""
    assert answer.status_code == 200
    body = re.sub(r"<(script|style)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


@pytest.fixture
def nurtured(conn: sa.Connection) -> None:
    """One of everything for クラウドバックアップ; シフトプランナー has not begun."""
    product = {"product": "cloud_backup"}
    lead = builders.lead(conn, ADDRESS, **PERSON)
    builders.insert(conn, "enrollments", **product, lead_id=lead)
    builders.message(conn, lead, **product, status="accepted")
    for number, reason in enumerate(["expired", "expired", "opted out of * × *", "a reason that nobody foresaw"]):
        status = "expired" if reason == "expired" else "cancelled"
        builders.message(
            conn, lead, **product, status=status, ended_reason=reason, occasion=f"plan/not_sent_{number}"
        )  # fmt: skip
    waiting = builders.message(conn, lead, **product, occasion="plan/waiting")
    for reason in ("outside business hours", "frequency cap"):
        decided = {"outcome": "not_now", "reason": reason, "at": builders.NOON, "until": builders.NOON}
        builders.insert(conn, "decisions", message_id=waiting, **decided)
    builders.insert(conn, "qualifications", **product, lead_id=lead)
    for deal, amount, currency in (("one", 1_200_000, "JPY"), ("two", 34_000, "JPY"), ("three", 900, "USD")):
        won = {"amount": amount, "currency": currency, "won_at": builders.NOON}
        builders.insert(conn, "opportunities", **product, crm_opportunity_id=deal, lead_id=lead, **won)
    today = builders.NOON.date()
    fact = {**product, "scenario": "", "email": "case_logistics"}
    builders.insert(conn, "daily_facts", **fact, day=today, accepted=321, delivered=310, opened=77)
    builders.insert(conn, "daily_facts", **fact, day=today - 29 * DAY, accepted=1_000)
    builders.insert(conn, "daily_facts", **fact, day=today - 30 * DAY, accepted=50_000)
    run = {"dag": "nurture_cloud_backup", **product, "as_of": builders.NOON, "kind": "scheduled"}
    builders.insert(conn, "runs", **run, begun_at=builders.NOON, ended_at=builders.NOON + timedelta(seconds=42))
    builders.insert(conn, "runs", dag="nurture_pulse", as_of=builders.NOON, kind="scheduled", begun_at=builders.NOON)
    conn.commit()


@pytest.mark.usefixtures("nurtured")
def test_the_numbers_are_those_of_the_database_and_say_why(dsn: str):
    with pages(dsn) as client:
        read = words_of(client.get("/"))
    assert "クラウドバックアップ 1 1 under way 1 1 frequency cap 1 4" in read, "enrolled, sent, planned, not sent"
    assert "too late 2 a reason that nobody foresaw 1 opted out 1" in read
    assert "1,234,000 JPY 900 USD" in read, "two currencies are not added up"
    assert re.search(r"クラウドバックアップ .{0,4000}1,321 310 0 77 0 0 0 0", read), "thirty days and no more"
    assert "nurture_cloud_backup scheduled 2026-11-16 12:00 JST 2026-11-16 12:00 JST 42 s" in read
    assert "nurture_pulse all products scheduled" in read
    assert "not ended" in read


@pytest.mark.usefixtures("nurtured")
def test_no_person_is_on_the_page(dsn: str):
    with pages(dsn) as client:
        page = client.get("/").text
    for personal in (ADDRESS, "sakura", *PERSON.values(), "@"):
        assert personal not in page.split("<body>")[1]


@pytest.mark.usefixtures("nurtured")
@pytest.mark.parametrize(
    ("accepted", "language"),
    [("ja,en-US;q=0.9", "ja"), ("en-US,en;q=0.9,ja;q=0.8", "en"), ("fr, ja;q=0.3", "ja"), ("", "en"), (";;q=x", "en")],
)
def test_the_page_speaks_the_readers_language(dsn: str, accepted: str, language: str):
    with pages(dsn) as client:
        answer = client.get("/", headers={"Accept-Language": accepted})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
    assert ("引き渡し" if language == "ja" else "Handed off") in words_of(answer)


def test_a_word_has_the_same_blanks_in_both_languages():
    for name, (english, japanese) in words.WORDS.items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", japanese)), name


@pytest.mark.usefixtures("nurtured")
def test_one_reads_only_the_products_that_one_may(dsn: str):
    with pages(dsn, of_shifts) as client:
        read = words_of(client.get("/"))
    assert "シフトプランナー" in read
    assert "クラウドバックアップ" not in read
    assert "nurture_cloud_backup" not in read


def test_a_stranger_gets_nothing_and_whoever_may_read_no_product_hears_it(dsn: str):
    with pages(dsn, nobody) as client:
        assert client.get("/").status_code == 401
    with pages(dsn, of_nothing) as client:
        answer = client.get("/")
    assert (answer.status_code, "no product" in answer.text) == (403, True)


def test_before_anything_has_run_every_defined_product_is_there_with_zeros(dsn: str):
    with pages(dsn) as client:
        read = words_of(client.get("/"))
    for product in load_products().products.values():
        assert f"{product.name} 0 0 under way 0 0 0 0 0 0 0 0 0 0" in read
    assert "Nothing has run yet." in read


def test_a_broken_product_says_so_and_what_it_is_called_is_text_not_markup(
    dsn: str, always_open: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = tmp_path / "include"
    root.mkdir()
    for part in always_open.iterdir():
        if part.name != "products":
            (root / part.name).symlink_to(part)
    for folder in (always_open / "products").iterdir():
        copy = root / "products" / folder.name
        copy.mkdir(parents=True)
        for part in folder.iterdir():
            (copy / part.name).symlink_to(part)
    broken, hostile = root / "products/cloud_backup/product.yaml", root / "products/shift_planner/product.yaml"
    text = hostile.read_text(encoding="utf-8")
    for file in (broken, hostile):
        file.unlink()
    broken.write_text("product: cloud_backup\nprodukt: 1\n", encoding="utf-8")
    hostile.write_text(re.sub(r"^name: .*$", 'name: "<script>alert(1)</script>"', text, flags=re.M), encoding="utf-8")
    monkeypatch.setenv("NURTURE_INCLUDE", str(root))
    with pages(dsn) as client:
        page = client.get("/").text
    assert "`nurture check` says where" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_page_loads_nothing_changes_nothing_and_lists_no_routes(dsn: str):
    with pages(dsn) as client:
        answer = client.get("/")
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert client.request(method, "/").status_code == 405
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert client.get(path).status_code == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"(src|srcset|action)=|url\(|@import|https?://", answer.text)


def test_a_silent_database_is_said_in_one_line():
    unheard = f"postgresql+psycopg2://postgres:x@127.0.0.1:{loopback.free_port()}/nurture"
    with pages(unheard) as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert "postgres" not in answer.text


def test_the_plugins_folder_holds_one_file(root: Path):
    assert [file.name for file in (root / "plugins").rglob("*.py")] == ["nurture_plugin.py"]


def test_in_airflow_the_page_stands_behind_its_login(stack: Stack):
    password = stack.home.admin_password.read_text().strip()
    with httpx.Client(base_url=stack.url("api-server"), trust_env=False, timeout=60) as client:
        assert client.get("/nurture/").status_code == 401
        assert client.get("/nurture/", headers={"Authorization": "Bearer forged"}).status_code == 403
        assert client.get("/nurture/docs").status_code == 404
        login = {"username": "admin", "password": password}
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        known = {"Authorization": f"Bearer {token}"}
        answer = client.get("/nurture/", headers=known)
        assert "クラウドバックアップ" in words_of(answer)
        plugins = client.get("/api/v2/plugins", headers=known).json()["plugins"]
    assert [(view["name"], view["destination"]) for plugin in plugins for view in plugin["external_views"]] == [
        ("Nurture", "nav")
    ]
