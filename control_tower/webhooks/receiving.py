"""The receiver: what is proved, readable and of use is on disk before it is answered with 200."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from control_tower.sources.payloads import measured
from control_tower.webhooks.folder import ReceivingFolder
from control_tower.webhooks.senders import SENDERS
from control_tower.webhooks.signatures import Delivery

if TYPE_CHECKING:
    from starlette.responses import Response

LARGEST = 5 * 2**20
"""Bytes of a body: an order with a thousand lines is a third of it."""
PING = re.compile(rb"webhook_id=[0-9]{1,20}")

logger = logging.getLogger("control_tower.webhooks")


class Answer(NamedTuple):
    """What a delivery is answered with: a status that its sender goes by, and a word to count it by."""

    status: int
    word: str


KEPT, KNOWN, UNUSED = Answer(200, "kept"), Answer(200, "known"), Answer(200, "unused")
NOT_PROVED, UNREADABLE = Answer(401, "not proved"), Answer(400, "unreadable")
TOO_LARGE, OTHER_TYPE = Answer(413, "too large"), Answer(415, "no JSON")
NOBODY, NOT_KEPT = Answer(404, "nobody"), Answer(503, "not kept")


class Receiver:
    """Receives for those senders whose secrets are known.

    Args:
        folder: where the folders of the sources are.
        secrets: the secrets of each sender; several while they are changed.
    """

    def __init__(self, folder: Path, secrets: Mapping[str, Sequence[str]]) -> None:
        if any(not secret for known in secrets.values() for secret in known):
            raise ValueError("an empty secret proves nothing")
        self.secrets = {sender: tuple(known) for sender, known in secrets.items() if known}
        self.folders = {
            SENDERS[sender].source: ReceivingFolder(folder / SENDERS[sender].source) for sender in self.secrets
        }

    def answer(self, sender: str, sent: Delivery) -> Answer:
        """Prove, read and keep one delivery.

        Whoever can't be proved learns nothing but that. What is proved and of no use is not kept, and answered with
        200: its sender would try again for days, and then send nothing at all.
        """
        if sender == "woocommerce" and _is_ping(sent):
            return UNUSED
        known = SENDERS[sender]
        if not any(known.proved(sent, secret) for secret in self.secrets[sender]):
            return NOT_PROVED
        if sent.only("content-type").partition(";")[0].strip().lower() != "application/json":
            return OTHER_TYPE
        try:
            content = measured(json.loads(sent.body.decode("utf-8")))
        except (ValueError, RecursionError):
            return UNREADABLE
        kind = known.usable(sent, content)
        return UNUSED if kind is None else self._keep(sender, kind, sent, content)

    def _keep(self, sender: str, kind: str, sent: Delivery, content: Any) -> Answer:
        known = SENDERS[sender]
        name = f"{sender}-{known.name_of(kind, sent, content)}.json"
        try:
            return KEPT if self.folders[known.source].keep(name, known.kept(kind, sent)) else KNOWN
        except OSError as fault:
            logger.error("a delivery of %s could not be written: %s", sender, fault.strerror)
            return NOT_KEPT


def _is_ping(sent: Delivery) -> bool:
    """WooCommerce asks whether anybody is there, unsigned, before it lets a webhook be saved."""
    form = sent.only("content-type").startswith("application/x-www-form-urlencoded")
    return form and PING.fullmatch(sent.body) is not None


def application(receiver: Receiver) -> Starlette:
    """The receiver as an ASGI application: POST /SENDER, and /shippo/TOKEN."""
    from control_tower.metrics.webhooks import RECEIVED

    async def receive(request: Request) -> Response:
        sender = request.path_params["sender"]
        if sender not in receiver.secrets:
            return PlainTextResponse(NOBODY.word, NOBODY.status)
        try:
            found = await _received(receiver, sender, request)
        except ClientDisconnect:
            found = UNREADABLE
        RECEIVED.labels(sender, found.word).inc()
        if found.status >= 400:
            logger.warning("a delivery to /%s was answered with %s: %s", sender, found.status, found.word)
        return PlainTextResponse(found.word, found.status, {"Connection": "close"})

    return Starlette(routes=[
        Route("/{sender}", receive, methods=["POST"]), Route("/{sender}/{token}", receive, methods=["POST"]),
    ])  # fmt: skip


async def _received(receiver: Receiver, sender: str, request: Request) -> Answer:
    body = bytearray()
    if int(request.headers.get("content-length", "0")) > LARGEST:
        return TOO_LARGE
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return TOO_LARGE
    headers = {name: request.headers.getlist(name) for name in request.headers}
    sent = Delivery(headers, bytes(body), request.path_params.get("token", ""), time.time())
    return await run_in_threadpool(receiver.answer, sender, sent)
