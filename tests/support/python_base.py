"""An image with Python to build ours from, made by debootstrap: where tests run, no registry can be reached."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

REPOSITORY = "millwright-test/python-base"
_PACKAGES = ("python3", "python3-venv", "ca-certificates")


def ensure_python_base() -> str:
    """Return the image of this host's own release with Python; made in less than a minute, once for all test runs."""
    release, mirror = _release()
    content = " ".join((release, *_PACKAGES))
    reference = f"{REPOSITORY}:{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    if not _output("docker", "images", "--quiet", reference):
        _import(release, mirror, reference)
    return reference


def _release() -> tuple[str, str]:
    """The release's name and where its packages come from, as apt knows them."""
    form = "$(RELEASE) $(REPO_URI)"
    known = _output("apt-get", "indextargets", "--format", form, "Identifier: Packages", "Component: main").splitlines()
    codename = next(line for line in Path("/etc/os-release").read_text().splitlines() if "VERSION_CODENAME" in line)
    release = codename.partition("=")[2].strip('"')
    return release, next(line.split()[1] for line in known if line.split()[0] == release)


def _import(release: str, mirror: str, reference: str) -> None:
    with tempfile.TemporaryDirectory(prefix="millwright-base-") as scratch:
        root = Path(scratch) / "root"
        packages = f"--include={','.join(_PACKAGES)}"
        try:
            _as_root("debootstrap", "--variant=minbase", "--components=main,universe", packages, release, root, mirror)
            skip = ("--exclude=./var/cache/apt", "--exclude=./var/lib/apt/lists", "--exclude=./proc", "--exclude=./dev")
            archive = Path(scratch) / "root.tar"
            _as_root("tar", "--create", f"--file={archive}", f"--directory={root}", *skip, ".")
            _output("docker", "import", str(archive), reference)
        finally:
            _as_root("rm", "--recursive", "--force", "--one-file-system", root)


def _as_root(*command: str | Path) -> None:
    _output(*(() if os.geteuid() == 0 else ("sudo",)), *map(str, command))


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
