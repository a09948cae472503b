"""Blocks: what a mail shows follows its lead's attributes when it is due; the batch is split, not the template."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from builders import DAY, NOON, Provider, insert, lead, message, product, rows
from sending import send

from nurture import blocks
from nurture.definitions.products import EmailTemplate, Product
from nurture.effect import reworded

MJML = """<mjml><mj-body><mj-section><mj-column><mj-text>
{% if shown.factory %}FACTORY{% endif %}{% if shown.boss %}BOSS{% endif %}{{ lead.name }}
</mj-text></mj-column></mj-section></mj-body></mjml>"""
BLOCKS = [
    {"block": "factory", "when": {"industry": "manufacturing"}},
    {"block": "boss", "when": {"any": [{"title": ["director", "executive"]}, {"segment": "everyone"}]}},
]


def with_terms(**terms: Any) -> Product:
    """Return the product whose email `thanks` has these terms."""
    made = product()
    thanks = EmailTemplate.model_validate({"email": "thanks", "subject": "件名", "mjml": MJML, "terms": terms})
    return made.model_copy(update={"emails": {**made.emails, "thanks": thanks}})


ASKED = with_terms(blocks=BLOCKS)


def shown(body: dict[str, Any]) -> tuple[list[str], list[int]]:
    """Return which blocks a request's mail shows, and to which messages."""
    html = body["content"][1]["value"]
    ids = [int(each["custom_args"]["message_id"]) for each in body["personalizations"]]
    return [block for block in ("FACTORY", "BOSS") if block in html], ids


def test_each_variant_is_a_batch_and_a_content_of_its_own(conn: sa.Connection):
    plain = [message(conn, lead(conn), occasion="plan/spring") for _ in range(2)]
    factory = message(conn, lead(conn, industry="manufacturing"))
    both = message(conn, lead(conn, industry="manufacturing", title_level="executive"))
    provider = Provider()
    assert send(conn, provider, asked=ASKED) == {"accepted": 4}
    found = [shown(body) for body in provider.bodies]
    assert sorted(found) == sorted([([], plain), (["FACTORY"], [factory]), (["FACTORY", "BOSS"], [both])])
    assert rows(conn, "select variant, count(distinct content_hash), count(*) from messages group by 1 order by 1") == [
        ("-", 1, 2), ("boss+factory", 1, 1), ("factory", 1, 1),
    ]  # fmt: skip
    assert send(conn, provider, asked=ASKED) == {}


def test_a_block_follows_what_is_known_when_the_mail_is_sent(conn: sa.Connection):
    person = lead(conn)
    made = message(conn, person)
    assert [variant.key for variant in blocks.choose(conn, ASKED, "thanks", NOON)] == ["-"]
    conn.execute(sa.text("update leads set industry = 'manufacturing'"))
    provider = Provider()
    send(conn, provider, asked=ASKED)
    assert [shown(body) for body in provider.bodies] == [(["FACTORY"], [made])]


def test_a_merged_leads_mail_shows_what_the_survivor_gets(conn: sa.Connection):
    survivor = lead(conn, industry="manufacturing")
    loser = lead(conn)
    message(conn, loser)
    conn.execute(sa.text("update leads set merged_into = :survivor where lead_id = :loser"),
                 {"survivor": survivor, "loser": loser})  # fmt: skip
    assert [variant.key for variant in blocks.choose(conn, ASKED, "thanks", NOON)] == ["factory"]


def test_a_segment_decides_a_block_as_any_condition_does(conn: sa.Connection):
    person = lead(conn)
    message(conn, person)
    insert(conn, "segment_members", lead_id=person, segment="everyone", joined_at=NOON - DAY)
    assert [variant.key for variant in blocks.choose(conn, ASKED, "thanks", NOON)] == ["boss"]
    assert blocks.reader(conn, ASKED, "thanks", person, NOON) == ("山田 太郎", "株式会社見本", ("boss",))
    assert blocks.reader(conn, ASKED, "thanks", person + 1, NOON) is None


def test_choosing_writes_to_no_message_and_forgets_the_email_before(conn: sa.Connection):
    message(conn, lead(conn))
    before = rows(conn, "select xmin::text, variant from messages")
    assert [variant.key for variant in blocks.choose(conn, ASKED, "thanks", NOON)] == ["-"]
    assert [variant.key for variant in blocks.choose(conn, ASKED, "case", NOON)] == [None]
    assert rows(conn, "select * from chosen") == []
    assert rows(conn, "select xmin::text, variant from messages") == before


def test_an_email_is_not_sent_after_its_last_day(conn: sa.Connection):
    asked = with_terms(blocks=BLOCKS, expires=date(2026, 11, 16))
    assert asked.emails["thanks"].terms.expires == NOON.date()
    message(conn, lead(conn), expires_at=NOON + 5 * DAY)
    message(conn, lead(conn), due_at=NOON + timedelta(hours=12), expires_at=NOON + 5 * DAY)
    assert send(conn, Provider(), asked=asked) == {"accepted": 1}
    assert send(conn, Provider(), NOON + DAY, asked=asked) == {"expired": 1}
    assert rows(conn, "select outcome, reason from decisions") == [("never", "the email has expired")]


def test_a_mail_is_reworded_when_a_variant_that_went_out_would_read_otherwise(conn: sa.Connection):
    def with_words(old: str, new: str) -> Product:
        thanks = ASKED.emails["thanks"]
        other = thanks.model_copy(update={"mjml": thanks.mjml.replace(old, new)})
        return ASKED.model_copy(update={"emails": {**ASKED.emails, "thanks": other}})

    assert reworded(conn, ASKED) == []
    for industry in ("manufacturing", "logistics"):
        message(conn, lead(conn, industry=industry), occasion=f"plan/{industry}")
    send(conn, Provider(), asked=ASKED)
    assert reworded(conn, ASKED) == []
    assert reworded(conn, with_words("FACTORY", "PLANT")) == ["thanks"]
    assert reworded(conn, with_words("BOSS", "CHIEF")) == []  # nobody was sent it
    assert reworded(conn, product()) == ["thanks"]  # it has no blocks any more
    message(conn, lead(conn), occasion="plan/again")
    send(conn, Provider(), asked=with_words("FACTORY{% endif %}", "FACTORY{% endif %}!"))
    assert reworded(conn, ASKED) == ["thanks"]
