"""Live: what would keep a mail from leaving, arriving or being refused is said in a line each, with its mend."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from builders import NOON, Provider, company, crowd, product, rows
from fastapi import FastAPI, Response
from loopback import API_KEY, free_port, serving
from name_server import name_server
from typer.testing import CliRunner

from nurture import live, one_click, pipeline, receiver
from nurture.answers import Refused
from nurture.cli.main import app
from nurture.definitions.load import Loaded
from nurture.dispatch import Links
from nurture.sandbox.app import Settings, create_app
from nurture.sandbox.senders import authentication
from nurture.sandbox.sendgrid_api import Account
from nurture.sendgrid import SendGrid

KEY = b"token-key"
DOMAIN = "mail.aozora.example"
SENDER = f"news@{DOMAIN}"
RECORDS = {
    f"em7.{DOMAIN}": ["-> u7.wl.sendgrid.net"],
    "u7.wl.sendgrid.net": ["v=spf1 ip4:192.0.2.1 -all"],
    f"s1._domainkey.{DOMAIN}": ["-> s1.domainkey.u7.wl.sendgrid.net"],
    f"s2._domainkey.{DOMAIN}": ["-> s2.domainkey.u7.wl.sendgrid.net"],
    "s1.domainkey.u7.wl.sendgrid.net": ["k=rsa; t=s; p=" + "MIGf" * 80],
    "s2.domainkey.u7.wl.sendgrid.net": ["k=rsa; t=s; p=MIGf"],
    "_dmarc.aozora.example": ["v=DMARC1; p=none; rua=mailto:dmarc@aozora.example"],
}


class Says:
    """An account that says what a test wants."""

    def __init__(self, scopes: Any = tuple(live.SCOPES), domains: Any = (), senders: Any = ()) -> None:
        self.said = {"scopes": scopes, "domains": domains, "senders": senders}

    def _say(self, what: str) -> Any:
        if isinstance(self.said[what], Exception):
            raise self.said[what]
        return list(self.said[what])

    def scopes(self) -> list[str]:
        return self._say("scopes")

    def authenticated_domains(self, domain: str) -> list[dict[str, Any]]:
        return self._say("domains")

    def verified_senders(self) -> list[dict[str, Any]]:
        return self._say("senders")


@pytest.fixture(scope="module")
def sendgrid_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("sandbox")
    account = Account(API_KEY, frozenset({DOMAIN}))
    with serving(create_app(Settings(home, is_at_rest=True, account=account))) as url:
        yield url


@pytest.fixture
def links(dsn: str) -> Iterator[Links]:
    with serving(receiver.create_app(dsn, token_key=KEY)) as url:
        yield Links(url, KEY)


def looked(account: live.Account, links: Links, records: dict[str, list[str]] = RECORDS) -> list[live.Finding]:
    with name_server(records) as place:
        return list(live.check(account, [SENDER], links, live.resolver_at(place)))


def failures(found: list[live.Finding]) -> list[str]:
    assert all(finding.is_well or finding.mend for finding in found)
    return [f"{finding.what}: {finding.words}" for finding in found if not finding.is_well]


def test_when_all_is_well_every_finding_says_so(sendgrid_url: str, links: Links):
    found = looked(SendGrid(API_KEY, sendgrid_url), links)
    assert failures(found) == []
    assert [finding.what for finding in found] == [
        "SendGrid key", f"sender {SENDER}", f"SPF of {DOMAIN}", f"DKIM of {DOMAIN}", f"DKIM of {DOMAIN}",
        f"DMARC of {DOMAIN}", "receiver", "one-click URL",
    ]  # fmt: skip


def test_a_wrong_key_is_told_and_the_rest_is_looked_at_all_the_same(sendgrid_url: str, links: Links):
    found = looked(SendGrid("SG.wrong.key", sendgrid_url), links)
    assert [line.partition(":")[0] for line in failures(found)] == [
        "SendGrid key", f"sender {SENDER}", f"SPF and DKIM of {DOMAIN}",
    ]  # fmt: skip
    assert "401" in failures(found)[0]


def test_a_scope_that_the_key_lacks_is_named_with_what_it_is_for(links: Links):
    scopes = [scope for scope in live.SCOPES if scope != "messages.read"]
    found = failures(looked(Says(scopes, [authentication(1, DOMAIN)]), links))
    assert found == ["SendGrid key: lacks messages.read: messages without an answer are settled by it"]


AUTHENTICATED = authentication(1, DOMAIN)
SENDERS: dict[str, tuple[Says, list[str]]] = {
    "a single sender": (
        Says(senders=[{"from_email": SENDER.upper(), "verified": True}]), [f"SPF and DKIM of {DOMAIN}"],
    ),
    "not verified yet": (
        Says(senders=[{"from_email": SENDER, "verified": False}]), [f"sender {SENDER}", f"SPF and DKIM of {DOMAIN}"],
    ),
    "not validated yet": (Says(domains=[{**AUTHENTICATED, "valid": False}]), [f"sender {SENDER}"]),
    "another domain": (
        Says(domains=[{**AUTHENTICATED, "domain": "aozora.example"}]),
        [f"sender {SENDER}", f"SPF and DKIM of {DOMAIN}"],
    ),
    "one of two is valid": (Says(domains=[{**AUTHENTICATED, "valid": False}, AUTHENTICATED]), []),
    "nobody knows": (Says(domains=Refused("SendGrid says 403")), [f"sender {SENDER}", f"SPF and DKIM of {DOMAIN}"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SENDERS)
def test_a_sender_is_verified_or_of_an_authenticated_domain(case: str, links: Links):
    account, expected = SENDERS[case]
    assert [line.partition(":")[0] for line in failures(looked(account, links))] == expected


DNS: dict[str, tuple[dict[str, list[str]], str]] = {
    "no SPF": ({f"em7.{DOMAIN}": []}, f"SPF of {DOMAIN}: em7.{DOMAIN} has no text with v=spf1"),
    "SPF twice": (
        {"u7.wl.sendgrid.net": ["v=spf1 -all", "v=spf1 ~all"]},
        f"SPF of {DOMAIN}: em7.{DOMAIN} has 2 of them, so none counts",
    ),
    "DKIM revoked": (
        {"s1.domainkey.u7.wl.sendgrid.net": ["k=rsa; p="]},
        f"DKIM of {DOMAIN}: the key at s1._domainkey.{DOMAIN} is empty, that is revoked",
    ),
    "no DMARC": ({"_dmarc.aozora.example": []}, f"DMARC of {DOMAIN}: there is no _dmarc.{DOMAIN}"),
    "DMARC without a policy": (
        {"_dmarc.aozora.example": ["v=DMARC1; rua=mailto:a@aozora.example"]},
        f"DMARC of {DOMAIN}: _dmarc.aozora.example says no policy",
    ),
    "the domain's own DMARC goes before": (
        {f"_dmarc.{DOMAIN}": ["v=DMARC1; p=maybe"]}, f"DMARC of {DOMAIN}: _dmarc.{DOMAIN} says no policy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DNS)
def test_the_domains_records_are_looked_up(case: str, links: Links):
    changed, expected = DNS[case]
    assert failures(looked(Says(domains=[AUTHENTICATED]), links, {**RECORDS, **changed})) == [expected]


def test_a_record_that_is_missing_is_told_as_it_has_to_be_set(links: Links):
    found = looked(Says(domains=[AUTHENTICATED]), links, {**RECORDS, f"s2._domainkey.{DOMAIN}": []})
    [failed] = [finding for finding in found if not finding.is_well]
    assert failed.mend == f"Set in DNS: s2._domainkey.{DOMAIN} CNAME s2.domainkey.u7.wl.sendgrid.net"


def test_a_receiver_that_does_not_answer_or_has_another_key_is_told(links: Links):
    closed = Links(f"http://127.0.0.1:{free_port()}", KEY)
    words = [line.partition(":")[0] for line in failures(looked(Says(domains=[AUTHENTICATED]), closed))]
    assert words == ["receiver", "one-click URL"]
    found = failures(looked(Says(domains=[AUTHENTICATED]), Links(links.receiver_url, b"another")))
    assert found == [
        "one-click URL: the one-click URL knows no token of this key (404): receiver and dispatch have different token "
        "keys"
    ]


def test_a_url_that_redirects_or_is_somebody_elses_takes_no_refusal():
    other = FastAPI()
    other.post("/moved/u/{token}")(lambda: Response(status_code=307, headers={"Location": "/u/x"}))
    other.post("/other/u/{token}")(lambda: {"status": "something else"})
    with serving(other) as url:
        assert "redirects (307)" in (one_click.trouble(Links(f"{url}/moved", KEY)) or "")
        assert "answers 200, and not as the receiver does" in (one_click.trouble(Links(f"{url}/other", KEY)) or "")


def test_without_a_working_one_click_url_no_mail_leaves_until_it_works_again(conn: sa.Connection, links: Links):
    crowd(conn, 3)
    provider = Provider()
    loaded = Loaded(company=company(), products={"backup": product()})

    def sent(links: Links) -> dict[str, int]:
        account: Any = type("Account", (), {"send": staticmethod(provider)})
        edges = pipeline.Edges(account, account, links, "", str, one_click.trouble)
        return pipeline.send(pipeline.Work(conn, loaded, {}, edges, NOON, NOON, name="backup"))

    counts = sent(Links(f"http://127.0.0.1:{free_port()}", KEY))
    assert (counts["accepted"], counts["not_now"]) == (0, 3)
    assert rows(conn, "select reason, ended_at is null from holds") == [("no one-click", True)]
    assert rows(conn, "select count(*) from alerts where ended_at is null") == [(1,)]
    assert sent(links)["accepted"] == 3
    assert len(provider.posted) == 3
    assert rows(conn, "select ended_by from holds") == [("the one-click URL works again",)]
    assert rows(conn, "select count(*) from alerts where ended_at is null") == [(0,)]
    assert rows(conn, "select count(*) from raw_events") == [(0,)]


def test_the_command_prints_a_line_a_finding_and_exits_1_when_one_fails(
    sendgrid_url: str, links: Links, dsn: str, monkeypatch: pytest.MonkeyPatch
):
    told = {
        "NURTURE_DSN": dsn, "NURTURE_RECEIVER_URL": links.receiver_url, "NURTURE_TOKEN_KEY": KEY.decode(),
        "SENDGRID_HOST": sendgrid_url, "SENDGRID_API_KEY": API_KEY,
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with name_server({}) as place:
        shown = CliRunner().invoke(app, ["check", "cloud_backup", "--live", "--resolver", place])
        printed = CliRunner().invoke(app, ["check", "cloud_backup", "--live", "--resolver", place, "--json"])
    assert (shown.exit_code, printed.exit_code) == (1, 1)
    assert "ok  one-click URL: takes a refusal" in shown.output
    found = json.loads(printed.stdout)
    assert {"what": "one-click URL", "is_well": True, "words": "takes a refusal", "mend": ""} in found
    assert any(finding["what"].startswith("sender ") and not finding["is_well"] for finding in found)


def test_a_resolver_that_is_no_address_is_a_problem_in_one_line():
    with pytest.raises(live.Problem, match="no DNS server"):
        live.resolver_at("nowhere:dns")


def test_the_sandbox_answers_as_sendgrid_describes_an_authenticated_domain(sendgrid_url: str):
    account = SendGrid(API_KEY, sendgrid_url)
    [found] = account.authenticated_domains(DOMAIN)
    assert (found["domain"], found["valid"], set(found["dns"])) == (DOMAIN, True, {"mail_cname", "dkim1", "dkim2"})
    assert account.authenticated_domains("other.example") == []
    assert account.verified_senders() == []
    assert set(account.scopes()) >= set(live.SCOPES)
