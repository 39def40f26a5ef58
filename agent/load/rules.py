"""What a configuration must be beyond its types: fields that need or exclude one another, names that must differ.

Each rule looks at one part and yields what is wrong with it; the first of all stops the start.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from urllib.parse import urlsplit

from agent.config import CommandConfig, Config, MqttConfig, PlcConfig, RegistryConfig, TagConfig, WorkloadConfig
from agent.load.fields import expected, type_at
from agent.load.problem import FieldPath, Problem
from link.reconnect import Spread

_NODE_ID = re.compile(
    r"(?:(?:ns=\d{1,5}|nsu=[^;]+);)?(?:i=\d{1,10}|s=.+|g=[0-9A-Fa-f-]{36}|b=[A-Za-z0-9+/=]+)\Z", re.DOTALL
)
_KEY_BYTES = 32
_DOCKER_SCHEMES = ("unix", "tcp", "http", "https")


def broken_rule(config: Config) -> Problem | None:
    """The first rule that a configuration breaks; None if it is sound."""
    return next(_broken_rules(config), None)


def _broken_rules(config: Config) -> Iterator[Problem]:
    yield from _mqtt(config.mqtt)
    yield from _commands(config.commands)
    yield from _workload(config.workload)
    names = [plc.name for plc in config.opcua]
    yield from _doubles(names, lambda index: ("opcua", index, "name"), "PLC")
    yield from chain.from_iterable(_plc(plc, ("opcua", index)) for index, plc in enumerate(config.opcua))


def not_finite(tree: object, at: FieldPath = ()) -> Problem | None:
    """The first number that is none: TOML has `nan` and `inf`, which pass every range."""
    match tree:
        case dict():
            return next(filter(None, (not_finite(value, (*at, key)) for key, value in tree.items())), None)
        case list():
            return next(filter(None, (not_finite(value, (*at, index)) for index, value in enumerate(tree))), None)
        case float() if not math.isfinite(tree):
            return Problem(at, f"is {tree}", f"It must be {expected(type_at(at))}, and finite.")
        case _:
            return None


# --- the broker


def _mqtt(mqtt: MqttConfig) -> Iterator[Problem]:
    at: FieldPath = ("mqtt",)
    yield from _one_secret(mqtt.password, mqtt.password_file, at)
    yield from _needs_username(mqtt.username, mqtt.password or mqtt.password_file, at)
    if mqtt.cert_file and not mqtt.key_file:
        yield Problem(
            (*at, "cert_file"), "is given without key_file", "Give the certificate's private key as key_file."
        )
    if mqtt.key_file and not mqtt.cert_file:
        yield Problem((*at, "key_file"), "is given without cert_file", "Give the key's certificate as cert_file.")
    if mqtt.cert_file and not (mqtt.tls or mqtt.ca_file):
        remedy = "Set tls = true, or ca_file to the authority that signed the broker's certificate."
        yield Problem((*at, "cert_file"), "has no use without TLS", remedy)
    if mqtt.will_delay_s > mqtt.session_expiry_s:
        remedy = (
            f"It must be at most session_expiry_s, {mqtt.session_expiry_s}: the will goes out when the session ends."
        )
        yield Problem((*at, "will_delay_s"), f"is {mqtt.will_delay_s}, longer than the session", remedy)
    yield from _spread(mqtt.reconnect, (*at, "reconnect"))


def _spread(spread: Spread, at: FieldPath) -> Iterator[Problem]:
    if spread.longest_s < spread.first_s:
        remedy = f"It must be at least first_s, {spread.first_s:g}."
        yield Problem((*at, "longest_s"), f"is {spread.longest_s:g}, less than the first delay", remedy)


# --- secrets


def _one_secret(value: str | None, file: str | None, at: FieldPath) -> Iterator[Problem]:
    if value is not None and file is not None:
        yield Problem(
            (*at, "password"), "and password_file are both given", "Give one of the two; a file can be renewed."
        )


def _needs_username(username: str | None, secret: str | None, at: FieldPath) -> Iterator[Problem]:
    if secret is not None and not username:
        yield Problem(
            (*at, "username"), "is missing, but there is a password", "Give the user name that it belongs to."
        )


# --- commands


def _commands(commands: CommandConfig) -> Iterator[Problem]:
    at: FieldPath = ("commands", "trusted_keys")
    for key_id, key in commands.trusted_keys.items():
        if not key_id:
            yield Problem(at, "has a key without an id", 'Name it: "ops-2026" = "…".')
        elif (size := _decoded_size(key)) != _KEY_BYTES:
            wrong = "is not base64" if size is None else f"is base64 of {size} bytes"
            yield Problem(
                (*at, key_id), wrong, f"It must be base64 of the {_KEY_BYTES} bytes of an Ed25519 public key."
            )
    if commands.require_signature and not commands.trusted_keys:
        remedy = "List the keys that may command this node below [commands.trusted_keys], or no command is ever taken."
        yield Problem(("commands", "require_signature"), "is true, but no key is trusted", remedy)


def _decoded_size(text: str) -> int | None:
    try:
        return len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None


# --- the engine and the registries


def _workload(workload: WorkloadConfig) -> Iterator[Problem]:
    scheme = urlsplit(workload.docker_url).scheme
    if scheme not in _DOCKER_SCHEMES:
        remedy = "It must be like unix:///var/run/docker.sock or tcp://host:2376."
        yield Problem(("workload", "docker_url"), f"is {workload.docker_url!r}", remedy)
    if workload.default_registry is not None:
        yield from _registry_host(workload.default_registry, ("workload", "default_registry"))
    hosts = [registry.host for registry in workload.registries]
    yield from _doubles(hosts, lambda index: ("workload", "registries", index, "host"), "registry")
    for index, registry in enumerate(workload.registries):
        yield from _registry(registry, ("workload", "registries", index))


def _registry(registry: RegistryConfig, at: FieldPath) -> Iterator[Problem]:
    yield from _registry_host(registry.host, (*at, "host"))
    yield from _one_secret(registry.password, registry.password_file, at)
    if registry.password is None and registry.password_file is None:
        yield Problem(
            (*at, "password_file"), "is missing", "Give the file with the password of this user (or password)."
        )


def _registry_host(host: str, at: FieldPath) -> Iterator[Problem]:
    if "://" in host or not host or any(char.isspace() for char in host) or host.endswith("/"):
        remedy = "It must be as it stands in an image's reference: registry.example:5000, no scheme, no / at the end."
        yield Problem(at, f"is {host!r}", remedy)


# --- PLCs and tags


def _plc(plc: PlcConfig, at: FieldPath) -> Iterator[Problem]:
    yield from _plc_url(plc.url, (*at, "url"))
    yield from _one_secret(plc.password, plc.password_file, at)
    yield from _needs_username(plc.username, plc.password or plc.password_file, at)
    yield from _spread(plc.reconnect, (*at, "reconnect"))
    for index, tag in enumerate(plc.tags):
        yield from _tag(tag, (*at, "tags", index))
    names = [tag.known_as for tag in plc.tags]
    yield from _doubles(names, lambda index: (*at, "tags", index), "tag")
    if len(plc.tags) > plc.max_tags:
        remedy = f"Raise it to {len(plc.tags)}, or list fewer tags."
        yield Problem((*at, "max_tags"), f"is {plc.max_tags}, but {len(plc.tags)} tags are listed", remedy)


def _plc_url(url: str, at: FieldPath) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        yield Problem(at, f"is {url!r}", "It must be the address of an OPC UA server, like opc.tcp://host:4840.")
    elif parts.username or parts.password:
        yield Problem(at, "has credentials in it", "Give username and password_file instead: an address is logged.")


def _tag(tag: TagConfig, at: FieldPath) -> Iterator[Problem]:
    if not _NODE_ID.match(tag.node_id):
        remedy = (
            "It must be a NodeId: ns=2;s=Press.Temperature, or nsu=http://vendor/plc;s=Press.Temperature, or i=2258."
        )
        yield Problem((*at, "node_id"), f"is {tag.node_id!r}", remedy)
    if tag.name == "":
        yield Problem((*at, "name"), "is empty", "Give a name, or leave it out to take the node's identifier.")


def _doubles(names: Iterable[str], path: Callable[[int], FieldPath], what: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in seen:
            remedy = f"Give every {what} a name of its own: number {seen[name] + 1} of the list has this one."
            yield Problem(path(index), f"is a second {what} {name!r}", remedy)
        seen.setdefault(name, index)
