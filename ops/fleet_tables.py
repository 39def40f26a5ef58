"""The fleet and one node as tables: facts into cells, each with its age. Pure but for rich's own types."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.amounts import age, share, size
from ops.fleet import Fleet, NodeRecord, status_of
from wire.messages import AppReport, AppStatus, Health, PlcHealth, Revision

STATUS_LOOK = {
    "online": ("●", "green"),
    "degraded": ("◆", "yellow"),
    "stale": ("◐", "yellow"),
    "offline": ("○", "red"),
    "unknown": ("?", "dim"),
}
"""A mark and a colour beside the word: nothing is said by colour alone."""

_APP_LOOK = {
    AppStatus.RUNNING: "green",
    AppStatus.STOPPED: "dim",
    AppStatus.DEPLOYING: "cyan",
    AppStatus.STARTING: "cyan",
}


def fleet_tables(fleet: Fleet, now: datetime) -> RenderableType:
    """Everything in one table, and below it what is wrong and where."""
    table = _table("NODE", "STATUS", "SEEN", "APPS", "PLCS", "CPU", "MEMORY", "DISK", "SPOOL", "AGENT")
    for record in fleet.records:
        status = status_of(record, now)
        table.add_row(str(record.node), _status(status.word), _ago(status.age_s), *_facts(record))
    counts = _counts([status_of(record, now).word for record in fleet.records])
    return Group(table, *_reasons(fleet, now), counts)


def node_tables(record: NodeRecord, now: datetime) -> RenderableType:
    """One node with all that it said, each fact with its age."""
    status = status_of(record, now)
    head = Text.assemble((str(record.node), "bold"), "  ", _status(status.word), f"  seen {_ago(status.age_s)}")
    parts: list[RenderableType] = [head, *(Text(f"  ! {reason}") for reason in status.reasons)]
    if record.health is not None:
        parts += [_machine(record.health, now), _plcs(record.health, now)]
    parts.append(_apps(record, now))
    return Group(*(part for part in parts if not isinstance(part, Table) or part.row_count))


def _counts(words: list[str]) -> Text:
    if not words:
        return Text("The broker knows no node yet.")
    said = [f"{words.count(word)} {word}" for word in STATUS_LOOK if word in words]
    return Text(f"{len(words)} node{'s' if len(words) > 1 else ''}: {', '.join(said)}", style="dim")


def _reasons(fleet: Fleet, now: datetime) -> Iterator[Text]:
    for record in fleet.records:
        for reason in status_of(record, now).reasons:
            yield Text(f"! {record.node}: {reason}")


def _facts(record: NodeRecord) -> Iterator[str]:
    yield _running(record)
    health = record.health
    if health is None:
        yield from "-" * 5
        yield record.presence.version if record.presence else "-"
        return
    yield _connected(health.plcs)
    yield f"{health.host.cpu_percent:.0f} %"
    yield share(health.host.memory_used_bytes, health.host.memory_total_bytes)
    yield share(health.host.disk_used_bytes, health.host.disk_total_bytes)
    yield size(health.spool.bytes) if health.spool.records else "empty"
    yield health.version


def _running(record: NodeRecord) -> str:
    if not record.apps:
        return "-"
    running = sum(app.status is AppStatus.RUNNING for app in record.apps.values())
    return f"{running}/{len(record.apps)} running"


def _connected(plcs: tuple[PlcHealth, ...]) -> str:
    if not plcs:
        return "-"
    quality = sum(plc.quality for plc in plcs) / len(plcs)
    return f"{sum(plc.connected for plc in plcs)}/{len(plcs)}, {quality:.0%} good"


def _machine(health: Health, now: datetime) -> Table:
    table = _table("WHAT", "STATE", "AGE")
    said_s, host, spool = (now - health.at).total_seconds(), health.host, health.spool
    disk = f"disk {size(host.disk_used_bytes)} of {size(host.disk_total_bytes)}"
    memory = f"memory {size(host.memory_used_bytes)} of {size(host.memory_total_bytes)}"
    heat = "" if host.temperature_c is None else f", {host.temperature_c:.0f} °C"
    engine = f"reachable, {health.engine.version or 'no version'}" if health.engine.reachable else health.engine.error
    dropped = f", {spool.dropped_values} values dropped" if spool.dropped_values else ""
    kept = f"{spool.records} records, {size(spool.bytes)} of {size(spool.max_bytes)}{dropped}"
    oldest = f", the oldest {age(spool.oldest_age_s)}" if spool.records else ""
    agent = f"{health.version}, {health.mode}, up {age((now - health.started_at).total_seconds())}"
    table.add_row("agent", agent, _ago(said_s))
    cpu = f"CPU {host.cpu_percent:.0f} %, load {host.load_1m:.2f}"
    table.add_row("host", f"{cpu}, {memory}, {disk}{heat}", _ago(said_s + host.age_s))
    table.add_row("engine", engine or "not reachable", _ago(said_s + health.engine.age_s))
    table.add_row("spool", kept + oldest, _ago(said_s + spool.age_s))
    return table


def _plcs(health: Health, now: datetime) -> Table:
    table = _table("PLC", "CONNECTION", "QUALITY", "TAGS", "RESPONSE", "VALUES", "LAST VALUE", "ERRORS", "AGE")
    said_s = (now - health.at).total_seconds()
    for plc in health.plcs:
        connection = Text("connected", "green") if plc.connected else Text(f"lost: {plc.error or '?'}", "red")
        response = "-" if plc.response_time_ms is None else f"{plc.response_time_ms:.1f} ms"
        last = None if plc.last_value_age_s is None else said_s + plc.last_value_age_s
        bad = f", {plc.bad_tags} refused" if plc.bad_tags else ""
        cells = (f"{plc.quality:.0%}", f"{plc.tags}{bad}", response, f"{plc.values}", _ago(last), f"{plc.errors}")
        table.add_row(plc.plc, connection, *cells, _ago(said_s + plc.age_s))
    return table


def _apps(record: NodeRecord, now: datetime) -> Table:
    table = _table("APP", "STATUS", "DESIRED", "RUNNING", "IMAGE", "CPU", "MEMORY", "RESTARTS", "AGE")
    measured = {app.app: app for app in record.health.apps} if record.health else {}
    for name, app in sorted(record.apps.items()):
        use = measured.get(name)
        cpu = "-" if use is None or use.cpu_percent is None else f"{use.cpu_percent:.0f} %"
        memory = size(use.memory_bytes if use else None)
        cells = (_revision(app.desired), _revision(app.running), _image(app), cpu, memory, f"{app.restarts}")
        table.add_row(name, _app_status(app), *cells, _ago((now - app.at).total_seconds()))
    return table


def app_table(apps: tuple[AppReport, ...], now: datetime) -> Table:
    """What an `inspect` answers."""
    table = _table("NODE", "APP", "STATUS", "DESIRED", "RUNNING", "IMAGE", "CONTAINER", "AGE")
    for app in apps:
        cells = (_revision(app.desired), _revision(app.running), _image(app), app.container or "-")
        table.add_row(app.node, app.app, _app_status(app), *cells, _ago((now - app.at).total_seconds()))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", highlight=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _status(word: str) -> Text:
    mark, colour = STATUS_LOOK[word]
    return Text(f"{mark} {word}", colour)


def _app_status(app: AppReport) -> Text:
    words = app.status.replace("_", " ") + (f": {app.reason}" if app.reason else "")
    return Text(words, _APP_LOOK.get(app.status, "red"))


def _revision(revision: Revision | None) -> str:
    return "-" if revision is None else f"{revision.number}"


def _image(app: AppReport) -> str:
    revision = app.running or app.desired
    return revision.image if revision else "-"


def _ago(seconds: float | None) -> str:
    said = age(seconds)
    return said if said == "-" or said.startswith("clock") else f"{said} ago"
