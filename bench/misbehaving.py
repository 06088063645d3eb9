"""A store in a process of its own, so that it goes on living, and acting late, when its caller is killed."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from control_tower.clock import Clock
from control_tower.errors import OutcomeUnknown, StoreBusy, StoreError
from control_tower.nouns import Money
from control_tower.stores.hostile import HostileStore, Malice
from control_tower.stores.protocol import Abilities, Store, StoreEffect
from control_tower.stores.shop import EmbeddedShop

# Ninety seconds of silence take as long as twenty milliseconds: who is killed meanwhile is killed all the same.
BRIEF = Clock(now=lambda: datetime.now(UTC), ticks=time.monotonic, sleep=lambda s: time.sleep(min(s, 0.02)))
KINDS = {kind.__name__: kind for kind in (StoreError, OutcomeUnknown, StoreBusy)}


@dataclass(frozen=True)
class Inner:
    """The store that is lied about: which kind, where, and with which key."""

    kind: str
    url: str
    key: str = ""

    def store(self) -> Store:
        """Open it."""
        match self.kind:
            case "stripe":
                from control_tower.stores.stripe import StripeStore

                return StripeStore(self.key, self.url)
            case "vendure":
                from control_tower.stores.vendure import VendureStore

                return VendureStore(self.url, self.key)
            case _:
                return EmbeddedShop(self.url)


def serve(address: str, key: bytes, inner: Inner, ready: Any) -> None:
    """Serve hostile stores over one store, each under a name, until killed."""
    stores: dict[str, HostileStore] = {}
    with Listener(address, "AF_UNIX", authkey=key, backlog=64) as listener:
        ready.set()
        while True:
            try:
                connection = listener.accept()
            except (OSError, EOFError, multiprocessing.AuthenticationError):
                continue  # a caller that was killed while it knocked
            threading.Thread(target=_answer, args=(connection, stores, inner), daemon=True).start()


def _answer(connection: Connection, stores: dict[str, HostileStore], inner: Inner) -> None:
    try:
        while True:
            name, method, arguments = connection.recv()
            connection.send(_do(stores, inner, name, method, arguments))
    except (EOFError, OSError):
        return


def _do(stores: dict[str, HostileStore], inner: Inner, name: str, method: str, arguments: tuple[Any, ...]) -> Any:
    if method == "open":
        seed, mix, lag, careless = arguments
        stores[name] = HostileStore(inner.store(), seed, mix, lag, BRIEF, careless=careless)
        return None
    store = stores[name]
    if method == "quiet":
        store._mix = {Malice.none: 1.0}
        return None
    if method == "calls":
        return store.calls
    if method == "close":
        del stores[name]
        return None
    try:
        found = getattr(store, method)
        return found(*arguments) if callable(found) else found
    except StoreError as fault:
        return type(fault).__name__, fault.what


class Remote:
    """The store at the other end: a `Store`, and what a campaign has to tell it."""

    def __init__(self, address: str, key: bytes, name: str, boundary: Callable[[], None] = lambda: None) -> None:
        self.name, self.boundary = name, boundary
        self.connection = Client(address, "AF_UNIX", authkey=key)

    def tell(self, method: str, *arguments: Any) -> Any:
        """One question, one answer."""
        self.connection.send((self.name, method, arguments))
        answer = self.connection.recv()
        if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], str):
            raise KINDS[answer[0]](answer[1])
        return answer

    def open(self, seed: int, mix: Mapping[Malice, float], lag: float, careless: bool) -> None:
        """Make the store of one schedule."""
        self.tell("open", seed, dict(mix), lag, careless)

    @property
    def abilities(self) -> Abilities:
        """As the store says."""
        abilities: Abilities = self.tell("abilities")
        return abilities

    def effects(self, key: str, order_id: str) -> tuple[StoreEffect, ...]:
        """As the store says."""
        found: tuple[StoreEffect, ...] = self.tell("effects", key, order_id)
        return found

    def refundable(self, order_id: str) -> Money | None:
        """As the store says."""
        left: Money | None = self.tell("refundable", order_id)
        return left

    def refund(self, key: str, order_id: str, money: Money, reason: str, return_id: str | None = None) -> StoreEffect:
        """The call that moves money: a boundary before it, and one after."""
        self.boundary()
        try:
            effect: StoreEffect = self.tell("refund", key, order_id, money, reason, return_id)
        finally:
            self.boundary()
        return effect

    def reship(self, key: str, order_id: str, fulfillment_id: str, reason: str) -> StoreEffect:
        """Not part of the campaign."""
        raise NotImplementedError

    def hold(self, key: str, order_id: str, reason: str) -> StoreEffect:
        """Not part of the campaign."""
        raise NotImplementedError

    def release(self, key: str, hold_id: str) -> StoreEffect:
        """Not part of the campaign."""
        raise NotImplementedError

    def cancel_reship(self, key: str, fulfillment_id: str) -> StoreEffect:
        """Not part of the campaign."""
        raise NotImplementedError
