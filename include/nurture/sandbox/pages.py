"""Pages: the mailbox as recipients see it, and the CRM as sales sees it. Server-rendered, nothing from outside."""

import html
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from nurture.sandbox import crm_store, mail_text
from nurture.sandbox.people import SCANNER_AGENT
from nurture.sandbox.recipients import JAPAN
from nurture.sandbox.store import Clock, Store

PAGE_SIZE = 50
_BREAK = re.compile(r"<br\s*/?>|</p>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'"
# A mail may style itself, and open its links in a new window; it may run nothing and load nothing.
POPUPS = "allow-popups allow-popups-to-escape-sandbox"
MAIL_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox {POPUPS}"
KINDS = {
    "processed": "受付",
    "delivered": "配信",
    "deferred": "遅延",
    "open": "開封",
    "click": "クリック",
    "bounce": "不達",
    "dropped": "破棄",
    "spamreport": "苦情",
    "unsubscribe": "配信停止",
    "machine": "機械",
}
STATUSES = {
    "processed": "受付",
    "delivered": "配信済み",
    "deferred": "遅延",
    "bounced": "不達",
    "blocked": "ブロック",
    "dropped": "破棄",
}

_jinja = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_jinja.filters["when"] = lambda moment: datetime.fromtimestamp(moment, JAPAN).strftime("%Y-%m-%d %H:%M")
_jinja.filters["words"] = lambda text: html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
_jinja.filters["yen"] = lambda amount: f"{float(amount):,.0f}" if amount else "―"


def _page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    text = _jinja.get_template(name).render(values, KINDS=KINDS, STATUSES=STATUSES)
    return HTMLResponse(text, status, {"Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "no-referrer"})


def create_router(store: Store, clock: Clock) -> APIRouter:
    """Return the pages for people: /mailbox and /crm."""
    router = APIRouter()

    @router.get("/")
    def go_to_mailbox() -> Response:
        return RedirectResponse("/mailbox")

    @router.get("/mailbox")
    def list_mails(product: str = "", domain: str = "", before: int = 0) -> Response:
        return _mailbox(store, clock, {"q": "", "product": product, "domain": domain, "before": before})

    @router.post("/mailbox")
    async def search_mails(request: Request) -> Response:
        """Search by POST, so that nobody's name or address stands in a URL."""
        form = await request.form(max_files=0, max_fields=10)
        words = {name: str(form.get(name, "")).strip() for name in ("q", "product", "domain")}
        before = str(form.get("before", "0"))
        asked = {**words, "before": int(before) if before.isdigit() else 0}
        return await run_in_threadpool(_mailbox, store, clock, asked)

    @router.get("/mailbox/{message_no}")
    def read_mail(message_no: int) -> Response:
        found = _mail(store, message_no)
        if found is None:
            return _page("missing.html", 404, title="メールがありません")
        row, request, personalization, substitute = found
        headers = {**(request.get("headers") or {}), **(personalization.get("headers") or {})}
        reply_to = (request.get("reply_to") or {}).get("email")
        return _page(
            "mail.html",
            title=row["subject"],
            mail=row,
            sender=personalization.get("from") or request["from"],
            recipient=personalization["to"][0],
            reply_to=substitute(reply_to) if reply_to else None,
            headers=sorted(headers.items()),
            categories=request.get("categories") or [],
            arguments={**(request.get("custom_args") or {}), **(personalization.get("custom_args") or {})},
            has_html=bool(mail_text.part(request, "text/html")),
            text=substitute(mail_text.part(request, "text/plain")),
            events=[
                json.loads(event["body"])
                for event in store.read(
                    "select body from events where message_no = ? order by happened_at, event_no", (message_no,)
                )
            ],
        )

    @router.get("/mailbox/{message_no}/html")
    def read_mail_html(message_no: int) -> Response:
        found = _mail(store, message_no)
        if found is None:
            return Response(status_code=404)
        _, request, _, substitute = found
        body = '<base target="_blank">' + substitute(mail_text.part(request, "text/html"))
        return HTMLResponse(body, headers={"Content-Security-Policy": MAIL_POLICY, "Referrer-Policy": "no-referrer"})

    @router.get("/crm")
    def show_crm() -> Response:
        return _crm(store, clock)

    return router


def _mailbox(store: Store, clock: Clock, asked: dict[str, Any]) -> Response:
    like = "%" + asked["q"].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    rows = store.read(
        "select message_no, email, subject, product, accepted_at, (select group_concat(distinct case"
        " when json_extract(body, '$.sg_machine_open') or json_extract(body, '$.useragent') = :scanner then 'machine'"
        " else json_extract(body, '$.event') end) from events"
        " where events.message_no = messages.message_no) as happened from messages"
        " where (:q = '' or mailbox like :like escape '\\' or subject like :like escape '\\')"
        " and (:product = '' or product = :product) and (:domain = '' or domain = :domain)"
        " and (:before = 0 or message_no < :before) order by message_no desc limit :most",
        {**asked, "like": like, "scanner": SCANNER_AGENT, "most": PAGE_SIZE + 1},
    )
    return _page(
        "mailbox.html",
        title="受信箱",
        now=clock.now(),
        mails=rows[:PAGE_SIZE],
        before=rows[PAGE_SIZE - 1]["message_no"] if len(rows) > PAGE_SIZE else 0,
        asked=asked,
        products=store.read("select distinct product from messages where product is not null order by product"),
        domains=store.read(
            "select domain, count(*) as mails from messages group by domain order by mails desc, domain limit 40"
        ),
        total=store.read("select count(*) as total from messages")[0]["total"],
    )


def _mail(store: Store, message_no: int) -> tuple[Any, dict[str, Any], dict[str, Any], Any] | None:
    rows = store.read(
        "select messages.*, requests.body, x_message_id from messages inner join requests using (request_no)"
        " where message_no = ?",
        (message_no,),
    )
    if not rows:
        return None
    request, personalization = json.loads(rows[0]["body"]), json.loads(rows[0]["personalization"])
    return rows[0], request, personalization, mail_text.substitution(mail_text.values_of(request, personalization))


def _crm(store: Store, clock: Clock) -> Response:
    held: dict[str, list[dict[str, Any]]] = {}
    for kind in ("contacts", "deals", "notes", "tasks"):
        rows = store.read(
            "select * from crm_objects where object_type = ? and is_archived = 0"
            " order by updated_at desc, object_id desc limit 200",
            (kind,),
        )
        held[kind] = []
        for row in rows:
            near = crm_store.associated(store, row["object_id"]) if kind != "contacts" else []
            contact = next((crm_store.all_properties(each) for each in near if each["object_type"] == "contacts"), {})
            held[kind].append({"at": row["updated_at"], **crm_store.all_properties(row), "contact": contact})
    totals = store.read(
        "select count(*) filter (where object_type = 'contacts') as contacts,"
        " count(*) filter (where object_type = 'deals') as deals,"
        " count(*) filter (where object_type = 'deals' and json_extract(properties, '$.hs_is_closed_won') = 'true')"
        " as won, coalesce(sum(json_extract(properties, '$.amount')) filter (where object_type = 'deals'"
        " and json_extract(properties, '$.hs_is_closed_won') = 'true'), 0) as amount_won"
        " from crm_objects where is_archived = 0"
    )[0]
    owners = {owner["id"]: f"{owner['lastName']} {owner['firstName']}" for owner in crm_store.OWNERS}
    return _page("crm.html", title="CRM", now=clock.now(), held=held, totals=totals, owners=owners)
