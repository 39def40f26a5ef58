"""What is typed at `millwright deploy` becomes a description, or a mistake that names its option."""

import json
from typing import Any

import pytest

from ops.app_spec import ContainerWords, SpecError, spec_from_text, spec_from_words
from wire.app import AppSpec, ContainerSpec, Healthcheck, Mount, PublishedPort, Running


def container(**words: Any) -> ContainerSpec:
    return spec_from_words(ContainerWords(image="hmi:1", **words)).containers[0]


def test_an_image_alone_is_enough() -> None:
    assert spec_from_words(ContainerWords(image="hmi:1")) == AppSpec(containers=(ContainerSpec(image="hmi:1"),))


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("8080:80", PublishedPort(host=8080, container=80)),
        ("8080:80/udp", PublishedPort(host=8080, container=80, protocol="udp")),
        ("0.0.0.0:8080:80", PublishedPort(host=8080, container=80, address="0.0.0.0")),
        ("[::1]:8080:80", PublishedPort(host=8080, container=80, address="::1")),
    ],
)
def test_a_port_is_read_as_docker_reads_it(text: str, port: PublishedPort) -> None:
    assert container(ports=[text]).ports == (port,)


def test_every_option_finds_its_field() -> None:
    assert container(
        command="serve --name 'two words'",
        entrypoint="/bin/sh",
        env=["A=1", "B=x=y", "C="],
        mounts=["data:/data", "/etc/tls:/tls:ro"],
        networks=["plant"],
        user="1000:1000",
        restart="on-failure",
        memory="64M",
        cpus=0.5,
        running_for="3s",
        healthy_within="1m30s",
        stop_grace="500ms",
    ) == ContainerSpec(
        image="hmi:1",
        command=("serve", "--name", "two words"),
        entrypoint=("/bin/sh",),
        env={"A": "1", "B": "x=y", "C": ""},
        mounts=(Mount(source="data", target="/data"), Mount(source="/etc/tls", target="/tls", read_only=True)),
        networks=("plant",),
        user="1000:1000",
        restart="on-failure",
        memory_bytes=64 << 20,
        cpus=0.5,
        probe=Running(for_s=3.0),
        healthy_within_s=90.0,
        stop_grace_s=0.5,
    )


def test_a_health_command_is_a_shell_s() -> None:
    assert container(health_cmd="wget -q localhost").probe == Healthcheck(test=("CMD-SHELL", "wget -q localhost"))


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ({"ports": ["80"]}, "--port"),
        ({"ports": ["a:b"]}, "--port"),
        ({"ports": ["0:80"]}, "--port"),
        ({"ports": ["80:70000"]}, "--port"),
        ({"ports": ["80:80/sctp"]}, "--port"),
        ({"mounts": ["data"]}, "--mount"),
        ({"mounts": ["data:relative"]}, "--mount"),
        ({"mounts": ["data:/data:rx"]}, "--mount"),
        ({"env": ["A"]}, "--env"),
        ({"env": ["=1"]}, "--env"),
        ({"memory": "much"}, "--memory"),
        ({"memory": "1M"}, "--memory"),
        ({"cpus": -1.0}, "--cpus"),
        ({"restart": "sometimes"}, "--restart"),
        ({"healthy_within": "soon"}, "--healthy-within"),
        ({"healthy_within": "0s"}, "--healthy-within"),
        ({"stop_grace": "2d"}, "--stop-grace"),
        ({"running_for": "0"}, "--running-for"),
        ({"running_for": "1s", "health_cmd": "true"}, "--health-cmd and --running-for"),
        ({"command": "'unclosed"}, "--command"),
    ],
)
def test_a_mistake_names_the_option_that_was_typed(words: dict[str, Any], option: str) -> None:
    with pytest.raises(SpecError, match=option):
        container(**words)


DESCRIBED = AppSpec(containers=(ContainerSpec(image="hmi:1", probe=Running(for_s=2.0)),))


def test_a_description_is_read_from_json_and_from_toml() -> None:
    content = {"containers": [{"image": "hmi:1", "probe": {"by": "running", "for_s": 2}}]}
    assert spec_from_text(json.dumps(content), toml=False) == DESCRIBED
    toml = '[[containers]]\nimage = "hmi:1"\nprobe = {by = "running", for_s = 2}\n'
    assert spec_from_text(toml, toml=True) == DESCRIBED


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"containers": [{"image": "a", "memory": "64M"}]}, r"\$\.containers\[0\]\.memory"),
        ({"containers": [{"image": "a", "probe": {"by": "running", "fors": 2}}]}, r"\$\.containers\[0\]\.probe\.fors"),
        ({"containers": [{"image": "a", "ports": [{"host": 1, "container": 2, "ip": "x"}]}]}, r"ports\[0\]\.ip"),
        ({"containers": [{"image": "a"}], "version": 3}, r"\$\.version"),
        ({"containers": []}, "length"),
        ([], "object"),
    ],
)
def test_a_field_that_there_is_not_is_refused_though_the_wire_would_ignore_it(content: Any, place: str) -> None:
    with pytest.raises(SpecError, match=place):
        spec_from_text(json.dumps(content), toml=False)


@pytest.mark.parametrize(("text", "toml"), [("{", False), ("= 1", True), ("", False), ("[" * 5000, False)])
def test_a_file_that_is_neither_is_refused(text: str, toml: bool) -> None:
    with pytest.raises(SpecError):
        spec_from_text(text, toml=toml)
