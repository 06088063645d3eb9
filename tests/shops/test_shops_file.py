"""The shops' file: what it says, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_tower.errors import MappingError, SettingError, SourceError, StoreError
from control_tower.settings import Settings
from control_tower.shops import find_shop, settings_at, settings_of, shops_of
from control_tower.sources import open_source
from control_tower.stores import open_store
from control_tower.stores.shop import EmbeddedShop
from control_tower.stores.shopify import ShopifyStore
from control_tower.stores.stripe import StripeStore

BOTH = """
shops:
  berlin: {source: "folder:berlin", hands: {store: stripe, key: BERLIN_KEY}}
  rio:
    source: shopify:rio
    currency: BRL
    slack_channel: "#rio"
    hands: {store: shopify, url: "https://rio.myshopify.com", key: RIO_TOKEN}
"""


def tower_of(folder: Path, text: str, **given: object) -> Settings:
    file = folder / "shops.yaml"
    file.write_text(text)
    return Settings(home=folder / "home", shops=file, **given)  # type: ignore[arg-type]


def test_paths_are_from_the_folder_of_the_file(tmp_path: Path) -> None:
    found = shops_of(tower_of(tmp_path, BOTH))
    assert found["berlin"].source == f"folder:{tmp_path}/berlin"
    assert found["rio"].source == f"shopify:{tmp_path}/rio"


@pytest.mark.parametrize("id", [
    "../berlin", "berlin/..", "/etc", "Berlin", "b\u0435rlin", "be rlin", "<b>berlin</b>", "berlin:1", "-berlin",
    "berlin-", "a" * 41, "berlin\\n", "--all", "*", "shop:berlin", "ber_lin", "'; DROP TABLE cases; --", "bérlin",
])  # fmt: skip
def test_an_id_that_could_be_taken_for_something_else_is_refused_with_its_line(tmp_path: Path, id: str) -> None:
    text = f'shops:\n  good: {{source: "folder:good"}}\n  "{id}": {{source: "folder:x"}}\n'
    with pytest.raises(SettingError, match=r"shops.yaml:3"):
        shops_of(tower_of(tmp_path, text))


@pytest.mark.parametrize(("line", "said"), [
    ('  a: {sourc: "folder:x"}', "there is no field 'sourc'.*did you mean 'source'"),
    ('  a: {source: "folder:x", currency: EURO}', "currency"),
    ('  a: {source: "folder:x", currency: EUX}', "no currency 'EUX'"),
    ('  a: {source: "folder:x", time_zone: Europe/Berln}', "no time zone"),
    ('  a: {source: "folder:x", time_zone: ../../etc/passwd}', "no time zone"),
    ('  a: {source: "shop:b"}', "a shop is no source of another shop"),
    ('  a: {source: shop}', "'database' is missing"),
    ('  a: {source: "folder:x", slack_channel: "<!channel>"}', "slack_channel"),
    ('  a: {source: "folder:x", hands: {store: stripe, key: sk_live_abc}}', "key"),
    ('  a: {source: "folder:x", hands: {store: shopify, url: "https://me:secret@x.example", key: K}}', "url"),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as refused:
        shops_of(tower_of(tmp_path, f"shops:\n{line}\n"))
    assert "shops.yaml:2" in str(refused.value)


def test_a_secret_that_was_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    text = 'shops:\n  a: {source: "folder:x", hands: {store: stripe, key: sk_live_abcdefgh12345678}}\n'
    with pytest.raises(SettingError) as refused:
        shops_of(tower_of(tmp_path, text))
    assert "sk_live" not in str(refused.value)


@pytest.mark.parametrize("second", [
    '{source: "folder:one"}', '{source: "folder:./two/../one/"}', '{source: "folder:link"}',
])  # fmt: skip
def test_two_shops_do_not_read_one_source(tmp_path: Path, second: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    with pytest.raises(SettingError, match=r"a and b read one source.*paid twice"):
        shops_of(tower_of(tmp_path, f'shops:\n  a: {{source: "folder:one"}}\n  b: {second}\n'))


def test_a_shop_is_the_file_s_whatever_its_source_calls_itself(tmp_path: Path) -> None:
    text = "shops:\n  a: {source: shop, database: a.db}\n  b: {source: shop, database: b.db, currency: BRL}\n"
    tower = tower_of(tmp_path, text)
    one, other = (open_source(f"shop:{id}", None, tower).shop for id in ("a", "b"))
    assert (one.id, other.id) == ("a", "b")
    assert (one.currency, other.currency) == ("EUR", "BRL")
    assert one.time_zone == other.time_zone == "Europe/Berlin"


def test_there_is_no_shop_that_the_file_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no shop 'berln'.*did you mean 'berlin'"):
        open_source("shop:berln", None, tower_of(tmp_path, BOTH))
    with pytest.raises(SourceError, match="TOWER_SHOPS"):
        find_shop("berlin", Settings(home=tmp_path))
    with pytest.raises(MappingError, match="a shop has its mapping in the shops' file"):
        open_source("shop:berlin", "olist", tower_of(tmp_path, BOTH))


def test_what_is_a_shop_of_the_file_is_read_under_no_other_name(tmp_path: Path) -> None:
    tower = tower_of(tmp_path, "shops:\n  a: {source: shop, database: a.db}\n", shop_url=f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(SourceError, match="use shop:a"):
        open_source("shop", None, tower)
    named = tower_of(tmp_path, "shops:\n  shop: {source: shop, database: a.db}\n")
    with pytest.raises(SourceError, match="calls itself as the shop shop"):
        open_source("shop", None, named)


def test_each_shop_has_its_own_hands_and_never_the_tower_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERLIN_KEY", "sk_berlin_0123456789")
    monkeypatch.setenv("RIO_TOKEN", "shpat_rio_0123456789")
    tower = tower_of(tmp_path, BOTH + '  third: {source: "stripe:third"}\n', stripe_key="sk_tower_0123456789")
    berlin, rio = open_store("shop:berlin", tower), open_store("shop:rio", tower)
    assert isinstance(berlin, StripeStore) and isinstance(rio, ShopifyStore)
    with pytest.raises(StoreError, match="the shop third is for reading only"):
        open_store("shop:third", tower)
    assert settings_of("shop:third", tower).stripe_key is None
    monkeypatch.delenv("BERLIN_KEY")
    with pytest.raises(StoreError, match="set BERLIN_KEY"):
        open_store("shop:berlin", tower)


def test_without_a_file_a_source_is_the_tower_s_one_shop(tmp_path: Path) -> None:
    tower = Settings(home=tmp_path)
    assert isinstance(open_store("shop", tower), EmbeddedShop)
    assert settings_of("shop", tower) is tower and settings_at("anything", tower) is tower
