"""SendGrid's edge: what the network and the service can do, each with the one of two answers that it means."""

import gc
import socket
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loopback import API_KEY, Sandbox, free_port, mail, sandbox

from nurture import sendgrid
from nurture.answers import Refused, Unanswered
from nurture.sendgrid import EVENT_TYPES, Recipient, SendGrid, deliverable, request_body, trial_body

SECRET = "yamada.secret@lead.example"
Answer = Callable[[socket.socket], None]


def read_all(connection: socket.socket) -> None:
    """Read a whole request: its head, and as much body as the head says."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(65_536)
    head, _, body = got.partition(b"\r\n\r\n")
    [length] = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    while len(body) < length:
        body += connection.recv(65_536)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def saying(text: str) -> Answer:
    return lambda connection: connection.sendall(text.replace("\n", "\r\n").encode())


def answering(status: str, body: str = "", *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return saying("\n".join(lines) + "\n\n" + body)


def test_a_test_mail_is_not_tracked_and_names_no_message():
    body = trial_body(("見本", "news@a.example"), "tester@a.example", "件名", "本文", "<p>本文</p>")
    assert all(not part["enable"] for part in body["tracking_settings"].values())
    assert body["personalizations"] == [{"to": [{"email": "tester@a.example"}]}]
    assert "custom_args" not in body


def errors(*told: tuple[str | None, str]) -> str:
    listed = [f'{{"message": "{message}", "field": {_json(field)}, "help": null}}' for field, message in told]
    return f'{{"errors": [{", ".join(listed)}]}}'


def _json(field: str | None) -> str:
    return "null" if field is None else f'"{field}"'


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve one connection on loopback: the request is read whole, then answered as asked for."""
    listener = socket.create_server(("127.0.0.1", 0))
    release = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        read_all(connection)
        answer(connection)
        if answer in SILENT:
            release.wait(20)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        release.set()
        thread.join()
        listener.close()


def hang(connection: socket.socket) -> None:
    """Say nothing."""


HANG_IN_BODY = saying("HTTP/1.1 202 Accepted\nContent-Length: 10\nX-Message-Id: a\n\n{")
SILENT = (hang, HANG_IN_BODY)
AMBIGUOUS: dict[str, Answer] = {
    "reset after the upload": reset,
    "closed without a reply": lambda connection: None,
    "read time-out": hang,
    "half a status line": saying("HTTP/1.1 2"),
    "no status line": saying("what?\n\n"),
    "half a body": saying("HTTP/1.1 202 Accepted\nContent-Length: 10\nX-Message-Id: a\n\n{"),
    "202 and then silence in the body": HANG_IN_BODY,
    "202 without an id": answering("202 Accepted"),
    "500": answering("500 Internal Server Error", errors((None, f"failed for {SECRET}"))),
    "502": answering("502 Bad Gateway", "<html>nginx</html>", "Content-Type: text/html"),
    "503": answering("503 Service Unavailable"),
    "504": answering("504 Gateway Timeout", "<html></html>"),
}


@pytest.fixture
def dropped_sockets() -> Iterator[None]:
    """Collect the connections that python_http_client leaves open when a reply breaks off while it is read."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def post(url: str) -> str:
    return SendGrid(API_KEY, url, timeout=0.5).send(mail(SECRET))


@pytest.mark.usefixtures("dropped_sockets")
@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_n3_an_answer_after_which_nobody_knows_is_unanswered(fault: str):
    with serving(AMBIGUOUS[fault]) as url, pytest.raises(Unanswered) as raised:
        post(url)
    assert "yamada" not in str(raised.value)


QUOTA = "You have exceeded your messaging limits"
BAD = f"The to email {SECRET} is not valid"
DEFINITE: dict[str, tuple[Answer, list[int], bool]] = {
    "400 that names two": (
        answering("400 Bad Request", errors(("personalizations.3.to", BAD), ("personalizations.12.to.0.email", BAD))),
        [3, 12],
        False,
    ),
    "400 that names nobody": (answering("400 Bad Request", errors((None, BAD))), [], False),
    "400 that names all of them": (answering("400 Bad Request", errors(("personalizations", BAD))), [], False),
    "400 of the sender": (answering("400 Bad Request", errors(("from.email", BAD))), [], True),
    "400 of the content": (answering("400 Bad Request", errors(("content.0.value", "must be a string"))), [], True),
    "400 of a quota": (answering("400 Bad Request", errors((None, QUOTA))), [], True),
    "401": (answering("401 Unauthorized", errors((None, "The provided authorization grant is invalid"))), [], True),
    "403": (answering("403 Forbidden", errors(("from", f"{SECRET} does not match a verified Sender"))), [], True),
    "404": (answering("404 Not Found", "not here"), [], True),
    "405": (answering("405 Method Not Allowed"), [], True),
    "413 in HTML": (
        answering("413 Payload Too Large", "<html>413</html>", "Content-Type: text/html"), [], False
    ),
    "429": (answering("429 Too Many Requests", errors((None, "too many requests"))), [], True),
    "sandbox mode": (answering("200 OK"), [], True),
}  # fmt: skip


@pytest.mark.parametrize("refusal", DEFINITE)
def test_a_definite_no_is_refused_and_says_whose_fault_it_is(refusal: str):
    answer, indexes, stops = DEFINITE[refusal]
    with serving(answer) as url, pytest.raises(Refused) as raised:
        post(url)
    assert (raised.value.indexes, raised.value.stops) == (indexes, stops)
    assert "yamada" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_is_not_there_was_certainly_not_reached():
    with pytest.raises(Refused, match="was not reached") as raised:
        post(f"http://127.0.0.1:{free_port()}")
    assert raised.value.stops


def test_a_name_that_nobody_knows_was_certainly_not_reached():
    with pytest.raises(Refused, match="was not reached") as raised:
        post("http://no-such-host.invalid")
    assert raised.value.stops


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Date: Sun, 22 Nov 2026 09:00:00 GMT", "X-RateLimit-Reset: 1795338045"], 45),  # our clock does not matter
        (["Date: Sun, 22 Nov 2026 09:00:00 GMT", "X-RateLimit-Reset: 1795338000"], 1),  # now, or long ago
        (["Date: Sun, 22 Nov 2026 09:00:00 GMT", "X-RateLimit-Reset: 1895338000"], 3_600),  # nobody waits for years
        (["Retry-After: 7"], 7),
        (["X-RateLimit-Reset: soon"], 60),
        ([], 60),
    ],
)
def test_g8_429_says_how_long_to_wait_by_the_providers_own_clock(headers: list[str], seconds: int):
    with serving(answering("429 Too Many Requests", "", *headers)) as url, pytest.raises(Refused) as raised:
        post(url)
    assert raised.value.retry_after == timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        running.move_clock("2026-09-01T09:00:00+09:00")
        yield running


def test_an_accepted_request_gives_the_providers_id_and_is_found_in_the_logs(account: Sandbox):
    edge = SendGrid(API_KEY, account.url)
    body = request_body(
        ("サンプル", "news@mail.example"), "件名", "本文", "<p>本文</p>",
        [Recipient(41, "m", "a..b@docomo.example", {}, {}), Recipient(42, "m", "o'neil@lead.example", {}, {})],
        ["backup"],
    )  # fmt: skip
    given = edge.send(body)
    since = datetime(2026, 8, 31, tzinfo=UTC)
    account.move_clock("2026-09-01T09:10:00+09:00")
    for address, ours in (("a..b@docomo.example", "41"), ("o'neil@lead.example", "42")):
        found = edge.logged_message_ids(address, since)
        assert list(found) == [ours]
        assert found[ours].startswith(given)
    assert edge.logged_message_ids("nobody@lead.example", since) == {}
    assert edge.logged_message_ids("o'neil@lead.example", datetime(2026, 9, 2, tzinfo=UTC)) == {}


def test_a_list_is_read_to_its_end_page_by_page(account: Sandbox):
    edge = SendGrid(API_KEY, account.url)
    edge.suppress_everywhere([f"gone{number}@lead.example" for number in range(5)])
    listed = edge.suppressed("unsubscribes", datetime(2026, 8, 31, tzinfo=UTC), page=2)
    assert sorted(row["email"] for row in listed) == [f"gone{number}@lead.example" for number in range(5)]


@pytest.mark.usefixtures("dropped_sockets")
def test_the_faults_of_the_sandbox_mean_what_they_should(account: Sandbox):
    faults: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"kind": "reset_before"}, Unanswered),
        ({"kind": "accept_then_reset"}, Unanswered),
        ({"kind": "truncate"}, Unanswered),
        ({"kind": "truncate", "part": "body"}, Unanswered),
        ({"kind": "accept_then_status", "status": 502}, Unanswered),
        ({"kind": "html_413"}, Refused),
        ({"kind": "429"}, Refused),
    ]
    edge = SendGrid(API_KEY, account.url, timeout=10)
    for fault, meant in faults:
        account.http.put("/sandbox/faults", json=[{"on": "mail/send", **fault}]).raise_for_status()
        with pytest.raises(meant):
            edge.send(mail("a@b.example"))
    account.http.put("/sandbox/faults", json=[])


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("a@b.example", "a@b.example"),
        ("a..b@docomo.example", '"a..b"@docomo.example'),
        (".a@docomo.example", '".a"@docomo.example'),
        ("a.@docomo.example", '"a."@docomo.example'),
        ('"a..b"@docomo.example', '"a..b"@docomo.example'),
        ("a.b@docomo.example", "a.b@docomo.example"),
    ],
)
def test_an_old_local_part_is_quoted_and_no_other(address: str, given: str):
    assert deliverable(address) == given


def test_every_word_of_sendgrids_is_one_of_ours(root: Path):
    ours = (root / "sql/migrations/0003_events_to_reports.sql").read_text("utf-8")
    assert all(f"'{word}'" in ours for word in EVENT_TYPES.values())


def test_the_logs_of_a_span_are_halved_until_they_are_whole(account: Sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sendgrid, "LOGGED_AT_MOST", 3)
    edge = SendGrid(API_KEY, account.url)
    for minute in range(20, 24):
        account.move_clock(f"2026-09-01T09:{minute}:00+09:00")
        people = [Recipient(minute * 10 + one, "m", f"p{minute}{one}@lead.example", {}, {}) for one in range(2)]
        edge.send(request_body(("サンプル", "news@mail.example"), "件名", "本文", "<p>本文</p>", people, ["backup"]))
    first, last = (datetime(2026, 9, 1, 0, minute, tzinfo=UTC) for minute in (19, 30))
    account.move_clock("2026-09-01T09:40:00+09:00")
    found, incomplete = edge.logged_between(first, last)
    assert sorted(mail.address for mail in found) == [
        f"p{m}{one}@lead.example" for m in range(20, 24) for one in range(2)
    ]
    assert incomplete == []
    assert edge.logged_arguments(found[0].sg_message_id)["occasion"] == "m"
    monkeypatch.setattr(sendgrid, "LOGGED_AT_MOST", 2)
    assert len(edge.logged_between(first, last)[1]) == 4  # each of those seconds holds as much as an answer lists
