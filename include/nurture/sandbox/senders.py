"""Who may send: verified single senders and authenticated domains, on SendGrid's wire format."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

NUMBER = 7  # the account's, in the names of its DNS records


def create_router(may_send_from: Callable[[str], bool], domains: frozenset[str]) -> APIRouter:
    """Return the endpoints; a domain that may send is authenticated, and there are no single senders."""
    router = APIRouter()

    @router.get("/v3/verified_senders")
    def list_senders() -> dict[str, list[Any]]:
        return {"results": []}

    @router.get("/v3/whitelabel/domains")
    def list_domains(domain: str = "") -> list[dict[str, Any]]:
        listed = [domain] if domain and may_send_from(f"news@{domain}") else [] if domain else sorted(domains)
        return [authentication(number, name) for number, name in enumerate(listed, 1)]

    return router


def authentication(number: int, domain: str) -> dict[str, Any]:
    """Return an authenticated domain with automated security, as SendGrid describes it."""
    records = {
        "mail_cname": (f"em{NUMBER}.{domain}", f"u{NUMBER}.wl.sendgrid.net"),
        "dkim1": (f"s1._domainkey.{domain}", f"s1.domainkey.u{NUMBER}.wl.sendgrid.net"),
        "dkim2": (f"s2._domainkey.{domain}", f"s2.domainkey.u{NUMBER}.wl.sendgrid.net"),
    }
    return {
        "id": number, "user_id": NUMBER, "subdomain": f"em{NUMBER}", "domain": domain, "username": "sandbox",
        "ips": [], "custom_spf": False, "default": True, "legacy": False, "automatic_security": True, "valid": True,
        "dns": {
            name: {"valid": True, "type": "cname", "host": host, "data": data}
            for name, (host, data) in records.items()
        },
    }  # fmt: skip
