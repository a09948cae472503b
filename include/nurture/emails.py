"""Emails: a template becomes subject, HTML and text once a batch, and a lead's values travel apart from it.

Pure rendering: Jinja2 (strict and sandboxed), then MJML by mrml, then css-inline, then tagged links. A lead's values
are tags such as `-k3f9_name_html-`, which the provider, or `fill`, puts values into. A tag has three forms, for the
three places in which a value can stand: `raw` in the subject and the text, `html` in the HTML, `url` in a query.
Which content blocks a batch shows is known before it is rendered (`nurture.blocks`); a template asks `shown.<block>`.
"""

import html
import re
import secrets
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import css_inline
import html2text
import jinja2
import jinja2.nodes
import mrml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from nurture.definitions.model import hash_of
from nurture.definitions.nearest import instead
from nurture.definitions.products import Product
from nurture.problem import Problem

VALUES = ("addressee", "name", "company", "token", "unsubscribe_url")
FORMS = ("raw", "html", "url")
# The mark with which content is hashed and kept, so that the same words have the same hash for ever.
FIXED_MARK = "0content0"
LONG_LINE = 900  # octets, below the 998 of RFC 5322: a longer one of a derived text is broken at its sentences
# How a name is written, and what stands for a name and for a company that are not known.
FALLBACKS = {"ja": ("{} 様", "ご担当者様", "貴社"), "en": ("{}", "there", "your company")}

_TAG = re.compile(rf"-(?P<mark>[a-z0-9]+)_(?P<value>{'|'.join(VALUES)})_(?P<form>{'|'.join(FORMS)})-")
_HREF = re.compile(r'(<a\b[^>]*?\shref=")([^"]*)(")', re.IGNORECASE)
_TEXT_URL = re.compile(r"https?://[^\s<>\"'()（）「」『』【】、。]+")
_MJML_LEFT = re.compile(r"<(mj-?[\w-]*)[\s>/]")  # mrml hands through what it does not know
_ITEM = re.compile(r"^( *(?:\*|\d+\.) )(.+(?:\n(?! *(?:\*|\d+\.) ).+)+)", re.MULTILINE)  # of a list, of several lines
_LINE_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Rendered:
    """One email: its three parts, in which tags of `mark` stand where a lead's values go."""

    subject: str
    html: str
    text: str
    mark: str
    language: str = "ja"

    @cached_property
    def tags(self) -> Mapping[str, tuple[str, str]]:
        """The tags that stand in it, with value and form of each; only these need values."""
        parts = "\n".join((self.subject, self.html, self.text))
        return {
            match[0]: (match["value"], match["form"]) for match in _TAG.finditer(parts) if match["mark"] == self.mark
        }

    def with_mark(self, mark: str) -> "Rendered":
        """Return the same email with the tags of another mark."""
        if mark == self.mark:
            return self

        def _marked(part: str) -> str:
            return _TAG.sub(
                lambda tag: f"-{mark}_{tag['value']}_{tag['form']}-" if tag["mark"] == self.mark else tag[0], part
            )

        return replace(self, subject=_marked(self.subject), html=_marked(self.html), text=_marked(self.text), mark=mark)

    def hash(self) -> str:
        """Return the hash of the words, whatever the mark."""
        fixed = self.with_mark(FIXED_MARK)
        return content_hash(fixed.subject, fixed.html, fixed.text)


def new_mark() -> str:
    """Return a random mark for one batch: nobody can have put a tag of it into a value."""
    return secrets.token_hex(5)


def content_hash(subject: str, html: str, text: str) -> str:
    """Return the hash of content that was rendered with `FIXED_MARK`: 32 hexadecimal digits."""
    return hash_of([subject, html, text])


def render(product: Product, email: str, mark: str = FIXED_MARK, shown: Collection[str] = ()) -> Rendered:
    """Render an email of a product with tags of `mark` and the content blocks `shown`.

    Raises `Problem`, with file and line, when its template cannot be rendered.
    """
    template = product.emails.get(email)
    if template is None:
        mend = instead(email, sorted(product.emails))
        raise Problem(f"product {product.product!r} has no email {email!r}: {mend}")
    language = template.terms.language or product.language
    names = {
        "product": product, "email": email, "language": language,
        "lead": Names("value lead.", {value: Tag(mark, value) for value in VALUES}),
        "shown": Names("block shown.", {each.block: each.block in shown for each in template.terms.blocks}),
    }  # fmt: skip
    place = f"include/products/{product.product}/emails/{email}"
    subject = _jinja(product, template.subject, names, f"{place}.subject")
    mjml = _jinja(product, template.mjml, names, f"{place}.mjml", escape=True)
    page = _inlined(mjml, f"{place}.mjml")
    page = _HREF.sub(lambda link: link[1] + _tagged_href(link[2], product, email, mark) + link[3], page)
    if template.text.strip():
        text = _jinja(product, template.text, names, f"{place}.txt")
        text = _TEXT_URL.sub(lambda link: _tagged(link[0], product, email, mark), text)
    else:
        text = _text_of(page, mark)
    return Rendered(subject.strip(), page, text.strip() + "\n", mark, language)


def distinct(product: Product, email: str) -> dict[tuple[str, ...], Rendered]:
    """Render every variant of an email that reads differently from those before it, by the blocks that it shows."""
    found: dict[Rendered, tuple[str, ...]] = {}
    for shown in product.emails[email].terms.variants():
        found.setdefault(render(product, email, shown=shown), shown)
    return {shown: rendered for rendered, shown in found.items()}


def substitutions(rendered: Rendered, values: Mapping[str, str | None]) -> dict[str, str]:
    """Return tag to value for one lead, for the tags that stand in an email.

    `values` has name, company, token and unsubscribe_url; name and company may be absent or None, and then read as
    `FALLBACKS` says.
    """
    honoured, nobody, some_company = FALLBACKS[rendered.language]
    given = {value: _LINE_BREAKS.sub(" ", words or "").strip() for value, words in values.items()}
    name, company = given.get("name"), given.get("company")
    raw = {**given, "name": honoured.format(name) if name else nobody, "company": company or some_company}
    lines = [company, raw["name"]] if company else [raw["name"]]
    raw["addressee"] = " ".join(lines)
    filled: dict[str, str] = {}
    for tag, (value, form) in rendered.tags.items():
        if form == "raw":
            filled[tag] = raw[value]
        elif form == "url":
            filled[tag] = quote(raw[value], safe="")
        elif value == "addressee":
            filled[tag] = "<br />".join(html.escape(line) for line in lines)
        else:
            filled[tag] = html.escape(raw[value])
    return filled


def fill(rendered: Rendered, values: Mapping[str, str | None]) -> Rendered:
    """Return the email as one lead reads it, every tag replaced in one pass."""
    filled = substitutions(rendered, values)

    def _filled(part: str) -> str:
        return _TAG.sub(lambda tag: filled.get(tag[0], tag[0]), part)

    return replace(
        rendered, subject=_filled(rendered.subject), html=_filled(rendered.html), text=_filled(rendered.text)
    )


class Tag:
    """A lead's value in a template: its name stands there until the value is known."""

    def __init__(self, mark: str, value: str) -> None:
        """Take a batch's mark and one of `VALUES`."""
        self.mark, self.value = mark, value

    def form(self, form: str) -> str:
        """Return the tag of one form."""
        return f"-{self.mark}_{self.value}_{form}-"

    def __str__(self) -> str:
        """Stand in the subject or the text."""
        return self.form("raw")

    def __html__(self) -> str:
        """Stand in the HTML."""
        return self.form("html")

    def _refuse(self, *_: object) -> Any:
        raise jinja2.TemplateRuntimeError(
            f"lead.{self.value} is not known while the email is rendered: print it, ask and compare nothing"
        )

    __bool__ = __eq__ = __lt__ = __len__ = __iter__ = __add__ = __mod__ = _refuse
    __hash__ = None  # pyright: ignore[reportAssignmentType]


def url(value: object) -> Markup:
    """Return a value for a URL's query (the filter `url`)."""
    return Markup(value.form("url") if isinstance(value, Tag) else quote(str(value), safe=""))


class Names(dict[str, Any]):
    """Names that a template may ask for under `lead` or `shown`; `spoken` is how a problem calls one."""

    def __init__(self, spoken: str, names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self.spoken = spoken


class Unknown(jinja2.StrictUndefined):
    """A name that a template asks for and nothing gives; the message says the nearest one."""

    @property
    def _undefined_message(self) -> str:
        name, asked = str(self._undefined_name), self._undefined_obj
        if isinstance(asked, Names):
            return f"unknown {asked.spoken}{name}: {instead(name, asked)}"
        if asked is jinja2.utils.missing:
            return f"unknown name {name!r}: {instead(name, CONTEXT)}"
        fields = getattr(type(asked), "model_fields", {})
        return f"unknown name {name!r}: {instead(name, [known for known in fields if not fields[known].exclude])}"


CONTEXT = ("lead", "product", "email", "language", "shown")


def environment(product: Product, escape: bool) -> ImmutableSandboxedEnvironment:
    """Return the Jinja environment of a product's mails: its layout, strict, sandboxed."""
    return _environment(tuple(product.layout.items()), escape)


@lru_cache(maxsize=8)
def _environment(layout: tuple[tuple[str, str], ...], escape: bool) -> ImmutableSandboxedEnvironment:
    """Make an environment once for a layout: it keeps the layout's pieces compiled."""
    pieces = dict(layout)

    def _load(name: str) -> tuple[str, str, None] | None:
        return (pieces[name], f"include/layout/{name}", None) if name in pieces else None

    made = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(_load), undefined=Unknown, autoescape=escape,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        optimized=False,  # a template runs once or twice: compiling is what costs
    )  # fmt: skip
    made.filters["url"] = url
    return made


def _jinja(product: Product, source: str, names: Mapping[str, Any], place: str, escape: bool = False) -> str:
    if "{" not in source:  # most subjects: nothing to compile
        return source.replace("\r\n", "\n").replace("\r", "\n")
    jinja = environment(product, escape)
    try:
        return _template(jinja, source, place).render(names)
    except jinja2.TemplateSyntaxError as error:
        raise Problem(f"{error.filename or place}:{error.lineno}: {error.message}") from error
    except jinja2.TemplateError as error:
        raise Problem(f"{_where(error, place)}: {error.message}") from error
    except (TypeError, ValueError, ArithmeticError) as error:  # a piece that was given too little, a sum of words
        raise Problem(f"{_where(error, place)}: {error}") from error


@lru_cache(maxsize=64)
def parsed(jinja: jinja2.Environment, source: str) -> jinja2.nodes.Template:
    """Return the syntax tree of a template; raises `jinja2.TemplateSyntaxError`."""
    return jinja.parse(source)


@lru_cache(maxsize=64)
def _template(jinja: jinja2.Environment, source: str, place: str) -> jinja2.Template:
    """Compile a template once for all its variants."""
    compiled = jinja.compile(parsed(jinja, source), filename=place)
    return jinja.template_class.from_code(jinja, compiled, jinja.make_globals(None))


def _where(error: Exception, place: str) -> str:
    """Return the file and the line of the template at which an error was raised."""
    where = place
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("include/"):
            where = f"{frame.f_code.co_filename}:{line}"
    return where


def _inlined(mjml: str, place: str) -> str:
    try:
        page = mrml.to_html(mjml).content
    except OSError as error:  # what mrml raises for a syntax error
        raise Problem(f"{place}: not readable as MJML: {error}") from error
    if left := _MJML_LEFT.search(page):
        raise Problem(f"{place}: <{left[1]}> is no element of MJML, or none in the place where it stands")
    inliner = css_inline.CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)
    return inliner.inline(page)


def _tagged(link: str, product: Product, email: str, mark: str) -> str:
    """Add utm_* and the message's token to a link to the product's own site; others stay as they are.

    The token ties a visit to its message; it goes to nobody else's site.
    """
    parts = urlsplit(link)
    own = urlsplit(product.site).netloc
    if parts.scheme not in ("http", "https") or (own and parts.netloc != own):
        return link
    query = parse_qsl(parts.query, keep_blank_values=True)
    present = {name for name, _ in query}
    wanted = [("utm_source", "nurture"), ("utm_medium", "email"), ("utm_campaign", product.product),
              ("utm_content", email), ("nt", Tag(mark, "token").form("url"))]  # fmt: skip
    query += [(name, value) for name, value in wanted if name not in present]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _tagged_href(href: str, product: Product, email: str, mark: str) -> str:
    return html.escape(_tagged(html.unescape(href), product, email, mark))


def _text_of(page: str, mark: str) -> str:
    """Derive the plain text from the HTML: without images, emphasis and wrapping; an item's lines stand below it."""
    reader = html2text.HTML2Text(bodywidth=0)
    reader.ignore_images = reader.ignore_emphasis = reader.ignore_tables = True
    # As words, tags pass html2text's escaping untouched.
    held = re.sub(rf"-{mark}_([a-z_]+)_html-", lambda tag: f"{mark}X{tag[1].replace('_', 'Z')}X{mark}", page)
    text = reader.handle(re.sub(r"</(t[dh])>", r" </\1>", held))  # a row's cells are words apart
    text = re.sub(r"\[([^]\n]+)\]\((\S+)\)", r"\1\n\2", text)  # a link is its words, and below them where it leads
    text = re.sub(rf"{mark}X([a-zZ]+)X{mark}", lambda tag: f"-{mark}_{tag[1].replace('Z', '_')}_raw-", text)
    text = _ITEM.sub(lambda item: item[1] + item[2].replace("\n", "\n" + " " * len(item[1])), text)
    lines = (line if len(line.encode()) < LONG_LINE else line.replace("。", "。\n") for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines))
