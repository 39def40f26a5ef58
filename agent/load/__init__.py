"""Reading what an agent is told: a TOML file, the environment laid over it, then the rules that types can't say.

    file ──────► tree ─┐
                       ├─ laid over ─► msgspec (strict, no unknown field) ─► rules ─► files ─► Config
    environment ───────┘

Every mistake ends as a ConfigError with its place (file and line, or the variable), the field, what is wrong and what
would be right. A secret's value is never shown. How variables are read stands in `agent/load/environment.py`.
"""

import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent.config import Config
from agent.errors import ConfigError
from agent.load.environment import laid_over
from agent.load.explain import explain
from agent.load.files import unusable_file
from agent.load.locate import line_of
from agent.load.problem import FieldPath, Problem, Tree, dotted
from agent.load.rules import broken_rule, not_finite

__all__ = ["load"]


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration; with no file, the environment alone is one. Raises ConfigError for the first mistake.

    Without a file the node is `default/<host name>`, unless MILLWRIGHT_NODE_SITE or MILLWRIGHT_NODE_NAME say otherwise.
    """
    text = None if path is None else _read(path)
    tree = _of_this_host() if path is None or text is None else _parse(path, text)
    origins: dict[FieldPath, str] = {}
    try:
        return _checked(laid_over(tree, environ, origins))
    except Problem as problem:
        where = _where(problem, origins, path, text)
        raise ConfigError(problem.message, where=where, remedy=problem.remedy) from None


def node_name_for(host: str) -> str:
    """A node's name made of a host's: what a name can't hold becomes `-`; `node` where nothing is left."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in host)
    return kept.lstrip("._-")[:64] or "node"


def _of_this_host() -> Tree:
    return {"node": {"site": "default", "name": node_name_for(socket.gethostname())}}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        remedy = "Give a readable TOML file; `millwright agent config -o FILE` writes one to start from."
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path), remedy=remedy) from None
    except UnicodeDecodeError as error:
        remedy = "Save the file as UTF-8."
        raise ConfigError(f"is not UTF-8 (byte {error.start})", where=str(path), remedy=remedy) from None


def _parse(path: Path, text: str) -> Tree:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        where = f"{path}, {place.rstrip(')') or 'end of the file'}"
        remedy = 'TOML is `key = value` below `[section]`; text stands in "quotes": https://toml.io/en/v1.0.0'
        raise ConfigError(f"is not TOML: {what}", where=where, remedy=remedy) from None


def _checked(tree: Tree) -> Config:
    try:
        config = msgspec.convert(tree, Config, strict=True)
    except msgspec.ValidationError as error:
        raise explain(error, tree) from None
    problem = not_finite(tree) or broken_rule(config) or unusable_file(config)
    if problem is not None:
        raise problem
    return config


def _where(problem: Problem, origins: Mapping[FieldPath, str], path: Path | None, text: str | None) -> str:
    variable = problem.variable or origins.get(problem.path)
    if variable is not None:
        return f"environment, {variable}"
    if path is None or text is None:
        return f"environment, {dotted(problem.path)}"
    line = line_of(text, problem.path)
    return ", ".join(filter(None, (str(path), f"line {line}" if line else "", dotted(problem.path))))
