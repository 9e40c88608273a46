"""The faults that the emulator can be told to have, and its limit of requests per second."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

_Seconds = Annotated[float, Meta(ge=0, le=86_400)]
_Rate = Annotated[float, Meta(ge=0, le=1)]
_Status = Annotated[int, Meta(ge=300, le=599)]


class FaultsError(Exception):
    """Faults that do not exist or are out of range. The text says which."""


class Faults(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong, for requests with events only. A test or `POST /control` may change it while the emulator runs.

    A request meets, in this order: unavailable, hang, throttle, reset (unrecorded), keys, fail, the contract,
    fail_users, refuse, reset (recorded). The latency comes before all of them: a request counts as accepted when it is
    answered.
    """

    latency_seconds: _Seconds = 0.0
    latency_jitter_seconds: _Seconds = 0.0
    """Added to the latency: a random time from 0 to this."""
    fail_rate: _Rate = 0.0
    fail_status: _Status = 503
    fail_retry_after_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """Sent as Retry-After with `fail_status`; 0: no such header."""
    throttle_requests_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """Above it the answer is 429 with Retry-After: 1. 0: no limit."""
    reject_keys: list[str] = msgspec.field(default_factory=list)
    reject_all_keys: bool = False
    """401."""
    unavailable_seconds: _Seconds = 0.0
    """Connections are closed without an answer for this long, from the first such request on; then it is 0 again."""
    refuse_users: list[str] = msgspec.field(default_factory=list)
    refuse_names: list[str] = msgspec.field(default_factory=list)
    """400 for every request of such a user, or with an event of such a name, to make dead letters."""
    fail_users: list[str] = msgspec.field(default_factory=list)
    fail_users_status: _Status = 503
    fail_users_retry_after_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 0
    """This answer to every request of such a user, whoever else succeeds; 0: no Retry-After."""
    hang: bool = False
    """Read the request, never answer."""
    reset_rate: _Rate = 0.0
    """Accept, record, and reset the connection instead of answering: the answer is lost."""
    reset_unrecorded_rate: _Rate = 0.0
    """Reset the connection without having done anything."""

    def change(self, changes: dict[str, Any]) -> None:
        """Set some of them: all or none. Raises FaultsError."""
        for name in changes:
            if name not in self.__struct_fields__:
                near = difflib.get_close_matches(name, self.__struct_fields__, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(self.__struct_fields__)}"
                raise FaultsError(f"no fault is called `{name}`; {hint}")
        try:
            new = msgspec.convert({**msgspec.structs.asdict(self), **changes}, Faults)
        except msgspec.ValidationError as error:
            raise FaultsError(str(error)) from None
        for name in changes:
            setattr(self, name, getattr(new, name))


BURST_SECONDS: Final = 1.0


class Throttle:
    """Limits requests per second smoothly, with a second's worth at once (the generic cell rate algorithm)."""

    def __init__(self) -> None:
        self._expected_at = 0.0

    def admits(self, now: float, requests_per_second: float) -> bool:
        """Whether a request now is below the limit; counts it if it is."""
        interval = 1 / requests_per_second
        expected_at = max(self._expected_at, now) + interval
        if expected_at - now > max(BURST_SECONDS, interval):
            return False
        self._expected_at = expected_at
        return True
