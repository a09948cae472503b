"""Inbound mail: the form of a reply, its fields decoded by the charsets that came with them."""

import email.utils
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC
from email.parser import HeaderParser
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

# What Japanese mailers mean by these names is more than Python's codecs of the same name take.
CHARSETS = {"iso-2022-jp": "iso2022_jp_ext", "shift_jis": "cp932", "shift-jis": "cp932"}

# Where the writer's own words end: a mark of what is quoted, as mailers in Japanese and English set it.
_QUOTED = re.compile(
    r"^[ \t\u3000]*(?:[>＞|｜]|-{2,} ?(?:original message|元のメッセージ|forwarded message)|_{10,}$|"
    r"(?:from|差出人|送信者)[ \t]*[:：]|on .{5,200} wrote:|.{4,200}(?:のメール|に書きました|wrote)[ \t]*[:：]|"
    r"20\d\d[年/-].{4,120}<[^<>\s]+@[^<>\s]+>)",
    re.IGNORECASE | re.MULTILINE,
)
_REFUSING = re.compile(
    r"配信(?:を|の|は)?(?:停止|解除|中止|不要|拒否|希望しま|やめ|止め)|メール(?:を|の|は)?(?:停止|解除|不要|やめ|止め|拒否)|"
    r"(?:送信|送付|送ら|配信し|送信し|メールし|連絡し)ないで|(?:配信|送信|送付|送る|送るの|配信する)(?:を|は)?(?:お?やめ|お?止め|ご?遠慮|お?断り)|"
    r"(?:リスト|名簿|登録)(?:から|の|を)?(?:外し|はずし|削除|解除|抹消)|退会|受信(?:を)?拒否|"
    r"\bunsubscri|\bopt(?:ing)?[ -]?out\b|\b(?:remove|take) (?:me|us|my|this)\b|"
    r"\bstop (?:sending|e-?mailing|contacting|these|mailing)|\b(?:do not|don't|don’t) (?:contact|e-?mail|send|write)\b|"
    r"\A\W*stop\W*\Z",
    re.IGNORECASE,
)
_LONGEST_REFUSAL = 400  # characters of own words; what is longer talks of something


async def fields_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the fields of a form as bytes; files are left out. A broken multipart form is a MultiPartException."""
    if not content_type.startswith("multipart/form-data"):
        return {name: value.encode(errors="replace") for name, value in parse_qsl(body.decode(errors="replace"))}

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    # Latin-1 gives every byte back as it came: the true charset is known only when all fields are read.
    parser = MultiPartParser(
        Headers({"content-type": f"{content_type}; charset=latin-1"}),
        chunks(),  # pyright: ignore[reportArgumentType]
        max_part_size=max(len(body), 1),
    )
    form = await parser.parse()
    found = {name: value.encode("latin-1") for name, value in form.items() if isinstance(value, str)}
    await form.close()
    return found


def decoded_reply(fields: dict[str, bytes]) -> dict[str, Any]:
    """Return a reply's fields as text, each in the charset that Inbound Parse names for it.

    `address` is the writer's, `is_refusal` whether they ask for no more mail, and `occurred_at` the mail's own date,
    where it has a readable one.
    """
    try:
        charsets = json.loads(fields.get("charsets", b"{}"))
    except ValueError:
        charsets = {}
    charsets = charsets if isinstance(charsets, dict) else {}
    reply: dict[str, Any] = {name: _text(value, str(charsets.get(name, "utf-8"))) for name, value in fields.items()}
    reply["address"] = email.utils.parseaddr(reply.get("from", ""))[1].lower()
    reply["is_refusal"] = refuses(reply.get("subject", ""), reply.get("text", ""))
    try:
        written_at = email.utils.parsedate_to_datetime(HeaderParser().parsestr(reply.get("headers", ""))["Date"] or "")
        reply["occurred_at"] = (written_at if written_at.tzinfo else written_at.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        pass
    return reply


def refuses(subject: str, text: str) -> bool:
    """Say whether a reply asks for no more mail, in its own words or, when it has none, in a subject of its own.

    What is quoted counts for nothing: every mail of ours says how to unsubscribe. A doubt is a refusal (N13).
    """
    quoted = _QUOTED.search(text)
    own = (text[: quoted.start()] if quoted else text).strip()
    if not re.match(r"(?:re|fwd?|返信|転送)\s*[:：]", subject.strip(), re.IGNORECASE):
        own = f"{subject}\n{own}" if own else subject
    squeezed = re.sub(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])", "", own.strip())  # a mailer breaks Japanese anywhere
    return len(squeezed) <= _LONGEST_REFUSAL and _REFUSING.search(squeezed) is not None


def _text(value: bytes, charset: str) -> str:
    name = CHARSETS.get(charset.lower(), charset)
    try:
        return value.decode(name, errors="replace")
    except LookupError:
        return value.decode(errors="replace")
