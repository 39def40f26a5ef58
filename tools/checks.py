"""Runs the checks one after the other, goes on after a failure, and ends in a few lines that say what was run.

    python tools/checks.py quick    what needs neither a broker nor containers
    python tools/checks.py all      everything

Needs the standard library alone; the exit code is 0 only if everything passed.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
BIN = Path(sys.executable).parent
_FOLDERS = ("wire", "link", "agent", "controller", "ops", "plant", "mosquitto", "tests", "tools", "benchmarks")
CODE = tuple(folder for folder in _FOLDERS if (ROOT / folder).is_dir())

STATIC = {
    "ruff": (BIN / "ruff", "check", *CODE),
    "format": (BIN / "ruff", "format", "--check", *CODE),
    "types": (BIN / "mypy", "--strict"),
    "imports": (BIN / "lint-imports",),
}
TESTS = {
    "unit": ("tests/unit",),
    "properties": ("tests/unit", "-m", "hypothesis", "--hypothesis-profile=thorough"),
    "integration": ("tests/integration",),
    "end to end": ("tests/e2e",),
}
QUICK = ("unit",)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one step came to; a static check counts as one."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    own_seconds: float | None = None
    """What the tests themselves took, without starting Python and collecting them."""
    failures: tuple[str, ...] = field(default=())

    def line(self) -> str:
        """One line of the summary."""
        counts = f"{self.passed} passed" + (f", {self.failed} failed" if self.failed else "")
        counts = {(1, 0): "passed", (0, 1): "FAILED"}[self.passed, self.failed] if self.name in STATIC else counts
        counts += f", {self.skipped} skipped" if self.skipped else ""
        own = "" if self.own_seconds is None else f"  (the tests themselves {self.own_seconds:.1f} s)"
        return f"{self.name:<12} {counts:<26} {self.seconds:7.1f} s{own}"


def main(arguments: list[str]) -> int:
    """Run what `arguments` ask for and return the exit code."""
    if arguments not in (["quick"], ["all"]):
        print(__doc__, file=sys.stderr)
        return 2
    groups = QUICK if arguments == ["quick"] else tuple(TESTS)
    began = time.monotonic()
    results = [static(name) for name in STATIC] + [tests(name) for name in groups]
    summarize(results, time.monotonic() - began)
    return 1 if any(result.failed for result in results) else 0


def static(name: str) -> Result:
    """Run a check that passes or fails as a whole."""
    code, seconds = run(name, [str(part) for part in STATIC[name]])
    return Result(name=name, passed=int(code == 0), failed=int(code != 0), seconds=seconds)


def tests(name: str) -> Result:
    """Run a folder of tests; one that ends without a report, or runs no test, has failed."""
    report = REPORTS / f"{name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *TESTS[name], f"--junit-xml={report}", "--durations=5"]
    code, seconds = run(name, command)
    result = read(report, name, seconds) if report.exists() else Result(name=name, failed=1, seconds=seconds)
    if code != 0 and not result.failed:
        return Result(
            name=name, passed=result.passed, failed=1, seconds=seconds, failures=(f"pytest ended with {code}",)
        )
    return result


def read(report: Path, name: str, seconds: float) -> Result:
    """Count a JUnit report's cases."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  written by our own pytest just now
    failures = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    return Result(
        name=name,
        passed=len(cases) - len(failures) - len(skipped),
        failed=len(failures),
        skipped=len(skipped),
        seconds=seconds,
        own_seconds=sum(float(case.get("time", 0)) for case in cases),
        failures=tuple(f"{case.get('classname')}::{case.get('name')}" for case in failures),
    )


def run(name: str, command: list[str]) -> tuple[int, float]:
    """Run a command, its output going where ours goes; returns its exit code and how long it took."""
    print(f"\n── {name} " + "─" * (100 - len(name)), flush=True)
    began = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, check=False).returncode  # noqa: S603
    return code, time.monotonic() - began


def environment() -> dict[str, str]:
    """Ours, and inside a container what testcontainers must know there: ports are on this machine's loopback."""
    inside = Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or "container" in os.environ
    hints = {"TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1", "TESTCONTAINERS_RYUK_DISABLED": "true"} if inside else {}
    ours = dict(os.environ)
    ours.pop("PYTHONDONTWRITEBYTECODE", None)  # every agent and controller that a test starts would be compiled anew
    return hints | ours


def summarize(results: list[Result], seconds: float) -> None:
    """Print what was run and, alone on the last line, the sum."""
    print("\n── what was run " + "─" * 88)
    for result in results:
        print(result.line())
        for failure in result.failures:
            print(f"    {failure}")
    skipped = sum(result.skipped for result in results)
    print(f"{'all':<12} {'':<26} {seconds:7.1f} s")
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
