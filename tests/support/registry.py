"""A private registry of our own: Debian's docker-registry, on loopback, with a password.

Docker Engine takes registries on 127.0.0.0/8 as insecure by itself, so plain HTTP does.
"""

import json
import secrets
import subprocess
from pathlib import Path

import aiodocker

from tests.support.ports import free_port, wait_until_listening

_REGISTRY = Path("/usr/bin/docker-registry")


class Registry:
    """A running registry; images pushed to it can be pulled by those who know the password."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.username = "plant"
        self.password = secrets.token_urlsafe(12)
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """As it stands in an image's reference."""
        return f"127.0.0.1:{self.port}"

    @property
    def auth(self) -> dict[str, str]:
        """The credentials, as aiodocker takes them."""
        return {"username": self.username, "password": self.password}

    @property
    def log(self) -> str:
        """What the registry said."""
        return (self._directory / "registry.log").read_text(errors="replace")

    def start(self) -> None:
        """Start, and return when it answers; also after `stop`, with what it had."""
        config = self._write_config()
        with (self._directory / "registry.log").open("ab") as log:
            self._process = subprocess.Popen([_REGISTRY, "serve", config], stdout=log, stderr=log)
        wait_until_listening(self.port)

    def stop(self) -> None:
        """End; what was pushed stays until the directory goes."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    async def push(self, docker: aiodocker.Docker, image: str, name: str) -> str:
        """Push a local image as `name` (`press-app:1`); returns its full reference, and takes that tag away again
        so that a deploy really pulls. Raises aiodocker.DockerError."""
        repository, _, tag = name.partition(":")
        reference = f"{self.host}/{repository}:{tag or 'latest'}"
        await docker.images.tag(image, f"{self.host}/{repository}", tag=tag or "latest")
        try:
            answers = await docker.images.push(f"{self.host}/{repository}", tag=tag or "latest", auth=self.auth)
        finally:
            await docker.images.delete(reference, noprune=True)
        errors = [answer["error"] for answer in answers if "error" in answer]
        assert not errors, f"{reference} was not pushed: {errors}\n{self.log}"
        return reference

    def _write_config(self) -> Path:
        users = self._directory / "htpasswd"
        made = subprocess.run(
            ["htpasswd", "-Bbn", self.username, self.password], check=True, capture_output=True, text=True
        )
        users.write_text(made.stdout)
        config = self._directory / "registry.yml"
        config.write_text(  # JSON is YAML
            json.dumps(
                {
                    "version": 0.1,
                    "log": {"level": "info"},
                    "storage": {"filesystem": {"rootdirectory": str(self._directory / "images")}},
                    "http": {"addr": self.host},
                    "auth": {"htpasswd": {"realm": "plant", "path": str(users)}},
                }
            )
        )
        return config
