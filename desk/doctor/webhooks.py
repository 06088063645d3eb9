"""The receiver of webhooks: whom it hears, whether it can keep what it hears, and whether it is there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from control_tower.settings import Settings
from desk.doctor.finding import Finding

SECONDS = 2.0


def webhooks(tower: Settings) -> Iterator[Finding]:
    """Each sender by its number of secrets, the folder, and the port; nothing is sent."""
    if not tower.webhook_secrets:
        wanted = tower.webhooks_port is not None
        remedy = "set TOWER_WEBHOOK_SECRETS; docs/sources.md says how" if wanted else ""
        yield Finding("webhooks", "none are received (TOWER_WEBHOOK_SECRETS is not set)", remedy)
        return
    for sender, secrets in sorted(tower.webhook_secrets.items()):
        changing = f", while {len(secrets)} secrets hold" if len(secrets) > 1 else ""
        yield Finding(f"webhooks: {sender}", f"heard{changing}", "" if secrets else "give it a secret, or leave it out")
    yield _folder(tower)
    yield _port(tower)


def _folder(tower: Settings) -> Finding:
    place = tower.webhooks
    if not place.exists():
        return Finding("webhooks: folder", f"{place} is made when the receiver starts")
    folders = [each for each in place.iterdir() if each.is_dir()]
    private = all(each.stat().st_mode & 0o077 == 0 for each in folders)
    able = all(os.access(each, os.W_OK) for each in folders)
    remedy = "" if private and able else f"chmod -R go= {place}, and give it to whoever runs the receiver"
    return Finding("webhooks: folder", f"{place}{'' if able else ' is not ours to write'}", remedy)


def _port(tower: Settings) -> Finding:
    from desk.webhooks import PORT

    address = tower.webhooks_host, PORT if tower.webhooks_port is None else tower.webhooks_port
    where = f"{address[0]}:{address[1]}"
    try:
        socket.create_connection(address, SECONDS).close()
    except OSError:
        return Finding("webhooks: port", f"nobody listens at {where}", "tower webhooks, or tower up with the port set")
    return Finding("webhooks: port", f"{where} is listened at")
