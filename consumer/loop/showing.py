"""Makes the snapshot, which shows what the loop owns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from consumer.ops.pseudonyms import Pseudonyms
from consumer.ops.snapshot import Phase, RateView, Rest, Snapshot
from consumer.ports.state_figures import StateFigures
from consumer.sequencing.waiting import oldest_held_since, oldest_waiting

if TYPE_CHECKING:
    from consumer.loop.cluster import Cluster
    from consumer.loop.partitions import Partitions
    from consumer.loop.pausing import Pausing
    from consumer.loop.problems import Problems
    from consumer.loop.rests import Rests
    from consumer.sequencing.sequencer import Sequencer
    from consumer.settings import Settings

PUBLISH_SECONDS: Final = 0.1
"""A snapshot is made at most this often: making one costs as much as handling a request."""
PUBLISH_SECONDS_A_PARTITION: Final = 0.0005
"""How much longer for each partition, each of which costs some 10 us: with a thousand, a snapshot every 0.5 s."""

WAITING_SHOWN: Final = 20
"""How many lanes /status lists."""


class Showing:
    """Makes snapshots and keeps the last one, with the figures that only snapshots need."""

    def __init__(  # noqa: PLR0917  the pipeline names them once
        self,
        settings: Settings,
        sequencer: Sequencer,
        partitions: Partitions,
        rests: Rests,
        cluster: Cluster,
        problems: Problems,
        rules_matched: Mapping[tuple[str, str], int],
        keyed: Mapping[str, int],
        pausing: Pausing,
        figures: Callable[[], StateFigures],
    ) -> None:
        self.snapshot: Snapshot
        self._settings = settings
        self._pseudonyms = Pseudonyms(settings.kafka_group_id, settings.destination_name)
        self._sequencer = sequencer
        self._partitions = partitions
        self._rests = rests
        self._cluster = cluster
        self._problems = problems
        self._rules_matched = rules_matched
        self._keyed = keyed
        self._pausing = pausing
        self._figures = figures
        self._delivered_at = 0.0
        self._committed_at = 0.0
        self._state, self._state_at = sequencer.gate.state, float("-inf")
        self._due = 0.0
        self._is_stale = False

    def delivered(self) -> None:
        """A request was accepted now."""
        self._delivered_at = time.time()

    def committed(self) -> None:
        """A commit was accepted now."""
        self._committed_at = time.time()

    def is_due(self, now: float) -> bool:
        """Whether it is time for a new snapshot. If not, `next_due` says when. `now`: monotonic seconds."""
        self._is_stale = True
        return now >= self._due

    def next_due(self, now: float) -> float:
        """When the next snapshot is due, in monotonic seconds; infinity: nothing has happened since the last one."""
        return max(self._due, now) if self._is_stale else float("inf")

    def publish(self, now: float, phase: Phase, *, joined: bool) -> None:
        """Make a snapshot. `joined`: the group has answered."""
        sequencer, account, gate = self._sequencer, self._sequencer.account, self._sequencer.gate
        if not any(assignment.unacknowledged for assignment in sequencer.assignments.values()):
            self._problems.nothing_is_written()
        views = self._partitions.views(now, int(time.time() * 1000))
        self._is_stale = False
        self._due = now + max(PUBLISH_SECONDS, PUBLISH_SECONDS_A_PARTITION * len(views))
        opens_at = gate.opens_at(now)
        gate.slowness.look(now, is_full=sequencer.waits_for_a_place)
        if gate.state is not self._state:
            self._state, self._state_at = gate.state, now
        self.snapshot = Snapshot(
            taken_at=now,
            phase=phase,
            joined=joined,
            partitions=views,
            consumed=dict(account.consumed),
            finished=dict(account.finished),
            unfinished=account.unfinished,
            introductions=account.introductions,
            holds_cut_short=account.holds_cut_short,
            held_events=sequencer.holds.events,
            held_users=sequencer.holds.users,
            in_flight=sequencer.in_flight,
            in_flight_limit=gate.window,
            destination_state=gate.state,
            destination_reason=gate.reason,
            destination_seconds=now - self._state_at,
            destination_closed_seconds=0.0 if opens_at is None else opens_at - now,
            rate=self._rate(now),
            answer_seconds=gate.slowness.answer_seconds,
            full_seconds=gate.slowness.full_seconds(now),
            source_topic=self._settings.kafka_topic,
            topic_partitions=self._cluster.partitions(),
            grown=self._cluster.grown(now),
            paused=self._paused(),
            buffer_events=sequencer.buffered.events,
            buffer_events_limit=self._settings.buffer_events_max,
            oldest_held_at=oldest_held_since(sequencer),
            users_retrying=len(sequencer.retrying),
            waiting=tuple(oldest_waiting(sequencer, now, WAITING_SHOWN)),
            pseudonyms=self._pseudonyms,
            last_delivery_at=self._delivered_at,
            last_commit_at=self._committed_at,
            loop_cpu_seconds=time.thread_time(),
            kafka_silent_seconds=self._cluster.silent_seconds(now),
            kafka_problem=self._cluster.last_problem,
            lost_seconds=self._partitions.lost_seconds(now),
            dead_letter_problem=self._problems.dead_letters,
            receipt_problem=self._problems.receipts,
            group_problem=self._problems.group,
            registry_problem=self._problems.registry,
            state_problem=self._problems.state,
            pause=self._pausing.pause,
            is_pause_known=self._pausing.is_known,
            unpaused_seconds=self._pausing.unpaused_seconds(now),
            denied=self._problems.denied,
            rules_matched=dict(self._rules_matched),
            keyed=dict(self._keyed),
            state=self._figures(),
            rekeyed=self._settings.rekeyed,
        )

    def _rate(self, now: float) -> RateView | None:
        rate = self._sequencer.rate
        return (
            None if rate is None else RateView(rate.limit, rate.share, rate.waiting_seconds(now), rate.waited_seconds)
        )

    def _paused(self) -> dict[str, int]:
        """How many partitions are not fetched, or not sent from, by reason. Some reasons stop all of them."""
        buffered, settings = self._sequencer.buffered, self._settings
        ours = len(list(self._rests.partitions()))
        is_full = buffered.events >= settings.buffer_events_max or buffered.size_bytes >= settings.buffer_bytes_max
        tight = self._sequencer.budget.is_tight
        is_paused = self._pausing.pause is not None
        everybody = {Rest.COMMAND: is_paused, Rest.BUFFER: is_full, Rest.COMMITS: tight}
        return {**self._rests.counts(), **{str(rest): ours if is_so else 0 for rest, is_so in everybody.items()}}
