"""What was measured, judged. Pure: figures in, verdicts out."""

from collections.abc import Mapping

from agent.config import Mode
from agent.validate.verdict import Verdict, failed, noted, passed, skipped, warned

VOLATILE = frozenset({"tmpfs", "ramfs", "devtmpfs"})
REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "afs")
TESTED_API = (1, 41)
"""Of Docker Engine 20.10, the oldest that the project is tested with."""
WAL_FAULT = ((3, 7, 0), (3, 51, 2))
"""From and to: SQLite's rare WAL-reset corruption, which needs several connections to one file."""
_LEAST_FREE_BYTES = 64 * 1024 * 1024
_LEAST_ENGINE_BYTES = 1024**3
_NAMED = 5
_EXPIRY_WARNING_DAYS = 30


def insecure(mode: Mode, check: str, message: str, remedy: str) -> Verdict:
    """What a plant in production must not have: a failure there, a warning elsewhere."""
    return (failed if mode is Mode.PRODUCTION else warned)(check, message, remedy)


def of_filesystem(kind: str, path: str, mode: Mode) -> Verdict:
    """Whether what is committed below `path` survives; `kind` is the kernel's word for the file system."""
    check = "data-dir-durable"
    if kind in VOLATILE:
        remedy = "Put data_dir on a disk: spool, ledger and desired state would be gone at the next boot."
        return insecure(mode, check, f"{path} is in memory ({kind})", remedy)
    if kind.startswith(REMOTE):
        remedy = "Put data_dir on a local disk: SQLite's write-ahead log does not work over a network."
        return failed(check, f"{path} is on a network file system ({kind})", remedy)
    if kind == "overlay":
        remedy = "Mount a volume at data_dir: what is in a container's own layer is gone with the container."
        return insecure(mode, check, f"{path} is in a container's layer (overlay)", remedy)
    return passed(check, f"{path} is on {kind}")


def of_space(path: str, free_bytes: int, max_spool_bytes: int) -> Verdict:
    """Whether the spool has the room that it is promised."""
    check, free = "data-dir-space", f"{path} has {_size(free_bytes)} free"
    if free_bytes < _LEAST_FREE_BYTES:
        return failed(check, free, f"Make room: the agent needs at least {_size(_LEAST_FREE_BYTES)} to work at all.")
    if free_bytes < max_spool_bytes:
        remedy = f"Make room, or lower spool.max_bytes: the spool may take {_size(max_spool_bytes)}."
        return warned(check, free, remedy)
    return passed(check, f"{free}; the spool may take {_size(max_spool_bytes)}")


def of_sqlite(version: tuple[int, ...]) -> Verdict:
    """Whether SQLite's known WAL fault is in this version; this agent's one connection never meets it."""
    text = ".".join(map(str, version))
    first, last = WAL_FAULT
    if first <= version <= last:
        about = "has the rare WAL-reset fault of 3.7.0 to 3.51.2; the agent's single connection keeps clear of it"
        return noted("sqlite-version", f"SQLite {text} {about}: let no other program write to its file")
    return passed("sqlite-version", f"SQLite {text}")


def of_clock(synchronized: bool | None) -> Verdict:
    """Whether times of this node can be compared with others'; commands expire by the node's own clock."""
    check = "clock-synchronized"
    if synchronized is None:
        return noted(check, "the kernel does not say whether its clock is synchronized (a sandbox, or not Linux)")
    if not synchronized:
        remedy = "Run chrony or systemd-timesyncd: a wrong clock refuses good commands as expired."
        return warned(check, "the kernel's clock is not synchronized", remedy)
    return passed(check, "the kernel's clock is synchronized")


def of_engine_version(version: str, api: str) -> Verdict:
    """Whether the engine is one of those that are tested."""
    found = f"Docker Engine {version}, API {api}"
    if _numbers(api) < TESTED_API:
        oldest = ".".join(map(str, TESTED_API))
        return warned("engine-version", found, f"Update it: nothing older than API {oldest} (20.10) is tested.")
    return passed("engine-version", found)


def of_engine_space(root: str, free_bytes: int | None) -> Verdict:
    """Whether an image can be pulled; None where the engine's disk can't be seen from here."""
    check = "engine-space"
    if free_bytes is None:
        return skipped(check, f"the engine's {root} can't be seen from here")
    if free_bytes < _LEAST_ENGINE_BYTES:
        remedy = "Make room (docker system df says what takes it): a pull needs space for the old and the new image."
        return warned(check, f"{root} has {_size(free_bytes)} free", remedy)
    return passed(check, f"{root} has {_size(free_bytes)} free")


def of_certificate(days_left: float, broker: str) -> Verdict:
    """How long the broker's verified certificate is still good."""
    if days_left < _EXPIRY_WARNING_DAYS:
        remedy = "Renew the broker's certificate: when it has expired, no node connects."
        return warned("broker-tls", f"{broker} is verified; its certificate expires in {days_left:.0f} days", remedy)
    return passed("broker-tls", f"{broker} is verified; its certificate is good for {days_left:.0f} days")


def of_tags(wanted: int, bad: Mapping[str, str]) -> Verdict:
    """Whether the server gives every tag that is wanted; `bad` has a reason by tag."""
    if not bad:
        return passed("plc-tags", f"all {wanted} tags can be read")
    named = "; ".join(f"{name}: {reason}" for name, reason in list(bad.items())[:_NAMED])
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    remedy = "Correct their node_id, or let this user read them in the server; the others are not held up."
    return failed("plc-tags", f"{len(bad)} of {wanted} tags can't be read: {named}{more}", remedy)


def of_browsing(found: int, most: int) -> Verdict:
    """What there is to follow where no tags are named."""
    if not found:
        remedy = "Let this user browse the server, or name the tags in [[opcua.tags]]."
        return warned("plc-tags", "no variable is to be seen below the Objects folder", remedy)
    if found >= most:
        remedy = "Name the tags that are wanted in [[opcua.tags]], or raise max_tags."
        return warned("plc-tags", f"the server has {most} variables or more; the first {most} are followed", remedy)
    return passed("plc-tags", f"{found} variables found by browsing")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"
