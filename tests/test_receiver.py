"""The receiver: what arrives is kept raw and whole, what is not signed stays out, and no GET changes anything."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from loopback import TRACKING_KEY, serving
from sendgrid.helpers.eventwebhook import EventWebhook

from nurture import db, receiver, tokens
from nurture.stack.postgres import Postgres

KEY = ec.generate_private_key(ec.SECP256R1())
NEXT_KEY = ec.generate_private_key(ec.SECP256R1())
TOKEN_KEY = b"token key of the tests"
Rows = Callable[[], list[tuple[str, Any]]]


def public(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()


def signed(body: bytes, key: ec.EllipticCurvePrivateKey = KEY, timestamp: str = "1788220800") -> dict[str, str]:
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {receiver.SIGNATURE: base64.b64encode(signature).decode(), receiver.TIMESTAMP: timestamp}


@pytest.fixture(scope="module")
def engine(postgres: Postgres) -> Iterator[sa.Engine]:
    """One database for this module; each test finds it empty."""
    made = db.engine(postgres.create_database("test_receiver", template="template_nurture"))
    yield made
    made.dispose()
    postgres.drop_database("test_receiver")


@pytest.fixture(scope="module")
def receiver_url(postgres: Postgres) -> Iterator[str]:
    keys = f"{public(KEY)}, {public(NEXT_KEY)}"
    app = receiver.create_app(
        postgres.dsn("test_receiver"), token_key=TOKEN_KEY, public_keys=keys, tracking_key=TRACKING_KEY
    )
    with serving(app) as url:
        yield url


@pytest.fixture
def http(receiver_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=receiver_url, trust_env=False) as client:
        yield client


@pytest.fixture(autouse=True)
def empty(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        conn.exec_driver_sql("truncate raw_events")


@pytest.fixture
def rows(engine: sa.Engine) -> Rows:
    def read() -> list[tuple[str, Any]]:
        with engine.connect() as conn:
            found = conn.exec_driver_sql("select channel, payload from raw_events order by raw_event_id")
            return [(row.channel, row.payload) for row in found]

    return read


def post_events(http: httpx.Client, body: bytes, headers: dict[str, str] | None = None) -> int:
    return http.post(
        "/webhooks/sendgrid", content=body, headers=signed(body) if headers is None else headers
    ).status_code


def test_signed_events_are_kept_one_row_each_in_their_order(http: httpx.Client, rows: Rows):
    body = '[{"event": "delivered", "email": "山田@example.jp"},  {"event": "open", "sg_event_id": "b"}]'.encode()
    assert post_events(http, body) == 204
    assert rows() == [("sendgrid", event) for event in json.loads(body)]


def test_the_signature_is_the_one_that_sendgrids_own_library_verifies():
    body = b'[{"event":"open"}]'
    headers = signed(body)
    own = EventWebhook()
    key = own.convert_public_key_to_ecdsa(public(KEY))
    assert own.verify_signature(body.decode(), headers[receiver.SIGNATURE], headers[receiver.TIMESTAMP], key)


def test_g11_both_keys_count_while_one_is_replaced(http: httpx.Client, rows: Rows):
    assert post_events(http, b"[{}]", signed(b"[{}]", NEXT_KEY)) == 204
    assert len(rows()) == 1


BODY = b'[{"event": "open"}]'
FORGED = {
    "no headers": {},
    "another body": signed(b'[{"event": "click"}]'),
    "another key": signed(BODY, ec.generate_private_key(ec.SECP256R1())),
    "another time": {**signed(BODY), receiver.TIMESTAMP: "1788220801"},
    "no base64": {**signed(BODY), receiver.SIGNATURE: "***"},
    "no signature in it": {**signed(BODY), receiver.SIGNATURE: "AAAA"},
    "no timestamp": {receiver.SIGNATURE: signed(BODY)[receiver.SIGNATURE]},
}


@pytest.mark.parametrize("why", FORGED)
def test_g11_what_is_not_signed_is_401_and_leaves_no_row(why: str, http: httpx.Client, rows: Rows):
    assert post_events(http, BODY, FORGED[why]) == 401
    assert rows() == []


def test_a_receiver_without_keys_lets_nobody_in(postgres: Postgres, rows: Rows):
    with serving(receiver.create_app(postgres.dsn("test_receiver"))) as url:
        assert httpx.post(f"{url}/webhooks/sendgrid", content=BODY, headers=signed(BODY)).status_code == 401
        assert httpx.post(f"{url}/v1/page", json={}, auth=("", "")).status_code == 401
        assert httpx.post(f"{url}/u/{tokens.sign(b'x', 1)}").status_code == 404
    assert rows() == []


BAD_ELEMENTS = {
    "a NUL": (rb'"a\u0000b"', "a\ufffdb"),
    "half a surrogate pair": (rb'"a\ud800b"', "a?b"),
    "not a number": (b"NaN", "NaN"),
    "a number without end": (b"1e999999", "1e999999"),
    "an integer without end": (b"9" * 200_000, "9" * 200_000),
    "bytes that are no UTF-8": (b'"a\xff"', "a\ufffd"),
}


@pytest.mark.parametrize("name", BAD_ELEMENTS)
def test_one_bad_element_never_refuses_the_others(name: str, http: httpx.Client, rows: Rows):
    written, kept = BAD_ELEMENTS[name]
    body = b'[{"event": "open"}, {"reason": ' + written + b'}, "no object", {"event": "click"}]'
    assert post_events(http, body) == 204
    assert [payload for _, payload in rows()] == [{"event": "open"}, {"reason": kept}, "no object", {"event": "click"}]


@pytest.mark.parametrize("body", [b"", b"{broken", b"[" * 100_000, b"\x00\xff"])
def test_a_signed_body_that_is_no_json_is_kept_as_text(body: bytes, http: httpx.Client, rows: Rows):
    assert post_events(http, body) == 204
    [(channel, payload)] = rows()
    assert channel == "sendgrid"
    assert list(payload) == ["unreadable"]


def test_a_single_object_is_kept_as_one_row(http: httpx.Client, rows: Rows):
    assert post_events(http, b'{"event": "open"}') == 204
    assert rows() == [("sendgrid", {"event": "open"})]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner)
    | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_whatever_was_json_is_mended_into_json_without_nul(value: Any):
    text = receiver.mended(json.dumps([value]).encode())
    assert "\\u0000" not in text
    assert len(json.loads(text)) == 1
    text.encode()


def test_g11_a_body_that_is_too_large_is_413(http: httpx.Client, rows: Rows):
    body = b"[" + b" " * receiver.MOST_BYTES + b"]"
    assert post_events(http, body) == 413
    assert rows() == []


def test_when_the_database_is_gone_every_door_answers_5xx(postgres: Postgres):
    dsn = postgres.dsn("no_such_database")
    with (
        serving(receiver.create_app(dsn, token_key=TOKEN_KEY, public_keys=public(KEY))) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        assert post_events(http, BODY) == 503
        assert http.post("/webhooks/sendgrid/inbound", data={"from": "a@b.example"}).status_code == 503
        assert http.post(f"/u/{tokens.sign(TOKEN_KEY, 7)}").status_code == 503
        assert http.get("/health").status_code == 503


def test_a_reply_is_decoded_by_its_charsets(http: httpx.Client, rows: Rows):
    written_at = datetime(2026, 9, 1, tzinfo=UTC)
    charsets = json.dumps({"from": "UTF-8", "subject": "shift_jis", "text": "iso-2022-jp", "html": "no-such-charset"})
    parts = {
        "from": "山田 太郎 <Yamada@Example.jp>".encode(),
        "subject": "Re: 見積①".encode("cp932"),
        "text": "見積をお願いします。".encode("iso-2022-jp"),
        "html": "<p>見積</p>".encode(),
        "headers": f"Date: {format_datetime(written_at)}\r\nSubject: x".encode(),
        "charsets": charsets.encode(),
    }
    files: dict[str, Any] = {name: (None, value) for name, value in parts.items()}
    files["attachment1"] = ("見積.pdf", b"\x00\x01", "application/pdf")
    assert http.post("/webhooks/sendgrid/inbound", files=files).status_code == 204
    [(channel, reply)] = rows()
    assert channel == "inbound"
    assert reply["text"] == "見積をお願いします。"
    assert reply["subject"] == "Re: 見積①"
    assert reply["html"] == "<p>見積</p>"
    assert reply["address"] == "yamada@example.jp"
    assert reply["occurred_at"] == "2026-09-01T00:00:00+00:00"
    assert "attachment1" not in reply


def test_replies_can_be_required_to_be_signed(postgres: Postgres, rows: Rows):
    app = receiver.create_app(postgres.dsn("test_receiver"), public_keys=public(KEY), needs_signed_replies=True)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"from=a%40b.example&text=%00hello"
    with serving(app) as url:
        place = f"{url}/webhooks/sendgrid/inbound"
        assert httpx.post(place, content=body, headers=form).status_code == 401
        assert httpx.post(place, content=body, headers={**form, **signed(body)}).status_code == 204
    [(_, reply)] = rows()
    assert reply["text"] == "\ufffdhello"


def test_g12_a_get_of_an_unsubscribe_link_asks_and_changes_nothing(http: httpx.Client, rows: Rows):
    link = f"/u/{tokens.sign(TOKEN_KEY, 7)}"
    for _ in range(2):
        page = http.get(link)
        assert page.status_code == 200
    assert http.head(link).status_code == 200
    assert 'lang="ja"' in page.text
    assert "ボタンを押すまで、何も変更されません" in page.text
    assert "set-cookie" not in page.headers
    assert 'lang="en"' in http.get(link, headers={"Accept-Language": "en-US,en;q=0.9,ja;q=0.8"}).text
    assert 'lang="ja"' in http.get(link, headers={"Accept-Language": "fr, en;q=0.2, ja;q=0.7"}).text
    assert rows() == []


REFUSALS = {
    "one click": ({"List-Unsubscribe": "One-Click"}, {"how": "one_click", "scope": "mail_type"}),
    "one click without its body": ({}, {"how": "one_click", "scope": "mail_type"}),
    "confirmed": ({"confirmed": "yes", "scope": "everything"}, {"how": "page", "scope": "everything"}),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_g12_a_refusal_is_kept_each_time_it_is_posted(how: str, http: httpx.Client, rows: Rows):
    form, kept = REFUSALS[how]
    for _ in range(2):
        assert http.post(f"/u/{tokens.sign(TOKEN_KEY, 7)}", data=form).status_code == 200
    assert rows() == [("unsubscribe", {"message_id": 7, **kept})] * 2


def test_one_click_is_taken_as_multipart_too(http: httpx.Client, rows: Rows):
    files: Any = {"List-Unsubscribe": (None, "One-Click")}
    assert http.post(f"/u/{tokens.sign(TOKEN_KEY, 8)}", files=files).status_code == 200
    assert rows() == [("unsubscribe", {"message_id": 8, "how": "one_click", "scope": "mail_type"})]


def test_only_a_server_of_ours_may_say_when_somebody_refused(http: httpx.Client, rows: Rows):
    form = {"List-Unsubscribe": "One-Click", "occurred_at": "2026-09-01T00:00:00+00:00"}
    link = f"/u/{tokens.sign(TOKEN_KEY, 7)}"
    http.post(link, data=form)
    http.post(link, data=form, auth=(TRACKING_KEY, ""))
    assert [payload.get("occurred_at") for _, payload in rows()] == [None, "2026-09-01T00:00:00+00:00"]


def test_a_form_that_says_neither_yes_nor_one_click_changes_nothing(http: httpx.Client, rows: Rows):
    link = f"/u/{tokens.sign(TOKEN_KEY, 7)}"
    assert http.post(link, data={"scope": "everything"}).status_code == 400
    assert http.post(link, data={"confirmed": "yes", "scope": "the world"}).status_code == 400
    assert rows() == []


def test_a_token_of_somebody_else_is_404(http: httpx.Client, rows: Rows):
    for token in (tokens.sign(b"another key", 7), "x", tokens.sign(TOKEN_KEY, 7)[:-2], "山", "A" * 500):
        assert http.get(f"/u/{token}").status_code == 404
        assert http.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert rows() == []


@given(st.integers(min_value=0, max_value=2**63 - 1), st.text(max_size=40))
def test_a_token_names_its_message_and_no_other_text_names_one(message_id: int, text: str):
    token = tokens.sign(TOKEN_KEY, message_id)
    assert tokens.read(TOKEN_KEY, token) == message_id
    assert tokens.read(TOKEN_KEY, text) is None
    changed = ("B" if token[0] == "A" else "A") + token[1:]
    assert tokens.read(TOKEN_KEY, changed) is None


def test_tracking_calls_are_kept_with_their_kind(http: httpx.Client, rows: Rows):
    key = (TRACKING_KEY, "")
    page = {"messageId": "1", "properties": {"path": "/pricing"}}
    assert http.post("/v1/page", json=page, auth=key).json() == {"success": True}
    assert http.post("/v1/track", json={"event": "submitted", "name": "a\x00"}, auth=key).status_code == 200
    assert http.post("/v1/batch", json={"batch": [{"type": "page"}, {"type": "track"}]}, auth=key).status_code == 200
    assert rows() == [
        ("track", {**page, "type": "page"}),
        ("track", {"event": "submitted", "name": "a\ufffd", "type": "track"}),
        ("track", {"type": "page"}),
        ("track", {"type": "track"}),
    ]


def test_tracking_needs_the_key_and_a_call(http: httpx.Client, rows: Rows):
    assert http.post("/v1/track", json={}).status_code == 401
    assert http.post("/v1/track", json={}, auth=("another", "")).status_code == 401
    assert http.post("/v1/track", content=b"{", auth=(TRACKING_KEY, "")).status_code == 400
    assert http.post("/v1/batch", json={"batch": 1}, auth=(TRACKING_KEY, "")).status_code == 400
    assert http.post("/v1/alias", json={}, auth=(TRACKING_KEY, "")).status_code == 404
    assert rows() == []


def test_the_receiver_is_healthy_with_its_database(http: httpx.Client):
    assert http.get("/health").json() == {"status": "healthy"}
