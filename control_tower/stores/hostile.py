"""A store that misbehaves as real ones were seen to, around any store: seeded, so that what it did can be had again.

It is for tests and for `tower demo --hostile`. The store inside is honest and keeps the only true book.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from control_tower.clock import SYSTEM, Clock
from control_tower.errors import OutcomeUnknown, StoreBusy, StoreError
from control_tower.nouns import Money
from control_tower.stores.protocol import Abilities, Standing, Store, StoreEffect


class Malice(StrEnum):
    """One way in which a store misbehaves on one call."""

    none = "none"
    lost_request = "lost request"
    """Nothing arrives, and nothing is heard."""
    lost_reply = "lost reply"
    """It is done, and nothing is heard."""
    early_reply = "reply before commit"
    """It says done, and does it a little later."""
    late_commit = "commit after silence"
    """Nothing is heard, and it does it a little later."""
    never = "reply without commit"
    """It says done, and never does it."""
    error_after_commit = "400 after commit"
    """It is done, and called refused."""
    failed = "200 with state Failed"
    """A reply without an error, of something that failed."""
    duplicate = "done twice"
    """One call, and the store does it twice."""
    slow = "slow"
    """It is done after longer than anybody waits."""
    rate_limited = "rate limited"
    """It is not done; come again."""
    stale_read = "stale read"
    """It is done, and for a little while no read shows it."""


HARMFUL_BY_ITSELF = frozenset({Malice.duplicate})
"""What no caller can prevent, and must therefore say."""
MIX: dict[Malice, float] = dict.fromkeys(Malice, 1.0) | {Malice.none: 4.0}
SLOW = 90.0


@dataclass
class _Later:
    """Something that the store will do at a tick, or show from a tick on."""

    at: float
    act: Callable[[], StoreEffect]


class HostileStore:
    """Any store, made untrustworthy.

    Args:
        inner: the honest store.
        seed: the same seed and the same calls give the same malice.
        mix: how often each malice comes, as weights.
        lag: seconds within which what is late has come; told in `abilities.settles_within`.
        clock: whose ticks the lag is measured by, and whose sleep a slow reply takes.
        careless: it does not say what can still be refunded, as one that would pay any amount.
    """

    def __init__(
        self,
        inner: Store,
        seed: int,
        mix: Mapping[Malice, float] = MIX,
        lag: float = 2.0,
        clock: Clock = SYSTEM,
        *,
        careless: bool = False,
    ) -> None:
        self.inner, self.lag, self.clock, self.careless = inner, lag, clock, careless
        self._random = random.Random(seed)  # noqa: S311 - malice is drawn, not a secret
        self._mix = dict(mix)
        self._lock = threading.RLock()
        self._later: list[_Later] = []
        self._hidden: dict[str, float] = {}
        self._failed: dict[str, list[StoreEffect]] = {}
        self.calls: list[tuple[str, Malice]] = []
        """What was asked under which key, and what came over the store each time."""

    @property
    def abilities(self) -> Abilities:
        """As the store inside, but for how long its reads lag."""
        return self.inner.abilities.model_copy(update={"settles_within": self.lag})

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """What the store inside recorded, but for what it does not show yet."""
        with self._lock:
            self._do_what_is_due()
            if self.clock.ticks() < self._hidden.get(key, float("-inf")):
                return ()
            return (*self.inner.effects(key, order_id), *self._failed.get(key, ()))

    def refundable(self, order_id: str) -> Money | None:
        """As the store inside; a careless one can't say."""
        with self._lock:
            self._do_what_is_due()
            return None if self.careless else self.inner.refundable(order_id)

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """As the store inside, or worse."""
        return self._act(
            key, "refund", order_id, money, lambda: self.inner.refund(key, order_id, money, reason, return_id)
        )

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """As the store inside, or worse."""
        return self._act(
            key, "reship", order_id, None, lambda: self.inner.reship(key, order_id, fulfillment_id, reason)
        )

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """As the store inside, or worse."""
        return self._act(key, "hold", order_id, None, lambda: self.inner.hold(key, order_id, reason))

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """As the store inside, or worse."""
        return self._act(key, "release", "", None, lambda: self.inner.release(key, hold_id))

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """As the store inside, or worse."""
        return self._act(key, "cancel_reship", "", None, lambda: self.inner.cancel_reship(key, fulfillment_id))

    def _act(
        self, key: str, action: str, order_id: str, money: Money | None, act: Callable[[], StoreEffect]
    ) -> StoreEffect:
        with self._lock:
            self._do_what_is_due()
            malice = self._random.choices(list(self._mix), list(self._mix.values()))[0]
            late = self.clock.ticks() + self._random.uniform(0.1, 0.9) * self.lag
            self.calls.append((key, malice))
            promised = StoreEffect(
                key=key, action=action, reference=f"{action}-promised", order_id=order_id, money=money,
                state="done", prior={}, at=self.clock.now(),
            )  # fmt: skip
            match malice:
                case Malice.none | Malice.slow:
                    effect = act()
                case Malice.lost_reply | Malice.error_after_commit | Malice.stale_read | Malice.duplicate:
                    effect = act()
                    if malice is Malice.stale_read:
                        self._hidden[key] = late
                    if malice is Malice.duplicate:
                        self._again(act)
                case Malice.early_reply | Malice.late_commit:
                    self._later.append(_Later(late, act))
                    effect = promised
                case Malice.failed:
                    effect = promised.model_copy(
                        update={"state": "Failed", "standing": Standing.failed, "reference": f"{action}-failed"}
                    )
                    self._failed.setdefault(key, []).append(effect)
                case _:
                    effect = promised
        return self._reply(malice, effect)

    def _reply(self, malice: Malice, effect: StoreEffect) -> StoreEffect:
        """What the caller hears."""
        match malice:
            case Malice.lost_request | Malice.lost_reply | Malice.late_commit:
                raise OutcomeUnknown("gave no answer: the connection was closed")
            case Malice.slow:
                self.clock.sleep(SLOW)
                raise OutcomeUnknown("gave no answer in time")
            case Malice.error_after_commit:
                raise StoreError("already has an existing active change (400)")
            case Malice.rate_limited:
                raise StoreBusy("too many requests (429)")
        return effect

    def _again(self, act: Callable[[], StoreEffect]) -> None:
        try:
            act()
        except StoreError:
            return  # its own rules stopped it, as when the remainder is spent

    def _do_what_is_due(self) -> None:
        now = self.clock.ticks()
        due = [each for each in self._later if each.at <= now]
        self._later = [each for each in self._later if each.at > now]
        for each in due:
            self._again(each.act)


class JumpingClock:
    """A clock for tests and campaigns: ticks pass only while somebody sleeps, and the date jumps about."""

    def __init__(self, clock: Clock, seed: int, jump: timedelta = timedelta(hours=3)) -> None:
        self._start, self._ticks, self._jump = clock.now(), 0.0, jump
        self._random = random.Random(seed)  # noqa: S311
        self.clock = Clock(now=self._now, ticks=lambda: self._ticks, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self._ticks += seconds

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=self._ticks) + self._random.uniform(-1, 1) * self._jump
