"""What every lane works with."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from agent.config import WorkloadConfig
from agent.workload.docker import DockerEngine
from agent.workload.ledger import Ledger
from wire.messages import AppReport
from wire.topics import NodeName

Boundary = Callable[[str], None]


class Bench(Struct, frozen=True, kw_only=True):
    """The node, its ledger and its engine; `boundary` is told before and after every act that lasts."""

    node: NodeName
    config: WorkloadConfig
    ledger: Ledger
    docker: DockerEngine
    boundary: Boundary
    now: Callable[[], datetime]
    report: Callable[[str, AppReport | None], None]
    """What is to be said of an app; None when there is nothing to say any more."""
