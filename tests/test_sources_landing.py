"""Landing: what is good lands once, what is broken is kept with its reason, and a file lands whole or not at all."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from landing_files import AS_OF, CARDS, GOOD, HEADER, SAMPLES, SEMINAR, forms, reasons, records, write
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.definitions.load import load_sources
from nurture.problem import Problem
from nurture.sources import land, land_inbox, rejections, source_of


def test_a_row_becomes_a_record_in_our_words(conn: sa.Connection, tmp_path: Path) -> None:
    assert land(conn, CARDS, write(tmp_path, HEADER + GOOD), AS_OF).landed == 1
    (record,) = records(conn)
    assert (record.source, record.source_key, record.line, record.precedence, record.channel) == (
        "cards", "C1", 2, 2, "business_card",
    )  # fmt: skip
    assert record.fields == {
        "name": "見本 太郎", "last_name": "見本", "first_name": "太郎", "company": "㈱みほん",
        "email": "taro@mihon.example",
        "mobile": "090-0123-9876",
    }  # fmt: skip
    assert record.keys == {
        "name": "見本太郎", "company": "ミホン", "email": "taro@mihon.example", "domain": "mihon.example",
        "mobile": "+819001239876",
    }  # fmt: skip
    assert record.facts == {"consent": {"basis": "business_card", "evidence": "名刺交換: 2026/11/02"}}
    assert record.payload["company"] == "㈱みほん"
    assert record.occurred_at == datetime(2026, 11, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("C2,見本,会社", "column count 3, expected 7"),
        ("C2,見本,会社,a@mihon.example,,2026/11/02,,余り", "column count 8, expected 7"),
        ("C2,見本 花子,,,,2026/11/02,", "no way to reach or identify"),
        (",見本 花子,会社,a@mihon.example,,2026/11/02,", "no key: id is empty"),
        ("C2,見本 花子,会社,a@mihon.example,,2026-13-45,", "date 2026-13-45"),
        ("C2,見本 花子,会社,a@mihon.example,,きのう,", "date きのう"),
        ("C2,見本\0花子,会社,a@mihon.example,,2026/11/02,", "NUL byte at 9"),
        (f"{'C' * 400},見本 花子,会社,a@mihon.example,,2026/11/02,", "a key of 400 characters, at most 300"),
    ],
)  # fmt: skip
def test_a_broken_row_is_kept_with_its_line_and_reason_and_the_rest_lands(
    conn: sa.Connection, tmp_path: Path, row: str, reason: str
) -> None:
    landed = land(conn, CARDS, write(tmp_path, HEADER + row + "\n" + GOOD), AS_OF)
    assert (landed.landed, landed.rejected) == (1, 1)
    (rejection,) = rejections(conn, "cards.csv")
    assert (rejection.line, rejection.reason, rejection.raw) == (2, reason, (row + "\n").encode())


def test_undecodable_bytes_cost_their_row_alone_and_are_kept(conn: sa.Connection, tmp_path: Path) -> None:
    bad = b"C2,\xff\xfe,x,a@mihon.example,,2026/11/02,\n"
    assert land(conn, CARDS, write(tmp_path, HEADER.encode() + bad + GOOD.encode()), AS_OF).landed == 1
    (rejection,) = rejections(conn)
    assert (rejection.line, rejection.reason, rejection.raw) == (2, "undecodable bytes at 3", bad)


def test_an_open_quotation_mark_costs_its_own_line_alone(conn: sa.Connection, tmp_path: Path) -> None:
    open_quote = 'C2,"見本,会社,a@mihon.example,,2026/11/02,\n'
    more = "".join(GOOD.replace("C1", f"D{number}") for number in range(50))
    assert land(conn, CARDS, write(tmp_path, HEADER + open_quote + GOOD + more), AS_OF).landed == 51
    assert reasons(conn) == [(2, "a quotation mark is not closed")]


def test_a_line_break_within_a_quoted_field_is_data(conn: sa.Connection, tmp_path: Path) -> None:
    row = 'C2,"見本 花子","二行の\n会社",a@mihon.example,,2026/11/02,\n'
    assert land(conn, CARDS, write(tmp_path, HEADER + row + GOOD), AS_OF).landed == 2
    assert [record.line for record in records(conn)] == [2, 4]


@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("cp932", "\r\n"), ("cp932", "\n")]
)
def test_the_encoding_is_found(conn: sa.Connection, tmp_path: Path, encoding: str, newline: str) -> None:
    text = (HEADER + GOOD).replace("\n", newline).encode(encoding)
    assert land(conn, CARDS, write(tmp_path, text), AS_OF).rejected == 0
    assert records(conn)[0].fields["name"] == "見本 太郎"


def test_of_a_cp932_file_with_bad_bytes_the_good_rows_are_read_as_cp932(conn: sa.Connection, tmp_path: Path) -> None:
    text = (HEADER + GOOD).encode("cp932") + b"C2,\x81\xff,x,a@mihon.example,,2026/11/02,\n"
    assert land(conn, CARDS, write(tmp_path, text), AS_OF).landed == 1
    assert records(conn)[0].fields["company"] == "㈱みほん"


def test_the_header_is_found_below_title_rows(conn: sa.Connection, tmp_path: Path) -> None:
    text = "第1回 見本展 名刺（社外秘）\n出力日,2026/11/02\n\n" + HEADER.replace("email", "ｅｍａｉｌ ") + GOOD
    assert land(conn, CARDS, write(tmp_path, text), AS_OF).landed == 1
    assert records(conn)[0].line == 5


def test_blank_lines_and_repeated_headers_are_no_rows(conn: sa.Connection, tmp_path: Path) -> None:
    landed = land(conn, CARDS, write(tmp_path, HEADER + GOOD + "\n,,,,,,\n" + HEADER + "\x1a"), AS_OF)
    assert (landed.landed, landed.rejected) == (1, 0)


def test_a_file_is_taken_once_by_its_content(conn: sa.Connection, tmp_path: Path) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD), AS_OF)
    again = land(conn, CARDS, write(tmp_path, HEADER + GOOD, "cards_again.csv"), AS_OF)
    assert (again.landed, again.taken_before) == (0, True)
    assert len(records(conn)) == 1


def test_a_known_row_in_another_file_lands_nothing_even_with_its_columns_moved(
    conn: sa.Connection, tmp_path: Path
) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD), AS_OF)
    moved = (
        "name,id,company,email,tel,date,refused\n見本 太郎,C1,㈱みほん,Taro@mihon.example,090-0123-9876,2026/11/02,\n"
    )
    again = land(conn, CARDS, write(tmp_path, moved), AS_OF)
    assert (again.landed, again.unchanged) == (0, 1)


def test_a_changed_row_of_a_known_key_is_a_new_version(conn: sa.Connection, tmp_path: Path) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD), AS_OF)
    land(conn, CARDS, write(tmp_path, HEADER + GOOD.replace("㈱みほん", "㈱べつ")), AS_OF)
    assert [(record.source_key, record.fields["company"]) for record in records(conn)] == [
        ("C1", "㈱みほん"),
        ("C1", "㈱べつ"),
    ]


def test_a_key_sent_twice_in_one_file_with_other_content_is_a_version_too(conn: sa.Connection, tmp_path: Path) -> None:
    landed = land(conn, CARDS, write(tmp_path, HEADER + GOOD + GOOD + GOOD.replace("太郎", "次郎")), AS_OF)
    assert (landed.landed, landed.unchanged) == (2, 1)


def test_a_row_without_a_date_happened_at_the_runs_as_of(conn: sa.Connection, tmp_path: Path) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD.replace("2026/11/02", "")), AS_OF)
    assert records(conn)[0].occurred_at == AS_OF


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-02", "2026-11-01T15:00:00+00:00"), ("2026/1/2 9:05", "2026-01-02T00:05:00+00:00"),
        ("2026年11月2日", "2026-11-01T15:00:00+00:00"), ("２０２６／１１／０２", "2026-11-01T15:00:00+00:00"),
        ("2026-11-02T10:00:00Z", "2026-11-02T10:00:00+00:00"),
        ("2026-11-02T10:00:00+0900", "2026-11-02T01:00:00+00:00"), ("2026-1-2", "2026-01-01T15:00:00+00:00"),
        ("20261102", "2026-11-01T15:00:00+00:00"),
    ],
)  # fmt: skip
def test_dates_are_read_in_the_sources_zone(conn: sa.Connection, tmp_path: Path, written: str, moment: str) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD.replace("2026/11/02", written)), AS_OF)
    assert records(conn)[0].occurred_at == datetime.fromisoformat(moment)


@pytest.mark.parametrize("mark", ["1", "拒否", " １ "])
def test_a_mark_of_refusal_is_a_fact_of_its_cell(conn: sa.Connection, tmp_path: Path, mark: str) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD.replace("2026/11/02,", f"2026/11/02,{mark}")), AS_OF)
    assert records(conn)[0].facts["opt_out"] == {"mail_type": "event", "evidence": f"refused: {mark.strip()}"}


def test_formulas_and_markup_are_data(conn: sa.Connection, tmp_path: Path) -> None:
    row = (
        'C2,<script>alert(1)</script>,{{ config }},a@mihon.example,"=HYPERLINK(""http://evil.example"")",2026/11/02,\n'
    )
    land(conn, CARDS, write(tmp_path, HEADER + row), AS_OF)
    (record,) = records(conn)
    assert (record.fields["name"], record.fields["company"]) == ("<script>alert(1)</script>", "{{ config }}")
    assert record.payload["tel"] == '=HYPERLINK("http://evil.example")'


def test_a_mapping_that_the_file_lacks_fails_before_anything_lands(conn: sa.Connection, tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match=r"cards.csv lacks the column email; its columns are id, name, company, mail, tel"
    ):
        land(conn, CARDS, write(tmp_path, HEADER.replace("email", "mail") + GOOD), AS_OF)
    assert conn.execute(sa.text("select count(*) from landings")).scalar() == 0


def test_a_column_that_may_be_missing_is_not_missed(conn: sa.Connection, tmp_path: Path) -> None:
    definition = CARDS.model_copy(update={"optional": ["tel", "refused"]})
    text = "id,name,company,email,date\nC1,見本 太郎,㈱みほん,taro@mihon.example,2026/11/02\n"
    assert land(conn, definition, write(tmp_path, text), AS_OF).landed == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cards.csv is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "cards.csv lacks the columns"),
        (None, "cards.csv cannot be read"),
    ],
)
def test_an_unreadable_file_is_one_line_and_nothing_lands(
    conn: sa.Connection, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = write(tmp_path, content) if content is not None else str(tmp_path / "cards.csv")
    with pytest.raises(Problem, match=message) as problem:
        land(conn, CARDS, path, AS_OF)
    assert "\n" not in str(problem.value)
    assert conn.execute(sa.text("select count(*) from landings")).scalar() == 0


def test_a_file_that_fails_at_its_end_leaves_nothing_half_landed(conn: sa.Connection, tmp_path: Path) -> None:
    definition = forms()
    lines = "".join(json.dumps({"id": f"F{number}", "at": "2026-11-02"}) + "\n" for number in range(25_000))
    with pytest.raises(Problem, match="lacks the column mail; its columns are id, at"):
        land(conn, definition, write(tmp_path, lines, "forms.jsonl"), AS_OF)
    for table in ("landings", "source_records", "rejected_records"):
        assert conn.execute(sa.text(f"select count(*) from {table}")).scalar() == 0


def test_an_inbox_lands_what_it_can_and_reports_what_it_cannot(conn: sa.Connection, tmp_path: Path) -> None:
    write(tmp_path, HEADER + GOOD, "cards_1.csv")
    write(tmp_path, b"", "cards_2.csv")
    write(tmp_path, HEADER + GOOD.replace("C1", "C3"), "CARDS_3.CSV")
    write(tmp_path, "nothing of ours", "README.md")
    write(tmp_path, HEADER, "cards_4.csv.part")
    said: list[str] = []
    counts = land_inbox(conn, {"cards": CARDS}, str(tmp_path), AS_OF, report=lambda outcome: said.append(str(outcome)))
    assert counts == {"files": 2, "landed": 2, "unchanged": 0, "rejected": 0, "unreadable": 1, "skipped": 1}
    assert sorted(said) == [
        "CARDS_3.CSV: 1 landed, 0 rejected",
        "cards_1.csv: 1 landed, 0 rejected",
        "cards_2.csv is empty",
    ]


def test_landing_an_inbox_again_finds_nothing_to_do(conn: sa.Connection, tmp_path: Path) -> None:
    write(tmp_path, HEADER + GOOD)
    land_inbox(conn, {"cards": CARDS}, str(tmp_path), AS_OF)
    assert land_inbox(conn, {"cards": CARDS}, str(tmp_path), AS_OF)["landed"] == 0
    assert len(records(conn)) == 1


def test_a_files_source_is_the_one_whose_pattern_says_most() -> None:
    every = CARDS.model_copy(update={"source": "every", "files": ["*.csv"]})
    found = source_of({"cards": CARDS, "every": every}, "/inbox/Cards_2026.csv")
    assert found is CARDS
    assert source_of({"cards": CARDS}, "/inbox/other.txt") is None


def test_the_summary_says_where_to_look() -> None:
    from nurture.sources import Landed

    assert (
        str(Landed("forms", "forms.jsonl", 1823, 0, 3))
        == "forms.jsonl: 1,823 landed, 3 rejected (nurture land --rejected)"
    )


def test_the_command_says_what_landed_and_lists_what_did_not(dsn: str, tmp_path: Path) -> None:
    header = "Registration ID,Name,Company,Job title,Email,Phone,Date,Status,Product,Comment\n"
    good = "S1,見本 太郎,㈱みほん,部長,taro@mihon.example,,2026-11-02,Attended,cloud_backup,\n"
    path = write(tmp_path, header + good + good.replace("S1", "S2").replace("2026-11-02", "2026-13-45"), SEMINAR)
    environment = {"NURTURE_DSN": dsn}
    done = CliRunner().invoke(app, ["land", path], env=environment)
    assert (done.exit_code, done.output) == (0, f"{SEMINAR}: 1 landed, 1 rejected (nurture land --rejected)\n")
    listed = CliRunner().invoke(app, ["land", "--rejected"], env=environment)
    assert listed.output.startswith(f"{SEMINAR}:3: date 2026-13-45: S2,見本 太郎,")
    again = CliRunner().invoke(app, ["land", str(tmp_path)], env=environment)
    assert (again.exit_code, again.output) == (0, f"{SEMINAR}: taken before; 0 landed\n")


def test_the_command_names_the_sources_when_none_takes_the_file(dsn: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["land", write(tmp_path, HEADER, "unknown.csv")], env={"NURTURE_DSN": dsn})
    assert isinstance(done.exception, Problem)
    assert "no source takes a file called unknown.csv" in str(done.exception)
    assert "crm_export (crm_export*.csv)" in str(done.exception)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files stand beside the checkout, not in it")
def test_the_samples_land_in_place(conn: sa.Connection) -> None:
    counts = land_inbox(conn, load_sources(), str(SAMPLES), AS_OF)
    assert counts == {"files": 5, "landed": 6000, "unchanged": 0, "rejected": 6, "unreadable": 0, "skipped": 3}
    found = conn.execute(sa.text("select file, line, reason from rejected_records order by file, line"))
    assert [tuple(row) for row in found] == [
        ("business_cards_cp932.csv", 573, "undecodable bytes at 17"),
        ("business_cards_cp932.csv", 574, "column count 3, expected 14"),
        ("exhibition_badges.xlsx", 1832, "no way to reach or identify"),
        ("seminar_attendees.csv", 413, "no way to reach or identify"),
        ("web_forms.jsonl", 1824, "no whole JSON object: Input data was truncated"),
        ("web_forms.jsonl", 1825, "date 2026-13-45"),
    ]
    versions = conn.execute(
        sa.text("select source_key, count(*) from source_records group by source, source_key having count(*) > 1")
    )
    assert [tuple(row) for row in versions] == [("F000001", 2)]
