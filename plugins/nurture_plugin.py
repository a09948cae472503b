"""The pages: hangs Nurture into Airflow's navigation, behind Airflow's login.

Every process of Airflow reads this file, every task's too, so the app is made at the first request that asks for it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@cache
def _app() -> App:
    from nurture.pages.app import create_app
    from nurture.pages.auth import reader

    return create_app(reader)


async def pages(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Serve the pages."""
    await _app()(scope, receive, send)


class NurturePlugin(AirflowPlugin):
    """One entry in the navigation, and the pages under /nurture."""

    name = "nurture"
    fastapi_apps = [{"app": pages, "url_prefix": "/nurture", "name": "Nurture"}]
    external_views = [{"name": "Nurture", "href": "nurture/", "destination": "nav", "url_route": "nurture"}]
