"""The words of `millwright deploy` become an app's description. Strict: what can't be honoured is said, not dropped."""

import json
import shlex
import tomllib
from collections.abc import Sequence
from typing import Any

import msgspec

from ops.amounts import parse_bytes, parse_duration_s
from wire.app import AppSpec


class SpecError(ValueError):
    """A description that can't be one; the message says where and what would be right."""


class ContainerWords(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed, not yet understood. None and empty mean: not said."""

    image: str
    command: str | None = None
    entrypoint: str | None = None
    env: Sequence[str] = ()
    ports: Sequence[str] = ()
    mounts: Sequence[str] = ()
    networks: Sequence[str] = ()
    user: str | None = None
    restart: str | None = None
    memory: str | None = None
    cpus: float | None = None
    health_cmd: str | None = None
    running_for: str | None = None
    healthy_within: str | None = None
    stop_grace: str | None = None


_OPTION_OF = {
    "ports": "--port",
    "mounts": "--mount",
    "memory_bytes": "--memory",
    "healthy_within_s": "--healthy-within",
    "stop_grace_s": "--stop-grace",
    "probe": "--running-for",
}


def spec_from_words(words: ContainerWords) -> AppSpec:
    """Understand what was typed; raises SpecError with the option that is wrong."""
    container = {
        "image": words.image,
        "command": _arguments(words.command),
        "entrypoint": _arguments(words.entrypoint),
        "env": dict(map(_variable, words.env)),
        "ports": [_port(text) for text in words.ports],
        "mounts": [_mount(text) for text in words.mounts],
        "networks": words.networks,
        "user": words.user,
        "restart": words.restart,
        "memory_bytes": _amount("--memory", parse_bytes, words.memory),
        "cpus": words.cpus,
        "probe": _probe(words),
        "healthy_within_s": _amount("--healthy-within", parse_duration_s, words.healthy_within),
        "stop_grace_s": _amount("--stop-grace", parse_duration_s, words.stop_grace),
    }
    said = {name: value for name, value in container.items() if value is not None}
    try:
        return msgspec.convert({"containers": [said]}, AppSpec)
    except msgspec.ValidationError as error:
        raise SpecError(_by_option(str(error))) from error


def spec_from_text(text: str, *, toml: bool) -> AppSpec:
    """Read a description from a file's text, JSON or TOML; raises SpecError, also for a field that there isn't."""
    try:
        content = tomllib.loads(text) if toml else json.loads(text)
        spec = msgspec.convert(content, AppSpec)
    except (ValueError, RecursionError) as error:
        raise SpecError(str(error)) from error
    if unknown := _unknown_in(content, spec, "$"):
        raise SpecError(f"there is no field {unknown}")
    return spec


def _unknown_in(content: Any, understood: Any, place: str) -> str | None:
    """The first field of `content` that was not understood: wire types are tolerant, a file may not be."""
    if isinstance(understood, tuple):
        pairs = [(f"{place}[{at}]", *pair) for at, pair in enumerate(zip(content, understood, strict=False))]
    elif isinstance(understood, msgspec.Struct):
        known = {*understood.__struct_fields__, understood.__struct_config__.tag_field}
        for name in content:
            if name not in known:
                return f"{place}.{name}; it may have {', '.join(understood.__struct_fields__)}"
        pairs = [(f"{place}.{name}", content[name], getattr(understood, name, None)) for name in content]
    else:
        return None
    return next(filter(None, (_unknown_in(inner, value, where) for where, inner, value in pairs)), None)


def _arguments(text: str | None) -> list[str] | None:
    try:
        return None if text is None else shlex.split(text)
    except ValueError as error:
        raise SpecError(f"--command {text!r}: {error}") from error


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise SpecError(f"--env {text!r} is not NAME=VALUE")
    return name, value


def _port(text: str) -> dict[str, Any]:
    """`[ADDRESS:]HOST:CONTAINER[/udp]`, as Docker writes it."""
    pair, _, protocol = text.partition("/")
    *address, host, container = pair.rsplit(":", 2) if ":" in pair else ("", "")
    if not (host.isdecimal() and container.isdecimal()):
        raise SpecError(f"--port {text!r} is not [ADDRESS:]HOST:CONTAINER[/udp]")
    given: dict[str, Any] = {"host": int(host), "container": int(container)}
    return (
        given | ({"address": address[0].strip("[]")} if address else {}) | ({"protocol": protocol} if protocol else {})
    )


def _mount(text: str) -> dict[str, Any]:
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not (source and target and mode in ("", "ro", "rw")):
        raise SpecError(f"--mount {text!r} is not SOURCE:TARGET[:ro], SOURCE a volume or a path of the node")
    return {"source": source, "target": target, "read_only": mode == "ro"}


def _probe(words: ContainerWords) -> dict[str, Any] | None:
    if words.health_cmd is not None and words.running_for is not None:
        raise SpecError("--health-cmd and --running-for are two ways to judge one container: give one")
    if words.health_cmd is not None:
        return {"by": "healthcheck", "test": ["CMD-SHELL", words.health_cmd]}
    for_s = _amount("--running-for", parse_duration_s, words.running_for)
    return None if for_s is None else {"by": "running", "for_s": for_s}


def _amount(option: str, parse: Any, text: str | None) -> Any:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise SpecError(f"{option}: {error}") from error


def _by_option(message: str) -> str:
    """Say a fault by the option that was typed rather than by the field that it became."""
    said, found, place = message.rpartition(" - at `$.containers[0].")
    if not found:
        return message
    field = place.rstrip("`").split(".")[0].split("[")[0]
    return f"{_OPTION_OF.get(field, '--' + field.replace('_', '-'))}: {said}"
