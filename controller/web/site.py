"""The web application: routes, the page's files, what a browser may do with them, and how errors read."""

from pathlib import Path

from litestar import Litestar, Router
from litestar.datastructures import CacheControlHeader, MutableScopeHeaders
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.static_files import create_static_files_router
from litestar.types import Message, Scope

from controller.store.database import StoreError
from controller.web import problems
from controller.web.api import Api, Source, healthz
from controller.web.feed import Feed

_STATIC = Path(__file__).parent / "static"

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer. The page needs nothing but its own files and its own API."""


def make_site(source: Source, feed: Feed, *, version: str) -> Litestar:
    """Put the application together."""
    return Litestar(
        route_handlers=[Api, healthz, _page()],
        dependencies={
            "source": Provide(lambda: source, sync_to_thread=False),
            "feed": Provide(lambda: feed, sync_to_thread=False),
        },
        before_send=[_add_security_headers],
        exception_handlers={
            HTTPException: problems.on_http_error,
            StoreError: problems.on_store_error,
            Exception: problems.on_bug,
        },
        openapi_config=OpenAPIConfig(
            title="Millwright controller",
            version=version,
            description="One picture of the fleet. Times are RFC 3339 in UTC, ages in seconds.",
            path="/api",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )


def _page() -> Router:
    """The page's files, asked for anew at every load so that an update of the controller shows at once."""
    return create_static_files_router(
        path="/", directories=[_STATIC], html_mode=True, cache_control=CacheControlHeader(no_cache=True)
    )


async def _add_security_headers(message: Message, _scope: Scope) -> None:
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
