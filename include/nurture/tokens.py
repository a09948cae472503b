"""Tokens: a message's id in a URL, signed, so that nobody can name another's message; it holds nothing personal.

A token is the id in as few bytes as it needs and an HMAC-SHA256 cut to 128 bits (RFC 2104 section 5), in URL-safe
base64: 23 characters for the first 255 messages, 28 for a billion. The signature is bound to this one purpose.
"""

import base64
import binascii
import hmac

NOBODY = 0  # no message has this id: its token asks whether the doors work, and refuses nobody
_PURPOSE = b"nurture message token 1\x00"
_SIGNATURE_BYTES = 16
_LONGEST = 32  # characters: 8 bytes of id and 16 of signature


def sign(key: bytes, message_id: int) -> str:
    """Return the token of a message."""
    if not key:
        raise ValueError("no token key: set NURTURE_TOKEN_KEY")
    written = message_id.to_bytes(max(1, (message_id.bit_length() + 7) // 8), "big")
    signature = hmac.digest(key, _PURPOSE + written, "sha256")[:_SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(signature + written).decode().rstrip("=")


def read(key: bytes, token: str) -> int | None:
    """Return the id of the message that a token names, or None when the token is not one of ours."""
    if not key or len(token) > _LONGEST or not token.isascii():
        return None
    try:
        found = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    if len(found) <= _SIGNATURE_BYTES:
        return None
    message_id = int.from_bytes(found[_SIGNATURE_BYTES:], "big")
    return message_id if hmac.compare_digest(sign(key, message_id).encode(), token.encode()) else None
