"""Landing: JSON lines and workbooks are read as CSV is, each with its own ways to break."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from landing_files import AS_OF, CARDS, HEADER, forms, reasons, records, write

from nurture.problem import Problem
from nurture.sources import land, rejections


def test_a_form_says_what_was_submitted_agreed_and_touched_first(conn: sa.Connection, tmp_path: Path) -> None:
    row = {
        "id": "F1", "at": "2026-11-02T10:00:00+09:00", "mail": "taro@mihon.example", "size": 300, "form": "contact",
        "page": "/backup",
        "agreed": True, "keyword": "",
    }  # fmt: skip
    land(conn, forms(), write(tmp_path, json.dumps(row), "forms.jsonl"), AS_OF)
    (record,) = records(conn)
    assert record.fields["employees"] == 300
    assert record.facts == {
        "consent": {"basis": "consent", "evidence": "同意"},
        "event": {
            "type": "submitted", "subject": "contact", "product": "cloud_backup",
            "occurred_at": "2026-11-02T01:00:00+00:00",
        },
        "first_touch": {"page": "/backup"},
    }  # fmt: skip


def test_who_did_not_agree_gave_no_consent(conn: sa.Connection, tmp_path: Path) -> None:
    row = {"id": "F1", "at": "2026-11-02", "mail": "taro@mihon.example", "agreed": False}
    land(conn, forms(), write(tmp_path, json.dumps(row), "forms.jsonl"), AS_OF)
    assert "consent" not in records(conn)[0].facts


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "F2", "mail": "trunc', "no whole JSON object: Input data was truncated"),
        (b'["F2"]', "no JSON object"),
        (b'{"id": "\xff"}', "undecodable bytes at 8"),
        (b'{"id": "F2", "mail": "a@mihon.example", "size": NaN}', "no whole JSON object"),
        (b'{"id": "F\\u0000", "mail": "a@mihon.example"}', "NUL character, which no text can hold"),
        (b'{"id": "F\\ud800", "mail": "a@mihon.example"}', "no whole JSON object"),
    ],
)
def test_a_broken_json_line_is_kept_with_its_reason(
    conn: sa.Connection, tmp_path: Path, line: bytes, reason: str
) -> None:
    good = b'{"id": "F1", "at": "2026-11-02", "mail": "taro@mihon.example"}\n'
    landed = land(
        conn, forms(), write(tmp_path, good + line + b"\n\n" + good.replace(b"F1", b"F3"), "forms.jsonl"), AS_OF
    )
    assert (landed.landed, landed.rejected) == (2, 1)
    (rejection,) = rejections(conn)
    assert rejection.line == 2
    assert rejection.reason.startswith(reason)
    assert rejection.raw == line + b"\n"


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


BADGES = CARDS.model_copy(update={"source": "badges", "format": "xlsx", "files": ["badges*.xlsx"]})
TITLES = tuple(HEADER.strip().split(","))


def test_a_sheet_is_read_below_its_titles_and_without_its_footer(conn: sa.Connection, tmp_path: Path) -> None:
    content = workbook(
        ("来場者リスト",), (), TITLES,
        ("B1", "見本 太郎", "㈱みほん", "taro@mihon.example", 9001239876, datetime.fromisoformat("2026-11-02T09:30")),
        ("B2", "=1+1", "㈱みほん", "hanako@mihon.example", None, "2026/11/02", None),
        (None, "以上"),
        ("B3", "連絡先なし 太郎"),
        ("B4", "見本 次郎", None, "jiro@mihon.example", None, None, None, "欄外"),
    )  # fmt: skip
    landed = land(conn, BADGES, write(tmp_path, content, "badges.xlsx"), AS_OF)
    assert (landed.landed, landed.rejected) == (2, 2)
    first, second = records(conn)
    assert first.keys["mobile"] == "+819001239876"
    assert first.occurred_at == datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
    assert second.fields["name"] == "=1+1"
    assert reasons(conn) == [(7, "no way to reach or identify"), (8, "column count 8, expected 7")]
    assert json.loads(rejections(conn)[0].raw)[1] == "連絡先なし 太郎"


def test_what_is_no_workbook_is_one_line(conn: sa.Connection, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"badges\.xlsx is no readable xlsx file"):
        land(conn, BADGES, write(tmp_path, b"PK not a zip", "badges.xlsx"), AS_OF)


def test_a_workbook_without_the_columns_says_which_it_has(conn: sa.Connection, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"badges\.xlsx lacks the columns .*tel.*; its columns are id, name"):
        land(conn, BADGES, write(tmp_path, workbook(("id", "name")), "badges.xlsx"), AS_OF)
