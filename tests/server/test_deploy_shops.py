"""With shops, each lane's deployment is one for each shop that it watches; what is gone is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from control_tower.errors import SettingError
from control_tower.server import Server
from control_tower.settings import Settings, settings
from desk.deploy import deploy

pytestmark = pytest.mark.slow

SHOPS = """
shops:
  berlin: {source: "folder:a", time_zone: Europe/Berlin, lanes: [fulfilment]}
  recife: {source: "folder:b", time_zone: America/Recife, country: BR, currency: BRL}
"""


@pytest.fixture
def file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / "shops.yaml"
    file.write_text(SHOPS)
    with monkeypatch.context() as environment:
        environment.setenv("TOWER_SHOPS", str(file))
        yield file
    deploy(settings(), tidy=True)  # the session's server has its one shop again


def names(tower: Settings, **given: bool) -> dict[str, tuple[str, ...]]:
    return {each.name.partition("/")[2]: each.differs for each in deploy(tower, **given)}


def test_each_shop_has_a_deployment_of_each_lane_that_watches_it(file: Path) -> None:
    found = names(settings())
    lanes = {name for name in found if name.startswith("watch-")}
    assert {name for name in lanes if name.endswith("-berlin")} == {"watch-fulfilment-berlin"}
    assert {name for name in lanes if name.endswith("-recife")} == {
        f"watch-{lane}-recife" for lane in ("fulfilment", "returns", "fraud", "inventory", "subscriptions")
    }
    assert {"measure-berlin", "measure-recife", "resolve-case", "sweep-approvals"} <= set(found)
    assert "watch-fulfilment" not in found and "measure" not in found
    with get_client(sync_client=True) as client:
        one = client.read_deployment_by_name("watch-fulfilment/watch-fulfilment-recife")
    assert one.parameters["source"] == "shop:recife" and "shop:recife" in one.tags
    assert [schedule.schedule.timezone for schedule in one.schedules] == ["America/Recife"]  # type: ignore[union-attr]
    assert set(names(settings(), check=True).values()) == {()}, "and a second time nothing changes"


def test_what_is_gone_from_the_file_is_told_by_check_and_taken_away(file: Path) -> None:
    deploy(settings(), tidy=True)
    file.write_text(SHOPS.partition("  recife:")[0])
    told = names(settings(), check=True, tidy=True)
    assert told["watch-fulfilment-recife"] == told["measure-recife"] == ("gone",)
    assert names(settings(), check=True, tidy=True) == told, "to look changes nothing"
    deploy(settings(), tidy=True)
    assert set(names(settings(), check=True, tidy=True).values()) == {()}


def test_a_run_from_a_shell_without_the_file_takes_no_shop_s_deployments_away(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(settings())
    with monkeypatch.context() as environment:
        environment.delenv("TOWER_SHOPS")
        deploy(settings())
    assert set(names(settings(), check=True).values()) == {()}


def test_a_lane_that_there_is_not_is_told_with_the_nearest(file: Path) -> None:
    file.write_text(SHOPS.replace("[fulfilment]", "[fulfilmnt]"))
    with pytest.raises(SettingError, match=r"no such lane.*did you mean 'fulfilment'"):
        deploy(settings(), check=True)
