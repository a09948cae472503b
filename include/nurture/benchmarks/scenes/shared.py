"""Shared: a mailbox or a number that several people have, or nobody: two people who look like one."""

from nurture.benchmarks.cast import FREEMAIL, Cast
from nurture.benchmarks.scenes.play import TWICE, another, beside, born, scene
from nurture.demo import words

_NOBODYS_MAIL = (
    "test@test.example", "aaa@aaa.example", "no@mail", "none@none.example", "dummy@example.com", "xxx@xxx.example",
    "fumei@fumei.example", "a@a.example", "noreply@example.com", "123@123.example", "不明", "なし", "-",
    "mail@mail.example",
)  # fmt: skip
_NOBODYS_PHONE = (
    "000-0000-0000", "03-0000-0000", "090-0000-0000", "0312345678", "090-1234-5678", "999-9999-9999", "00000000000",
    "0", "不明", "090-1111-1111", "080-9999-9999",
)  # fmt: skip


@scene
def successor(cast: Cast) -> None:
    """Play: a mailbox goes to somebody else, who is written in Latin letters or kana now and then: two people."""
    first = cast.person(mobile=cast.mobile())
    second = another(cast, first, email=first.email, mobile=cast.mobile())
    for _ in TWICE:
        cast.seen(first, "successor", style="kanji", email=first.email)
    cast.seen(second, "successor", style="kanji", email=first.email)
    cast.seen(second, "successor", style=cast.random.choice(("kanji", "kana", "romaji", "nospace")), email=first.email)


@scene
def successor_of_one_surname(cast: Cast) -> None:
    """Play: a surname's mailbox goes to a colleague of that surname: two people."""
    first = cast.person(mobile="")
    address = cast.mailbox(first, first.company, "{s}")
    second = another(cast, first, **beside(first, "美咲", "ミサキ"), email=address, mobile="")
    for who in (first, first, second, second):
        cast.seen(who, "successor_of_one_surname", style="kanji", email=address)


@scene
def family_mobile(cast: Cast) -> None:
    """Play: a couple that runs a shop has one mobile number: two people of one surname."""
    first = cast.person(cast.new_company(), mobile=cast.mobile())
    second = another(cast, first, **beside(first, "花江", "ハナエ"), mobile=first.mobile)
    for who in (first, first, second):
        cast.seen(who, "family_mobile", style="kanji", mobile=first.mobile)


@scene
def family_mailbox(cast: Cast) -> None:
    """Play: a couple has one private mailbox: two people of one surname."""
    address = f"mihon.family{cast.random.randrange(10**6)}@{FREEMAIL[1]}"
    first = cast.person(email=address, mobile="")
    second = another(cast, first, **beside(first, "花江", "ハナエ"), email=address, mobile="")
    for who in (first, first, second):
        cast.seen(who, "family_mailbox", style="kanji", email=address)


@scene
def rep_own_contact(cast: Cast) -> None:
    """Play: a rep enters the own mailbox and mobile number for the people met: eight people."""
    rep = f"rep{cast.random.randrange(10**6)}@jisha-mihon.example"
    mobile = cast.mobile()
    for _ in range(8):
        who = cast.person()
        cast.seen(who, "rep_own_contact", source="business_cards_cp932", email=rep, mobile=mobile)
        cast.seen(who, "rep_own_contact", email=who.email)


@scene
def rep_own_contact_twice(cast: Cast) -> None:
    """Play: a rep does so for two people only."""
    rep, mobile = f"rep{cast.random.randrange(10**6)}@jisha-mihon.example", cast.mobile()
    for _ in TWICE:
        cast.seen(cast.person(), "rep_own_contact_twice", source="business_cards_cp932", email=rep, mobile=mobile)


@scene
def placeholder_mail(cast: Cast) -> None:
    """Play: what people type who have no mailbox: two people a value, of one surname now and then."""
    address = cast.random.choice(_NOBODYS_MAIL)
    first = cast.person(mobile=cast.mobile())
    second = (
        cast.person(**beside(first, "一", "ハジメ"), mobile=cast.mobile())
        if cast.random.random() < 0.3
        else cast.person(mobile=cast.mobile())
    )
    for who in (first, second):
        cast.seen(who, "placeholder_mail", source="web_forms", email=address, phone=who.mobile, mobile=who.mobile)


@scene
def placeholder_phone(cast: Cast) -> None:
    """Play: what people type who give no number: two people a value."""
    number = cast.random.choice(_NOBODYS_PHONE)
    for _ in TWICE:
        who = cast.person(mobile="")
        cast.seen(who, "placeholder_phone", email=who.email, phone=number, mobile=number)


@scene
def placeholder_name(cast: Cast) -> None:
    """Play: no name that is one, at a mailbox that is somebody's: one person a mailbox, several a company."""
    name = cast.random.choice(
        (
            ("担当者", ""),
            ("不明", ""),
            ("ご担当者", "様"),
            ("テスト", "太郎"),
            ("-", "-"),
            ("各位", ""),
            ("匿名", "希望"),
            ("aaa", "aaa"),
        )
    )
    company = cast.employer()
    for _ in TWICE:
        who = cast.person(company, mobile="")
        cast.seen(who, "placeholder_name", email=who.email, name=name, kana="", phone=company.phone())


@scene
def team_mailbox(cast: Cast) -> None:
    """Play: a mailbox of several that no list has: two or three people."""
    company = cast.employer()
    local = cast.random.choice((
        "eigyo2", "tokyo-branch", "soumu-ka", "kaihatsu1ka", "honten", "tantou", "keiri-grp", "dai2eigyo", "shizai",
        "osaka.shiten", "jigyo-kikaku", "web-tantou", "it-suishin", "hanbai", "gijutsu", "project-x", "shop-umeda",
    ))  # fmt: skip
    for _ in range(cast.random.choice((2, 2, 3))):
        who = cast.person(company)
        cast.seen(who, "team_mailbox", email=f"{local}@{company.domain}", mobile="")
        cast.seen(who, "team_mailbox", email=who.email)


@scene
def team_mailbox_without_name(cast: Cast) -> None:
    """Play: somebody's record at a team's mailbox, and a nameless one there that nobody can place: two people."""
    company = cast.employer()
    who, other = cast.person(company), cast.person(company)
    cast.seen(who, "team_mailbox_without_name", email=f"eigyo2@{company.domain}", mobile="")
    cast.seen(other, "team_mailbox_without_name", email=f"eigyo2@{company.domain}", mobile="", name=("", ""), kana="")


@scene
def extensions(cast: Cast) -> None:
    """Play: a switchboard with extensions, and a surname alone: people of one surname at one number."""
    company = cast.employer()
    first = cast.person(company, mobile="")
    second = another(cast, first, **beside(first, "修", "オサム"), mobile="")
    for who, line in ((first, "101"), (second, "205")):
        cast.seen(who, "extensions", style="kanji", email=who.email, phone=f"{company.phone()} 内線{line}")
        cast.seen(
            who,
            "extensions",
            source="exhibition_badges",
            style="kanji",
            email="",
            phone=f"{company.phone()}(ext.{line})",
        )


@scene
def switchboard_as_mobile(cast: Cast) -> None:
    """Play: the company's number in the mobile column, of a company outside Japan too: two people."""
    company = cast.employer()
    number = cast.random.choice(
        (
            company.phone(),
            "+65 6123 45" + str(cast.random.randrange(10, 99)),
            "+1 212 555 01" + str(cast.random.randrange(10, 99)),
        )
    )
    for _ in TWICE:
        who = cast.person(company, mobile="")
        cast.seen(
            who, "switchboard_as_mobile", source="business_cards_cp932", email=who.email, mobile=number, phone=number
        )


@scene
def secretary(cast: Cast) -> None:
    """Play: a president's card carries the secretary's mailbox: two people."""
    who = cast.person()
    boss = another(cast, who, email=who.email, title="代表取締役社長", mobile=cast.mobile())
    cast.seen(who, "secretary", style="kanji", email=who.email)
    cast.seen(boss, "secretary", style="kanji", email=who.email, mobile=boss.mobile, source="business_cards_cp932")
    cast.seen(boss, "secretary", style="kanji", email="", mobile=boss.mobile, source="business_cards_cp932")


@scene
def neighbouring_numbers(cast: Cast) -> None:
    """Play: a company's mobile numbers in a row, and numbered mailboxes: three people."""
    company = cast.employer()
    number = f"080-0{cast.random.randrange(1000):03d}-{cast.random.randrange(900):03d}"
    for place in range(1, 4):
        who = cast.person(company, email=f"pc{place:03d}.{cast.people}@{company.domain}", mobile=f"{number}{place}")
        for _ in TWICE:
            cast.seen(who, "neighbouring_numbers", email=who.email, mobile=who.mobile, source="business_cards_cp932")


@scene
def one_local_at_two_companies(cast: Cast) -> None:
    """Play: tanaka@ here and tanaka@ there, both written 田中: two people."""
    surname = cast.random.choice(words.SURNAMES[:12])
    for _ in TWICE:
        who = cast.person(**born(surname, cast.random.choice(words.GIVEN_NAMES)), mobile="")
        address = cast.mailbox(who, who.company, "{s}")
        cast.seen(who, "one_local_at_two_companies", style="surname", kana="", email=address)
        cast.seen(who, "one_local_at_two_companies", style="kanji", email=address)
