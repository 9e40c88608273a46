"""Which alerts each scene fires: one table, for the runs beside a real Prometheus and for what it recorded in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from tests.deploy.rules import alerts
from tests.operations.shortened import MINUTE_SECONDS

SEVERITY: Final = {alert.name: alert.labels["severity"] for alert in alerts()}
RESTART: Final = frozenset({"CustomfitDown", "CustomfitMemberDown", "CustomfitPartitionUnowned"})
"""A restart of four seconds is one of four minutes where a minute lasts a second."""
LINGERING: Final = frozenset(
    {"CustomfitLateMinutesBurnSlow", "CustomfitFreshnessBurnSlow", "CustomfitCorrectnessBurnSlow"}
)
"""Tickets about hours and days, which no scene has: they may fire late and for long, and none waits for them."""

WAIT_LONG: Final = frozenset({"CustomfitPaused"})
"""Fire only when it has been so for an hour, which is longer than a recording goes on unrepaired."""

BRIEFLY: Final = frozenset({"CustomfitFreshnessBurnFast"})
"""May fire for a moment after a repair: its two minutes are two seconds, and a commit and a scrape take as long until
Prometheus sees that a backlog is worked off."""


class Expected(NamedTuple):
    """Of one scene. Each name is an alert's; whatever else fires is a fault of the rules."""

    first: str = ""
    """The one that fires before all others; nothing: none fires at all."""
    then: frozenset[str] = frozenset()
    """Those that fire as well, as long as nobody repairs it."""
    silenced: frozenset[str] = frozenset()
    """Those of them that say nothing new: Alertmanager keeps them quiet."""
    may: frozenset[str] = frozenset()
    """Those that fire or do not, as what is under way just then has it; Alertmanager keeps them quiet."""
    meanwhile: frozenset[str] = frozenset()
    """Those that fire only because of the shortened times, as during a restart: they are not counted."""
    holds_seconds: float = 4.0
    """So much longer it is watched, once all of them fire."""
    minute_seconds: float = MINUTE_SECONDS

    @property
    def named(self) -> frozenset[str]:
        """All that fire."""
        return self.then | {self.first} if self.first else self.then

    @property
    def allowed(self) -> frozenset[str]:
        """All that fire or may."""
        return self.named | self.may

    @property
    def ignored(self) -> frozenset[str]:
        """Those about which a scene can't tell."""
        return (LINGERING | self.meanwhile) - self.named

    @property
    def unrepaired(self) -> frozenset[str]:
        """All that may fire if nobody repairs it for 20 min, by the rules as they are; nothing where no cause fires."""
        if not self.first or "Burn" in self.first or self.first in WAIT_LONG:
            return frozenset()
        return self.allowed | _of("LateMinutesBurnFast", "CommitsFail")

    @property
    def told(self) -> frozenset[str]:
        """Of which somebody hears."""
        return self.named - self.silenced


def _of(*names: str) -> frozenset[str]:
    return frozenset(f"Customfit{name}" for name in names)


QUIET: Final = Expected(holds_seconds=35.0)
"""Longer than a record is late and the late minutes burn."""
EXPECTED: Final[Mapping[str, Expected]] = {
    "all_well": QUIET,
    # It takes 4 s from the start to the first commit, which would be four minutes.
    "backfill": QUIET._replace(minute_seconds=2.0),
    "wrong_key": Expected(
        first="CustomfitDestinationStopped",
        then=_of("LateMinutesBurnFast", "NotReady"),
        silenced=_of("LateMinutesBurnFast", "NotReady"),
    ),
    "unavailable": Expected(first="CustomfitDestinationUnavailable", then=_of("LateMinutesBurnFast")),
    "destination_slow": Expected(
        first="CustomfitDestinationSlow",
        then=_of("FreshnessBurnFast", "LateMinutesBurnFast"),
        silenced=_of("FreshnessBurnFast"),
    ),
    "paused": Expected(first="CustomfitPaused"),
    "one_user_unavailable": QUIET,
    "garbage": Expected(
        first="CustomfitPartitionStopped",
        then=_of("CorrectnessBurnFast", "LateMinutesBurnFast"),
        meanwhile=RESTART,
    ),
    "dead_letter_storm": Expected(first="CustomfitCorrectnessBurnFast"),
    "topic_gone": Expected(
        first="CustomfitTopicGone",
        meanwhile=RESTART | _of("PartitionStopped"),  # as the topic is made again
    ),
    # It takes 10 s until Kafka is called away, and 5 s until a record is called not acknowledged: seconds, not minutes.
    "kafka_gone": Expected(
        first="CustomfitKafkaUnreachable",
        then=_of("LateMinutesBurnFast"),
        silenced=_of("LateMinutesBurnFast"),
        may=_of("StateNotWritten", "GroupDoesNotAnswer", "PartitionUnowned", "CommitsFail"),
        minute_seconds=6.0,
    ),
    # A session of 3 s and a rebalance would be five minutes where a minute lasts a second, and for no longer may a
    # partition be unread. By default a session is 45 s.
    "member_killed": Expected(first="CustomfitMemberDown", minute_seconds=2.0),
    "member_stopped": Expected(first="CustomfitMemberDown", minute_seconds=2.0),
    "all_members_killed": Expected(
        first="CustomfitDown", then=_of("MemberDown"), silenced=_of("MemberDown"), meanwhile=RESTART
    ),
    "out_of_range": Expected(first="CustomfitPartitionStopped", then=_of("LateMinutesBurnFast"), meanwhile=RESTART),
    "open_transaction": Expected(first="CustomfitTransactionOpen", then=_of("LateMinutesBurnFast")),
    "loop_hangs": Expected(
        first="CustomfitStuck", then=_of("LateMinutesBurnFast", "NotReady"), silenced=_of("NotReady")
    ),
    "disk_full": Expected(first="CustomfitStateNotStored"),
    "registry_away": Expected(first="CustomfitRegistryWaits", then=_of("LateMinutesBurnFast")),
    "held": QUIET,
}
"""Name of a scene (tests/operations/run.py) → what fires in it."""
