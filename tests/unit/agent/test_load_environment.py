"""The environment over the file, and without one."""

from pathlib import Path

import pytest

from agent.config import Config, LogLevel, Mode
from agent.errors import ConfigError
from agent.load import load, node_name_for

NODE = '[node]\nsite = "plant-a"\nname = "press-1"\n'
PLC = '[[opcua]]\nname = "{0}"\nurl = "opc.tcp://{0}:4840"\nusername = "old"\npassword = "old"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.toml"


def refused(path: Path | None, environ: dict[str, str]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return caught.value


def with_text(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_nothing_at_all_is_a_configuration() -> None:
    config = load(None, {})
    assert config.node.site == "default"
    assert config == Config(node=config.node)


def test_short_names_alone_make_a_configuration() -> None:
    config = load(
        None,
        {
            "DOCKER_REGISTRY": "registry.example:5000",
            "DEPLOYMENT_MODE": "Production",
            "LOG_LEVEL": "DEBUG",
            "OPCUA_SERVER_URL": "opc.tcp://10.0.0.7:4840",
            "OPCUA_USERNAME": "operator",
            "OPCUA_PASSWORD": "secret",
        },
    )
    assert config.workload.default_registry == "registry.example:5000"
    assert config.node.mode is Mode.PRODUCTION
    assert config.node.log_level is LogLevel.DEBUG
    (plc,) = config.opcua
    assert (plc.name, plc.url, plc.username, plc.password) == ("plc", "opc.tcp://10.0.0.7:4840", "operator", "secret")


def test_opcua_variables_change_the_only_plc(file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("new")
    environ = {"OPCUA_SERVER_URL": "opc.tcp://new:1", "OPCUA_PASSWORD_FILE": str(tmp_path / "secret")}
    (plc,) = load(with_text(file, NODE + PLC.format("press")), environ).opcua
    assert (plc.name, plc.url, plc.username) == ("press", "opc.tcp://new:1", "old")
    assert (plc.password, plc.password_file) == (None, str(tmp_path / "secret"))


def test_opcua_variables_beside_two_plcs_are_refused(file: Path) -> None:
    error = refused(with_text(file, NODE + PLC.format("a") + PLC.format("b")), {"OPCUA_USERNAME": "x"})
    assert error.where == "environment, OPCUA_USERNAME"
    assert "the file has 2" in error.remedy


def test_opcua_credentials_without_a_server_are_refused() -> None:
    error = refused(None, {"OPCUA_USERNAME": "x"})
    assert error.where == "environment, OPCUA_USERNAME"
    assert "OPCUA_SERVER_URL" in error.remedy


def test_every_scalar_field_has_a_variable(file: Path) -> None:
    environ = {
        "MILLWRIGHT_NODE_SITE": "plant-b",
        "MILLWRIGHT_MQTT_HOST": "broker",
        "MILLWRIGHT_MQTT_PORT": "8883",
        "MILLWRIGHT_MQTT_TLS": "true",
        "MILLWRIGHT_MQTT_RECONNECT_FIRST_S": "0.5",
        "MILLWRIGHT_HEALTH_PERIOD_S": "2",
        "MILLWRIGHT_WORKLOAD_DEFAULT_REGISTRY": "null",
    }
    config = load(with_text(file, NODE), environ)
    assert (config.node.site, config.node.name) == ("plant-b", "press-1")
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.tls) == ("broker", 8883, True)
    assert config.mqtt.reconnect.first_s == 0.5
    assert config.health.period_s == 2.0
    assert config.workload.default_registry == "null"


def test_exact_name_wins_over_the_short_one() -> None:
    config = load(None, {"LOG_LEVEL": "error", "MILLWRIGHT_NODE_LOG_LEVEL": "debug"})
    assert config.node.log_level is LogLevel.DEBUG


def test_empty_variable_counts_as_unset(file: Path) -> None:
    environ = {"LOG_LEVEL": "", "OPCUA_SERVER_URL": "", "MILLWRIGHT_MQTT_PORT": ""}
    assert load(with_text(file, NODE), environ) == load(file, {})


def test_variables_of_the_command_line_are_left_alone(file: Path) -> None:
    others = {
        "MILLWRIGHT_BROKER": "mqtts://b",
        "MILLWRIGHT_KEY_FILE": "k",
        "MILLWRIGHT_NODE": "x",
        "MILLWRIGHT_CA": "c",
    }
    assert load(with_text(file, NODE), others) == load(file, {})


@pytest.mark.parametrize(
    ("variable", "right"),
    [
        ("MILLWRIGHT_MQTT_HOTS", "Did you mean MILLWRIGHT_MQTT_HOST?"),
        ("MILLWRIGHT_MQT_HOST", "Did you mean MILLWRIGHT_MQTT_HOST?"),
        ("MILLWRIGHT_SPOOL_ZZZ", "MILLWRIGHT_<SECTION>_<FIELD>"),
        ("MILLWRIGHT_OPCUA_URL", "OPCUA_SERVER_URL"),
        ("MILLWRIGHT_COMMANDS_TRUSTED_KEYS", "MILLWRIGHT_<SECTION>_<FIELD>"),
    ],
)
def test_unknown_variable_is_refused(variable: str, right: str) -> None:
    error = refused(None, {variable: "x"})
    assert error.where == f"environment, {variable}"
    assert right in error.remedy


@pytest.mark.parametrize(
    ("variable", "value", "wrong", "right"),
    [
        ("MILLWRIGHT_MQTT_PORT", "many", "is 'many' (text)", "a whole number from 1 to 65535"),
        ("MILLWRIGHT_MQTT_PORT", "0", "is 0", "a whole number from 1 to 65535"),
        ("MILLWRIGHT_MQTT_TLS", "yes", "is 'yes' (text)", "true or false"),
        ("MILLWRIGHT_SPOOL_MAX_AGE_S", "inf", "is inf", "finite"),
        ("MILLWRIGHT_NODE_SITE", "a b", "is 'a b' (text)", "a name"),
        ("DEPLOYMENT_MODE", "prod", "is 'prod' (text)", "Did you mean production?"),
        ("LOG_LEVEL", "loud", "is 'loud' (text)", "one of debug, info, warning, error"),
        ("OPCUA_SERVER_URL", "http://x", "is 'http://x' (text)", "opc.tcp://"),
        ("DOCKER_REGISTRY", "https://r", "is 'https://r'", "no scheme"),
    ],
)
def test_wrong_value_names_its_variable(variable: str, value: str, wrong: str, right: str) -> None:
    error = refused(None, {variable: value})
    assert error.where == f"environment, {variable}"
    assert wrong in error.args[0]
    assert right in error.remedy


def test_secret_given_twice_by_the_environment_is_refused(file: Path) -> None:
    environ = {"MILLWRIGHT_MQTT_PASSWORD": "a", "MILLWRIGHT_MQTT_PASSWORD_FILE": "b"}
    error = refused(with_text(file, NODE), environ)
    assert error.args[0] == "and MILLWRIGHT_MQTT_PASSWORD are both set"


def test_secret_of_the_environment_replaces_the_files_other_form(file: Path) -> None:
    text = NODE + '[mqtt]\nusername = "u"\npassword_file = "/nowhere"\n'
    config = load(with_text(file, text), {"MILLWRIGHT_MQTT_PASSWORD": "new"})
    assert (config.mqtt.password, config.mqtt.password_file) == ("new", None)


def test_section_of_the_wrong_kind_is_explained_even_when_overridden(file: Path) -> None:
    error = refused(with_text(file, f"mqtt = 3\n{NODE}"), {"MILLWRIGHT_MQTT_HOST": "x"})
    assert error.where == f"{file}, line 1, mqtt"


@pytest.mark.parametrize(
    ("host", "name"),
    [("press-1", "press-1"), ("press 1.örtlich", "press-1.-rtlich"), ("_x", "x"), ("", "node"), ("a" * 80, "a" * 64)],
)
def test_host_name_becomes_a_node_name(host: str, name: str) -> None:
    assert node_name_for(host) == name
