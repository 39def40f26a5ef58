"""Asking each PLC's server what the agent will ask of it, in a session of its own."""

from collections.abc import AsyncGenerator, Sequence

from asyncua import ua

from agent.config import PlcConfig
from agent.telemetry.address_space import variables
from agent.telemetry.chunks import in_chunks
from agent.telemetry.errors import Codes, PlcError, status_name
from agent.telemetry.nodeid import NodeIdError, resolve
from agent.telemetry.opcua import PlcSession
from agent.telemetry.tags import Wanted, wanted_of
from agent.validate.judgement import of_browsing, of_tags
from agent.validate.probe import Probe
from agent.validate.verdict import Verdict, failed, passed

WRONG_CREDENTIALS = frozenset(
    (Codes.BadUserAccessDenied, Codes.BadIdentityTokenRejected, Codes.BadIdentityTokenInvalid)
)


def plc_probe(plc: PlcConfig) -> Probe:
    """Reach the server, be let in, read every tag once."""
    return Probe(
        name=plc.url,
        subject=plc.name,
        checks=("plc-reachable", "plc-credentials", "plc-tags"),
        look=lambda: _look(plc),
        when_silent="See whether the server runs and listens there, and whether a firewall drops what goes there.",
    )


async def _look(plc: PlcConfig) -> AsyncGenerator[Verdict, None]:
    session = PlcSession(plc)
    try:
        await session.open()
        yield passed("plc-reachable", f"{plc.url} answers")
        yield passed("plc-credentials", f"let in as {plc.username or 'anonymous'}")
        yield await _tags(session, plc)
    except PlcError as error:
        for verdict in not_opened(plc, error):
            yield verdict
    finally:
        await session.close()


def not_opened(plc: PlcConfig, error: PlcError) -> tuple[Verdict, ...]:
    """What a session that failed says: the server is not there, or does not want us."""
    if error.status in WRONG_CREDENTIALS:
        remedy = f"Check the password of {plc.username} in the server, and that it may read."
        there = passed("plc-reachable", f"{plc.url} answers")
        return there, failed(
            "plc-credentials", str(error), remedy if plc.username else "Give username and password_file."
        )
    remedy = "Check the url, that the server runs, and the way there (name service, firewall)."
    return (failed("plc-reachable", f"{plc.url}: {error}", remedy),)


async def _tags(session: PlcSession, plc: PlcConfig) -> Verdict:
    wanted = wanted_of(plc)
    try:
        if not wanted:
            return of_browsing(len(await variables(session, most=plc.max_tags)), plc.max_tags)
        return of_tags(len(wanted), await _bad_tags(session, wanted))
    except PlcError as error:
        return failed("plc-tags", f"while {error.phase}: {error}", "Let this user browse and read in the server.")


async def _bad_tags(session: PlcSession, wanted: Sequence[Wanted]) -> dict[str, str]:
    bad: dict[str, str] = {}
    nodes: dict[str, ua.NodeId] = {}
    for tag in wanted:
        try:
            nodes[tag.name] = resolve(tag.node_id, session.namespaces)
        except NodeIdError as error:
            bad[tag.name] = str(error)
    values = await in_chunks([(node_id, ua.AttributeIds.Value) for node_id in nodes.values()], session.read)
    for name, value in zip(nodes, values, strict=True):
        if value.StatusCode.is_bad():
            bad[name] = status_name(value.StatusCode.value)
    return bad
