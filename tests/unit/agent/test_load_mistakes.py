"""Every mistake names its line, its field, what is wrong and what would be right."""

import base64
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.load import load

NODE = '[node]\nsite = "plant-a"\nname = "press-1"\n'
PLC = '[[opcua]]\nname = "press"\nurl = "opc.tcp://10.0.0.7:4840"\n'
SHORT_KEY = base64.b64encode(b"x" * 31).decode()

MISTAKES = {
    # id: (text, line, field, what is wrong, what would be right)
    "missing section": ("[mqtt]\n", None, "node", "is missing", "It must be a table."),
    "missing field": ('[node]\nsite = "a"\n', 1, "node.name", "is missing", "It must be a name: at most 64 letters"),
    "unknown section": (f"{NODE}[mqt]\nhost = 'b'\n", 4, "mqt", "is not a field", "Did you mean mqtt?"),
    "unknown field": (f"{NODE}[mqtt]\nhots = 'b'\n", 5, "mqtt.hots", "is not a field", "Did you mean host?"),
    "unknown field deep inside": (
        f"{NODE}\n{PLC}[[opcua.tags]]\nnode_id = 'i=1'\n[[opcua.tags]]\nnode_id = 'i=2'\ndead_band = 1\n",
        12,
        "opcua[0].tags[1].dead_band",
        "is not a field",
        "Did you mean deadband?",
    ),
    "unknown field unlike any": (
        f"{NODE}[health]\nzzz = 1\n",
        5,
        "health.zzz",
        "is not a field",
        "Known here: period_s.",
    ),
    "text for a number": (
        f'{NODE}[mqtt]\nport = "1883"\n',
        5,
        "mqtt.port",
        "is '1883' (text)",
        "It must be a whole number from 1 to 65535.",
    ),
    "number for text": (f"{NODE}[mqtt]\nhost = 10\n", 5, "mqtt.host", "is 10", "It must be text"),
    "number for yes or no": (f"{NODE}[mqtt]\ntls = 1\n", 5, "mqtt.tls", "is 1", "It must be true or false."),
    "yes or no for a number": (
        f"{NODE}[health]\nperiod_s = true\n",
        5,
        "health.period_s",
        "is true",
        "It must be a number from 0.5 to 3600.",
    ),
    "out of range": (f"{NODE}[mqtt]\nport = 70000\n", 5, "mqtt.port", "is 70000", "from 1 to 65535."),
    "fraction": (f"{NODE}[mqtt]\nkeepalive_s = 7.5\n", 5, "mqtt.keepalive_s", "is 7.5", "a whole number from 5"),
    "negative": (f"{NODE}[workload]\nsweep_s = -1\n", 5, "workload.sweep_s", "is -1", "a number above 0."),
    "negative delay": (
        f"{NODE}[mqtt.reconnect]\nfirst_s = -2\n",
        5,
        "mqtt.reconnect.first_s",
        "is -2",
        "a number from 0 to 86400.",
    ),
    "not a number": (f"{NODE}[health]\nperiod_s = nan\n", 5, "health.period_s", "is nan", "from 0.5 to 3600."),
    "infinite": (f"{NODE}[spool]\nmax_age_s = inf\n", 5, "spool.max_age_s", "is inf", "above 0, and finite."),
    "mode": (
        f'{NODE}mode = "prod"\n',
        4,
        "node.mode",
        "is 'prod' (text)",
        "Did you mean production? It must be one of development, staging, production.",
    ),
    "log level": (f'{NODE}log_level = "warn"\n', 4, "node.log_level", "is 'warn'", "Did you mean warning?"),
    "site that is no name": (
        '[node]\nsite = "plant a"\nname = "x"\n',
        2,
        "node.site",
        "is 'plant a'",
        "a name: at most",
    ),
    "name with a line end": ('[node]\nsite = "a"\nname = "x\\n"\n', 3, "node.name", r"is 'x\n'", "a name: at most"),
    "wildcard in the root": (f'{NODE}topic_root = "mw/#"\n', 4, "node.topic_root", "is 'mw/#'", "beginning of a topic"),
    "value for a section": (f"mqtt = 3\n{NODE}", 1, "mqtt", "is 3", "It must be a table."),
    "table for a list": (f'{NODE}[opcua]\nname = "p"\n', 4, "opcua", "is a table", "It must be a list of tables."),
    "password is never shown": (f"{NODE}[mqtt]\npassword = 123456\n", 5, "mqtt.password", "is a number", "be text"),
    "key that is not text": (
        f"{NODE}[commands.trusted_keys]\nops = 7\n",
        5,
        "commands.trusted_keys.ops",
        "is 7",
        "It must be text.",
    ),
    "key that is not base64": (
        f'{NODE}[commands.trusted_keys]\nops = "?"\n',
        5,
        "commands.trusted_keys.ops",
        "is not base64",
        "base64 of the 32 bytes of an Ed25519 public key",
    ),
    "key of the wrong size": (
        f'{NODE}[commands.trusted_keys]\nops = "{SHORT_KEY}"\n',
        5,
        "commands.trusted_keys.ops",
        "is base64 of 31 bytes",
        "32 bytes",
    ),
    "key without an id": (
        f'{NODE}[commands.trusted_keys]\n"" = "{SHORT_KEY}"\n',
        4,
        "commands.trusted_keys",
        "has a key without an id",
        "Name it",
    ),
    "signature without keys": (
        f"{NODE}[commands]\nrequire_signature = true\n",
        5,
        "commands.require_signature",
        "no key is trusted",
        "[commands.trusted_keys]",
    ),
    "two passwords": (
        f'{NODE}[mqtt]\nusername = "u"\npassword = "p"\npassword_file = "f"\n',
        6,
        "mqtt.password",
        "and password_file are both given",
        "Give one of the two",
    ),
    "password without user": (f'{NODE}[mqtt]\npassword = "p"\n', 4, "mqtt.username", "is missing", "user name"),
    "certificate without key": (
        f'{NODE}[mqtt]\ntls = true\ncert_file = "c.pem"\n',
        6,
        "mqtt.cert_file",
        "without key_file",
        "private key",
    ),
    "key without certificate": (
        f'{NODE}[mqtt]\ntls = true\nkey_file = "k.pem"\n',
        6,
        "mqtt.key_file",
        "without cert_file",
        "certificate",
    ),
    "certificate without TLS": (
        f'{NODE}[mqtt]\ncert_file = "c.pem"\nkey_file = "k.pem"\n',
        5,
        "mqtt.cert_file",
        "has no use without TLS",
        "Set tls = true",
    ),
    "will later than the session's end": (
        f"{NODE}[mqtt]\nsession_expiry_s = 10\nwill_delay_s = 60\n",
        6,
        "mqtt.will_delay_s",
        "is 60, longer than the session",
        "at most session_expiry_s, 10",
    ),
    "longest before first": (
        f"{NODE}[mqtt.reconnect]\nfirst_s = 9\nlongest_s = 3\n",
        6,
        "mqtt.reconnect.longest_s",
        "is 3, less than the first",
        "at least first_s, 9",
    ),
    "engine's address": (
        f'{NODE}[workload]\ndocker_url = "/run/x"\n',
        5,
        "workload.docker_url",
        "is '/run/x'",
        "unix:///",
    ),
    "registry with a scheme": (
        f'{NODE}[workload]\ndefault_registry = "https://r.example"\n',
        5,
        "workload.default_registry",
        "is 'https://r.example'",
        "no scheme",
    ),
    "registry without a password": (
        f'{NODE}[[workload.registries]]\nhost = "r"\nusername = "u"\n',
        4,
        "workload.registries[0].password_file",
        "is missing",
        "Give the file",
    ),
    "registry twice": (
        f'{NODE}[[workload.registries]]\nhost = "r"\nusername = "u"\npassword = "p"\n' * 1
        + '[[workload.registries]]\nhost = "r"\nusername = "v"\npassword = "q"\n',
        9,
        "workload.registries[1].host",
        "is a second registry 'r'",
        "number 1 of the list",
    ),
    "PLC twice": (f"{NODE}{PLC}{PLC}", 8, "opcua[1].name", "is a second PLC 'press'", "name of its own"),
    "PLC's address": (
        f'{NODE}[[opcua]]\nname = "p"\nurl = "http://x"\n',
        6,
        "opcua[0].url",
        "is 'http://x'",
        "opc.tcp://",
    ),
    "PLC's port": (
        f'{NODE}[[opcua]]\nname = "p"\nurl = "opc.tcp://h:99999"\n',
        6,
        "opcua[0].url",
        "99999",
        "opc.tcp://",
    ),
    "credentials in an address": (
        f'{NODE}[[opcua]]\nname = "p"\nurl = "opc.tcp://u:pw@h"\n',
        6,
        "opcua[0].url",
        "has credentials in it",
        "username and password_file",
    ),
    "PLC password without user": (f'{NODE}{PLC}password = "x"\n', 4, "opcua[0].username", "is missing", "user name"),
    "tag that is no NodeId": (
        f'{NODE}{PLC}tags = [\n  {{ node_id = "i=1" }},\n  {{ node_id = "Press.Speed" }},\n]\n',
        9,
        "opcua[0].tags[1].node_id",
        "is 'Press.Speed'",
        "ns=2;s=Press.Temperature",
    ),
    "tag twice by name": (
        f'{NODE}{PLC}[[opcua.tags]]\nnode_id = "i=1"\nname = "t"\n[[opcua.tags]]\nnode_id = "i=2"\nname = "t"\n',
        10,
        "opcua[0].tags[1]",
        "is a second tag 't'",
        "number 1 of the list",
    ),
    "tag twice by identifier": (
        f'{NODE}{PLC}tags = [{{node_id = "ns=2;s=T"}}, {{node_id = "ns=3;s=T"}}]\n',
        7,
        "opcua[0].tags[1]",
        "is a second tag 'T'",
        "name of its own",
    ),
    "tag without a name": (
        f'{NODE}{PLC}tags = [{{node_id = "i=1", name = ""}}]\n',
        7,
        "opcua[0].tags[0].name",
        "is empty",
        "",
    ),
    "more tags than allowed": (
        f'{NODE}{PLC}max_tags = 1\ntags = [{{node_id = "i=1"}}, {{node_id = "i=2"}}]\n',
        7,
        "opcua[0].max_tags",
        "is 1, but 2 tags are listed",
        "Raise it to 2",
    ),
    "file that is not there": (
        f'{NODE}[mqtt]\nusername = "u"\npassword_file = "/nowhere/secret"\n',
        6,
        "mqtt.password_file",
        "names /nowhere/secret, which can't be read: No such file",
        "readable by the agent's user",
    ),
    "authority that is not there": (
        f'{NODE}[mqtt]\nca_file = "/nowhere/ca.pem"\n',
        5,
        "mqtt.ca_file",
        "can't be read",
        "a PEM file",
    ),
}


def mistake(path: Path, text: str) -> ConfigError:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return caught.value


@pytest.mark.parametrize(("text", "line", "field", "wrong", "right"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_explained(  # noqa: PLR0917
    tmp_path: Path, text: str, line: int | None, field: str, wrong: str, right: str
) -> None:
    file = tmp_path / "agent.toml"
    error = mistake(file, text)
    place = f"line {line}, " if line else ""
    assert error.where == f"{file}, {place}{field}"
    assert wrong in error.args[0]
    assert right in error.remedy
    assert "123456" not in str(error)
