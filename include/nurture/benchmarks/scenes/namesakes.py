"""Namesakes: people of one name, or nearly one, at one company or at companies of one name."""

from nurture.benchmarks.cast import CHINESE, Cast
from nurture.benchmarks.scenes.play import TWICE, another, beside, born, scene
from nurture.demo import words


@scene
def namesakes_in_a_company(cast: Cast) -> None:
    """Play: two people of one name at one company, told apart by mailbox and mobile number."""
    first = cast.person(mobile=cast.mobile())
    second = another(
        cast, first, last=first.last,
        first=first.first, reading=first.reading, latin=first.latin, mobile=cast.mobile(),
        email=first.email.replace("@", "2@"), department="物流部",
    )  # fmt: skip
    for who in (first, first, second, second):
        cast.seen(who, "namesakes_in_a_company", style="kanji", email=who.email)


@scene
def namesakes_across_companies(cast: Cast) -> None:
    """Play: a common name at two companies, with no mailbox on some records: two people."""
    first = cast.person(**born(("佐藤", "サトウ"), ("健一", "ケンイチ")))
    second = cast.person(**born(("佐藤", "サトウ"), ("健一", "ケンイチ")))
    for who in (first, second):
        cast.seen(who, "namesakes_across_companies", email=who.email)
        cast.seen(who, "namesakes_across_companies", source="exhibition_badges", email="", mobile=who.mobile)


@scene
def namesakes_at_namesakes(cast: Cast) -> None:
    """Play: people of one name at two companies of one name in different prefectures: two people, two companies."""
    here = cast.new_company()
    there = cast.new_company(name=here.name, form=here.form, english=here.english)
    name = born(cast.random.choice(words.SURNAMES[:20]), cast.random.choice(words.GIVEN_NAMES))
    for company in (here, there):
        who = cast.person(company, **name)
        cast.seen(who, "namesakes_at_namesakes", source="business_cards_cp932", style="kanji", email=who.email)
        cast.seen(who, "namesakes_at_namesakes", source="exhibition_badges", style="kanji", email="", mobile="")
        colleague = cast.person(company)
        cast.seen(colleague, "namesakes_at_namesakes", source="business_cards_cp932")


@scene
def twins_of_initials(cast: Cast) -> None:
    """Play: t.tanaka and t.tanaka2 at one domain, written T. Tanaka: two people."""
    first = cast.person(**born(("田中", "タナカ"), ("太郎", "タロウ")), mobile="")
    first = first.at(email=cast.mailbox(first, first.company, "{i}.{s}"))
    second = another(cast, first, **beside(first, "徹", "トオル"), email=first.email.replace("@", "2@"), mobile="")
    for who in (first, second):
        cast.seen(who, "twins_of_initials", style="kanji", email=who.email)
        cast.seen(who, "twins_of_initials", style="initial", email=who.email)


@scene
def slip_of_a_name(cast: Cast) -> None:
    """Play: 裕子 and 祐子, yuko and yuko2, at one company: two people, a letter apart in name and mailbox."""
    first = cast.person(first="裕子", reading=("タナカ", "ユウコ"), last="田中", latin=("Tanaka", "Yuko"), mobile="")
    first = first.at(email=cast.mailbox(first, first.company, "{g}.{s}"))
    second = another(cast, first, **beside(first, "祐子", "ユウコ"), email=first.email.replace("@", "2@"), mobile="")
    for who in (first, first, second):
        cast.seen(who, "slip_of_a_name", style="kanji", email=who.email)


@scene
def brothers(cast: Cast) -> None:
    """Play: 健一 and 健二 of one surname at one company, with one switchboard: two people."""
    first = cast.person(first="健一", mobile="")
    first = first.at(reading=(first.reading[0], "ケンイチ"), latin=(first.latin[0], "Kenichi"))
    first = first.at(email=cast.mailbox(first, first.company, "{g}.{s}"))
    second = another(cast, first, **beside(first, "健二", "ケンジ"), mobile="")
    second = second.at(email=cast.mailbox(second, first.company, "{g}.{s}"))
    for who in (first, second):
        cast.seen(who, "brothers", style="kanji", email=who.email)
        cast.seen(who, "brothers", style="kanji", email="", phone=who.company.phone())


@scene
def several_readings(cast: Cast) -> None:
    """Play: one writing, two readings, at one company: two people by their kana and their mailboxes."""
    first = cast.person(**born(("河野", "コウノ"), ("裕子", "ユウコ")), mobile="")
    second = another(cast, first, **born(("河野", "カワノ"), ("裕子", "ヒロコ")), mobile="")
    for who in (first, second):
        cast.seen(
            who, "several_readings", source="web_forms", style="kanji", kana=" ".join(who.reading), email=who.email
        )
        cast.seen(who, "several_readings", style="romaji", email=who.email)


@scene
def chinese_namesakes(cast: Cast) -> None:
    """Play: 王 偉 at two companies, and two of them at one: three people."""
    last, first = CHINESE[0]
    name = {"last": last[0], "first": first[0], "reading": (last[2], first[2]), "latin": (last[1], first[1])}
    here = cast.employer()
    for company in (here, here, cast.employer()):
        who = cast.person(company, **name, mobile=cast.mobile())
        cast.seen(who, "chinese_namesakes", style="kanji", email=who.email)
        cast.seen(who, "chinese_namesakes", style="romaji", email=who.email)


@scene
def surname_alone(cast: Cast) -> None:
    """Play: a surname alone with the mailbox is one person; a surname alone at the switchboard, another one."""
    who = cast.person(mobile="")
    other = another(cast, who, **beside(who, "勝", "マサル"), mobile="")
    cast.seen(who, "surname_alone", style="kanji", email=who.email)
    cast.seen(who, "surname_alone", style="surname", kana="", email=who.email)
    cast.seen(
        other,
        "surname_alone",
        style="surname",
        kana="",
        email="",
        phone=who.company.phone(),
        source="exhibition_badges",
    )


@scene
def group_domain(cast: Cast) -> None:
    """Play: three companies of a group have one domain, and two of them a person of one name: two people."""
    head = cast.new_company()
    others = [cast.new_company(domain=head.domain, name=head.name + tail) for tail in ("ロジスティクス", "システムズ")]
    name = born(cast.random.choice(words.SURNAMES[:30]), cast.random.choice(words.GIVEN_NAMES))
    for company in others:
        who = cast.person(company, **name, mobile=cast.mobile())
        for _ in TWICE:
            cast.seen(who, "group_domain", style="kanji", email=who.email)
    cast.seen(cast.person(head), "group_domain")
