"""References, where images come from, and what Docker's words mean."""

import pytest

from agent.workload.inspection import Layers, Usage, container_in, cpu_percent
from agent.workload.reference import Reference, Source, digest_of, parse_reference, source_of
from agent.workload.refusals import by_engine, by_registry
from wire.messages import Category

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("press", Reference(host=None, repository="press", tag="latest"), "press:latest"),
        ("line/press:1", Reference(host=None, repository="line/press", tag="1"), "line/press:1"),
        ("localhost/press", Reference(host="localhost", repository="press", tag="latest"), "localhost/press:latest"),
        ("r.example/a/b:2", Reference(host="r.example", repository="a/b", tag="2"), "r.example/a/b:2"),
        ("127.0.0.1:5000/p:2", Reference(host="127.0.0.1:5000", repository="p", tag="2"), "127.0.0.1:5000/p:2"),
        (f"press@{DIGEST}", Reference(host=None, repository="press", digest=DIGEST), f"press@{DIGEST}"),
        (f"press:1@{DIGEST}", Reference(host=None, repository="press", tag="1", digest=DIGEST), f"press@{DIGEST}"),
    ],
)
def test_reference_is_read(text: str, expected: Reference, written: str) -> None:
    assert parse_reference(text) == expected
    assert str(parse_reference(text)) == written


@pytest.mark.parametrize(
    "text", ["", "Press", "press:", "a//b", "press@sha256:12", "-x", "press:a b", "../x", "a/b:c/d"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="reference"):
        parse_reference(text)


def test_default_registry_is_for_names_without_a_host() -> None:
    assert str(parse_reference("press:1", default_registry="r.example:5000")) == "r.example:5000/press:1"
    assert str(parse_reference("press:1", default_registry="r.example/plant")) == "r.example/plant/press:1"
    assert str(parse_reference("o.example/press:1", default_registry="r.example")) == "o.example/press:1"


@pytest.mark.parametrize(
    ("text", "on_node", "source"),
    [
        ("press:1", None, Source.REGISTRY),
        ("press:1", (), Source.NODE),
        ("press:1", (f"r.example/press@{DIGEST}",), Source.NODE),
        ("press:1", (f"press@{DIGEST}",), Source.REGISTRY_ELSE_NODE),
        ("library/press:1", (f"press@{DIGEST}",), Source.REGISTRY_ELSE_NODE),
        ("r.example/press:1", (), Source.REGISTRY_ELSE_NODE),
        (f"r.example/press@{DIGEST}", (), Source.NODE),
        (f"r.example/press@{DIGEST}", None, Source.REGISTRY),
    ],
)
def test_where_an_image_is_taken_from(text: str, on_node: tuple[str, ...] | None, source: Source) -> None:
    assert source_of(parse_reference(text), on_node) is source


def test_digest_is_that_of_the_same_repository() -> None:
    known = (f"r.example/press@{DIGEST}", f"press@{DIGEST[:-1]}b")
    assert digest_of(parse_reference("r.example/press:1"), known) == DIGEST
    assert digest_of(parse_reference("s.example/press:1"), known) is None
    for hub in ("library/press", "docker.io/press", "docker.io/library/press", "index.docker.io/library/press"):
        assert digest_of(parse_reference(hub), known) == f"{DIGEST[:-1]}b"


@pytest.mark.parametrize(
    ("words", "category", "retry"),
    [
        ("driver failed: Bind for 127.0.0.1:80 failed: port is already allocated", Category.PORT_CONFLICT, False),
        ("listen tcp4 127.0.0.1:80: bind: address already in use", Category.PORT_CONFLICT, False),
        ("write /x: no space left on device", Category.NO_SPACE, False),
        ("No such image: sha256:1", Category.IMAGE_NOT_FOUND, True),
        ("No such container: x", Category.ENGINE, True),
        ("removal of container x is already in progress", Category.ENGINE, True),
        ("invalid mount config", Category.ENGINE, False),
        ("grpc: the client connection is closing: context canceled", Category.ENGINE_UNREACHABLE, True),
    ],
)
def test_the_engines_words(words: str, category: Category, retry: bool) -> None:
    got = by_engine(500, words)
    assert (got.category, got.retry) == (category, retry)


@pytest.mark.parametrize(
    ("words", "category", "retry"),
    [
        ("manifest for r/x:1 not found: manifest unknown", Category.IMAGE_NOT_FOUND, False),
        ("Get https://r/v2/x: no basic auth credentials", Category.REGISTRY_REFUSED, False),
        (
            "pull access denied for x, repository does not exist or may require 'docker login'",
            Category.REGISTRY_REFUSED,
            False,
        ),
        ("dial tcp 127.0.0.1:1: connect: connection refused", Category.REGISTRY_UNREACHABLE, True),
        ("dial tcp: lookup r.example: no such host", Category.REGISTRY_UNREACHABLE, True),
        ("net/http: TLS handshake timeout", Category.REGISTRY_UNREACHABLE, True),
        ("unexpected EOF", Category.REGISTRY_UNREACHABLE, True),
    ],
)
def test_the_registrys_words(words: str, category: Category, retry: bool) -> None:
    got = by_registry(500, words)
    assert (got.category, got.retry) == (category, retry)


def test_nobody_there_is_the_engine_away() -> None:
    assert by_engine(900, "x").category is by_registry(900, "x").category is Category.ENGINE_UNREACHABLE


def test_layers_add_up() -> None:
    lines: list[dict[str, object]] = [
        {"status": "Pulling from x", "id": "1"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Download complete", "id": "a"},
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "total": 100}},
        {"status": "Already exists", "id": "c"},
    ]
    layers = Layers()
    for line in lines:
        layers = layers.after(line)
    assert (layers.done, layers.total) == (105, 150)


def test_percentage_takes_two_readings_of_one_container() -> None:
    first = Usage(cpu_ns=0, system_ns=0, cpus=2, memory_bytes=1)
    second = Usage(cpu_ns=100, system_ns=400, cpus=2, memory_bytes=1)
    assert cpu_percent(first, second) == 50.0
    assert cpu_percent(None, second) is None
    assert cpu_percent(second, first) is None


def test_container_of_somebody_who_borrowed_our_label_is_read_all_the_same() -> None:
    body = {
        "Id": "1",
        "Name": "/x",
        "Image": "sha256:1",
        "RestartCount": 2,
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00.123456789Z", "ExitCode": 0, "Error": ""},
        "Config": {"Labels": {"millwright": "a/b/c", "millwright.revision": "one"}},
    }
    got = container_in(body)
    assert (got.name, got.revision, got.container, got.health, got.restarts) == ("x", 0, "", None, 2)
    assert got.started_at is not None
    assert got.started_at.microsecond in (123456, 123457)
