"""What every store at the other end of HTTP has in common: three ways to have no answer, and reading back what came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from control_tower.errors import OutcomeUnknown, StoreBusy, StoreError
from control_tower.nouns import Money
from control_tower.stores.protocol import Standing, Store, StoreEffect

if TYPE_CHECKING:
    import httpx

MARK = "tower:"
"""What our key stands behind where a store keeps it in words."""
TIMEOUT = 20.0
SETTLES_WITHIN = 30.0
"""Seconds: longer than any call of ours may take, so that none is still on its way."""


class Web:
    """Calls to one store.

    Args:
        name: what the store is called in errors.
        remedy: what to do when it refuses the key.
        rest: of `httpx.Client`. A proxy of the environment is not used: the key would be shown to it.
    """

    def __init__(self, name: str, remedy: str, timeout: float = TIMEOUT, **rest: Any) -> None:
        import httpx

        self.name, self.remedy = name, remedy
        self.http: httpx.Client = httpx.Client(timeout=timeout, trust_env=False, **rest)

    def send(self, method: str, url: str, **rest: Any) -> httpx.Response:
        """One call, once.

        Raises:
            StoreError: the key is refused; nothing was done.
            OutcomeUnknown: no answer.
            StoreBusy: come again later.
        """
        import httpx

        try:
            answer = self.http.request(method, url, **rest)
        except httpx.HTTPError as fault:
            raise OutcomeUnknown(f"{self.name} gave no answer: {type(fault).__name__}") from None
        if answer.status_code in (401, 402, 403, 423):
            raise StoreError(f"{self.name} refuses the key ({answer.status_code})", remedy=self.remedy)
        if answer.status_code == 429:
            raise StoreBusy(f"{self.name} asks us to come again later")
        return answer

    def content_of(self, answer: httpx.Response) -> dict[str, Any]:
        """The JSON object of an answer.

        Raises:
            OutcomeUnknown: it has none.
        """
        try:
            content = answer.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise OutcomeUnknown(f"{self.name} answered {answer.status_code} and no JSON")
        return content

    def graphql(self, url: str, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of one GraphQL operation.

        Raises:
            StoreError: it was refused before anything was done.
            OutcomeUnknown: no answer, or one that says nothing.
        """
        answer = self.send("POST", url, json={"query": query, "variables": dict(variables)})
        content = self.content_of(answer)
        errors = content.get("errors") or []
        listed = errors if isinstance(errors, list) else []
        codes = {str((each.get("extensions") or {}).get("code", "")) for each in listed if isinstance(each, dict)}
        if "THROTTLED" in codes:
            raise StoreBusy(f"{self.name} asks us to come again later")
        if codes & {"FORBIDDEN", "UNAUTHORIZED", "UNAUTHENTICATED", "ACCESS_DENIED"}:
            raise StoreError(f"{self.name} refuses the key, or what it may do", remedy=self.remedy)
        if codes & {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}:
            raise StoreError(f"{self.name} does not know what it was asked", remedy="docs/stores.md says what it needs")
        data = content.get("data")
        if errors or not isinstance(data, dict):
            told = ", ".join(sorted(codes - {""})) or answer.status_code
            raise OutcomeUnknown(f"{self.name} failed inside: {told}")
        return data


@contextmanager
def reading(name: str, where: str) -> Iterator[None]:
    """Where nothing is known by a read that failed, whatever the reason."""
    try:
        yield
    except OutcomeUnknown as fault:
        raise StoreError(f"{name} can't be read: {fault.what}", where=where) from None


@contextmanager
def acting(where: str) -> Iterator[None]:
    """Names what was acted on in whatever is raised."""
    try:
        yield
    except StoreError as fault:
        raise type(fault)(fault.what, where=where, remedy=fault.remedy) from None


def recorded(store: Store, name: str, key: str, order_id: str, where: str) -> StoreEffect:
    """What came of an action, by the store's book.

    Raises:
        StoreError: it was recorded as failed.
        OutcomeUnknown: the book can't be read, or shows nothing.
    """
    try:
        found = store.effects(key, order_id)
    except StoreError as fault:
        raise OutcomeUnknown(f"can't be read back: {fault.what}", where=where) from fault
    if not found:
        raise OutcomeUnknown(f"{name} said yes and shows nothing", where=where)
    if found[-1].standing is Standing.failed:
        raise StoreError(f"{name} recorded it as {found[-1].state}", where=where)
    return found[-1]


def is_marked(text: object, key: str) -> bool:
    """Whether words of a store begin with our key."""
    return bool(key) and str(text or "").split(" ", 1)[0] == f"{MARK}{key}"


def marked(key: str, words: str) -> str:
    """Words for a store that begin with our key."""
    return f"{MARK}{key} {words}"[:500]


def in_minor(amount: object, currency: str) -> Money:
    """An amount in units, as in 49.90, as money."""
    minor = Decimal(str(amount)).scaleb(_digits(currency))
    return Money(amount=int(minor.to_integral_value()), currency=currency.upper())


def in_units(money: Money) -> Decimal:
    """Money in units, as in 49.90."""
    return Decimal(money.amount).scaleb(-_digits(money.currency))


def _digits(currency: str) -> int:
    from babel.numbers import get_currency_precision

    return int(get_currency_precision(currency.upper()))
