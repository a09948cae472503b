"""What the tests of landing share: a source, a file of it, and what became of its rows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nurture.definitions.sources import SourceDefinition
from nurture.sources import rejections

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
CARDS = SourceDefinition.model_validate(
    {
        "source": "cards", "name": "名刺", "format": "csv", "files": "cards*.csv", "channel": "business_card",
        "precedence": 2,
        "key": "id", "date": "date",
        "columns": {"full_name": "name", "company": "company", "email": "email", "phone": "tel"},
        "consent": {"basis": "business_card", "evidence": "名刺交換", "evidence_column": "date"},
        "opt_out": {"when": {"column": "refused", "is": [1, "拒否"]}, "mail_type": "event"},
    }
)  # fmt: skip
SEMINAR = "seminar_attendees_november.csv"
HEADER = "id,name,company,email,tel,date,refused\n"
GOOD = "C1,見本 太郎,㈱みほん,Taro@mihon.example,090-0123-9876,2026/11/02,\n"


def write(folder: Path, text: str | bytes, name: str = "cards.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def records(conn: sa.Connection) -> list[Any]:
    return list(conn.execute(sa.text("select * from source_records order by record_id")))


def reasons(conn: sa.Connection) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in rejections(conn)]


def forms() -> SourceDefinition:
    return SourceDefinition.model_validate(
        {
            "source": "forms", "name": "フォーム", "format": "jsonl", "files": "forms*.jsonl",
            "channel": "web_form", "key": "id", "date": "at",
            "columns": {"email": "mail", "employees": "size"},
            "optional": ["size", "form", "page", "agreed", "keyword"],
            "first_touch": {"keyword": "keyword", "page": "page"},
            "consent": {"basis": "consent", "evidence": "同意", "when": {"column": "agreed", "is": True}},
            "event": {
                "type": "submitted", "subject_column": "form",
                "products": [{"product": "cloud_backup", "when": {"column": "page", "is": "/backup"}}],
            },
        }
    )  # fmt: skip
