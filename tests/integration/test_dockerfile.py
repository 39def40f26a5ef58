"""The image is built from this tree and started, as a plant would: on its own, and by compose.yaml."""

import json
import os
import secrets
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.mosquitto_image import ensure_mosquitto_image
from tests.support.ports import free_port
from tests.support.python_base import ensure_python_base

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 0 or not check, (
        f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    )
    return done


def eventually(what: Callable[[], object], *, within_s: float = 60.0, explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def base(docker_engine: str) -> str:
    return ensure_python_base()


@pytest.fixture(scope="module")
def context(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Docker gets of the tree, and the packages beside it: the build reaches no index."""
    context = tmp_path_factory.mktemp("context")
    copy_what_docker_would_get(context)
    python_version = run(
        "docker", "run", "--rm", base, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"
    )
    run("tools/wheels.sh", context / "build/wheels", python_version.stdout.strip())
    return context


@pytest.fixture(scope="module")
def image(base: str, context: Path) -> Iterator[str]:
    tag = f"millwright-test/product-{secrets.token_hex(4)}"
    build = ("docker", "build", "--build-arg", f"BASE_IMAGE={base}", context)
    try:
        run(*build, "--target", "build", "--tag", f"{tag}:build")
        run(*build, "--tag", tag)
        yield tag
    finally:
        run("docker", "rmi", "--force", tag, f"{tag}:build", check=False)


def copy_what_docker_would_get(context: Path) -> None:
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        source = ROOT / line.removeprefix("!")
        if not line.startswith("!") or line == "!build/wheels":
            continue
        if source.is_dir():
            shutil.copytree(source, context / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, context)
    shutil.copy(ROOT / "Dockerfile", context)


def test_the_image_runs_without_root(image: str) -> None:
    assert run("docker", "run", "--rm", "--entrypoint", "id", image, "-u").stdout.strip() == "10001"


def test_the_image_holds_nothing_that_installs_or_tests(image: str) -> None:
    listed = run("docker", "run", "--rm", "--entrypoint", "ls", image, "/opt/millwright/bin").stdout.split()
    assert "millwright" in listed
    assert {"pip", "pip3", "pytest", "ruff", "mypy"}.isdisjoint(listed)


def test_the_image_has_the_pinned_versions(image: str) -> None:
    script = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    installed = set(run("docker", "run", "--rm", "--entrypoint", "python", image, "-c", script).stdout.lower().split())
    pins = set((ROOT / "constraints.txt").read_text().lower().split())
    assert {one for one in installed if not one.startswith("millwright==")} - pins == set()


def test_an_edge_node_installs_the_agent_alone_and_without_an_index(base: str, context: Path) -> None:
    install = "/opt/m/bin/pip install --quiet --no-compile --no-index --find-links /wheels 'millwright[agent]' >&2"
    script = f"python3 -m venv /opt/m && {install} && /opt/m/bin/millwright agent config && /opt/m/bin/pip freeze >&2"
    wheels = f"{context / 'build/wheels'}:/wheels:ro"
    done = run("docker", "run", "--rm", "--network", "none", "--volume", wheels, base, "sh", "-c", script)
    assert "node" in tomllib.loads(done.stdout)
    assert "asyncua==" in done.stderr
    assert not {"litestar", "sqlalchemy", "uvicorn"} & {line.split("==")[0].lower() for line in done.stderr.split()}


def test_the_agent_in_the_image_writes_a_configuration_to_start_from(image: str) -> None:
    template = run("docker", "run", "--rm", image, "agent", "config").stdout
    assert "node" in tomllib.loads(template)


def test_the_image_refuses_a_mistaken_configuration_and_says_where(image: str, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[node]\nsite = "plant-a"\nname = "press-1"\nmod = "production"\n')
    refused = run("docker", "run", "--rm", "-v", f"{config}:/etc/millwright/agent.toml:ro", image, check=False)
    assert refused.returncode not in (0, 125, 126, 127)
    assert "/etc/millwright/agent.toml, line 4" in refused.stderr


def test_compose_brings_up_a_centre_and_a_node_that_it_sees(image: str, tmp_path: Path) -> None:
    """Broker with TLS and access rules, controller and agent, each told what it needs by compose.yaml alone."""
    tmp_path.chmod(0o777)  # the image's user writes the broker's files here
    page = free_port()
    env = {
        "PLANT_DIR": str(tmp_path),
        "PLANT_IMAGE": image,
        "PLANT_BROKER_IMAGE": ensure_mosquitto_image(),
        "PLANT_BROKER_LISTEN": f"127.0.0.1:{free_port()}",
        "PLANT_PAGE_LISTEN": f"127.0.0.1:{page}",
        "PLANT_DOCKER_GROUP": str(Path("/var/run/docker.sock").stat().st_gid),
        "PLANT_SITE": f"plant-{secrets.token_hex(3)}",
    }
    node = f"{env['PLANT_SITE']}/press-1"
    compose = (*compose_command(), "-p", f"millwright-test-{secrets.token_hex(3)}", "--profile", "node")
    try:
        run(*compose, "run", "--rm", "credentials", "--node", node, env=env)
        run(*compose, "up", "--detach", env=env)
        logs = lambda: run(*compose, "logs", "--tail=30", env=env, check=False).stdout  # noqa: E731
        eventually(lambda: answers(f"http://127.0.0.1:{page}/healthz"), explain=logs)
        eventually(lambda: sees(f"http://127.0.0.1:{page}/api/v1/fleet", node), explain=logs)
    finally:
        run(*compose, "down", "--volumes", env=env, check=False)


def compose_command() -> tuple[str, ...]:
    plugin = run("docker", "compose", "version", check=False).returncode == 0
    return ("docker", "compose") if plugin else ("docker-compose",)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def sees(url: str, node: str) -> bool:
    """Whether the fleet has the node, connected and with a container engine that it reaches."""
    with urlopen(url, timeout=2) as response:
        fleet = json.load(response)
    return any(f"{one['site']}/{one['node']}" == node and one["status"] == "online" for one in fleet["nodes"])
