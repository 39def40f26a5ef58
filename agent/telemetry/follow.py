"""Follow a subscription: some Publish requests always wait at the server, and each notification is stored before the
next.

At most `WINDOW` notifications are with us at any time, waiting at the server for an answer or here to be stored.
While storing takes long, no further request goes out: the server's queues hold what comes, and that is the
back-pressure. The acknowledgement of a notification leaves with the first request after it was stored. A hole in the
sequence numbers is asked for again; what the server has no longer is reported as lost, at its place.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NoReturn

from agent.telemetry.errors import Codes, PlcError, status_name
from agent.telemetry.notification import MalformedError, Notification, Published
from agent.telemetry.opcua import PlcSession
from agent.telemetry.sequence import Place, following, missing, place
from agent.telemetry.subscription import Subscription

WINDOW = 4
"""Publish requests outstanding: so many round trips overlap. Four to eight are enough (measured)."""

Take = Callable[[Notification, bool], Awaitable[None]]
"""Stores a notification and returns when it is on disk; True says that something before it is lost."""

Heard = Callable[[datetime], None]
"""What the server had to say is stored, up to an answer that came at this time."""

_Arrival = Published | PlcError | MalformedError


class Follower:
    """The loop, for as long as one connection lasts."""

    def __init__(self, session: PlcSession, subscription: Subscription, take: Take, heard: Heard) -> None:
        self._session = session
        self._subscription = subscription
        self._take = take
        self._heard = heard
        self._outstanding = 0
        self._arrivals: asyncio.Queue[tuple[datetime, _Arrival]] = asyncio.Queue(WINDOW)

    async def catch_up(self) -> None:
        """Take what the server published while nobody listened; raises PlcError."""
        while notification := await self._again(following(self._subscription.last_sequence)):
            await self._store(notification, lost=False)

    async def run(self, group: asyncio.TaskGroup) -> PlcError:
        """Follow until the connection or the subscription is lost, and return why. Requests are tasks of `group`."""
        try:
            await self._follow(group)
        except PlcError as error:
            return error

    async def _follow(self, group: asyncio.TaskGroup) -> NoReturn:
        for _ in range(WINDOW):
            self._send(group)
        while True:
            at, arrival = await self._arrival()
            match arrival:
                case Published():
                    await self._published(arrival, at)
                case MalformedError():
                    await self._take(Notification(sequence=0, malformed=str(arrival)), False)
                case PlcError(status=Codes.BadTooManyPublishRequests) if self._outstanding:
                    continue
                case PlcError(status=Codes.BadTimeout):
                    pass
                case PlcError():
                    raise arrival
            self._send(group)

    def _send(self, group: asyncio.TaskGroup) -> None:
        self._outstanding += 1
        group.create_task(self._request(), name="publish")

    async def _request(self) -> None:
        """One Publish request. Its failure waits its turn behind what arrived before it: storing is not interrupted."""
        try:
            arrival: _Arrival = await self._subscription.publish(self._session)
        except (PlcError, MalformedError) as error:
            arrival = error
        self._outstanding -= 1
        self._arrivals.put_nowait((datetime.now(UTC), arrival))

    async def _arrival(self) -> tuple[datetime, _Arrival]:
        try:
            async with asyncio.timeout(self._subscription.silence_s):
                return await self._arrivals.get()
        except TimeoutError:
            message = f"connected but silent for {self._subscription.silence_s:.1f} s"
            raise PlcError(message, phase="publish", element=str(self._subscription.id)) from None

    async def _published(self, published: Published, at: datetime) -> None:
        if published.subscription_id != self._subscription.id:
            return
        notification = published.notification
        if not notification.keep_alive:
            await self._in_order(notification)
        self._heard(at)
        if notification.ended is not None:
            message = f"the server ended the subscription ({status_name(notification.ended)})"
            raise PlcError(message, phase="publish", element="subscription", status=notification.ended)

    async def _in_order(self, notification: Notification) -> None:
        last = self._subscription.last_sequence
        match place(last, notification.sequence):
            case Place.NEXT:
                await self._store(notification, lost=False)
            case Place.AFTER_A_HOLE:
                lost = await self._fill(missing(last, notification.sequence))
                await self._store(notification, lost=lost)
            case Place.SEEN:
                self._subscription.acknowledge_again(notification.sequence)

    async def _fill(self, sequences: tuple[int, ...]) -> bool:
        """Ask for what is missing; True if some of it is lost for ever."""
        lost = False
        for sequence in sequences:
            notification = await self._again(sequence)
            if notification is None:
                lost = True
            else:
                await self._store(notification, lost=lost)
                lost = False
        return lost

    async def _again(self, sequence: int) -> Notification | None:
        return await self._subscription.republish(self._session, sequence)

    async def _store(self, notification: Notification, *, lost: bool) -> None:
        await self._take(notification, lost)
        self._subscription.acknowledge(notification.sequence)
