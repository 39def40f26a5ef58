"""Errors as RFC 9457 problem documents."""

from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from controller.store.database import StoreError

MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger("controller.web")


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong with a request (RFC 9457)."""

    status: int
    title: str
    detail: str
    instance: str
    type: str = "about:blank"


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Answer what a handler or the router refused."""
    return _answer(request, error.status_code, error.detail)


def on_store_error(request: Request[Any, Any, Any], error: StoreError) -> Response[Problem]:
    """Answer while the database is away."""
    _log.error("store_unavailable", path=request.url.path, error=str(error))
    return _answer(request, 503, "The controller's database can't be used at the moment.")


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Answer what nobody expected; the log has the trace, the answer hasn't."""
    _log.error("request_failed", path=request.url.path, exc_info=error)
    return _answer(request, 500, "This is a fault of the controller; its log says more.")


def _answer(request: Request[Any, Any, Any], status: int, detail: str) -> Response[Problem]:
    problem = Problem(status=status, title=HTTPStatus(status).phrase, detail=detail, instance=request.url.path)
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)
