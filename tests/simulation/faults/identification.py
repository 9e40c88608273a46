"""Holes in "identify first": who counts as identified without an identify, or after a delete."""

from __future__ import annotations

from typing import Any, Final

from consumer.segment import event_of
from consumer.sequencing.endings import Endings
from consumer.sequencing.events import Event, User
from consumer.sequencing.known_users import KnownUsers
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.look_ups import LookUps
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.rule import DeliveryKind
from tests.simulation.faults.fault import Fault, around, constant, instead


def everybody_is_identified(original: Any, self: LookUps, _identified: Any) -> list[Lane]:
    lanes: list[Lane] = original(self, {})
    for lane in lanes:
        lane.identified = True
    return lanes


def a_refused_identify_counts(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    original(self, delivery, *args)
    if delivery.kind is not DeliveryKind.EVENTS:
        delivery.lane.identified = True


def a_delete_forgets_nothing(original: Any, self: Endings, lane: Lane, event: Event) -> None:
    was_identified = lane.identified
    original(self, lane, event)
    lane.identified = was_identified


def an_answer_of_the_state_is_not_heeded(original: Any, self: LookUps, _identified: Any) -> list[Lane]:
    lanes: list[Lane] = original(self, {})
    return lanes


def an_anonymous_id_is_a_user_id(user_id: str, *, anonymous: bool = False) -> User:
    return User(user_id, anonymous=anonymous and user_id != "u0")


FAULTS: Final = (
    Fault("no identify gate", around(LookUps, "answer", everybody_is_identified), ("identify first",), 10),
    Fault(
        "a refused identify counts",
        around(Outcomes, "_dead_letter", a_refused_identify_counts),
        ("identify first",),
        60,
    ),
    Fault("a delete forgets nothing", around(Endings, "forgotten", a_delete_forgets_nothing), ("identify first",), 300),
    Fault("a forgotten user stays known", constant(KnownUsers, "discard", None), ("identify first",), 300),
    Fault(
        "the state is not heeded",
        around(LookUps, "answer", an_answer_of_the_state_is_not_heeded),
        ("state", "dead letter", "order"),
        100,
    ),
    Fault(
        "an anonymous id is a user id",
        instead(event_of, "User", an_anonymous_id_is_a_user_id),
        ("phantom",),
        60,
    ),
)
