"""Problems of the edges that last, and concern no single partition.

They are shown until the edge says that they are over.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

from consumer.ports.inputs import AccessDenied, DeadLetterFailed, StateFixed, StateProblem

if TYPE_CHECKING:
    from consumer.ops.reporter import Reporter

SEEN_SECONDS: Final = 5.0
"""How old news of a topic may be. It says nothing about a denial that is younger."""
STATE_TOPIC_PROBLEMS: Final = ("not_written", "not_read", "not_grown", "not_followed")


class Problems:
    """The problems in words; None: there is none."""

    def __init__(self, reporter: Reporter) -> None:
        self.dead_letters: str | None = None
        self.receipts: str | None = None
        self.registry: str | None = None
        self.group: str | None = None
        self._reporter = reporter
        self._state: dict[str, str] = {}
        self._denied: dict[str, str] = {}
        """What the access lists keep us from → the words for it."""
        self._denied_at: dict[str, float] = {}

    @property
    def state(self) -> str | None:
        """Why the state topic can't be written, read or made larger."""
        return "; ".join(self._state.values()) or None

    @property
    def denied(self) -> tuple[str, ...]:
        """What the access lists keep us from."""
        return tuple(self._denied.values())

    def of_state(self, news: StateProblem | StateFixed) -> None:
        """Something of the state does not work, or works again."""
        if isinstance(news, StateFixed):
            self._state.pop(news.kind, None)
            self._reporter.state_fixed(news.kind)
            return
        if news.kind in STATE_TOPIC_PROBLEMS:
            self._state[news.kind] = news.detail
        self._reporter.state_problem(news.kind, news.detail)

    def state_written(self) -> None:
        """The state topic takes records."""
        self._state.pop("not_written", None)

    def nothing_is_written(self) -> None:
        """No record is on its way: what could not be written left with its partition."""
        self.dead_letters = self.receipts = None
        self.state_written()

    def of_dead_letters(self, failed: DeadLetterFailed) -> None:
        """A dead letter could not be written."""
        if failed.kind == "not_written":
            self.dead_letters = failed.detail
        self._reporter.dead_letter_failed(failed.kind, failed.detail, failed.record)

    def of_receipts(self, detail: str) -> None:
        """Receipts could not be written."""
        self.receipts = detail
        self._reporter.receipts_failed(detail)

    def of_registry(self, detail: str) -> None:
        """The registry does not answer."""
        self.registry = detail
        self._reporter.registry_problem(detail)

    def of_group(self, problem: str | None) -> None:
        """Why nothing is sent: the group acknowledges no commit."""
        if (problem is None) != (self.group is None):
            self._reporter.group_answers(problem)
        self.group = problem

    def of_access(self, denied: AccessDenied, now: float) -> None:
        """The access lists keep us from something. The client says so once, and not again while it lasts."""
        self._denied[denied.what] = denied.detail
        self._denied_at[denied.what] = now
        self._reporter.access_denied(denied.what, denied.detail)

    def access_again(self, what: AbstractSet[str]) -> None:
        """Something came from these, so what was denied is granted."""
        for one in self._denied.keys() & what:
            del self._denied[one], self._denied_at[one]
            self._reporter.access_again(one)

    def seen(self, topics: AbstractSet[str], now: float) -> None:
        """We may read these, and have no partition of them. What was denied about them now concerns another member."""
        self.access_again({topic for topic in topics if now - self._denied_at.get(topic, now) >= SEEN_SECONDS})
