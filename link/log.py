"""Where events go: to stderr, one JSON object a line for machines, aligned and coloured for a person at a terminal."""

import logging
import sys
from typing import Any

import structlog

_LOUD_LIBRARIES = ("asyncua", "aiodocker", "asyncio", "aiosqlite", "uvicorn")
"""asyncua formats every PublishResult when it may log at INFO; their warnings are enough."""


def set_up_logging(level: str) -> None:
    """Send our events and the libraries' warnings to stderr, from `level` (`debug`, `info`, `warning`, `error`) on."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
    _send_to_stderr(shared, threshold)


def _send_to_stderr(foreign: list[Any], threshold: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*foreign, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering()],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for library in _LOUD_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)


def _rendering() -> list[Any]:
    """A trace says where, not with what: structlog would add every local variable, passwords among them."""
    if sys.stderr.isatty():
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
