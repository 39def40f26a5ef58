"""The example app of the demo: a web server of one static busybox, in a good revision and in one that never works."""

import contextlib

import aiodocker

from plant.images import build_image
from wire.app import AppSpec, ContainerSpec, Healthcheck

APP = "hello"
GOOD_IMAGE = "millwright-demo/hello:1"
BROKEN_IMAGE = "millwright-demo/hello:2"

_CHECK = Healthcheck(test=("CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"), interval_s=1.0, retries=2)
_SERVE = ("httpd", "-f", "-p", "8000", "-h", "/www")


async def build_images(docker: aiodocker.Docker) -> None:
    """Build both revisions. The broken one runs, and serves nothing: only its health check can tell."""
    page = {"/www/index.html": b"made by Millwright\n"}
    await build_image(docker, GOOD_IMAGE, command=_SERVE, healthcheck=_CHECK, files=page)
    await build_image(docker, BROKEN_IMAGE, command=_SERVE, healthcheck=_CHECK, files={"/www/.keep": b""})


async def remove_images(docker: aiodocker.Docker) -> None:
    """Remove what `build_images` built."""
    for tag in (GOOD_IMAGE, BROKEN_IMAGE):
        with contextlib.suppress(aiodocker.DockerError):
            await docker.images.delete(tag, force=True)


def spec(image: str) -> AppSpec:
    """The app's description with this image."""
    return AppSpec(containers=(ContainerSpec(image=image, healthy_within_s=30.0, stop_grace_s=1.0),))
