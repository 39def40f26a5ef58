"""The environment laid over a configuration file.

Two kinds of variables are read; an empty one counts as not set, so that Compose's `${NAME:-}` does no harm.

- Every scalar field has `MILLWRIGHT_<SECTION>_<FIELD>`: `MILLWRIGHT_MQTT_HOST`, `MILLWRIGHT_NODE_SITE`,
  `MILLWRIGHT_MQTT_RECONNECT_FIRST_S`. Below the agent's sections (node, mqtt, commands, workload, opcua, spool, health)
  an unknown name is a mistake, and so is one that is spelled almost like a known one. Any other MILLWRIGHT_ variable
  belongs to the command line or the controller and is left alone.
- The short names in `SHORT`, which alone make a configuration. The more exact name wins over the short one.
  OPCUA_* describe one server, named `plc`: the only one, or a new one where none is configured.

A secret has a second name that ends in `_FILE`; giving the one replaces the other in the file.
"""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.inspect import BoolType, EnumType, FloatType, IntType, Type

from agent.load.explain import wrong_value
from agent.load.fields import SECRETS, present, scalars, schema, type_at
from agent.load.problem import FieldPath, Problem, Tree, did_you_mean

PREFIX = "MILLWRIGHT_"
SHORT: dict[str, FieldPath] = {
    "DOCKER_REGISTRY": ("workload", "default_registry"),
    "DEPLOYMENT_MODE": ("node", "mode"),
    "LOG_LEVEL": ("node", "log_level"),
    "OPCUA_SERVER_URL": ("opcua", 0, "url"),
    "OPCUA_USERNAME": ("opcua", 0, "username"),
    "OPCUA_PASSWORD": ("opcua", 0, "password"),
    "OPCUA_PASSWORD_FILE": ("opcua", 0, "password_file"),
}
"""Names that work without a file."""
_MISSPELLED = 0.93
"""So much alike, and a name outside the agent's sections is a slip of the pen: `MILLWRIGHT_MQT_HOST`."""
_SIMPLE: dict[type[Type], type] = {IntType: int, FloatType: float, BoolType: bool}


def laid_over(tree: Tree, environ: Mapping[str, str], origins: dict[FieldPath, str]) -> Tree:
    """Return `tree` with the environment over it, and note in `origins` which variable set which field.

    Raises Problem for a variable that can't be understood.
    """
    result = copy.deepcopy(tree)
    given = {name: value for name, value in environ.items() if value}
    _place_server(result, given)
    for variable, path in _settings(given):
        _refuse_both_forms(path, variable, origins)
        _replace(result, path, _typed(path, given[variable], variable))
        origins[path] = variable
    return result


def _settings(given: Mapping[str, str]) -> Iterator[tuple[str, FieldPath]]:
    """Which variables set which fields, the ones that win last."""
    yield from ((name, path) for name, path in SHORT.items() if name in given)
    known = {PREFIX + "_".join(map(str, path)).upper(): path for path, _ in scalars()}
    for name in sorted(name for name in given if name.startswith(PREFIX)):
        if name in known:
            yield name, known[name]
        else:
            _refuse_unknown(name, known)


def _refuse_unknown(name: str, known: Iterable[str]) -> None:
    section = next((field.name for field in schema().fields if _is_below(name, field.name)), None)
    if section == "opcua":
        remedy = (
            "One server is OPCUA_SERVER_URL, OPCUA_USERNAME, OPCUA_PASSWORD; several stand in a file, as [[opcua]]."
        )
        raise Problem((), "sets no field", remedy, variable=name)
    if section or difflib.get_close_matches(name, known, cutoff=_MISSPELLED):
        remedy = f"{did_you_mean(name, known)}A field's variable is {PREFIX}<SECTION>_<FIELD>."
        raise Problem((), "sets no field", remedy, variable=name)


def _is_below(name: str, section: str) -> bool:
    return name.startswith(f"{PREFIX}{section.upper()}_")


def _typed(path: FieldPath, text: str, variable: str) -> Any:
    """A variable's text as the type of its field; an enumeration in any case."""
    kind = present(type_at(path))
    if isinstance(kind, EnumType):
        return _checked(path, text.lower(), kind.cls, variable)
    return _checked(path, text, _SIMPLE.get(type(kind), str), variable)


def _checked(path: FieldPath, text: str, kind: type, variable: str) -> Any:
    try:
        msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise wrong_value(path, text, variable=variable) from None
    return text if issubclass(kind, str) else msgspec.convert(text, kind, strict=False)


def _place_server(tree: Tree, given: Mapping[str, str]) -> None:
    """Make sure that there is one server for OPCUA_* to describe."""
    named = [name for name in SHORT if name.startswith("OPCUA_") and name in given]
    servers = tree.setdefault("opcua", []) if named else None
    if not isinstance(servers, list):
        return
    if len(servers) > 1:
        remedy = f"Unset it, or configure one server: the file has {len(servers)}, and it is not known which is meant."
        raise Problem(("opcua",), "describes one OPC UA server", remedy, variable=named[0])
    if not servers and "OPCUA_SERVER_URL" not in given:
        remedy = "Set OPCUA_SERVER_URL too, or configure the server in the file, as [[opcua]]."
        raise Problem(("opcua",), "is set, but there is no OPC UA server", remedy, variable=named[0])
    if not servers:
        servers.append({"name": "plc"})


def _replace(tree: Any, path: FieldPath, value: Any) -> None:
    """Set a field, and unset the other form of the same secret. What is no table is left for the decoder to refuse."""
    for step, following in pairwise(path):
        if isinstance(step, str) and isinstance(tree, dict):
            tree.setdefault(step, [] if isinstance(following, int) else {})
        tree = _inside(tree, step)
    if isinstance(tree, dict):
        tree[path[-1]] = value
        tree.pop(_other_form(path)[-1], None)


def _inside(tree: Any, step: str | int) -> Any:
    try:
        return tree[step]
    except (TypeError, LookupError):
        return None


def _other_form(path: FieldPath) -> FieldPath:
    """`password_file` for `password` and the other way round; nothing for what is no secret."""
    name = str(path[-1])
    if name in SECRETS:
        return (*path[:-1], f"{name}_file")
    bare = name.removesuffix("_file")
    return (*path[:-1], bare if bare in SECRETS else "")


def _refuse_both_forms(path: FieldPath, variable: str, origins: Mapping[FieldPath, str]) -> None:
    other = origins.get(_other_form(path))
    if other is not None:
        raise Problem(path, f"and {other} are both set", "Set one of the two.", variable=variable)
