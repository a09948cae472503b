"""Mail send: what SendGrid refuses, with the words and field paths of its error page.

Pure: a request goes in, refusals come out. Any one of them refuses the whole request, as the real service does.
"""

import re
from typing import Any

MOST_RECIPIENTS = 1_000
MOST_BYTES = 30_000_000
FURTHEST_SEND_AT = 72 * 3600
FIELDS = {
    "personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id",
    "sections", "headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name",
    "mail_settings", "tracking_settings",
}  # fmt: skip
PERSONAL_FIELDS = {
    "from", "to", "cc", "bcc", "subject", "headers", "substitutions", "dynamic_template_data", "custom_args",
    "send_at",
}  # fmt: skip
RESERVED_HEADERS = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
    "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
# A dot-atom or a quoted string, as RFC 5321 has it: `a..b@` and `a.@` (old docomo and au addresses) are refused,
# `"a..b"@` is taken.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(
    rf"(?=.{{3,254}}\Z)(?:(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*|\"(?:[^\"\\\x00-\x1f\x7f-\uffff]|\\[ -~]){{1,62}}\")"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_RESERVED_DOMAIN = re.compile(r"(?:.+\.)?(?:example|test|localhost)|(?:.+\.)?example\.(?:com|net|org|jp|co\.jp)")

Refusal = dict[str, Any]


def refusal(message: str, field: str | None) -> Refusal:
    """Return one entry of SendGrid's `errors`."""
    return {"message": message, "field": field, "help": None}


def is_address(value: Any) -> bool:
    """Say whether SendGrid takes this as an address."""
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def is_reserved_domain(domain: str) -> bool:
    """Say whether a domain is one that belongs to nobody (RFC 2606, JPRS): the sandbox's verified senders."""
    return _RESERVED_DOMAIN.fullmatch(domain.lower()) is not None


def refusals(request: Any, now: float) -> list[Refusal]:
    """Return why this request would be answered with 400; empty when it would be accepted."""
    if not isinstance(request, dict):
        return [refusal("Bad Request", None)]
    found = [refusal(f"Additional property {name} is not allowed", name) for name in sorted(set(request) - FIELDS)]
    found += _sender(request)
    found += _categories(request.get("categories"))
    found += _arguments(request.get("custom_args"), "custom_args")
    found += _headers(request.get("headers"), "headers")
    found += _send_at(request.get("send_at"), "send_at", now)
    people = request.get("personalizations")
    if not isinstance(people, list) or not people:
        message = "The personalizations field is required and must have at least one personalization."
        return [*found, refusal(message, "personalizations")]
    if len(people) > MOST_RECIPIENTS:
        message = f"The personalizations field is limited to {MOST_RECIPIENTS} personalizations per API request."
        return [*found, refusal(message, "personalizations")]
    found += _content(request, people)
    found += _recipients(people)
    for index, person in enumerate(people):
        if isinstance(person, dict):
            found += _personal(person, f"personalizations.{index}", request, now)
    return found


def _sender(request: dict[str, Any]) -> list[Refusal]:
    found = []
    sender = request.get("from")
    if not isinstance(sender, dict) or not sender.get("email"):
        message = (
            "The from object must be provided for every email send. It is an object that requires the email"
            " parameter, but may also contain a name parameter."
        )
        found.append(refusal(message, "from.email"))
    elif not is_address(sender["email"]):
        found.append(refusal("Does not contain a valid address.", "from.email"))
    reply_to = request.get("reply_to")
    if reply_to is not None and not (isinstance(reply_to, dict) and is_address(reply_to.get("email"))):
        found.append(refusal("Does not contain a valid address.", "reply_to.email"))
    if reply_to is not None and request.get("reply_to_list") is not None:
        message = "Cannot contain both a reply_to and a reply_to_list parameter."
        found.append(refusal(message, "reply_to_list"))
    return found


def _content(request: dict[str, Any], people: list[Any]) -> list[Refusal]:
    found = []
    subjects = [request, *(person for person in people if isinstance(person, dict))]
    if any("subject" in holder and not _is_text(holder["subject"]) for holder in subjects):
        found.append(refusal("The subject must be a string at least one character in length.", "subject"))
    if request.get("template_id"):
        return found
    if "subject" not in request and not all(isinstance(person, dict) and "subject" in person for person in people):
        message = (
            "The subject is required. You can get around this requirement if you use a template with a subject"
            " defined or if every personalization has a subject defined."
        )
        found.append(refusal(message, "subject"))
    contents = request.get("content")
    if not isinstance(contents, list) or not contents:
        message = (
            "Unless a valid template_id is provided, the content parameter is required."
            " There must be at least one defined content block."
        )
        return [*found, refusal(message, "content")]
    kinds = []
    for index, content in enumerate(contents):
        kind, value = (content.get("type"), content.get("value")) if isinstance(content, dict) else (None, None)
        kinds.append(kind)
        if not _is_text(kind):
            found.append(refusal("The content type must be a string.", f"content.{index}.type"))
        if not _is_text(value):
            message = "The content value must be a string at least one character in length."
            found.append(refusal(message, f"content.{index}.value"))
    in_order = [kind for kind in ("text/plain", "text/html") if kind in kinds]
    if kinds[: len(in_order)] != in_order:
        message = "If present, text/plain must be the first content block, followed by text/html."
        found.append(refusal(message, "content"))
    return found


def _recipients(people: list[Any]) -> list[Refusal]:
    found: list[Refusal] = []
    seen: set[str] = set()
    total = 0
    for index, person in enumerate(people):
        if not isinstance(person, dict) or not isinstance(person.get("to"), list) or not person["to"]:
            message = (
                "The to array is required for all personalization objects, and must have at least one email object"
                " with a valid email address."
            )
            found.append(refusal(message, f"personalizations.{index}.to"))
            continue
        for kind in ("to", "cc", "bcc"):
            for recipient in person.get(kind) or ():
                total += 1
                address = recipient.get("email") if isinstance(recipient, dict) else None
                if not isinstance(address, str) or not is_address(address):
                    found.append(refusal("Does not contain a valid address.", f"personalizations.{index}.{kind}"))
                elif (folded := address.casefold()) in seen:
                    message = (
                        "Each unique email address in the personalizations array should only be included once."
                        f" You have included [{folded}] more than once."
                    )
                    found.append(refusal(message, "personalizations"))
                else:
                    seen.add(folded)
    if total > MOST_RECIPIENTS:
        message = f"The total number of recipients must be no more than {MOST_RECIPIENTS}."
        found.append(refusal(message, "personalizations"))
    return found


def _personal(person: dict[str, Any], path: str, request: dict[str, Any], now: float) -> list[Refusal]:
    found = []
    if not person.keys() <= PERSONAL_FIELDS:
        unknown = sorted(set(person) - PERSONAL_FIELDS)
        found += [refusal(f"Additional property {name} is not allowed", f"{path}.{name}") for name in unknown]
    values = person.get("substitutions")
    if values is not None:
        found += _strings(values, f"{path}.substitutions", "substitutions")
    if "custom_args" in person:
        merged = {**_mapping(request.get("custom_args")), **_mapping(person["custom_args"])}
        found += _arguments(person["custom_args"], f"{path}.custom_args", merged)
    if "headers" in person:
        found += _headers(person["headers"], f"{path}.headers")
    if "send_at" in person:
        found += _send_at(person["send_at"], f"{path}.send_at", now)
    return found


def _arguments(values: Any, field: str, merged: dict[str, Any] | None = None) -> list[Refusal]:
    return [] if values is None else _strings(values, field, "custom_args", merged)


def _strings(values: Any, field: str, what: str, counted: dict[str, Any] | None = None) -> list[Refusal]:
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        return [refusal(f"The {what} must be an object of string values.", field)]
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in (counted or values).items())
    return [refusal(f"The total size of {what} must not exceed 10000 bytes.", field)] if size > 10_000 else []


def _headers(headers: Any, field: str) -> list[Refusal]:
    if headers is None:
        return []
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        return [refusal("The headers must be an object of string values.", field)]
    found = [
        refusal(f"The {name} header is reserved and cannot be set.", f"{field}.{name}")
        for name in headers
        if name.lower() in RESERVED_HEADERS
    ]
    if any("\r" in text or "\n" in text for pair in headers.items() for text in pair):
        found.append(refusal("Headers must not contain line breaks.", field))
    return found


def _categories(categories: Any) -> list[Refusal]:
    if categories is None:
        return []
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        return [refusal("The categories field must be an array of strings.", "categories")]
    rules: list[tuple[bool, str]] = [
        (len(categories) > 10, "The number of categories must not exceed 10."),
        (len(set(categories)) < len(categories), "Each category must be unique."),
        (any(not name.isascii() for name in categories), "Categories must be 7-bit US-ASCII."),
        (any(len(name) > 255 for name in categories), "Each category must not exceed 255 characters."),
    ]
    return [refusal(message, "categories") for is_broken, message in rules if is_broken]


def _send_at(moment: Any, field: str, now: float) -> list[Refusal]:
    if moment is None:
        return []
    if not isinstance(moment, int) or isinstance(moment, bool):
        return [refusal("The send_at parameter must be an integer of Unix seconds.", field)]
    if moment > now + FURTHEST_SEND_AT:
        return [refusal("The send_at parameter must not be more than 72 hours in the future.", field)]
    return []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
