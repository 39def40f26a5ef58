"""A subscription as the server keeps it: its parameters, its monitored items, what of it is acknowledged.

The server's revised parameters are the ones that count. A notification is acknowledged with the next Publish request
after `acknowledge`, and again if that request was lost; until then the server can publish it once more.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from asyncua import ua

from agent.config import PlcConfig
from agent.telemetry.batch import BAD
from agent.telemetry.chunks import in_chunks
from agent.telemetry.decode import decode_publish, decode_republish
from agent.telemetry.errors import Codes, PlcError, status_name
from agent.telemetry.nodeid import NodeIdError, resolve
from agent.telemetry.notification import MalformedError, Notification, Published
from agent.telemetry.opcua import SESSION_KEPT_S, PlcSession
from agent.telemetry.tags import Wanted

KEEP_ALIVE_S = 5.0
"""A server with nothing to say says so this often: ten publishing intervals of half a second."""
SILENCE_MARGIN = 1.5
FILTER_REFUSED = frozenset(
    (
        Codes.BadFilterNotAllowed,
        Codes.BadMonitoredItemFilterInvalid,
        Codes.BadMonitoredItemFilterUnsupported,
        Codes.BadDeadbandFilterInvalid,
    )
)


class Items(dict[int, str]):
    """What became of the wanted items: the StatusCode name by handle of each that was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.unfiltered: dict[int, float] = {}
        """The deadbands by handle that the server doesn't apply."""


class Subscription:
    """One subscription of one session."""

    def __init__(self, created: ua.CreateSubscriptionResult) -> None:
        self.id = int(created.SubscriptionId)
        self.interval_s = created.RevisedPublishingInterval / 1000
        self.lifetime_s = self.interval_s * created.RevisedLifetimeCount
        self.silence_s = max(1.0, self.interval_s * created.RevisedMaxKeepAliveCount) * SILENCE_MARGIN + 1.0
        """Nothing heard for so long: the server is not there, or has forgotten the subscription."""
        self.last_sequence = 0
        self._created = created
        self._to_acknowledge: list[int] = []

    @classmethod
    async def create(cls, session: PlcSession, config: PlcConfig) -> Self:
        """Make it; raises PlcError."""
        interval_s = config.publishing_interval_ms / 1000
        keep_alive = max(1, round(KEEP_ALIVE_S / interval_s))
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=config.publishing_interval_ms,
            RequestedMaxKeepAliveCount=keep_alive,
            RequestedLifetimeCount=max(3 * keep_alive, round(SESSION_KEPT_S / interval_s)),
            MaxNotificationsPerPublish=10_000,
            PublishingEnabled=True,
            Priority=0,
        )
        answer: Any = await session.call(request, ua.CreateSubscriptionResponse)
        return cls(answer.Parameters)

    async def is_there(self, session: PlcSession) -> bool:
        """Whether the server still has it; asking starts its lifetime anew (OPC UA Part 4, 5.13.1.2)."""
        request = ua.ModifySubscriptionRequest()
        request.Parameters = ua.ModifySubscriptionParameters(
            SubscriptionId=self.id,
            RequestedPublishingInterval=self._created.RevisedPublishingInterval,
            RequestedLifetimeCount=self._created.RevisedLifetimeCount,
            RequestedMaxKeepAliveCount=self._created.RevisedMaxKeepAliveCount,
            MaxNotificationsPerPublish=10_000,
        )
        try:
            await session.call(request, ua.ModifySubscriptionResponse)
        except PlcError as error:
            if error.status == Codes.BadSubscriptionIdInvalid:
                return False
            raise
        return True

    async def delete(self, session: PlcSession) -> None:
        """Make the server forget it; raises PlcError."""
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [self.id]
        await session.call(request, ua.DeleteSubscriptionsResponse)

    async def monitor(self, session: PlcSession, wanted: Mapping[int, Wanted]) -> Items:
        """Have these tags monitored, each under its handle. A tag that is refused spoils no other. Raises PlcError."""
        items, nodes = Items(), dict[int, ua.NodeId]()
        for handle, tag in wanted.items():
            try:
                nodes[handle] = resolve(tag.node_id, session.namespaces)
            except NodeIdError as error:
                items[handle] = error.status_name
        refused = await self._create_items(
            session, {handle: _item(handle, nodes[handle], wanted[handle]) for handle in nodes}
        )
        plain = {
            handle: _item(handle, nodes[handle], wanted[handle], filtered=False)
            for handle, status in refused.items()
            if status in FILTER_REFUSED
        }
        items.unfiltered = {handle: wanted[handle].deadband for handle in plain}
        refused = {handle: status for handle, status in refused.items() if handle not in plain}
        refused |= await self._create_items(session, plain)
        items.update({handle: status_name(status) for handle, status in refused.items()})
        return items

    async def publish(self, session: PlcSession) -> Published:
        """Send one Publish request with what is to be acknowledged, and wait for its answer.

        Raises PlcError, and MalformedError for an answer that can't be read.
        """
        acknowledged, self._to_acknowledge = self._to_acknowledge, []
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(SubscriptionId=self.id, SequenceNumber=sequence) for sequence in acknowledged
        ]
        try:
            data = await session.send(request, timeout_s=0)
        except BaseException:
            self._to_acknowledge += acknowledged
            raise
        published = decode_publish(bytes(data))
        if published.service_result & BAD:
            name = status_name(published.service_result)
            raise PlcError(name, phase="publish", element="subscription", status=published.service_result)
        return published

    async def republish(self, session: PlcSession, sequence: int) -> Notification | None:
        """A notification once more; None where the server has it no longer. Raises PlcError."""
        request = ua.RepublishRequest()
        request.Parameters = ua.RepublishParameters(SubscriptionId=self.id, RetransmitSequenceNumber=sequence)
        try:
            notification = decode_republish(bytes(await session.send(request)))
        except MalformedError:
            return None
        except PlcError as error:
            if error.status == Codes.BadMessageNotAvailable:
                return None
            raise
        return notification if notification.sequence == sequence and not notification.keep_alive else None

    def acknowledge(self, sequence: int) -> None:
        """What the notification said is on disk."""
        self.last_sequence = sequence
        self._to_acknowledge.append(sequence)

    def acknowledge_again(self, sequence: int) -> None:
        """It was stored before, and the server has not understood that yet."""
        self._to_acknowledge.append(sequence)

    async def _create_items(
        self, session: PlcSession, items: Mapping[int, ua.MonitoredItemCreateRequest]
    ) -> dict[int, int]:
        """StatusCodes by handle of those that were refused."""

        async def create(portion: Sequence[ua.MonitoredItemCreateRequest]) -> Sequence[ua.MonitoredItemCreateResult]:
            request = ua.CreateMonitoredItemsRequest()
            request.Parameters.SubscriptionId = self.id
            request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
            request.Parameters.ItemsToCreate = list(portion)
            answer: Any = await session.call(request, ua.CreateMonitoredItemsResponse)
            return list(answer.Results or ())

        results = await in_chunks(list(items.values()), create)
        return {
            handle: int(result.StatusCode.value)
            for handle, result in zip(items, results, strict=True)
            if not result.StatusCode.is_good()
        }


def _item(handle: int, node_id: ua.NodeId, tag: Wanted, *, filtered: bool = True) -> ua.MonitoredItemCreateRequest:
    parameters = ua.MonitoringParameters(
        ClientHandle=handle, SamplingInterval=tag.sampling_interval_ms, QueueSize=tag.queue_size, DiscardOldest=True
    )
    if tag.deadband > 0 and filtered:
        parameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValue,
            DeadbandType=ua.DeadbandType.Absolute,
            DeadbandValue=tag.deadband,
        )
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node_id, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=parameters,
    )
