"""The sandbox as SendGrid: the wire format, the refusals, the lists, the Logs, the faults."""

import http.client
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import httpx
import jsonschema_rs
import pytest
import sendgrid
from loopback import API_KEY, Sandbox, mail, sandbox, until
from python_http_client.exceptions import HTTPError
from sendgrid.helpers import mail as parts

SPECS = Path(__file__).parents[2] / "shared" / "specs" / "sendgrid"
MORNING = "2026-09-01T09:00:00+09:00"


def schema(file: str, place: str) -> jsonschema_rs.Validator:
    """Return the validator of one schema of SendGrid's published OpenAPI."""
    if not SPECS.is_dir():
        pytest.skip(f"SendGrid's OpenAPI files are not at {SPECS}")
    spec = json.loads((SPECS / file).read_text(encoding="utf-8"))
    return jsonschema_rs.validator_for({"$ref": f"#/{place}", **spec})


@pytest.fixture(scope="module")
def sendgrid_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        running.move_clock(MORNING)
        yield running


@pytest.fixture
def send(sendgrid_sandbox: Sandbox) -> Callable[[dict[str, Any]], httpx.Response]:
    return lambda request: sendgrid_sandbox.http.post("/v3/mail/send", json=request)


def test_a_request_of_the_library_fits_the_published_schema_and_is_accepted(sendgrid_sandbox: Sandbox):
    built = parts.Mail(
        from_email=parts.Email("news@mail.example", "サンプル"),
        subject="-n- ご案内",
        plain_text_content=parts.PlainTextContent("-n-"),
        html_content=parts.HtmlContent("<p>-n-</p>"),
    )
    person = parts.Personalization()
    person.add_to(parts.To("library@b.example"))
    person.add_substitution(parts.Substitution("-n-", "山田 様"))
    person.add_custom_arg(parts.CustomArg("message_id", "library-1"))
    person.add_header(parts.Header("List-Unsubscribe", "<https://mail.example/u/x>"))
    built.add_personalization(person)
    built.add_category(parts.Category("cloud_backup"))

    place = "components/requestBodies/PostMailSend/content/application~1json/schema"
    schema("tsg_mail_v3.patched.json", place).validate(built.get())
    answer = sendgrid.SendGridAPIClient(API_KEY, host=sendgrid_sandbox.url).send(built)

    assert answer.status_code == 202
    assert answer.body == b""
    [kept] = sendgrid_sandbox.messages(message_id="library-1")
    assert kept["subject"] == "山田 様 ご案内"
    assert kept["request"] == answer.headers["X-Message-Id"]
    assert kept["accepted_at"] == "2026-09-01T00:00:00Z"


def test_a_thousand_recipients_are_one_request(send: Callable, sendgrid_sandbox: Sandbox):
    before = sendgrid_sandbox.http.get("/sandbox/counts").json()["messages"]
    assert send(mail(*(f"many{number}@b.example" for number in range(1_000)))).status_code == 202
    assert sendgrid_sandbox.http.get("/sandbox/counts").json()["messages"] == before + 1_000


def changed(**fields: Any) -> dict[str, Any]:
    return mail("a@b.example", **fields)


def personally(**fields: Any) -> dict[str, Any]:
    request = mail("a@b.example", "c@b.example")
    request["personalizations"][1].update(fields)
    return request


def without(name: str) -> dict[str, Any]:
    request = mail("a@b.example")
    del request[name]
    return request


REFUSED = {
    "1001 recipients": (mail(*(f"p{number}@b.example" for number in range(1_001))), "personalizations"),
    "one address twice in other letters": (mail("a@b.example", "A@B.example"), "personalizations"),
    "no recipient": (mail(), "personalizations"),
    "no subject": (without("subject"), "subject"),
    "an empty subject": (changed(subject=""), "subject"),
    "no content": (without("content"), "content"),
    "an empty text": (changed(content=[{"type": "text/plain", "value": ""}]), "content.0.value"),
    "no from": (without("from"), "from.email"),
    "two dots in a row": (personally(to=[{"email": "a..b@docomo.example"}]), "personalizations.1.to"),
    "a dot before the at": (personally(to=[{"email": "a.@docomo.example"}]), "personalizations.1.to"),
    "a Japanese local part": (personally(to=[{"email": "山田@b.example"}]), "personalizations.1.to"),
    "eleven categories": (changed(categories=[f"c{number}" for number in range(11)]), "categories"),
    "a Japanese category": (changed(categories=["事例"]), "categories"),
    "too long substitutions": (personally(substitutions={"-a-": "x" * 10_000}), "personalizations.1.substitutions"),
    "too long custom args": (personally(custom_args={"a": "x" * 10_000}), "personalizations.1.custom_args"),
    "a number as substitution": (personally(substitutions={"-a-": 1}), "personalizations.1.substitutions"),
    "a reserved header": (personally(headers={"Reply-To": "a@b.example"}), "personalizations.1.headers.Reply-To"),
    "a line break in a header": (personally(headers={"X-A": "a\r\nBcc: b"}), "personalizations.1.headers"),
    "an unknown field": (changed(importance="high"), "importance"),
    "send_at in milliseconds": (changed(send_at=1_788_220_800_000), "send_at"),
    "HTML before text": (
        changed(content=[{"type": "text/html", "value": "a"}, {"type": "text/plain", "value": "a"}]),
        "content",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_sendgrid_refuses_is_refused_whole_with_its_field(why: str, send: Callable, sendgrid_sandbox: Sandbox):
    request, field = REFUSED[why]
    before = sendgrid_sandbox.http.get("/sandbox/counts").json()["messages"]
    answer = send(request)
    assert answer.status_code == 400
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert sendgrid_sandbox.http.get("/sandbox/counts").json()["messages"] == before


def test_every_bad_recipient_of_a_request_is_named(send: Callable):
    addresses = [f"n{number}@b.example" for number in range(10)]
    addresses[3], addresses[7] = "broken", "also..broken@b.example"
    fields = [error["field"] for error in send(mail(*addresses)).json()["errors"]]
    assert fields == ["personalizations.3.to", "personalizations.7.to"]


def test_a_quoted_local_part_is_taken(send: Callable):
    assert send(mail('"a..b"@docomo.example')).status_code == 202


def test_another_key_is_401_and_an_unverified_sender_403(send: Callable, sendgrid_sandbox: Sandbox):
    stranger = {"Authorization": "Bearer SG.another"}
    assert sendgrid_sandbox.http.post("/v3/mail/send", json=changed(), headers=stranger).status_code == 401
    assert sendgrid_sandbox.http.get("/v3/suppression/bounces", headers=stranger).status_code == 401
    answer = send({**changed(), "from": {"email": "news@somebody-elses.jp"}})
    assert answer.status_code == 403
    assert "verified Sender Identity" in answer.json()["errors"][0]["message"]


def test_more_than_30_megabytes_is_413_in_html(sendgrid_sandbox: Sandbox):
    answer = sendgrid_sandbox.http.post("/v3/mail/send", content=b" " * 30_000_001)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")


def test_sandbox_mode_is_200_and_keeps_nothing(send: Callable, sendgrid_sandbox: Sandbox):
    request = mail("mode@b.example", mail_settings={"sandbox_mode": {"enable": True}})
    assert send(request).status_code == 200
    assert sendgrid_sandbox.messages(to="mode@b.example") == []


def test_a_globally_unsubscribed_address_is_accepted_and_then_dropped(send: Callable, sendgrid_sandbox: Sandbox):
    http = sendgrid_sandbox.http
    answer = http.post("/v3/asm/suppressions/global", json={"recipient_emails": ["No.More@b.example"]})
    assert answer.status_code == 201
    assert http.get("/v3/asm/suppressions/global/no.more@b.example").json() == {"recipient_email": "No.More@b.example"}
    assert http.get("/v3/asm/suppressions/global/other@b.example").json() == {}
    assert send(mail("no.more@b.example")).status_code == 202
    sendgrid_sandbox.move_clock(MORNING)
    [message] = sendgrid_sandbox.messages(to="no.more@b.example")
    assert message["status"] == "dropped"
    assert http.delete("/v3/asm/suppressions/global/no.more@b.example").status_code == 204
    assert http.get("/v3/asm/suppressions/global/no.more@b.example").json() == {}


def test_lists_and_logs_have_the_published_shapes(send: Callable, sendgrid_sandbox: Sandbox):
    http = sendgrid_sandbox.http
    personas = ("dead", "blocking", "complaining", "warm", "warm", "deferring")
    people = {f"shape{number}@shape.example": persona for number, persona in enumerate(personas)}
    http.put("/sandbox/people", json={address: {"persona": persona} for address, persona in people.items()})
    http.post("/v3/asm/suppressions/global", json={"recipient_emails": ["gone@shape.example"]})
    send(mail(*people, "gone@shape.example", "nobody@shape.invalid"))
    sendgrid_sandbox.move_clock("2026-09-05T09:00:00+09:00")

    for name in ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes"):
        rows = http.get(f"/v3/suppression/{name}", params={"start_time": 1_700_000_000, "limit": 5}).json()
        assert rows, name
        place = f"paths/~1v3~1suppression~1{name}/get/responses/200/content/application~1json/schema"
        schema("tsg_suppressions_v3.json", place).validate(rows)
        assert http.get(f"/v3/suppression/{name}", params={"start_time": 1_900_000_000}).json() == []

    query = "to_email='shape3@shape.example' AND sg_message_id_created_at > TIMESTAMP \"2026-08-31T00:00:00Z\""
    found = http.post("/v3/logs", json={"query": query}).json()
    schema("tsg_logs_v3.json", "components/schemas/EmailLogsGetMessagesByFilterResponse").validate(found)
    assert [message["to_email"] for message in found["messages"]] == ["shape3@shape.example"]
    for message in sendgrid_sandbox.messages():
        if "@shape." in message["to"]:
            detail = http.get(f"/v3/logs/{message['sg_message_id']}").json()
            schema("tsg_logs_v3.json", "components/schemas/EmailLogsGetMessageByIdResponse").validate(detail)
            assert detail["custom_args"]["message_id"] == message["message_id"]
    assert http.get("/v3/logs/unknown").status_code == 404
    assert http.post("/v3/logs", json={"query": "to_email LIKE 'a'"}).status_code == 400
    status = http.post("/v3/logs", json={"query": "status IN ('bounced', 'dropped')", "limit": 1000}).json()
    assert {message["status"] for message in status["messages"]} == {"bounced", "dropped"}
    sendgrid_sandbox.move_clock(MORNING)


FAULTS = {
    "reset_before": ({"kind": "reset_before"}, (ConnectionResetError, URLError, http.client.RemoteDisconnected), 0),
    "accept_then_reset": ({"kind": "accept_then_reset"}, (ConnectionResetError, http.client.RemoteDisconnected), 1),
    "hang": ({"kind": "hang", "seconds": 30}, (TimeoutError,), 1),
    "hang_body": ({"kind": "hang_body", "seconds": 30}, (TimeoutError,), 1),
    "truncated status": ({"kind": "truncate"}, (http.client.HTTPException, ConnectionResetError), 1),
    "truncated body": ({"kind": "truncate", "part": "body"}, (http.client.IncompleteRead,), 1),
    "503": ({"kind": "status", "status": 503}, (HTTPError,), 0),
    "502 although taken": ({"kind": "accept_then_status", "status": 502}, (HTTPError,), 1),
    "429": ({"kind": "429"}, (HTTPError,), 0),
    "413 in HTML": ({"kind": "html_413"}, (HTTPError,), 0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_as_the_network_would_and_the_store_knows_what_was_taken(name: str, sendgrid_sandbox: Sandbox):
    fault, raised, taken = FAULTS[name]
    address = f"{name.replace(' ', '-').lower()}@fault.example"
    sendgrid_sandbox.http.put("/sandbox/faults", json=[{"on": "mail/send", **fault}]).raise_for_status()
    client = sendgrid.SendGridAPIClient(API_KEY, host=sendgrid_sandbox.url).client
    with pytest.raises(raised):
        client.mail.send.post(request_body=mail(address), timeout=1 if "hang" in name else 20)
    until(lambda: len(sendgrid_sandbox.messages(to=address)) == taken)
    assert client.mail.send.post(request_body=mail(f"again-{address}"), timeout=10).status_code == 202
    [told] = sendgrid_sandbox.http.get("/sandbox/faults").json()
    assert told["injected"] == 1


def test_a_fault_waits_strikes_every_third_and_stops(send: Callable, sendgrid_sandbox: Sandbox):
    fault = {"on": "mail/send", "kind": "status", "status": 500, "after": 1, "every": 3, "times": 2}
    sendgrid_sandbox.http.put("/sandbox/faults", json=[fault])
    answers = [send(mail(f"turn{number}@fault.example")).status_code for number in range(11)]
    assert answers == [202, 202, 202, 500, 202, 202, 500, 202, 202, 202, 202]
    assert sendgrid_sandbox.http.put("/sandbox/faults", json=[{"on": "a", "kind": "meteor"}]).status_code == 400
    sendgrid_sandbox.http.put("/sandbox/faults", json=[])


def test_a_silent_request_leaves_no_event_and_no_log(send: Callable, sendgrid_sandbox: Sandbox):
    sendgrid_sandbox.http.put("/sandbox/faults", json=[{"on": "mail/send", "kind": "silent"}])
    assert send(mail("silent@fault.example")).status_code == 202
    sendgrid_sandbox.move_clock(MORNING)
    found = sendgrid_sandbox.http.post("/v3/logs", json={"query": "to_email='silent@fault.example'"}).json()
    assert found == {"messages": []}
    sendgrid_sandbox.http.put("/sandbox/faults", json=[])


def test_what_was_answered_with_202_survives_a_kill(tmp_path: Path):
    with sandbox(tmp_path) as first:
        first.move_clock(MORNING)
        assert first.http.post("/v3/mail/send", json=mail("kept@b.example")).status_code == 202
        first.stop(signal.SIGKILL)
    with sandbox(tmp_path) as second:
        assert [message["to"] for message in second.messages()] == ["kept@b.example"]
        assert second.http.get("/sandbox/clock").json()["at"] == "2026-09-01T00:00:00Z"
        assert second.move_clock("2026-09-02T09:00:00+09:00")["released"] > 0
    assert (tmp_path / "webhook-key.pem").stat().st_mode & 0o777 == 0o600


def test_a_person_reads_the_mail_as_its_recipient_sees_it(send: Callable, sendgrid_sandbox: Sandbox):
    http = sendgrid_sandbox.http
    send(mail("reader@read.example"))
    [message] = sendgrid_sandbox.messages(to="reader@read.example")
    listed = http.get("/mailbox", params={"product": "cloud_backup", "domain": "read.example"})
    assert "reader@read.example" in listed.text
    assert "山田1 &lt;様&gt; 物流業の事例" in listed.text
    assert "reader@read.example" in http.post("/mailbox", data={"q": "READER@"}).text
    assert "reader@read.example" not in http.post("/mailbox", data={"q": "100%"}).text
    page = http.get(f"/mailbox/{message['message_no']}").text
    assert "配信停止: https://mail.example/u/token1" in page
    assert "List-Unsubscribe-Post" in page
    assert 'sandbox="allow-popups' in page
    html = http.get(f"/mailbox/{message['message_no']}/html")
    assert "<p>山田1 &lt;様&gt;</p>" in html.text
    assert "sandbox" in html.headers["content-security-policy"]
    assert http.get("/mailbox/999999").status_code == 404
