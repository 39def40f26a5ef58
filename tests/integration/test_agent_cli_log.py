"""Where events go, and in what form: a pipe is read by machines, a terminal by a person."""

import json
import os
import pty
import subprocess
import sys

import pytest

SAY = """
import logging
import structlog
from agent.config import LogLevel
from link.log import set_up_logging

set_up_logging(LogLevel.{level})
password = "-".join(("open", "sesame"))
log = structlog.get_logger("agent.test")
for level in ("debug", "info", "warning", "error"):
    getattr(log, level)("said", number=1)
logging.getLogger("asyncua.client").info("chatter")
logging.getLogger("asyncua.client").warning("library %s", "warns")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def said(level: str) -> list[dict[str, object]]:
    result = subprocess.run(
        [sys.executable, "-c", SAY.format(level=level)], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout == ""
    return [json.loads(line) for line in result.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("INFO", ["info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_events_below_the_level_are_not_said(level: str, levels: list[str]) -> None:
    assert [entry["level"] for entry in said(level) if entry["event"] == "said"] == levels


def test_event_is_one_line_of_json_with_its_time_and_logger() -> None:
    (entry,) = [entry for entry in said("ERROR") if entry["event"] == "said"]
    assert (entry["number"], entry["logger"]) == (1, "agent.test")
    assert str(entry["timestamp"]).endswith("Z")


def test_libraries_warn_in_the_same_form_and_do_not_chatter() -> None:
    entries = [entry for entry in said("DEBUG") if entry["logger"] == "asyncua.client"]
    assert [(entry["event"], entry["level"]) for entry in entries] == [("library warns", "warning")]


def test_trace_stays_on_the_line_of_its_event() -> None:
    (entry,) = [entry for entry in said("ERROR") if entry["event"] == "failed"]
    assert "ZeroDivisionError" in str(entry["exception"])


def test_trace_does_not_tell_what_variables_held() -> None:
    assert "open-sesame" not in str(said("DEBUG"))


def test_terminal_gets_words_instead_of_json() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SAY.format(level="ERROR")], stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "said" in text
    assert "ZeroDivisionError" in text
    assert "open-sesame" not in text
    assert not text.startswith("{")
