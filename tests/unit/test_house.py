"""What keeps the house in order: sizes, names and words, read from the source itself."""

import ast
import re
import statistics
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("wire", "link", "agent", "controller", "ops", "plant", "mosquitto")
PYTHON = (*ROOMS, "tests", "tools", "benchmarks")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 8
A_REASON = re.compile(r"# long: \w+")
A_MACHINE = re.compile(r"(?<![\w.])/(?:" + "|".join(("work", "root", "home", "Users")) + r")/\w")
A_PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def everything() -> dict[Path, str]:
    return {path.relative_to(ROOT): path.read_text() for folder in PYTHON for path in (ROOT / folder).rglob("*.py")}


def sources(*folders: str) -> dict[Path, str]:
    return {path: text for path, text in everything().items() if path.parts[0] in folders}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(everything()[path])


@cache
def functions(path: Path) -> tuple[Function, ...]:
    return tuple(node for node in statements(tree(path)) if isinstance(node, Function))


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a node; expressions, which are most of a tree, are left out."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, block, ()):
            yield statement
            yield from statements(statement)


def length(function: Function) -> int:
    """Lines of a function without its docstring and decorators."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def gives_a_reason(path: Path, function: Function) -> bool:
    lines = everything()[path].splitlines()
    return any(A_REASON.search(line) for line in lines[max(0, function.lineno - 2) : function.end_lineno])


def undocumented(path: Path) -> Iterator[str]:
    module = tree(path)
    if module.body and ast.get_docstring(module) is None:
        yield str(path)
    for node in module.body:
        yield from undocumented_definition(path, node)


def undocumented_definition(path: Path, node: ast.stmt) -> Iterator[str]:
    if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
        return
    if ast.get_docstring(node) is None:
        yield f"{path}:{node.lineno} {node.name}"
    if isinstance(node, ast.ClassDef) and names_its_own_methods(node):
        for member in node.body:
            yield from undocumented_definition(path, member)


def names_its_own_methods(node: ast.ClassDef) -> bool:
    """Whether its methods are its own: what overrides a library's method is documented there."""
    bases = {base.id if isinstance(base, ast.Name) else ast.unparse(base) for base in node.bases}
    return bases <= {"Struct", "msgspec.Struct", "StrEnum", "Protocol", "Exception"}


def test_every_file_reads_in_one_sitting() -> None:
    lines = {path: len(text.splitlines()) for path, text in everything().items()}
    tables = {Path("wire/messages.py")}  # long: the contract's messages stand in one place, data and no logic
    assert {path: count for path, count in lines.items() if count > MAX_FILE_LINES and path not in tables} == {}


def test_no_function_is_longer_than_a_screen_without_a_reason() -> None:
    too_long = [
        f"{path}:{function.lineno} {function.name} has {length(function)} lines"
        for path in sources(*ROOMS, "tools", "benchmarks")
        for function in functions(path)
        if length(function) > MAX_FUNCTION_LINES and not gives_a_reason(path, function)
    ]
    assert too_long == []


def test_the_median_function_is_half_a_screen() -> None:
    assert statistics.median(length(f) for path in sources(*ROOMS) for f in functions(path)) <= MEDIAN_FUNCTION_LINES


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [
        path for path in everything() if FORBIDDEN_NAMES & {part.lower() for part in path.with_suffix("").parts}
    ] == []


def test_everything_public_is_documented() -> None:
    assert [missing for path in sources(*ROOMS, "tools") for missing in undocumented(path)] == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    marks = re.compile(r"pytest\.(?:mark\.)?" + "(?:skip|skipif|xfail|importorskip)" + r"\b")
    assert [path for path, text in sources("tests").items() if marks.search(text)] == []


def test_services_live_in_a_task_group() -> None:
    bare = re.compile(r"asyncio\.(?:create_task|ensure_future)\(")
    assert [path for path, text in sources("agent", "controller").items() if bare.search(text)] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    written = [*ROOT.glob("*.*"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("mosquitto/*"), *ROOT.glob("tools/*.sh")]
    texts = {path: path.read_text() for path in written if path.is_file() and path.suffix != ".db"}
    assert [path for path, text in (texts | everything()).items() if A_MACHINE.search(text)] == []


def test_constraints_are_pins_and_nothing_else() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not A_PIN.fullmatch(line)] == []


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[<>=!~; ]", one)[0].lower() for one in wanted} - {"millwright"}
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert names - pinned == set()
