"""The app: one page, in the reader's language, drawn on the server, with nothing from outside and nothing to change.

Who may see what is an argument, so that the app runs and is tested without Airflow.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import jinja2
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from nurture import db
from nurture.definitions.load import load_products
from nurture.pages import overview
from nurture.pages.words import Words, language_of

_jinja = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_jinja.filters["number"] = lambda value: f"{value:,.0f}"
_jinja.filters["when"] = lambda moment, zone: f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def create_app(
    reader: Callable[..., Callable[[str], bool]],
    dsn: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """Return the app. `reader` is a dependency that refuses strangers and tells which products may be read.

    The database is that of `dsn`, else of the environment's NURTURE_DSN. There is no list of routes to read.
    """
    app = FastAPI(dependencies=[Depends(reader)], docs_url=None, redoc_url=None, openapi_url=None)
    engines: list[Engine] = []

    def engine() -> Engine:
        if not engines:
            engines.append(db.engine(dsn, pool_size=2))
        return engines[0]

    @app.get("/")
    def show_overview(request: Request, may_read: Annotated[Callable[[str], bool], Depends(reader)]) -> Response:
        """Show the overview of the products that the reader may read."""
        with engine().connect() as conn:
            found = overview.read(conn, load_products(), now(), may_read)
        if not found.rows:
            raise HTTPException(403, words_for(request)("nothing_readable"))
        return page(request, "overview.html", found=found, days=overview.DAYS, columns=("accepted", *overview.OUTCOMES))

    @app.exception_handler(OperationalError)
    def say_that_the_database_is_silent(request: Request, _: Exception) -> Response:
        return page(request, "silent.html", status=503)

    return app


def words_for(request: Request) -> Words:
    """Return the words of the language that the request asks for."""
    return Words(language_of(request.headers.get("accept-language", "")))


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page; the browser runs and styles only what carries this answer's nonce, and asks nobody else."""
    nonce = secrets.token_urlsafe(16)
    words = words_for(request)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Content-Language": words.language,
        "Vary": "Accept-Language, Cookie, Authorization",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    text = _jinja.get_template(template).render(values, words=words, nonce=nonce)
    return HTMLResponse(text, status, headers)
