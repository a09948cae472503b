"""Proofreading: what must not leave in a mail is found, with its file, its line and its mend."""

import pytest
from mails import sample, with_email

from nurture.definitions.products import Product
from nurture.proofread import proofread
from nurture.proofread.letters import is_safe

LAWFUL = (
    "{{ product.sender.name }} {{ product.sender.postal_address }} {{ product.sender.complaint_contact }} "
    '<a href="{{ lead.unsubscribe_url }}">配信停止</a>'
)


HEAD = "mjml:1: "


def told(product: Product) -> list[str]:
    return [str(finding) for finding in proofread(product, "trial")]


def test_a_lawful_mail_has_nothing_to_be_told():
    assert told(with_email(LAWFUL)) == []


@pytest.mark.parametrize("product", ["cloud_backup", "shift_planner"])
def test_the_sample_mails_have_nothing_to_be_told(product: str):
    assert {email: proofread(sample(product), email) for email in sample(product).emails} == {
        email: [] for email in sample(product).emails
    }


# The law.


@pytest.mark.parametrize(
    ("taken", "finding"),
    [
        ("{{ product.sender.name }}", "mjml: the law asks for the sender's name"),
        ("{{ product.sender.postal_address }}", "mjml: the law asks for the postal address"),
        ("{{ product.sender.complaint_contact }}", "mjml: the law asks for the contact"),
        ("{{ lead.unsubscribe_url }}", "mjml: the law asks for a way to refuse"),
        ("配信停止", "mjml: the law asks for the notice that one may refuse"),
    ],
)
def test_each_part_that_the_law_asks_for_is_missed(taken: str, finding: str):
    lawless = told(with_email(LAWFUL.replace(taken, "")))
    assert any(line.startswith(finding) for line in lawless), lawless
    hidden = told(with_email(f'<div style="display: none">{LAWFUL}</div>'))
    assert [line for line in hidden if line.startswith("mjml: the law")] != []


def test_the_text_part_is_lawful_too():
    found = told(with_email(LAWFUL, text="本文だけ"))
    assert len(found) == 5
    assert all(line.startswith("txt: the law asks for") for line in found)


# Names.


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ("{{ lead.nmae }}", "mjml:1: unknown value lead.nmae: did you mean 'name'?"),
        ("{{ prodct.name }}", "mjml:1: unknown name 'prodct': did you mean 'product'?"),
        ("{{ product.sender.nmae }}", "mjml:1: unknown name product.sender.nmae: did you mean 'name'?"),
        ("{% if shown.offers %}x{% endif %}", "mjml:1: unknown block shown.offers: did you mean 'offer'?"),
        ("{{ lead.name|uper }}", "mjml:1: unknown filter 'uper': did you mean 'upper'?"),
        ("{% import 'piece.mjml' as p %}", "mjml:1: there is no layout/piece.mjml: did you mean 'pieces.mjml'?"),
        ("{% import 'pieces.mjml' as p with context %}{{ p.buton('x', '/') }}",
         "mjml:1: unknown piece p.buton: did you mean 'button'?"),
        ("{% import 'pieces.mjml' as p with context %}{{ p.button() }}", "layout/pieces.mjml:"),
        ("{{ lead.name|upper }}", "mjml: a lead's value is printed as it is"),
        ("{% if lead.company %}x{% endif %}", "mjml:1: lead.company is not known while the email"),
        ("{% if lead.company == 'x' %}x{% endif %}", "mjml:1: lead.company is not known"),
        ("{{ product.__class__.__mro__ }}", "mjml:1: "),
        ("{% include 'secret' %}", "mjml:1: there is no layout/secret"),
        ("{% endfor %}", "mjml:1: Encountered unknown tag 'endfor'"),
        ("{{ 'a' + 1 }}", "mjml:1: "),
        ("</mj-text>", "mjml: not readable as MJML"),
        ('<a href="https://a.example/?n={{ lead.name|url }}">x</a>', "mjml: a lead's name or company"),
        ("<mj-buton>x</mj-buton>", "mjml:1: unknown element <mj-buton>: did you mean '<mj-button>'?"),
        ('<mj-button colr="red" href="https://a.example/">x</mj-button>',
         "mjml:1: unknown attribute 'colr': did you mean 'color'?"),
        ("<mj-button>x</mj-button>", "mjml: <mj-button> is no element of MJML, or none in the place where it stands"),
        ('<mj-include path="x.mjml" />', "mjml:1: MJML's own <mj-include> reads no file here"),
        ('<img src="https://a.example/a.png" />', "mjml:1: an image needs alt"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_gives_is_found(words: str, finding: str):
    found = told(with_email(LAWFUL + words + "{% if shown.offer %}x{% endif %}", blocks=["offer"]))
    assert any(line.startswith(finding) for line in found), found


def test_every_unknown_name_of_a_mail_is_found_in_one_reading():
    found = told(
        with_email("{{ lead.nmae }}\n{{ lead.compny }}\n<mj-txt>{{ prodct }}</mj-txt>", text="{{ lead.tokn }}")
    )
    assert sorted(line.partition(": ")[0] for line in found) == ["mjml:1", "mjml:2", "mjml:3", "mjml:3", "txt:1"]


def test_what_is_wrong_with_the_layout_is_told_of_the_layouts_file():
    product = sample("cloud_backup")
    layout = {**product.layout, "mail.mjml": product.layout["mail.mjml"].replace("<mj-title>", "<mj-titel>", 1)}
    broken = product.model_copy(update={"layout": layout})
    line = layout["mail.mjml"][: layout["mail.mjml"].index("<mj-titel>")].count("\n") + 1
    assert str(proofread(broken, "restore_drill")[0]) == (
        f"layout/mail.mjml:{line}: unknown element <mj-titel>: did you mean '<mj-title>'?"
    )


def test_a_block_that_the_frame_lacks_would_be_lost_and_is_told():
    found = told(with_email("", mjml='{% extends "mail.mjml" %}\n{% block boddy %}{% endblock %}'))
    assert "mjml:2: layout/mail.mjml has no block 'boddy': did you mean 'body'?" in found


def test_a_content_block_that_nothing_shows_is_told_at_its_line():
    finding = proofread(with_email(LAWFUL, blocks=["offer"]), "trial")[0]
    assert (finding.part, finding.path) == ("yaml", ("blocks", 0, "block"))
    assert finding.message.startswith("nothing shows the block 'offer'")


def test_a_variant_is_proofread_as_the_mail_is():
    found = told(with_email("{% if not shown.short %}" + LAWFUL + "{% endif %}", blocks=["short"]))
    assert any(line.endswith("(where it shows short)") for line in found), found


# Links.


@pytest.mark.parametrize(
    ("href", "finding"),
    [
        ("http://a.example/x", "warning: the link 'http://a.example/x' is not encrypted"),
        ("http://localhost:8080/x", "the link 'http://localhost:8080/x' leads to localhost"),
        ("https://192.168.0.1/x", "the link 'https://192.168.0.1/x' leads to 192.168.0.1"),
        ("https://a.example/a b", "the link 'https://a.example/a b' has a space in it: write %20"),
        ("www.a.example/x", "the link 'www.a.example/x' has no scheme: write https://www.a.example/x"),
        ("//a.example/x", "the link '//a.example/x' has no scheme"),
        ("/pricing", "the link '/pricing' names no site: write it in full, or `site` in product.yaml"),
        ("javascript:alert(1)", "the link 'javascript:alert(1)' has the scheme javascript:"),
        ("#", "the link '#' leads nowhere"),
        ("", "the link '' leads nowhere"),
        ("mailto:soudan", "the link 'mailto:soudan' names no address"),
        ("https://a.example/事例", "warning: the link 'https://a.example/事例' has letters"),
        ("https://a.example/x", None),
        ("mailto:soudan@a.example?subject=x", None),
        ("tel:+81300000000", None),
    ],
)
def test_a_link_that_leads_nowhere_is_found_by_its_pattern(href: str, finding: str | None):
    found = told(with_email(f'{LAWFUL}\n\n<a href="{href}">x</a>', text=LAWFUL))
    if finding is None:
        assert found == []
    else:
        assert found[0].partition(": ")[2].startswith(finding)
        assert found[0].startswith("mjml:3: ") or len(href) < 2


def test_a_link_that_a_piece_makes_is_found_where_its_path_is_written():
    product = sample("cloud_backup")
    template = product.emails["restore_drill"]
    broken = template.model_copy(update={"mjml": template.mjml.replace("/blog/restore-drill", "/blog/restore drill")})
    found = proofread(product.model_copy(update={"emails": {"restore_drill": broken}}), "restore_drill")
    line = template.mjml[: template.mjml.index("/blog/restore-drill")].count("\n") + 1
    assert [(finding.part, finding.line) for finding in found] == [("mjml", line)]


def test_an_image_of_another_place_than_the_web_is_found():
    found = told(with_email(LAWFUL + '<img src="a.png" alt="" /><img src="data:image/png;base64,AA" alt="" />'))
    assert [line.split(" ", 1)[1].split(" ", 3)[:2] for line in found] == [["the", "image"]] * 2


# Letters.


@pytest.mark.parametrize("letter", list("①㈱髙﨑Ⅰ㎡é—•ｱ😀℡㍻"))
def test_a_letter_outside_jis_x_0208_is_not_safe(letter: str):
    assert not is_safe(letter)


@pytest.mark.parametrize("letter", list("aあ漢ヶ々〜～−－―…“’・｜〒※■▼→ー（）&　№"[:-1]))
def test_a_letter_of_jis_x_0208_is_safe_in_either_mapping(letter: str):
    assert is_safe(letter)


def test_an_unsafe_letter_is_a_warning_with_its_line_and_what_to_write():
    found = told(with_email(LAWFUL + "\n① ㈱見本の髙橋", subject="１件目①", text=LAWFUL))
    assert found == [
        "subject:1: warning: an older Japanese mail reader shows 〓, ? or another letter for '①' (not in JIS X 0208): "
        "write ① → (1)",
        "mjml:2: warning: an older Japanese mail reader shows 〓, ? or another letter for '①㈱髙' (not in JIS X 0208): "
        "write ① → (1), ㈱ → (株), 髙 → 高",
    ]


def test_an_english_mail_may_have_letters_of_its_own():
    assert told(with_email(LAWFUL + "Café — naïve", text=LAWFUL, language="en")) == []


# Form.


@pytest.mark.parametrize(
    ("subject", "finding"),
    [
        ("一行目\n二行目", "subject:2: a subject is one line"),
        ("長" * 41, "subject:1: warning: 41 full-width characters"),
        ("", "subject: the subject is empty"),
        ("{{ lead.nam }}", "subject:1: unknown value lead.nam: did you mean 'name'?"),
    ],
)
def test_a_subject_is_one_short_line(subject: str, finding: str):
    found = told(with_email(LAWFUL, subject=subject))
    assert any(line.startswith(finding) for line in found), found


def test_a_long_mail_is_in_order_and_a_long_line_of_its_text_is_not():
    fits = "あ" * 30_000
    assert told(with_email(LAWFUL + fits, text=LAWFUL)) == []
    found = told(with_email(LAWFUL + fits, text=LAWFUL + "x" * 999))
    assert [line.partition(" is longer")[0] for line in found] == ["txt: line 1 of the rendered text"]


def test_a_mail_that_its_links_make_too_big_is_told():
    found = told(with_email(LAWFUL + "あ" * 30_000 + '<a href="https://a.example/">x</a>' * 40, text=LAWFUL))
    assert [line.split(":")[0] for line in found] == ["mjml"]
    assert "kB of HTML with its tracked links: Gmail hides what comes after 102 kB" in found[0]


def test_a_mail_without_a_preheader_is_a_warning():
    mjml = (
        f"<mjml><mj-body><mj-section><mj-column><mj-text>{LAWFUL}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert [line.partition(",")[0] for line in told(with_email("", mjml=mjml))] == ["mjml: warning: no preheader"]


# Selling.


@pytest.mark.parametrize(("mail_type", "count"), [("know_how", 1), ("product_news", 0)])
def test_a_know_how_mail_that_sells_is_a_warning_by_the_marketers_own_words(mail_type: str, count: int):
    product = with_email(f"{LAWFUL}\nいまだけ 割引です。", text=LAWFUL)
    entry = product.plan[0].model_copy(update={"email": "trial", "mail_type": mail_type})
    product = product.model_copy(update={"plan": [entry], "selling_words": ("割引", "今だけ")})
    found = told(product)
    assert (
        found
        == [
            "mjml:2: warning: a know-how mail does not sell (R-001-13), and '割引' does: say it in another mail, "
            "or take it off selling_words in company.yaml"
        ][:count]
    )
