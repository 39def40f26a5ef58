"""Container images made on the spot from the host's static busybox: no registry, no download, half a second each."""

import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiodocker
import msgspec

from wire.app import Healthcheck

BUSYBOX = Path("/usr/bin/busybox")
LABEL = "millwright.example"
"""Every image made here has it, so that whoever cleans up finds them."""
_DOCKERFILE = "FROM scratch\nADD rootfs.tar /\nENV PATH=/bin\n"


async def build_image(
    docker: aiodocker.Docker,
    tag: str,
    *,
    command: Sequence[str],
    healthcheck: Healthcheck | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Build `tag` with every busybox applet in `/bin`, and `files` (absolute path to content, executable).

    Returns the image's id. Raises aiodocker.DockerError.
    """
    dockerfile = _DOCKERFILE + _healthcheck(healthcheck) + f"CMD {_json(command)}\n"
    context = _tar({"Dockerfile": dockerfile.encode(), "rootfs.tar": _root_filesystem(files or {})})
    await docker.images.build(fileobj=io.BytesIO(context), encoding="identity", tag=tag, labels={LABEL: tag})
    return str((await docker.images.inspect(tag))["Id"])


def _healthcheck(check: Healthcheck | None) -> str:
    if check is None or not check.test:
        return ""
    kind, *words = check.test
    test = f"CMD {_json(words)}" if kind == "CMD" else f"CMD {words[0]}"
    times = f"--interval={check.interval_s}s --timeout={check.timeout_s}s --retries={check.retries}"
    if check.start_period_s:  # the builder refuses 0
        times += f" --start-period={check.start_period_s}s"
    return f"HEALTHCHECK {times} {test}\n"


def _json(words: Sequence[str]) -> str:
    return msgspec.json.encode(words).decode()


def _root_filesystem(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, "bin/busybox", BUSYBOX.read_bytes())
        for applet in _applets():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for path, content in files.items():
            _add(tar, path.lstrip("/"), content)
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(scratch)
    return buffer.getvalue()


def _applets() -> list[str]:
    listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
    return [applet for applet in listed.stdout.split() if applet != "busybox"]


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            _add(tar, name, content)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    tar.addfile(entry, io.BytesIO(content))
