"""Asking the broker what the agent will ask of it, without being taken for the agent."""

import asyncio
import os
import secrets
import ssl
import time
from collections.abc import AsyncGenerator

from agent.config import Config
from agent.validate.judgement import of_certificate
from agent.validate.probe import Probe
from agent.validate.verdict import Verdict, failed, passed
from link.client import Client, LinkError, PublishRefusedError
from wire.topics import Kind

_DAY_S = 86400.0
_MESSAGE = b'{"message":"millwright agent validate"}'


def broker_probe(config: Config) -> Probe:
    """Reach the broker, verify it, be let in, subscribe, publish."""
    tls = ("broker-tls",) if config.mqtt.tls or config.mqtt.ca_file else ()
    return Probe(
        name=str(config.mqtt),
        checks=("broker-reachable", *tls, "broker-credentials", "broker-subscribe", "broker-publish"),
        look=lambda: _look(config),
        when_silent="See whether a broker listens there, and whether a firewall drops what goes there.",
    )


async def _look(config: Config) -> AsyncGenerator[Verdict, None]:
    yield await _reach(config)
    if context := config.mqtt.tls_context():
        yield await _verify(config, context)
    try:
        async with _client(config) as client:
            yield passed("broker-credentials", f"let in as {config.mqtt.username or 'anonymous'}")
            yield await _subscribe(config, client)
            yield await _publish(config, client)
    except LinkError as error:
        yield _not_let_in(config, error)


async def _reach(config: Config) -> Verdict:
    mqtt = config.mqtt
    started_s = time.monotonic()
    try:
        _, writer = await asyncio.open_connection(mqtt.host, mqtt.port)
    except OSError as error:
        remedy = "Check mqtt.host and mqtt.port, that the broker runs, and the way there (name service, firewall)."
        return failed("broker-reachable", f"{mqtt}: {_why(error)}", remedy)
    writer.close()
    return passed("broker-reachable", f"{mqtt} answers in {1000 * (time.monotonic() - started_s):.0f} ms")


def _why(error: OSError) -> str:
    """asyncio replaces the system's words by its own, and keeps the number."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


async def _verify(config: Config, context: ssl.SSLContext) -> Verdict:
    mqtt = config.mqtt
    try:
        _, writer = await asyncio.open_connection(mqtt.host, mqtt.port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        remedy = (
            "Set mqtt.ca_file to the authority that signed the broker's certificate, and mqtt.host to a name in it."
        )
        return failed("broker-tls", f"{mqtt} is not verified: {error.verify_message}", remedy)
    except (OSError, ssl.SSLError) as error:
        remedy = "Check that mqtt.port is the broker's TLS port (usually 8883), and what certificate it asks for."
        return failed("broker-tls", f"{mqtt} does not speak TLS with us: {error}", remedy)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    days_left = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / _DAY_S
    return of_certificate(days_left, str(mqtt))


def _client(config: Config) -> Client:
    """Another client id than the agent's, which would otherwise be thrown out; and a session that nothing outlives."""
    identifier = f"millwright-validate-{secrets.token_hex(4)}"
    return Client(config.mqtt, identifier=identifier, clean_start=True, session_expiry_s=0)


async def _subscribe(config: Config, client: Client) -> Verdict:
    topics = config.topics.commands_for(config.node_name)
    try:
        for topic in topics:
            await client.subscribe(topic, qos=1)
    except LinkError as error:
        remedy = f"Let {config.mqtt.username or 'this client'} read {' '.join(topics)} in the broker's ACL."
        return failed("broker-subscribe", str(error), remedy)
    return passed("broker-subscribe", f"commands can be received on {topics[0]} and {len(topics) - 1} broadcasts")


async def _publish(config: Config, client: Client) -> Verdict:
    topic = config.topics.of(config.node_name, Kind.LOG, "validate")
    below = config.topics.below(config.node_name)
    try:
        await client.send(topic, _MESSAGE, qos=1)
    except PublishRefusedError as error:
        remedy = f"Let {config.mqtt.username or 'this client'} write {below} in the broker's ACL."
        return failed("broker-publish", str(error), remedy)
    return passed("broker-publish", f"the broker takes what is published below {below}")


def _not_let_in(config: Config, error: LinkError) -> Verdict:
    user = config.mqtt.username
    if not error.refused:
        return failed("broker-credentials", str(error), "Look into the broker's log for why it closed the connection.")
    remedy = f"Check the password of {user} at the broker." if user else "Give mqtt.username and mqtt.password_file."
    return failed("broker-credentials", str(error), remedy)
