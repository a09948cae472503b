"""The command `nurture explain`: one lead's whole story, every decision with what it rests on."""

import json
import os
from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.run import AsOfOption, HomeOption, JsonOption, moment_of, stack_environment
from nurture.problem import Problem

if TYPE_CHECKING:
    from nurture.explain import Story
    from nurture.pages.words import Words
    from nurture.questions import Asked

app = typer.Typer()


class Language(StrEnum):
    """In which words the story is told."""

    en = "en"
    ja = "ja"


def _language() -> Language:
    spoken = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return Language.ja if spoken.startswith("ja") else Language.en


@app.command()
def explain(
    lead: Annotated[str, typer.Argument(help="A lead's number, or a mail address.")],
    product: Annotated[str | None, typer.Option("--product", help="One product; left out, each of them.")] = None,
    mail: Annotated[int | None, typer.Option("--mail", help="The proof of this mail, by its number.")] = None,
    language: Annotated[Language | None, typer.Option("--language", help="en or ja; left out, as LANG says.")] = None,
    as_of: AsOfOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell why one lead is, or is not, in each segment, what was sent and what was not, and why; the score by line."""
    from nurture import db
    from nurture.definitions.load import load_products
    from nurture.definitions.nearest import instead
    from nurture.explain import explain as tell
    from nurture.explain import find
    from nurture.pages.words import Words

    loaded = load_products()
    if product is not None and product not in loaded.products:
        raise Problem(f"no product {product!r} in order: {instead(product, loaded.products)}")
    chosen = [loaded.products[product]] if product else list(loaded.products.values())
    with db.engine(stack_environment(home)["NURTURE_DSN"]).connect() as conn:
        meant = find(conn, lead)
        if len(meant) > 1:
            raise Problem(f"{lead} is the mailbox of several leads: say one of {', '.join(map(str, meant))}")
        try:
            stories = [(one, tell(conn, one, each, moment_of(as_of))) for one in chosen for each in meant]
        except LookupError as error:
            raise Problem(str(error)) from error
    if not stories:
        raise Problem(f"there is no lead {lead!r}: say its number, or one of its mail addresses")
    if mail is not None:
        stories = [(one, story) for one, story in stories if any(row["message_id"] == mail for row in story.mails)]
        if not stories:
            raise Problem(f"lead {lead} has no mail {mail}")
    if as_json:
        told = [vars(story) for _, story in stories]
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2, default=_plain))
        return
    words = Words(language or _language())
    for one, story in stories:
        lines = _Told(story, words, one.name, one.zone)
        typer.echo("\n".join(lines.proof(mail) if mail is not None else lines.all()))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else getattr(value, "__dict__", None) or str(value)


class _Told:
    """A story in lines of words, its moments in the product's zone."""

    def __init__(self, story: "Story", words: "Words", product: str, zone: Any) -> None:
        self.story, self.words, self.product, self.zone = story, words, product, zone

    def all(self) -> Iterator[str]:
        """Yield the whole story."""
        yield from self._who()
        for title, lines in (
            ("met", self._met()), ("permission", self._permission()), ("segments", self._segments()),
            ("scenarios", self._scenarios()), ("mails_of_lead", self._mails()), ("did", self._did()),
        ):  # fmt: skip
            yield from self._part(self.words(title), list(lines))
        score = self.story.score
        title = self.words("not_scored")
        if score["scored_at"]:
            title = self.words("score", score=score["score"], fit=score["fit"], engagement=score["engagement"])
            title += f" ({self.words('score_of', at=self._at(score['scored_at']))})"
        yield from self._part(title, list(self._score()))
        yield from self._part(self.words("sales"), list(self._sales()))
        yield ""

    def _part(self, title: str, lines: list[str]) -> Iterator[str]:
        yield f"\n{title}"
        yield from (f"  {line}" for line in lines or [self.words("nothing")])

    def _at(self, moment: datetime | None) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}" if moment else ""

    def _day(self, moment: datetime | None) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d}" if moment else ""

    def _who(self) -> Iterator[str]:
        lead, words = self.story.lead, self.words
        yield f"{self.product} ({self.story.product}), {words('moment', moment=self._at(self.story.at))}"
        shown = ", ".join(str(lead[key]) for key in ("name", "company", "department", "title") if lead[key])
        yield f"{words('story', lead_id=lead['lead_id'])}: {_clean(shown)}"
        others = [str(each) for each in lead["lead_ids"] if each != lead["lead_id"]]
        if others:
            yield words("also_known_as", ids=", ".join(others))
        for row in self.story.joined:
            told = words("joined_as", merged=row["merged_id"], survivor=row["survivor_id"], reason=row["reason"])
            undone = f", {words('undone', day=self._day(row['undone_at']))}" if row["undone_at"] else ""
            yield f"  {self._day(row['as_of'])} {told}{undone}"
        yield words("stands", place=self.story.lifecycle)

    def _met(self) -> Iterator[str]:
        for row in self.story.sources:
            yield f"{self._day(row['occurred_at'])}  {row['source']} ({row['channel']})"

    def _permission(self) -> Iterator[str]:
        words = self.words
        for row in self.story.consents:
            basis = words(f"basis:{row['basis']}")
            where = row["address"] or ""
            yield f"✓ {self._day(row['occurred_at'])}  {basis}: {_clean(row['evidence'])} ({row['source']}) {where}"
        if not self.story.consents:
            yield f"✗ {words('no_consent')}"
        for row in self.story.refusals:
            cell = f"{row['product']} × {row['mail_type']}"
            ended = f", {words('refusal_ended', day=self._day(row['ended_at']))}" if row["ended_at"] else ""
            yield f"✗ {self._day(row['occurred_at'])}  {words('refused_cell', cell=cell, how=row['how'])}{ended}"
        for row in self.story.addresses:
            reason = row["suppressed"] or row["unmailable_reason"]
            if reason:
                told = words("suppressed", address=row["address"], reason=reason)
                yield f"✗ {self._day(row['suppressed_at'])}  {told}"

    def _segments(self) -> Iterator[str]:
        words = self.words
        for row in self.story.segments:
            spans = [f"{self._day(each['joined_at'])} – {self._day(each['left_at'])}" for each in row["history"]]
            if row["is_member"]:
                state = words("member_since", day=self._day(row["history"][-1]["joined_at"]))
            else:
                state = words("member_until", spans="; ".join(spans)) if spans else words("never_member")
            meets = all(line.is_true for line in row["asked"] if line.depth == 0)
            if meets != row["is_member"]:
                state += " — " + words("next_run_joins" if meets else "next_run_leaves")
            yield f"{'●' if row['is_member'] else '○'} {row['segment']}  {state}"
            yield from (f"    {line}" for line in self._asked(row["asked"]))

    def _asked(self, lines: "list[Asked]") -> Iterator[str]:
        for line in lines:
            indent = "  " * line.depth
            if line.says in ("all", "any", "none"):
                yield f"{indent}{'✓' if line.is_true else '✗'} {self.words(f'condition:{line.says}')}"
            else:
                known = f"   ({self.words('known', value=line.known)})" if line.known else ""
                yield f"{indent}{self.words('so' if line.is_true else 'not_so')}: {line.says}{known}"

    def _scenarios(self) -> Iterator[str]:
        for row in self.story.enrollments:
            since = self._at(row["enrolled_at"])
            if row["ended_at"]:
                reason = self.words.reason(row["ended_reason"])
                told = self.words("walked", since=since, until=self._at(row["ended_at"]), reason=reason)
            else:
                told = self.words("walks", since=since, step=row["step"], step_at=self._at(row["step_at"]))
            held = f" — {self.words('held_out')}" if row["is_held_out"] else ""
            yield f"{row['scenario']}  {told}{held}"

    def _mails(self) -> Iterator[str]:
        for row in self.story.mails:
            yield f"{row['message_id']}  {row['email']} ({row['mail_type']})  {self._fate(row)}"
            yield f"    {self.words('because', reason=row['reason'])}"
            for each in row["decisions"] or []:
                if each["outcome"] == "not_now":
                    at, until = (self._at(datetime.fromisoformat(each[key])) for key in ("at", "until"))
                    yield f"    {self.words('waited', at=at, reason=self.words.reason(each['reason']), until=until)}"

    def _fate(self, row: dict[str, Any]) -> str:
        words = self.words
        if row["status"] == "accepted":
            return ", ".join([words("sent", at=self._at(row["accepted_at"])), *self._became(row)])
        if row["status"] == "planned":
            return words("due", at=self._at(row["due_at"]))
        if row["status"] in ("sending", "unknown"):
            return words("nobody_knows")
        ends = [each["reason"] for each in row["decisions"] or [] if each["outcome"] == "never"]
        reason = row["ended_reason"] or (ends[-1] if ends else row["status"])
        family = words.reason(reason)
        return words("not_sent_because", reason=family if family == reason else f"{family} ({reason})")

    def _became(self, row: dict[str, Any]) -> list[str]:
        kinds = ("delivered", "bounced", "opened", "clicked", "replied", "unsubscribed", "complained")
        return [f"{self.words(kind)} {self._at(row[f'{kind}_at'])}" for kind in kinds if row[f"{kind}_at"]]

    def _did(self) -> Iterator[str]:
        for row in self.story.did:
            times = f" ×{row['times']}" if row["times"] > 1 else ""
            yield f"{row['day']}  {self.words(row['kind'])} {_clean(row['subject'])}{times}"

    def _score(self) -> Iterator[str]:
        for line in self.story.score["lines"]:
            if line["kind"] == "fit":
                yield f"{line['points'] if line['is_true'] else 0:>+7}    {line['says']}"
            else:
                bound = line["at_most"] is not None and line["points"] < line["points_so_far"]
                more = f", {self.words('bounded', number=line['at_most'])}" if bound else ""
                told = self.words("score_line", times=line["times"], day=line["last_day"])
                yield f"{line['points']:>+9.1f}  {line['says']}  ({told}{more})"

    def _sales(self) -> Iterator[str]:
        words = self.words
        yield words("condition_for_sales")
        yield from (f"  {line}" for line in self._asked(self.story.ready))
        for row in self.story.qualifications:
            told = [words("was_ready", day=self._at(row["qualified_at"]), score=row["score"])]
            if row["pushed_at"]:
                told.append(words("handed", crm=row["crm"], day=self._at(row["pushed_at"])))
            if row["sales_accepted_at"]:
                told.append(f"{words('sales_accepted')} {self._at(row['sales_accepted_at'])}")
            if row["returned_at"]:
                told.append(words("returned", day=self._at(row["returned_at"]), reason=row["returned_reason"]))
            yield ", ".join(told)

    def proof(self, number: int) -> Iterator[str]:
        """Yield what proves one mail."""
        words = self.words
        row = next(row for row in self.story.mails if row["message_id"] == number)
        consent = "-"
        if row["consent_basis"]:
            basis = words(f"basis:{row['consent_basis']}")
            consent = (
                f"{basis}: {_clean(row['consent_evidence'])} ({row['consent_source']}, {self._at(row['consented_at'])})"
            )
        facts = {
            "product": f"{self.product} ({self.story.product})",
            "mails_of_lead": f"{row['email']} ({row['mail_type']}), {row['occasion']}, {row['address']}",
            "definition": f"{row['definition_part']} {row['definition_name']}, {row['definition_hash']}",
            "reason": row["reason"],
            "content": f"{_clean(row['subject'] or '-')} {row['content_hash'] or ''}",
            "consent": consent,
            "request": " ".join(str(row[key]) for key in ("request_id", "provider_request_id") if row[key]) or "-",
            "became": self._fate(row),
        }
        yield words("proof", number=number)
        for name, told in facts.items():
            yield f"  {words(name)}: {told}"


def _clean(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(letter for letter in text if letter.isprintable())
