"""A deployment of one shop keeps to that shop's holidays, clock and hours; the other shops' are nothing to it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import State, flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.states import Scheduled

from control_tower.errors import PolicyError, SourceError
from control_tower.server import Server
from control_tower.settings import settings
from control_tower.stores.generator import generate
from control_tower.stores.shop import EmbeddedShop
from desk.deploy import PREFECT_YAML, deploy
from desk.deploy_pools import make_pools
from desk.worker import POOL, work
from flows import closed as calendars
from flows.closed import closed
from tasks.authority import calendar_of, written_authority
from tests.flows.test_only_changed import at

pytestmark = pytest.mark.slow

SHOPS = """
shops:
  berlin: {source: shop, database: berlin.db}
  recife: {source: shop, database: recife.db, time_zone: America/Recife, country: BR, currency: BRL}
  auckland: {source: shop, database: auckland.db, time_zone: Pacific/Auckland, country: NZ}
  honolulu: {source: shop, database: honolulu.db, time_zone: Pacific/Honolulu, country: US, policies: honolulu}
  madeira: {source: shop, database: madeira.db, time_zone: Atlantic/Madeira, country: PT, policies: madeira}
"""
OWN = "inherits: authority\nversion: 1\nowner: head of {shop}\nin_force: {{from: 2020-01-01}}\n{says}\n"
SAYS = {
    "honolulu": 'calendar: {hours: {from: "10:00", to: "16:00"}}',
    "madeira": "time_zone: Europe/Berlin\ncountry: DE",  # whoever decides for it sits in Berlin
}


@pytest.fixture(scope="module")
def shops(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tower of shops around the world; its deployments go with it."""
    folder = tmp_path_factory.mktemp("shops")
    (folder / "shops.yaml").write_text(SHOPS)
    for shop, says in SAYS.items():
        (folder / shop).mkdir()
        (folder / shop / "authority.yaml").write_text(OWN.format(shop=shop, says=says))
    first = f"sqlite:///{folder / 'berlin.db'}"
    generate(first, orders=60, seed=4, as_of=datetime.now(UTC).replace(microsecond=0))
    EmbeddedShop(first).engine.dispose()
    for shop in ("recife", "auckland", "honolulu", "madeira"):
        shutil.copy(folder / "berlin.db", folder / f"{shop}.db")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOWER_SHOPS", str(folder / "shops.yaml"))
        environment.setenv("TOWER_LEDGER_URL", f"sqlite:///{folder / 'ledger.db'}")
        environment.setenv("TOWER_ARTIFACTS_URL", (folder / "artifacts").as_uri())
        yield folder
    deploy(settings(), tidy=True)  # the session's server has its one shop again


@flow(name=f"watch-{uuid4().hex[:8]}", persist_result=False)
def look(source: str) -> State[Any] | str:
    return closed(source) or "looked"


def ended(client: SyncPrefectClient, deployments: Mapping[UUID, Any]) -> dict[str, tuple[str, str]]:
    """How a run of each deployment's schedule ends, as a worker carries it out: source to state, and why."""
    due: State[Any] = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(minutes=1))
    runs = [str(client.create_flow_run_from_deployment(each, state=due).id) for each in deployments]
    # The scheduler alone says that a run is of its making, and makes none for the past.
    with closing(sqlite3.connect(settings().folder / "prefect" / "prefect.db", timeout=30)) as database, database:
        database.executemany("UPDATE flow_run SET auto_scheduled = 1 WHERE id = ?", [(run,) for run in runs])
    work(deployments, settings(), once=True)
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=list(deployments)))
    found = [run for run in client.read_flow_runs(flow_run_filter=mine) if str(run.id) in runs]
    return {
        str(run.parameters["source"]): (str(run.state_name), str(run.state.message or "") if run.state else "")
        for run in found
    }


def watched(client: SyncPrefectClient, calendar: str, *shops: str) -> dict[UUID, Any]:
    """A deployment for each shop that keeps to a calendar."""
    make_pools(client)
    return {
        client.create_deployment(
            client.create_flow(look),
            f"{calendar}-{shop}-{uuid4().hex[:6]}",
            work_pool_name=POOL,
            tags=[f"calendar:{calendar}", f"shop:{shop}"],
            parameters={"source": f"shop:{shop}"},
        ): look
        for shop in shops
    }


@pytest.mark.parametrize(
    ("moment", "auckland", "honolulu"),
    [
        ("2026-11-22T21:00", "", "Sunday, 22 November 2026 is no business day"),  # Monday there, Sunday here
        ("2026-11-28T00:30", "Saturday, 28 November 2026 is no business day", ""),  # Saturday there, Friday here
        ("2026-11-24T19:30", "it is 08:30", "open from 10:00 to 16:00, and it is 09:30"),  # early, each by its hours
        ("2026-11-24T20:30", "", ""),  # 22:30 on Tuesday in Berlin, and nobody asks Berlin
        ("2026-11-26T21:00", "", "Thursday, 26 November 2026 is no business day"),  # Thanksgiving in one of the two
    ],
)
def test_on_both_sides_of_the_date_line_each_keeps_to_its_own_days_and_hours(
    shops: Path, monkeypatch: pytest.MonkeyPatch, moment: str, auckland: str, honolulu: str
) -> None:
    monkeypatch.setattr(calendars, "datetime", at(datetime.fromisoformat(moment).replace(tzinfo=UTC)))
    with get_client(sync_client=True) as client:
        found = ended(client, watched(client, "open_hours", "auckland", "honolulu"))
    for shop, why in (("auckland", auckland), ("honolulu", honolulu)):
        state, said = found[f"shop:{shop}"]
        assert (state == "Skipped", why in said) == (bool(why), True), (state, said)


@pytest.mark.large
def test_a_holiday_of_one_shop_s_country_is_a_working_day_of_the_other_s(
    shops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane itself, deployed for each shop with the tag of a calendar, on the 20th of November."""
    monkeypatch.setattr(calendars, "datetime", at(datetime(2026, 11, 20, 14, tzinfo=UTC)))
    kept, of_lanes = PREFECT_YAML.read_text("utf-8"), shops / "prefect.yaml"
    tags = '["lane:returns", "within:60m"]'
    assert tags in kept
    with_calendar = kept.replace(tags, '["lane:returns", "within:60m", "calendar:business_days"]')
    of_lanes.write_text(with_calendar, "utf-8")
    wanted = {"watch-returns/watch-returns-berlin", "watch-returns/watch-returns-recife"}
    lanes = {each.id: each.flow for each in deploy(settings(), file=of_lanes) if each.name in wanted and each.id}
    assert len(lanes) == 2
    with get_client(sync_client=True) as client:
        found = ended(client, lanes)
    assert found["shop:recife"] == ("Skipped", "Friday, 20 November 2026 is no business day")
    assert found["shop:berlin"][0] == "Completed", found


def test_where_a_shop_s_authority_does_not_say_where_it_is_it_is_where_the_shop_is(shops: Path) -> None:
    said = {
        shop: (known.country, known.time_zone, f"{known.calendar.hours.opens:%H:%M}", known.clock.country)
        for shop in ("berlin", "recife", "honolulu", "madeira")
        for known in [calendar_of(f"shop:{shop}")]
    }
    assert said == {
        "berlin": ("DE", "Europe/Berlin", "09:00", "DE"),  # as its source says
        "recife": ("BR", "America/Recife", "09:00", "BR"),  # as the shops' file says
        "honolulu": ("US", "Pacific/Honolulu", "10:00", "US"),  # with hours of its own
        "madeira": ("DE", "Europe/Berlin", "09:00", "DE"),  # as its authority says
    }
    assert calendar_of("shop") == calendar_of("folder:anywhere") == written_authority("")


def test_a_shop_that_is_gone_or_whose_authority_is_malformed_is_not_judged_by_the_tower_s(
    shops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="no shop 'bremen'"):
        calendar_of("shop:bremen")
    file = shops / "honolulu" / "authority.yaml"
    sound = file.read_text()
    file.write_text(f"{sound}\nclock: slow\n")
    try:
        with pytest.raises(PolicyError, match=r"honolulu.authority\.yaml"):
            calendar_of("shop:honolulu")
    finally:
        file.write_text(sound)
