"""What a configuration lacks for production. Pure: the configuration, and how open the files with its secrets are."""

import ipaddress
import stat
from collections.abc import Iterator, Mapping

from agent.config import Config, Mode
from agent.validate.judgement import insecure
from agent.validate.verdict import Verdict, noted, passed, warned


def readiness(config: Config, open_files: Mapping[str, int]) -> Iterator[Verdict]:
    """Judge what can be judged without touching anything; `open_files` has the mode of each file with secrets."""
    yield _named(config)
    yield _signed(config)
    yield _encrypted(config)
    yield _authenticated(config)
    yield _in_files(config)
    yield _private(config.node.mode, open_files)


def _named(config: Config) -> Verdict:
    if config.node.site == "default":
        remedy = "Give [node] a site and a name: two nodes of one name would be one node to the fleet."
        return warned("node-named", f"the node is {config.node_name}, after its host", remedy)
    return passed("node-named", f"the node is {config.node_name}")


def _signed(config: Config) -> Verdict:
    check = "commands-signed"
    if config.commands.require_signature:
        return passed(check, f"commands must be signed; {len(config.commands.trusted_keys)} keys are trusted")
    remedy = "Set commands.require_signature and list the keys that may command the node in [commands.trusted_keys]."
    return insecure(config.node.mode, check, "whoever can publish to the broker can command this node", remedy)


def _encrypted(config: Config) -> Verdict:
    check, broker = "broker-encrypted", str(config.mqtt)
    if config.mqtt.tls or config.mqtt.ca_file:
        return passed(check, f"{broker} is spoken to over TLS")
    if is_loopback(config.mqtt.host):
        return passed(check, f"{broker} is on this machine")
    remedy = "Set mqtt.ca_file (or mqtt.tls) and the broker's TLS port, usually 8883."
    return insecure(config.node.mode, check, f"{broker} is plain TCP: passwords and commands can be read", remedy)


def _authenticated(config: Config) -> Verdict:
    check, mqtt = "broker-authenticated", config.mqtt
    if mqtt.username or mqtt.cert_file:
        return passed(check, f"the node is known to the broker as {mqtt.username or 'its certificate'}")
    remedy = "Give the node a user (or a certificate) of its own at the broker, and an ACL for its own topics."
    return insecure(_mode_at_broker(config), check, "the node is anonymous to the broker: so can be anybody", remedy)


def _mode_at_broker(config: Config) -> Mode:
    """How much is insisted on between node and broker: on one machine, never more than a warning."""
    return Mode.STAGING if is_loopback(config.mqtt.host) else config.node.mode


def _in_files(config: Config) -> Verdict:
    written = [
        *(["mqtt.password"] if config.mqtt.password else []),
        *(f"workload.registries {each.host}" for each in config.workload.registries if each.password),
        *(f"opcua {plc.name}" for plc in config.opcua if plc.password),
    ]
    if not written:
        return passed("secrets-in-files", "no password stands in the configuration itself")
    remedy = "Give them as password_file: a file can have an owner, be renewed, and stay out of backups and tickets."
    return warned("secrets-in-files", f"passwords stand in the configuration: {', '.join(written)}", remedy)


def _private(mode: Mode, open_files: Mapping[str, int]) -> Verdict:
    check = "secrets-private"
    exposed = sorted(path for path, bits in open_files.items() if bits & (stat.S_IROTH | stat.S_IWOTH))
    if exposed:
        remedy = f"chmod 600 {' '.join(exposed)}"
        return insecure(mode, check, f"every user of this machine can read or write {', '.join(exposed)}", remedy)
    if not open_files:
        return noted(check, "no file holds a secret")
    return passed(check, f"{len(open_files)} files with secrets are closed to other users")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
