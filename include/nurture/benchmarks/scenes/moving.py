"""Moving: another company, surname, department or mailbox: one person who looks like two."""

from nurture.benchmarks.cast import FREEMAIL, Cast
from nurture.benchmarks.scenes.play import scene
from nurture.demo import words


@scene
def job_change_with_mobile(cast: Cast) -> None:
    """Play: somebody takes the mobile number along to another company: one person."""
    before = cast.person(mobile=cast.mobile())
    company = cast.employer()
    after = before.at(company=company, email=cast.mailbox(before, company))
    for who in (before, before, after):
        cast.seen(who, "job_change_with_mobile", source="business_cards_cp932", mobile=who.mobile, email=who.email)


@scene
def job_change_with_freemail(cast: Cast) -> None:
    """Play: somebody registers with a private mailbox before and after: one person."""
    private = f"mihon.{cast.random.randrange(10**6)}@{FREEMAIL[0]}"
    before = cast.person(mobile="", email=private)
    after = before.at(company=cast.employer())
    for who in (before, after):
        cast.seen(who, "job_change_with_freemail", source="web_forms", email=private, style="kanji")


@scene
def married(cast: Cast) -> None:
    """Play: a new surname, the mailbox stays: one person."""
    before = cast.person(mobile=cast.mobile())
    last = cast.random.choice(words.SURNAMES)
    after = before.at(
        last=last[0], reading=(last[1], before.reading[1]), latin=(words.romaji(last[1]).capitalize(), before.latin[1])
    )
    for who in (before, before, after, after):
        cast.seen(who, "married", style="kanji", email=before.email, mobile=before.mobile)


@scene
def married_with_mobile(cast: Cast) -> None:
    """Play: a new surname and a new mailbox, the mobile number stays: one person."""
    before = cast.person(mobile=cast.mobile())
    last = cast.random.choice(words.SURNAMES)
    after = before.at(
        last=last[0], reading=(last[1], before.reading[1]), latin=(words.romaji(last[1]).capitalize(), before.latin[1])
    )
    after = after.at(email=cast.mailbox(after, before.company, "{g}.{s}"))
    for who in (before, after):
        cast.seen(
            who, "married_with_mobile", source="business_cards_cp932", style="kanji", email=who.email, mobile=who.mobile
        )


@scene
def company_renamed(cast: Cast) -> None:
    """Play: the company has a new name and a new domain, all else stays: one person, one company."""
    before = cast.new_company()
    domain = before.domain.replace(".example", "-hd.example")
    for _ in range(3):
        who = cast.person(before, mobile=cast.mobile())
        who = who.at(email=cast.mailbox(who, before, "{g}.{s}"))
        cast.seen(who, "company_renamed", style="kanji", email=who.email, phone=before.phone())
        cast.seen(
            who, "company_renamed", style="kanji", email=who.email.replace(before.domain, domain),
            company=f"{before.name}ホールディングス株式会社", phone=before.phone(),
        )  # fmt: skip


@scene
def subdomain(cast: Cast) -> None:
    """Play: a mailbox at a branch's subdomain and at the company's domain: one person."""
    who = cast.person(mobile="")
    who = who.at(email=cast.mailbox(who, who.company, "{g}.{s}"))
    cast.seen(who, "subdomain", style="kanji", email=who.email)
    cast.seen(who, "subdomain", style="kanji", email=who.email.replace("@", "@tokyo."))


@scene
def alias(cast: Cast) -> None:
    """Play: two mailboxes at one company, taro.tanaka and t-tanaka, and one mobile number: one person."""
    who = cast.person(mobile=cast.mobile())
    for pattern in ("{g}.{s}", "{i}-{s}"):
        cast.seen(
            who,
            "alias",
            source="business_cards_cp932",
            style="kanji",
            mobile=who.mobile,
            email=cast.mailbox(who, who.company, pattern),
        )


@scene
def department_change(cast: Cast) -> None:
    """Play: another department, title and line within the company: one person."""
    who = cast.person(mobile="")
    after = who.at(department="海外事業部", title="部長", line=who.line % 9 + 1)
    cast.seen(who, "department_change", style="kanji", email=who.email)
    cast.seen(
        after,
        "department_change",
        style="kanji",
        email="",
        phone=who.company.phone(after.line),
        source="business_cards_cp932",
    )


@scene
def two_jobs(cast: Cast) -> None:
    """Play: somebody works for two companies and has one mobile number: one person."""
    who = cast.person(mobile=cast.mobile())
    company = cast.employer()
    second = who.at(company=company, email=cast.mailbox(who, company))
    for job in (who, second):
        cast.seen(job, "two_jobs", source="business_cards_cp932", style="kanji", email=job.email, mobile=who.mobile)
