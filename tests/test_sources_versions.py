"""Landing: which rows are new versions of their record, when files come again, late, or are read in another way."""

from pathlib import Path

import sqlalchemy as sa
from landing_files import AS_OF, CARDS, GOOD, HEADER, reasons, records, write

from nurture.definitions.load import load_vocabulary
from nurture.definitions.sources import SourceDefinition
from nurture.sources import Landed, land

A, B = GOOD, GOOD.replace("㈱みほん", "㈱べつ")


def land_text(
    conn: sa.Connection, folder: Path, text: str, definition: SourceDefinition = CARDS, name: str = "cards.csv"
) -> Landed:
    return land(conn, definition, write(folder, text, name), AS_OF)


def companies(conn: sa.Connection) -> list[str]:
    return [record.fields["company"] for record in records(conn)]


def reading(**columns: str) -> SourceDefinition:
    """Return the cards' definition with other columns mapped."""
    return CARDS.model_copy(update={"columns": {**CARDS.columns, **columns}})


def test_a_row_that_goes_back_to_what_it_said_is_the_newest_again(conn: sa.Connection, tmp_path: Path) -> None:
    for text in (HEADER + A, HEADER + B, "\n" + HEADER + A):
        assert land_text(conn, tmp_path, text).landed == 1
    assert companies(conn) == ["㈱みほん", "㈱べつ", "㈱みほん"]


def test_a_file_delivered_again_changes_nothing_back(conn: sa.Connection, tmp_path: Path) -> None:
    land_text(conn, tmp_path, HEADER + A)
    land_text(conn, tmp_path, HEADER + B)
    assert land_text(conn, tmp_path, HEADER + A).taken_before
    assert companies(conn) == ["㈱みほん", "㈱べつ"]


def test_a_known_row_with_an_older_date_than_the_newest_is_a_late_delivery(conn: sa.Connection, tmp_path: Path) -> None:
    newer = B.replace("2026/11/02", "2026/11/05")
    land_text(conn, tmp_path, HEADER + A + newer)
    for text in ("\n" + HEADER + A, "\n\n" + HEADER + A + newer):
        again = land_text(conn, tmp_path, text)
        assert (again.landed, again.rejected) == (0, 0)
    assert companies(conn) == ["㈱みほん", "㈱べつ"]


def test_a_corrected_mapping_takes_the_file_again_and_mends_what_it_changes(
    conn: sa.Connection, tmp_path: Path
) -> None:
    other = "C2,見本 花子,㈱みほん,hanako@mihon.example,,2026/11/02,\n"
    land_text(conn, tmp_path, HEADER + A + other, reading(phone="refused"))
    again = land_text(conn, tmp_path, HEADER + A + other)
    assert str(again) == "cards.csv: read anew: 1 landed, 1 unchanged, 0 rejected"
    assert [(record.source_key, record.fields.get("mobile")) for record in records(conn)] == [
        ("C1", None), ("C2", None), ("C1", "090-0123-9876"),
    ]  # fmt: skip
    assert land_text(conn, tmp_path, HEADER + A + other).taken_before


def test_an_old_file_read_anew_does_not_undo_what_a_later_one_said(conn: sa.Connection, tmp_path: Path) -> None:
    wrong = reading(phone="refused")
    land_text(conn, tmp_path, HEADER + A, wrong)
    land_text(conn, tmp_path, HEADER + B, wrong)
    assert land_text(conn, tmp_path, HEADER + A).landed == 0
    assert land_text(conn, tmp_path, HEADER + B).landed == 1
    assert companies(conn)[-1] == "㈱べつ"


def test_of_two_versions_in_one_file_the_later_stays_the_newest_when_it_is_read_anew(
    conn: sa.Connection, tmp_path: Path
) -> None:
    text = HEADER + A + B.replace("090-0123-9876", "")
    land_text(conn, tmp_path, text, reading(phone="refused"))
    assert land_text(conn, tmp_path, text).landed == 0  # the later row has no phone, so that its reading is the same
    assert companies(conn)[-1] == "㈱べつ"


def test_a_new_word_in_the_vocabulary_mends_the_records_too(conn: sa.Connection, tmp_path: Path) -> None:
    definition = reading(title="refused")
    path = write(tmp_path, HEADER + A.replace("2026/11/02,", "2026/11/02,占い師"))
    land(conn, definition, path, AS_OF)
    words = load_vocabulary()
    words = words.model_copy(update={"titles": {**words.titles, "staff": [*words.titles["staff"], "占い師"]}})
    assert land(conn, definition, path, AS_OF, vocabulary=words).landed == 1
    assert [record.fields.get("title_level") for record in records(conn)] == [None, "staff"]


def test_a_file_read_anew_says_anew_what_it_cannot_read(conn: sa.Connection, tmp_path: Path) -> None:
    text = HEADER + A + A.replace("C1", "C2").replace("2026/11/02", "きのう")
    assert land_text(conn, tmp_path, text).rejected == 1
    assert land_text(conn, tmp_path, text, reading(comment="refused")).rejected == 1
    assert reasons(conn) == [(3, "date きのう")]
    assert land_text(conn, tmp_path, text, CARDS.model_copy(update={"date": None})).landed == 1
    assert reasons(conn) == []


def test_renaming_or_moving_a_source_reads_nothing_anew(conn: sa.Connection, tmp_path: Path) -> None:
    land_text(conn, tmp_path, HEADER + A)
    moved = CARDS.model_copy(update={"name": "名刺 (本社)", "files": ["meishi*.csv"]})
    assert land_text(conn, tmp_path, HEADER + A, moved).taken_before
