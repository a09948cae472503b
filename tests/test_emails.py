"""Emails: rendered once a batch, safe for any value, lawful, and the same words for ever."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from mails import sample, with_email

from nurture.emails import FIXED_MARK, Rendered, distinct, fill, new_mark, render, substitutions
from nurture.problem import Problem

GOLDEN = Path(__file__).parent / "golden"
YAMADA = {
    "name": "山田 太郎", "company": "株式会社見本", "token": "T0KEN.signed",
    "unsubscribe_url": "https://mail.example/u/T0KEN.signed?a=1&b=2",
}  # fmt: skip
SAMPLES = [
    ("cloud_backup", email)
    for email in ("case_logistics", "design_guide", "immutable_storage", "restore_drill", "seminar_invitation")
] + [
    ("shift_planner", email)
    for email in ("case_retail", "fair_shifts", "live_demonstration", "shift_swap", "time_sheet")
]


class Links(HTMLParser):
    """The links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href" and value]


@pytest.mark.parametrize(("product", "email"), SAMPLES)
def test_a_sample_mail_reads_as_it_did_in_every_variant(product: str, email: str):
    """Set UPDATE_GOLDEN=1 to write what is rendered now; then look at it."""
    variants = distinct(sample(product), email)
    files = {
        f"{'.'.join((email, *shown))}{suffix}": content
        for shown, rendered in variants.items()
        for mail in (fill(rendered, YAMADA),)
        for suffix, content in ((".html", mail.html), (".txt", f"{mail.subject}\n\n{mail.text}"))
    }
    kept = {file.name for file in (GOLDEN / product).glob(f"{email}.*")}
    assert os.environ.get("UPDATE_GOLDEN") or kept == set(files)
    for name, content in files.items():
        golden = GOLDEN / product / name
        if os.environ.get("UPDATE_GOLDEN"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(content, "utf-8")
        assert content == golden.read_text("utf-8")


@pytest.mark.parametrize(("product", "email"), SAMPLES)
def test_a_sample_mail_has_every_blank_filled(product: str, email: str):
    rendered = render(sample(product), email, new_mark())
    mail = fill(rendered, YAMADA)
    for part in (mail.subject, mail.html, mail.text):
        assert rendered.mark not in part
        assert "{{" not in part
        assert "{%" not in part
    assert "山田 太郎 様" in mail.html
    assert "山田 太郎 様" in mail.text


@pytest.mark.parametrize(("product", "email"), SAMPLES)
def test_links_of_a_sample_mail_carry_the_message_and_the_way_out_does_not(product: str, email: str):
    definition = sample(product)
    mail = fill(render(definition, email), YAMADA)
    own = [href for href in Links(mail.html).hrefs if href.startswith(definition.site)]
    in_text = re.findall(re.escape(definition.site) + r"\S+", mail.text)
    assert len(own) == 1, "one clear call to action"
    for link in own + in_text:
        assert parse_qs(urlsplit(link).query) == {
            "utm_source": ["nurture"], "utm_medium": ["email"], "utm_campaign": [product], "utm_content": [email],
            "nt": ["T0KEN.signed"],
        }  # fmt: skip
    assert own == in_text
    assert YAMADA["unsubscribe_url"] in Links(mail.html).hrefs
    assert YAMADA["unsubscribe_url"] in mail.text


def test_a_lead_is_addressed_by_company_and_name_on_lines_of_their_own():
    mail = fill(render(sample("cloud_backup"), "restore_drill"), YAMADA)
    assert mail.text.startswith("株式会社見本 山田 太郎 様\n")
    assert "株式会社見本<br />山田 太郎 様" in mail.html


def test_a_lead_without_a_name_is_addressed_all_the_same():
    mail = fill(render(sample("cloud_backup"), "restore_drill"), {**YAMADA, "name": None, "company": None})
    assert mail.text.startswith("ご担当者様\n")
    assert ">ご担当者様<" in mail.html


@pytest.mark.parametrize(
    ("language", "name", "company", "read"),
    [("ja", "山田 太郎", "株式会社見本", "山田 太郎 様/株式会社見本/株式会社見本 山田 太郎 様"),
     ("ja", None, None, "ご担当者様/貴社/ご担当者様"), ("ja", " ", "", "ご担当者様/貴社/ご担当者様"),
     ("en", "Jane Smith", "Example Inc.", "Jane Smith/Example Inc./Example Inc. Jane Smith"),
     ("en", None, None, "there/your company/there")],
)  # fmt: skip
def test_what_is_not_known_of_a_lead_has_words_in_the_mails_language(
    language: str, name: str | None, company: str | None, read: str
):
    product = with_email("x", text="{{ lead.name }}/{{ lead.company }}/{{ lead.addressee }}", language=language)
    assert fill(render(product, "trial"), {**YAMADA, "name": name, "company": company}).text == read + "\n"


def test_an_english_mail_has_its_greeting_and_its_legal_part_in_english():
    mjml = '{% extends "mail.mjml" %}{% block preheader %}x{% endblock %}{% block body %}{% endblock %}'
    product = with_email(
        "", text='{% extends "mail.txt" %}{% block body %}Words.{% endblock %}', language="en", mjml=mjml
    )
    mail = fill(render(product, "trial"), {**YAMADA, "name": "Jane Smith"})
    assert mail.text.startswith("Hello Jane Smith,\n\nWords.\n")
    assert "Hello Jane Smith," in mail.html
    assert 'lang="en"' in mail.html
    for part in (mail.html, mail.text):
        assert "Unsubscribe" in part
        assert "配信" not in part


def test_a_content_block_is_shown_to_its_variant_alone():
    words = "{% if shown.a %}AAA{% else %}not a{% endif %}{% if shown.b %}BBB{% endif %}"
    product = with_email(words, blocks=["a", "b"])
    assert {shown: [word for word in ("AAA", "not a", "BBB") if word in mail.html]
            for shown, mail in distinct(product, "trial").items()} == {
        (): ["not a"], ("a",): ["AAA"], ("b",): ["not a", "BBB"], ("a", "b"): ["AAA", "BBB"],
    }  # fmt: skip


def test_variants_that_read_the_same_are_one():
    product = with_email("{% if shown.a %}AAA{% elif shown.b %}BBB{% endif %}", blocks=["a", "b"])
    assert list(distinct(product, "trial")) == [(), ("a",), ("b",)]


def test_a_value_is_escaped_for_the_place_in_which_it_stands():
    hostile = "<script>alert(\"1\")</script>\r\nBcc: all@customer.example & 'co'"
    everywhere = "-m_company_raw- -m_company_html- -m_company_url-"
    forms = substitutions(Rendered(everywhere, "", "", "m"), {**YAMADA, "company": hostile})
    assert forms["-m_company_raw-"] == "<script>alert(\"1\")</script> Bcc: all@customer.example & 'co'"
    assert forms["-m_company_html-"] == (
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; Bcc: all@customer.example &amp; &#x27;co&#x27;"
    )
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", forms["-m_company_url-"])
    product = with_email("{{ lead.company }}", subject="{{ lead.company }}の皆様へ", text="{{ lead.company }}")
    mail = fill(render(product, "trial"), {**YAMADA, "company": hostile})
    assert "<script>" not in mail.html
    assert "\n" not in mail.subject
    assert "\r" not in mail.subject


@pytest.mark.parametrize("separator", ["\r", "\n", "\x85", "\u2028", "\x00", "\x0b"])
def test_nothing_that_ends_a_line_passes_into_a_subject(separator: str):
    forms = substitutions(Rendered("-m_name_raw-", "", "", "m"), {**YAMADA, "name": f"山田{separator}太郎"})
    assert forms["-m_name_raw-"] == "山田 太郎 様"


def test_a_value_that_looks_like_a_tag_stays_what_it_is():
    rendered = render(sample("cloud_backup"), "restore_drill")
    mail = fill(rendered, {**YAMADA, "company": f"-{FIXED_MARK}_token_raw-"})
    assert f"-{FIXED_MARK}_token_raw-" in mail.text


def test_only_the_tags_that_stand_in_a_mail_need_values():
    rendered = render(sample("cloud_backup"), "restore_drill", "k3f9")
    assert set(substitutions(rendered, YAMADA)) == set(rendered.tags) == {
        "-k3f9_addressee_raw-", "-k3f9_addressee_html-", "-k3f9_token_url-", "-k3f9_unsubscribe_url_raw-",
        "-k3f9_unsubscribe_url_html-",
    }  # fmt: skip


def test_the_values_of_one_lead_fit_the_providers_10_000_bytes():
    long = {
        **YAMADA,
        "name": "髙" * 60,
        "company": "株" * 120,
        "unsubscribe_url": "https://mail.example/u/" + "t" * 200,
    }
    rendered = render(sample("cloud_backup"), "restore_drill")
    forms = substitutions(rendered, long)
    assert sum(len(tag.encode()) + len(value.encode()) for tag, value in forms.items()) < 9_000


def test_the_same_words_have_the_same_hash_whatever_the_mark():
    one = render(sample("cloud_backup"), "restore_drill", new_mark())
    other = render(sample("cloud_backup"), "restore_drill")
    assert one.hash() == other.hash() == other.with_mark(new_mark()).hash()
    assert one.with_mark(FIXED_MARK) == other
    changed = sample("cloud_backup").emails["restore_drill"].model_copy(update={"subject": "別の件名"})
    product = sample("cloud_backup").model_copy(update={"emails": {"restore_drill": changed}})
    assert render(product, "restore_drill").hash() != other.hash()


def test_links_to_other_sites_and_to_people_are_left_alone():
    product = with_email(
        '<a href="https://www.guide.example/?a=1&amp;b=2">x</a> '
        '<a href="mailto:soudan@aozora-systems.example">y</a> '
        '<a href="{{ product.site }}/case?plan=a&amp;utm_source=print#top">z</a>'
    )
    other, person, own = Links(render(product, "trial", "m").html).hrefs
    assert other == "https://www.guide.example/?a=1&b=2"
    assert person == "mailto:soudan@aozora-systems.example"
    assert own == (
        "https://www.aozora-systems.example/cloud_backup/case?plan=a&utm_source=print&utm_medium=email"
        "&utm_campaign=cloud_backup&utm_content=trial&nt=-m_token_url-#top"
    )


def test_a_text_is_derived_from_the_mjml_when_there_is_none():
    product = with_email('<p>{{ lead.name }}</p><p>本文 *です*</p><a href="{{ product.site }}/case">事例</a>')
    mail = fill(render(product, "trial"), YAMADA)
    assert "\n山田 太郎 様\n\n本文 " in mail.text
    assert "utm_content=trial&nt=T0KEN.signed" in mail.text
    assert FIXED_MARK not in mail.text


def test_a_derived_text_breaks_a_long_paragraph_at_its_sentences():
    product = with_email("長い文です。" * 100)
    text = render(product, "trial").text
    assert max(len(line.encode()) for line in text.splitlines()) < 998
    assert text.count("長い文です。") == 100


def test_a_derived_text_keeps_the_lines_of_a_list_below_their_item():
    product = with_email("<ol><li>回数<br />一年分を数えます。</li><li>割合</li></ol><ul><li>表<br />三か月</li></ul>")
    text = render(product, "trial").text
    assert "  1. 回数\n     一年分を数えます。\n  2. 割合\n\n  * 表\n    三か月\n" in text


def test_an_unknown_email_is_told_with_the_nearest():
    with pytest.raises(Problem, match="has no email 'restore_dril': did you mean 'restore_drill'"):
        render(sample("cloud_backup"), "restore_dril")


def test_a_rendered_mail_has_no_tags_of_another_batch():
    rendered = Rendered(subject="-a_name_raw-", html="-b_name_html-", text="", mark="a")
    assert set(rendered.tags) == {"-a_name_raw-"}
    assert rendered.with_mark("c").html == "-b_name_html-"
