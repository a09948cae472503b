"""Inbound mail: the form of a reply, its fields decoded by the charsets that came with them."""

import email.utils
import json
from collections.abc import AsyncIterator
from datetime import UTC
from email.parser import HeaderParser
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

# What Japanese mailers mean by these names is more than Python's codecs of the same name take.
CHARSETS = {"iso-2022-jp": "iso2022_jp_ext", "shift_jis": "cp932", "shift-jis": "cp932"}


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

    `address` is the writer's, and `occurred_at` the mail's own date, where it has a readable one.
    """
    try:
        charsets = json.loads(fields.get("charsets", b"{}"))
    except ValueError:
        charsets = {}
    charsets = charsets if isinstance(charsets, dict) else {}
    reply: dict[str, Any] = {name: _text(value, str(charsets.get(name, "utf-8"))) for name, value in fields.items()}
    reply["address"] = email.utils.parseaddr(reply.get("from", ""))[1].lower()
    try:
        written_at = email.utils.parsedate_to_datetime(HeaderParser().parsestr(reply.get("headers", ""))["Date"] or "")
        reply["occurred_at"] = (written_at if written_at.tzinfo else written_at.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        pass
    return reply


def _text(value: bytes, charset: str) -> str:
    name = CHARSETS.get(charset.lower(), charset)
    try:
        return value.decode(name, errors="replace")
    except LookupError:
        return value.decode(errors="replace")
