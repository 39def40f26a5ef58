"""The documents name what exists: links lead somewhere, and every test that is said to hold a promise is there."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")])
A_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
A_TEST = re.compile(r"`(test_\w+)`")
A_TARGET = re.compile(r"`?make ([a-z]+)")

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def known_tests() -> frozenset[str]:
    return frozenset(
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    )


@documents
def test_every_link_leads_somewhere(document: Path) -> None:
    assert [link for link in A_LINK.findall(document.read_text()) if not (document.parent / link).exists()] == []


@documents
def test_every_test_that_is_named_exists(document: Path) -> None:
    assert set(A_TEST.findall(document.read_text())) - known_tests() == set()


@documents
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    commands = [line for line in document.read_text().splitlines() if line.startswith("make ") or "`make " in line]
    named = {target for line in commands for target in A_TARGET.findall(line)}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named - targets == set()


@pytest.mark.parametrize(
    "script", ["tools/setup.sh", "tools/with_docker.sh", "tools/pins.sh", "tools/wheels.sh", ".ci/run"]
)
def test_every_script_is_sound_and_stops_at_its_first_failure(script: str) -> None:
    assert "set -euo pipefail" in (ROOT / script).read_text()
    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0
