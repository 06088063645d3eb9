"""A secret planted wherever one can be, and looked for in everything that comes out."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import ArtifactSort
from pydantic import SecretStr

from control_tower.errors import LedgerError, SettingError, StoreError
from control_tower.keeping.step import step
from control_tower.redaction import redacted, remember, scrubbed
from control_tower.secret import reveal
from control_tower.server import Server
from control_tower.settings import settings
from control_tower.stores import open_store

PLANTED = {
    "stripe": "sk_live_planted0123456789",
    "slack": "xoxb-1234567890-planted",
    "shopify": "shpat_planted0123456789abcdef",
    "approver": "tower_planted-0123456789-0123456789-0123456789-01",
    "database": "planted:password@127.0.0.1",
    "block": "an unremarkable block value",
}
NEEDLES = [*(value for name, value in PLANTED.items() if name != "database"), "planted:password"]


def said_in(text: str) -> list[str]:
    return [needle for needle in NEEDLES if needle in text]


@pytest.fixture(autouse=True)
def _known() -> None:
    remember(PLANTED["block"])


EVERYTHING = (
    f"keys {PLANTED['stripe']} and {PLANTED['slack']}, {PLANTED['shopify']}; token={PLANTED['approver']}; "
    f"postgresql://{PLANTED['database']}/ledger; {PLANTED['block']}"
)


def test_the_haystack_holds_every_needle() -> None:
    assert sorted(said_in(EVERYTHING)) == sorted(NEEDLES)


def test_an_error_says_what_and_where_and_no_secret() -> None:
    fault = LedgerError(EVERYTHING, where=EVERYTHING, remedy=EVERYTHING)
    assert not said_in(f"{fault} {fault!r} {fault.what} {fault.where} {fault.remedy}")
    assert "keys [secret] and [secret]" in fault.what


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWER_STRIPE_KEY", PLANTED["stripe"])
    monkeypatch.setenv("TOWER_SLACK_TOKEN", PLANTED["slack"])
    tower = settings()
    assert not said_in(f"{tower!r} {tower} {tower.model_dump_json()}")
    assert tower.stripe_key and reveal(tower.stripe_key) == PLANTED["stripe"]


def test_a_log_has_no_secret_in_message_arguments_or_traceback() -> None:
    written, log = io.StringIO(), logging.getLogger("planted")
    handler = logging.StreamHandler(written)
    log.addHandler(handler)
    try:
        log.error(EVERYTHING)
        log.error("with %s and %s", EVERYTHING, {"token": EVERYTHING})
        try:
            raise ValueError(EVERYTHING)
        except ValueError:
            log.exception("it failed")
        log.error("%d%%", 5)
    finally:
        log.removeHandler(handler)
    assert "ValueError: keys [secret]" in written.getvalue()
    assert "5%" in written.getvalue()
    assert not said_in(written.getvalue())


def test_content_is_scrubbed_however_deep_and_else_left_alone() -> None:
    content = {"a": [{"b": EVERYTHING}, 5, None], EVERYTHING: "x"}
    assert not said_in(str(scrubbed(content)))
    plain = {"order": "1001", "note": "sk_ is how a key begins; tower_hamlets is a place"}
    assert scrubbed(plain) is plain
    assert redacted("https://shop.example/orders?at=1@2") == "https://shop.example/orders?at=1@2"


@step
def careless(text: str, *, fails: bool) -> dict[str, str]:
    """A step that is given secrets, and gives them back."""
    if fails:
        raise ValueError(text)
    return {"said": text}


@flow(name="careless", persist_result=False)
def careless_flow(fails: bool) -> None:
    """Runs it."""
    careless(EVERYTHING, fails=fails)


def test_what_is_kept_and_shown_of_a_run_holds_no_secret(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWER_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("TOWER_ARTIFACTS_URL", (tmp_path / "kept").as_uri())
    careless_flow(False)
    with pytest.raises(ValueError):
        careless_flow(True)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(b"[secret]" in file.read_bytes() for file in files)
    for file in files:
        assert not said_in(file.read_bytes().decode("utf-8", "replace")), file
    with get_client(sync_client=True) as client:
        newest = client.read_artifacts(limit=200, sort=ArtifactSort.CREATED_DESC)  # other tests show theirs there too
        shown = [artifact.model_dump_json() for artifact in newest]
    assert any("careless" in each for each in shown)
    assert not said_in(" ".join(shown))


def test_a_secret_comes_from_a_prefect_block_and_is_struck_out_from_then_on(server: Server) -> None:
    Secret(value=SecretStr("gate code 4711 beta")).save("tower-test-key", overwrite=True)
    assert reveal(SecretStr("prefect:tower-test-key")) == "gate code 4711 beta"
    assert redacted("the gate code 4711 beta is said") == "the [secret] is said"
    with pytest.raises(SettingError, match="no Secret block"):
        reveal(SecretStr("prefect:no-such-block"))


def test_stripe_has_hands_only_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="reading only"):
        open_store("stripe:/exports", settings())
    pytest.importorskip("stripe", reason="Stripe's SDK is not installed")
    monkeypatch.setenv("TOWER_STRIPE_KEY", PLANTED["stripe"])
    store: Any = open_store("stripe:/exports", settings())
    assert set(store.abilities.actions) == {"refund"}
    assert not said_in(repr(vars(store)))


@pytest.mark.parametrize(
    ("source", "without", "hands"),
    [
        ("shopify:/payloads", "reading only", {"SHOPIFY_SHOP": "https://x.myshopify.com", "SHOPIFY_TOKEN": "shopify"}),
        ("folder:/exports", "no address or no key", {"VENDURE_URL": "http://127.0.0.1:9", "VENDURE_KEY": "block"}),
    ],
)
def test_a_store_has_hands_only_with_an_address_and_a_key_and_shows_neither_in_an_error(
    source: str, without: str, hands: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWER_HANDS", "vendure")
    with pytest.raises(StoreError, match=without):
        open_store(source, settings())
    for name, value in hands.items():
        monkeypatch.setenv(f"TOWER_{name}", PLANTED.get(value, value))
    tower = settings()
    store: Any = open_store(source, tower)
    assert "refund" in store.abilities.actions
    assert not said_in(f"{vars(store)!r} {tower!r} {tower.model_dump_json()}")


def test_a_folder_alone_has_no_hands() -> None:
    with pytest.raises(StoreError, match="reading only"):
        open_store("folder:/exports", settings())
