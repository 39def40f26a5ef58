"""How long a node may be silent: the one rule by which every view calls a node stale, then offline.

A heartbeat may come late or one may be lost on the way, so a single missed one says nothing. After two and a half
periods at least two are missing; after five, the node is as good as away, whatever its retained presence claims.
"""

import math
from enum import StrEnum

STALE_AFTER_PERIODS = 2.5
OFFLINE_AFTER_PERIODS = 5.0
LONGEST_PERIOD_S = 3600.0
"""A heartbeat can't promise to be rarer than this: nobody is fresh for days by announcing it."""


class Freshness(StrEnum):
    """What the age of a node's last heartbeat says of the node."""

    FRESH = "fresh"
    STALE = "stale"
    OFFLINE = "offline"


def freshness(age_s: float, period_s: float) -> Freshness:
    """Judge a heartbeat of `age_s` seconds that was promised every `period_s` seconds.

    A negative age (two clocks that disagree) is fresh; an age or period that is no number is offline.
    """
    if math.isnan(age_s) or not period_s > 0:
        return Freshness.OFFLINE
    periods = age_s / min(period_s, LONGEST_PERIOD_S)
    if periods > OFFLINE_AFTER_PERIODS:
        return Freshness.OFFLINE
    return Freshness.STALE if periods > STALE_AFTER_PERIODS else Freshness.FRESH
