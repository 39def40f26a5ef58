"""The files that a configuration names: readable, and what they should be."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from agent.config import Config
from agent.load.problem import FieldPath, Problem


def unusable_file(config: Config) -> Problem | None:
    """The first file that can't be used, read as the user that reads the configuration; None if all are sound."""
    return next(_unusable(config), None)


def _unusable(config: Config) -> Iterator[Problem]:
    for path, file in _secrets(config):
        yield from _unreadable(path, file, "a file with the password, readable by the agent's user")
        if Path(file).is_file() and not Path(file).read_text(encoding="utf-8", errors="replace").strip():
            yield Problem(path, f"names an empty file, {file}", "Write the password into it.")
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(config.mqtt, name)
        if file is not None:
            yield from _unreadable(("mqtt", name), file, "a PEM file, readable by the agent's user")
    yield from _unusable_tls(config)


def _secrets(config: Config) -> Iterator[tuple[FieldPath, str]]:
    if config.mqtt.password_file:
        yield ("mqtt", "password_file"), config.mqtt.password_file
    for index, registry in enumerate(config.workload.registries):
        if registry.password_file:
            yield ("workload", "registries", index, "password_file"), registry.password_file
    for index, plc in enumerate(config.opcua):
        if plc.password_file:
            yield ("opcua", index, "password_file"), plc.password_file


def _unreadable(path: FieldPath, file: str, what: str) -> Iterator[Problem]:
    try:
        Path(file).read_bytes()
    except OSError as error:
        yield Problem(path, f"names {file}, which can't be read: {error.strerror}", f"It must be {what}.")


def _unusable_tls(config: Config) -> Iterator[Problem]:
    try:
        config.mqtt.tls_context()
    except (OSError, ssl.SSLError, ValueError) as error:
        field = "cert_file" if config.mqtt.cert_file else "ca_file"
        remedy = (
            "They must be PEM: ca_file one or more certificates; cert_file and key_file a certificate and its own key."
        )
        yield Problem(("mqtt", field), f"can't be used for TLS: {error}", remedy)
