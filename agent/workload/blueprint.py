"""What Docker is asked to make of a container's description: built from an allow-list, field by field.

Nothing of a command reaches the engine but by a line here, so there is no way to ask for a privileged container, a
device or the host's network. `unfit` says what of a description can't be honoured.
"""

import math
from typing import Any, assert_never

from agent.workload.identity import LABEL, labels, owner
from agent.workload.reference import parse_reference
from wire.app import AppSpec, ContainerSpec, Healthcheck, Mount, Running
from wire.topics import NodeName, is_name

_NOT_NETWORKS = {"host", "none", "default"}
_LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
_NS = 1_000_000_000
_MOST_CPUS = 1_000_000
"""Docker counts in 64 bits of nanoseconds; which of these a machine has, the engine says."""


def unfit(spec: AppSpec) -> tuple[str, str] | None:
    """The field that can't be honoured, and why; None where all can."""
    for index, container in enumerate(spec.containers):
        wrong = _unfit(container)
        if wrong is not None:
            return f"$.args.spec.containers[{index}].{wrong[0]}", wrong[1]
    return None


def blueprint(node: NodeName, app: str, *, revision: int, spec: ContainerSpec, image: str) -> dict[str, Any]:
    """The body of Docker's "create a container" (Engine API 1.41, ContainerCreate)."""
    body: dict[str, Any] = {
        "Image": image,
        "Labels": labels(node, app, revision=revision, spec=spec),
        "Env": [f"{name}={value}" for name, value in sorted(spec.env.items())],
        "ExposedPorts": {f"{port.container}/{port.protocol}": {} for port in spec.ports},
        "StopTimeout": whole_seconds(spec.stop_grace_s),
        "HostConfig": _host_config(node, app, spec),
    }
    optional = {"Cmd": spec.command, "Entrypoint": spec.entrypoint, "User": spec.user, "Healthcheck": _check(spec)}
    return body | {key: value for key, value in optional.items() if value is not None}


def whole_seconds(seconds: float) -> int:
    """Docker counts a stop's grace in whole seconds; what is given is never cut short."""
    return math.ceil(seconds)


def _host_config(node: NodeName, app: str, spec: ContainerSpec) -> dict[str, Any]:
    config: dict[str, Any] = {
        "RestartPolicy": {"Name": spec.restart},
        "PortBindings": _port_bindings(spec),
        "Mounts": [_mount(node, app, mount) for mount in spec.mounts],
        "LogConfig": _LOG,
    }
    if spec.networks:
        config["NetworkMode"] = spec.networks[0]
    if spec.memory_bytes is not None:
        config["Memory"] = spec.memory_bytes
    if spec.cpus is not None:
        config["NanoCpus"] = round(spec.cpus * _NS)
    return config


def _port_bindings(spec: ContainerSpec) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in spec.ports:
        binding = {"HostIp": port.address, "HostPort": str(port.host)}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(binding)
    return bindings


def _mount(node: NodeName, app: str, mount: Mount) -> dict[str, Any]:
    is_path = mount.source.startswith("/")
    body: dict[str, Any] = {
        "Type": "bind" if is_path else "volume",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
    return body if is_path else body | {"VolumeOptions": {"Labels": {LABEL: owner(node, app)}}}


def _check(spec: ContainerSpec) -> dict[str, Any] | None:
    match spec.probe:
        case Healthcheck(test=()) | Running() | None:
            return None
        case Healthcheck() as check:
            return {
                "Test": list(check.test),
                "Interval": round(check.interval_s * _NS),
                "Timeout": round(check.timeout_s * _NS),
                "Retries": check.retries,
                "StartPeriod": round(check.start_period_s * _NS),
            }
        case _ as never:
            assert_never(never)


def _unfit(spec: ContainerSpec) -> tuple[str, str] | None:
    try:
        parse_reference(spec.image)
    except ValueError as error:
        return "image", str(error)
    for network in spec.networks:
        if network in _NOT_NETWORKS or not is_name(network):
            return "networks", f"{network!r} is not a network that an app may join"
    for mount in spec.mounts:
        if not (mount.source.startswith("/") or is_name(mount.source)):
            return "mounts", f"{mount.source!r} is neither a volume's name nor an absolute path of the node"
    if spec.cpus is not None and spec.cpus > _MOST_CPUS:
        return "cpus", f"{spec.cpus:g} processors are more than any machine has"
    if any("=" in name or not name for name in spec.env):
        return "env", "a variable's name must be there, and without '='"
    return None
