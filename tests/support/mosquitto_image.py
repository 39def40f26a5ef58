"""Mosquitto as a container image, made from the host's own package: where tests run, no registry can be reached."""

import hashlib
import io
import re
import subprocess
import tarfile
from pathlib import Path

import docker

REPOSITORY = "millwright-test/mosquitto"
_MOSQUITTO = Path("/usr/sbin/mosquitto")


def ensure_mosquitto_image() -> str:
    """Import the image unless one of the same binary is there; return its reference."""
    if not _MOSQUITTO.exists():
        raise FileNotFoundError(f"{_MOSQUITTO}: install Debian's package mosquitto")
    reference = f"{REPOSITORY}:{hashlib.sha256(_MOSQUITTO.read_bytes()).hexdigest()[:12]}"
    client = docker.from_env()
    try:
        if not client.images.list(name=reference):
            _import(client, reference)
    finally:
        client.close()
    return reference


def _import(client: docker.DockerClient, reference: str) -> None:
    repository, _, tag = reference.partition(":")
    client.api.import_image_from_data(_root_filesystem(), repository=repository, tag=tag, changes=[])


def _root_filesystem() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for path in (_MOSQUITTO, *_libraries(_MOSQUITTO)):
            tar.add(path, arcname=str(path).lstrip("/"))
        passwd = b"root:x:0:0:root:/:/bin/false\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))
    return buffer.getvalue()


def _libraries(binary: Path) -> list[Path]:
    """What the dynamic linker would load, and the linker itself."""
    listed = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
