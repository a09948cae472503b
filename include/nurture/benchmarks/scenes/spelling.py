"""Spelling: one name, number or mailbox written in many ways: one person who looks like two."""

from nurture.benchmarks.cast import CHINESE, FREEMAIL, KOREAN, Cast, hiragana, wide
from nurture.benchmarks.scenes.play import born, scene
from nurture.demo import words
from nurture.matching import readings


@scene
def plus_tag(cast: Cast) -> None:
    """Play: a tag after a plus: one person."""
    who = cast.person(mobile="")
    for tag in ("", "+seminar", "+2026.11"):
        cast.seen(who, "plus_tag", email=who.email.replace("@", f"{tag}@"))


@scene
def full_width(cast: Cast) -> None:
    """Play: everything typed in full-width letters: one person."""
    who = cast.person(mobile=cast.mobile())
    cast.seen(who, "full_width", email=who.email)
    cast.seen(
        who, "full_width", style="romaji", name=(wide(who.latin[0]), wide(who.latin[1])), email=wide(who.email),
        phone=wide(who.company.phone()).replace("－",
        "ー"), mobile=wide(who.mobile), company=f"（株）　{who.company.name}",
    )  # fmt: skip


@scene
def old_kanji(cast: Cast) -> None:
    """Play: 高橋 and 髙橋, 斎藤 and 齋藤, 渡辺 and 渡邉, without a mailbox on one record: one person."""
    pair = cast.random.choice((
        ("高橋", "髙橋", "タカハシ"), ("斎藤", "齋藤", "サイトウ"), ("渡辺", "渡邉", "ワタナベ"), ("渡辺", "渡邊",
        "ワタナベ"),
        ("浜田", "濵田", "ハマダ"), ("沢田", "澤田", "サワダ"), ("広瀬", "廣瀬", "ヒロセ"), ("桜井", "櫻井",
        "サクライ"),
        ("吉田", "𠮷田", "ヨシダ"), ("山崎", "山﨑", "ヤマザキ"), ("島田", "嶋田", "シマダ"), ("国分", "國分",
        "コクブ"),
        ("柳", "栁", "ヤナギ"), ("崎山", "﨑山", "サキヤマ"), ("塚本", "塚󠄁本", "ツカモト"), ("辻", "辻󠄀", "ツジ"),
    ))  # fmt: skip
    who = cast.person(**born((pair[0], pair[2]), cast.random.choice(words.GIVEN_NAMES)), mobile="")
    cast.seen(who, "old_kanji", style="kanji", email=who.email)
    cast.seen(
        who, "old_kanji", source="exhibition_badges", name=(pair[1], who.first), email="", phone=who.company.phone()
    )


@scene
def kana_only(cast: Cast) -> None:
    """Play: a name in kana alone, with the mailbox or with the company's number: one person."""
    who = cast.person(mobile="")
    kana = who.reading if cast.random.random() < 0.5 else (hiragana(who.reading[0]), hiragana(who.reading[1]))
    cast.seen(who, "kana_only", style="kanji", email=who.email, kana=" ".join(who.reading))
    cast.seen(
        who,
        "kana_only",
        source="web_forms",
        name=kana,
        email=who.email if cast.random.random() < 0.5 else "",
        phone=who.company.phone(),
    )


@scene
def romaji(cast: Cast) -> None:
    """Play: a name in Latin letters, swapped, in capitals, with marks for long vowels: one person."""
    who = cast.person(mobile="")
    last, first = who.latin
    name = cast.random.choice((
        (first, last), (last.upper(), first), (last, first.lower()), (f"{last}, {first}", ""),
        (f"{first} {last.upper()}", ""),
        (_long(last), _long(first)), (_spelled_out(who.reading[0]), _spelled_out(who.reading[1])),
        (f"{last} {first[:1]}", ""),
        (f"{last}{first}", ""),
    ))  # fmt: skip
    cast.seen(who, "romaji", style="kanji", email=who.email)
    cast.seen(who, "romaji", name=name, kana="", email=who.email)


@scene
def romaji_without_mail(cast: Cast) -> None:
    """Play: a name in Latin letters and the company alone, its kanji and kana known: one person."""
    who = cast.person(mobile="")
    last, first = who.latin
    cast.seen(
        who, "romaji_without_mail", source="web_forms", style="kanji", email=who.email, kana=" ".join(who.reading)
    )
    cast.seen(
        who,
        "romaji_without_mail",
        source="exhibition_badges",
        name=(f"{first} {last}", ""),
        kana="",
        email="",
        phone=who.company.phone(),
    )


@scene
def western(cast: Cast) -> None:
    """Play: a middle name, a nickname, capitals, the surname first: one person."""
    who = cast.person(western=True, mobile="")
    last, first = who.latin
    short = {
        "James": "Jim",
        "Robert": "Bob",
        "William": "Bill",
        "Elizabeth": "Liz",
        "Katherine": "Kate",
        "Michael": "Mike",
        "Christopher": "Chris",
        "Thomas": "Tom",
    }.get(first, first)
    cast.seen(who, "western", name=(last, first), email=who.email)
    cast.seen(
        who,
        "western",
        name=cast.random.choice(
            (
                (last, f"{first} A."),
                (last.upper(), first.upper()),
                (f"{last}, {first}", ""),
                (f"{first} Q. {last}", ""),
                (last, short),
                (f"Dr. {first} {last}", ""),
                (f"{first[0]}. {last}", ""),
            )
        ),
        email=who.email,
    )
    cast.seen(who, "western", name=(last, first), email="", phone=who.company.phone(), source="exhibition_badges")


@scene
def chinese(cast: Cast) -> None:
    """Play: a Chinese name in kanji, in Latin letters and as it sounds, with one mailbox: one person."""
    _foreign(cast, CHINESE, "chinese")


@scene
def korean(cast: Cast) -> None:
    """Play: a Korean name likewise, the syllables of the given name joined or not: one person."""
    _foreign(cast, KOREAN, "korean")


def _foreign(cast: Cast, names: tuple, flag: str) -> None:
    last, first = cast.random.choice(names)
    who = cast.person(last=last[0], first=first[0], reading=(last[2], first[2]), latin=(last[1], first[1]), mobile="")
    cast.seen(who, flag, style="kanji", email=who.email)
    joined = first[1].replace("-", "").capitalize()
    written = (
        (last[1], joined),
        (f"{joined} {last[1].upper()}", ""),
        (f"{last[2]}・{first[2]}", ""),
        (last[2], first[2]),
        (last[1], first[1]),
    )
    cast.seen(who, flag, name=cast.random.choice(written), kana="", email=who.email)
    cast.seen(who, flag, name=cast.random.choice(written), kana="", email=who.email)


@scene
def decorated_name(cast: Cast) -> None:
    """Play: a name with what does not belong to it: one person."""
    who = cast.person(mobile="")
    full = f"{who.last} {who.first}"
    name = cast.random.choice((
        f"{full} 様", f"{full}（営業部）", f"部長 {full}", f"{full} ({' '.join(who.latin[::-1])})",
        f"{full}【欠席】", f"{full} 課長", f"*{full}",
        f"{full}／{' '.join(who.reading)}", f"{full}氏", f"{who.company.name} {full}", f"{full}(旧姓:木村)",
        f"{full} 他1名",
    ))  # fmt: skip
    cast.seen(who, "decorated_name", style="kanji", email=who.email)
    cast.seen(who, "decorated_name", source="exhibition_badges", name=(name, ""), kana="", email=who.email)
    cast.seen(who, "decorated_name", style="kanji", email=who.email)


@scene
def swapped_columns(cast: Cast) -> None:
    """Play: surname and given name in each other's column: one person."""
    who = cast.person(mobile="")
    cast.seen(who, "swapped_columns", style="kanji", email=who.email, source="crm_export")
    cast.seen(
        who,
        "swapped_columns",
        name=(who.first, who.last),
        kana="",
        email="" if cast.random.random() < 0.5 else who.email,
        phone=who.company.phone(),
        source="business_cards_cp932",
    )


@scene
def freemail_typo(cast: Cast) -> None:
    """Play: a private mailbox, typed with a slip in its domain or its name: one person."""
    local = f"{words.romaji(cast.random.choice(words.SURNAMES)[1])}sawada{cast.random.randrange(10**5)}"
    domain = FREEMAIL[0]
    who = cast.person(email=f"{local}@{domain}", mobile="")
    cast.seen(who, "freemail_typo", source="web_forms", style="kanji", email=who.email)
    wrong = cast.random.choice(
        (
            f"{local}@freemial.example",
            f"{local}@freemail.exmaple",
            f"{local[:3]}{local[4:]}@{domain}",
            f"{local}@freemail.exampl",
        )
    )
    cast.seen(who, "freemail_typo", source="web_forms", style="kanji", email=wrong)


@scene
def work_mail_typo(cast: Cast) -> None:
    """Play: a mailbox at work, typed with a slip: one person."""
    who = cast.person(mobile="")
    who = who.at(email=cast.mailbox(who, who.company, "{g}.{s}"))
    local, _, domain = who.email.partition("@")
    wrong = cast.random.choice((
        f"{local[:2]}{local[3:]}@{domain}", f"{local}@{domain[:2]}{domain[3:]}",
        f"{local[1]}{local[0]}{local[2:]}@{domain}",
        f"{local}@{domain.replace('.', '')}", f"{local}＠{domain}", f"{local}@{domain}.", f"{local}@{domain},",
        f"{local} @{domain}",
    ))  # fmt: skip
    cast.seen(who, "work_mail_typo", style="kanji", email=who.email)
    cast.seen(who, "work_mail_typo", style="kanji", email=wrong)


@scene
def two_addresses_in_a_field(cast: Cast) -> None:
    """Play: two addresses in one field: one person."""
    who = cast.person(mobile="")
    private = f"mihon{cast.random.randrange(10**6)}@{FREEMAIL[2]}"
    cast.seen(who, "two_addresses_in_a_field", style="kanji", email=who.email)
    cast.seen(
        who,
        "two_addresses_in_a_field",
        style="kanji",
        email=f"{who.email}{cast.random.choice((';', ',', ' / ', '、'))} {private}",
    )


@scene
def dirty_date(cast: Cast) -> None:
    """Play: a date as people write it: one person, whose row is not lost."""
    who = cast.person()
    day = cast.random.choice(
        (
            "2026年1月4日",
            "2026.01.04",
            "令和8年1月4日",
            "R8.1.4",
            "46026",
            "2026/1/4 9:05",
            "20260104",
            "1/4/2026",
            "2026-01-04T09:00:00Z",
            "２０２６／０１／０４",
            "",
        )
    )
    cast.seen(who, "dirty_date", email=who.email)
    cast.seen(
        who,
        "dirty_date",
        email=who.email,
        day=day,
        source=cast.random.choice(("seminar_attendees", "business_cards_cp932", "crm_export")),
    )


@scene
def delivered_twice(cast: Cast) -> None:
    """Play: the same row under a new key, as a list that is exported again has it: one person."""
    who = cast.person(mobile=cast.mobile())
    cast.seen(who, "delivered_twice")
    cast.records.append(cast.records[-1])


def _long(name: str) -> str:
    """Return a Latin name as people write it who mark long vowels: Ohno, Satoh, Yuuichi."""
    return (
        name.replace("Ono", "Ohno")
        .replace("ichi", "ichi")
        .replace("yu", "yuu")
        .replace("Yu", "Yuu")
        .replace("Jun", "Jyun")
    )


def _spelled_out(kana: str) -> str:
    """Return kana sound by sound, long vowels kept: Satou, Tarou, Syouzi."""
    return readings.romaji(kana).capitalize()
