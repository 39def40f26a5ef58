"""The HTTP API: questions alone, nothing that changes anything.

There are no accounts yet, so the controller listens on 127.0.0.1 unless told otherwise; whoever can reach the address
can read the fleet.
"""

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Annotated

from litestar import Controller, get
from litestar.exceptions import NotFoundException
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, Parameter
from litestar.response import Stream
from msgspec import Struct

from controller.fleet.event import age_s
from controller.fleet.node import NodeView
from controller.picture import Picture
from controller.store.store import Store
from controller.web import showing, views
from controller.web.feed import Feed
from wire.topics import NodeName

TIMELINE = 50
"""Phases of commands that a node's detail holds."""

Site = Annotated[str, Parameter(max_length=64, description="The node's site.")]
Node = Annotated[str, Parameter(max_length=64, description="The node's name within its site.")]
CommandId = Annotated[str, Parameter(max_length=64, examples=[Example(value="0199f1c2-5d0a-7c31-8f7e-2f6d1f1c9a10")])]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="The id of the last event seen; only later changes are sent."),
]


class Source(Struct, frozen=True, kw_only=True):
    """Where the answers come from."""

    picture: Picture
    store: Store
    ingest: Callable[[], views.IngestOut]
    now: Callable[[], datetime]

    def fleet(self) -> views.FleetOut:
        """Everything, as it is known now."""
        now = self.now()
        standings = {view.name: self.picture.standing(view.name) for view in self.picture}
        return views.FleetOut(
            now=now,
            ingest=self.ingest(),
            counts=showing.counts(standings.values()),
            nodes=tuple(showing.node_row(view, standings[view.name], now) for view in self.picture),
        )

    def view(self, site: str, node: str) -> NodeView:
        """What is known of one node; raises NotFoundException."""
        view = self.picture.get(NodeName(site, node))
        if view is None:
            raise NotFoundException(detail=f"No message of a node {site}/{node} has been seen.")
        return view


class Api(Controller):
    """Version 1."""

    path = "/api/v1"

    @get("/fleet", summary="Every node, and how many stand how", sync_to_thread=False)
    def fleet(self, source: Source) -> views.FleetOut:
        """The whole fleet."""
        return source.fleet()

    @get("/nodes/{site:str}/{node:str}", summary="All that is known of one node")
    async def node(self, source: Source, site: Site, node: Node) -> views.NodeDetail:
        """One node, with the latest phases of its commands."""
        view = source.view(site, node)
        standing = source.picture.standing(view.name)  # the node may be forgotten while the store is asked
        timeline = await source.store.outcomes_at(view.name, limit=TIMELINE)
        return showing.node_detail(view, standing, timeline, source.now())

    @get("/nodes/{site:str}/{node:str}/apps", summary="The apps of one node", sync_to_thread=False)
    def apps(self, source: Source, site: Site, node: Node) -> views.AppsOut:
        """Desired and running revision of each app, and why they differ."""
        view, now = source.view(site, node), source.now()
        return views.AppsOut(site=site, node=node, now=now, apps=showing.apps(view, now))

    @get("/nodes/{site:str}/{node:str}/plcs/{plc:str}/tags", summary="The tags of one PLC", sync_to_thread=False)
    def plc_tags(self, source: Source, site: Site, node: Node, plc: str) -> views.PlcTagsOut:
        """Data type, unit, range and NodeId of each tag; its values are on MQTT."""
        fact = next((fact for fact in source.view(site, node).plcs if fact.value.plc == plc), None)
        if fact is None:
            raise NotFoundException(detail=f"The tags of {plc} on {site}/{node} are not known.")
        age = age_s(fact.seen_at, source.now())
        return views.PlcTagsOut(site=site, node=node, plc=plc, seen_at=fact.seen_at, age_s=age, tags=fact.value.tags)

    @get("/outcomes/{command_id:str}", summary="What became of a command, on every node")
    async def outcomes(self, source: Source, command_id: CommandId) -> views.CommandOutcomes:
        """Every phase of one command, by node."""
        found = await source.store.outcomes_of(command_id)
        if not found:
            raise NotFoundException(detail=f"No node has answered to a command {command_id}.")
        return showing.command(command_id, found, source.now())

    @get("/events", summary="Changes as they come (Server-Sent Events)", media_type="text/event-stream")
    async def events(self, feed: Feed, last_event_id: LastEventId = None) -> Stream:
        """`fleet` with everything, then `node` for each that changes, `gone` for each forgotten one, and `clock`."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Stream(feed.events(last_event_id), media_type="text/event-stream", headers=headers)


@get("/healthz", summary="Whether the controller itself works")
async def healthz(source: Source) -> views.Healthz:
    """Answers when the controller and its database do; a broker that is away doesn't make it unhealthy."""
    await source.store.ping()
    return views.Healthz(
        status="ok", now=source.now(), version=version("millwright"), nodes=len(source.picture), ingest=source.ingest()
    )
