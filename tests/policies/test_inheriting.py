"""A shop inherits what the house decided, and says only what it has otherwise."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_tower.errors import PolicyError
from policies import reader
from policies.authority import authority
from policies.document import Document
from policies.examples import failing
from policies.inheriting import laid_over, load, version, versions
from policies.overlay import NAMED, overlaid

TODAY = date(2026, 11, 2)
HEAD = "inherits: {}\nversion: 2\nowner: head of Rio\nin_force: {{from: {}}}\n"


def shop(folder: Path, name: str = "fulfilment", text: str = "", since: str = "2000-01-01") -> Path:
    rio = folder / "rio"
    rio.mkdir(exist_ok=True)
    (rio / f"{name}.yaml").write_text(HEAD.format(name, since) + text)
    return rio


def content(document: Document) -> dict[str, object]:
    return document.model_dump(mode="json", exclude={"owner", "in_force", "as_of", "bound", "overridden"})


@pytest.mark.parametrize("name", reader.names())
def test_an_override_of_nothing_is_what_the_house_decided(tmp_path: Path, name: str) -> None:
    rio = shop(tmp_path, name)
    for house, laid in zip(reader.versions(name), versions(name, rio), strict=True):
        assert content(laid) == content(house)
        assert laid.reference == f"{house.reference}+rio@2"


def test_an_override_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    rio = shop(tmp_path, text="rules: {late_delivery: null, stuck_order: {score: 45}}\ncalendar: {cut_off: '12:00'}\n")
    house, laid = load("fulfilment", TODAY), load("fulfilment", TODAY, rio)
    assert laid.reference == "fulfilment@1+rio@2" and laid.digest != house.digest
    assert [kind for kind in house.kinds if kind not in laid.kinds] == ["late_delivery"]
    assert laid.rule("stuck_order") == house.rule("stuck_order").model_copy(update={"score": 45})
    assert str(laid.calendar.cut_off) == "12:00:00" and laid.calendar.weekend == house.calendar.weekend
    same = {"rules", "calendar", "examples"}
    assert {k: v for k, v in content(laid).items() if k not in same} == {
        k: v for k, v in content(house).items() if k not in same
    }


words = st.text("abcdef", min_size=1, max_size=3)
plain = st.integers() | st.booleans() | words
values = st.recursive(plain, lambda inner: st.dictionaries(words, inner, max_size=4), max_leaves=8)
named = st.fixed_dictionaries({"kind": words, "score": st.integers()})
documents = st.fixed_dictionaries({
    "owner_of": values,
    "numbers": st.dictionaries(words, values, max_size=4),
    "rules": st.lists(named, unique_by=lambda rule: rule["kind"]),
})  # fmt: skip


@given(documents, st.data())
def test_what_an_override_does_not_name_stays_as_it_is(house: dict, data: st.DataObject) -> None:  # type: ignore[type-arg]
    own = data.draw(
        st.dictionaries(st.sampled_from(["owner_of", "numbers"]), st.dictionaries(words, values, max_size=2))
    )
    kinds = [rule["kind"] for rule in house["rules"]]
    if kinds:
        own |= {"rules": {kind: {"score": 7} for kind in data.draw(st.sets(st.sampled_from(kinds)))}}
    laid = overlaid(house, own)
    assert overlaid(house, {}) == house and overlaid(laid, own) == laid
    assert set(laid) == set(house) | set(own)
    for name in set(house) - set(own):
        assert laid[name] == house[name]
    for before, after in zip(house["rules"], laid["rules"], strict=True):  # type: ignore[arg-type,call-overload]
        assert after == before | own.get("rules", {}).get(NAMED["rules"](before), {})


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 500))
def test_one_threshold_is_one_number_otherwise(tmp_path_factory: pytest.TempPathFactory, hours: int) -> None:
    text = f"thresholds: {{unpaid_hours: {{source: ours, values: [{{from: 2000-01-01, value: {hours}}}]}}}}\n"
    laid = load("fulfilment", TODAY, shop(tmp_path_factory.mktemp("of"), text=text))
    assert laid.thresholds_on() == load("fulfilment", TODAY).thresholds_on() | {"unpaid_hours": hours}


@pytest.mark.parametrize(("text", "said"), [
    ("rung: act2", "did you mean 'act'"),
    ("facts: {}", "'facts' is the house's to say"),
    ("rules: {stuk_order: {score: 3}}", "did you mean 'stuck_order'"),
    ("rules: {stuck_order: {scor: 3}}", "no field 'scor'"),
    ("rules: {stuck_order: {when: nonsense > 3}}", "no fact or threshold 'nonsense'"),
    ("thresholds: {unpaid_hours: {values: [{from: 2000-01-01, value: 9}]}}", "does not say where its values are from"),
    ("thresholds: {unpaid_hours: null}", "unpaid_hours"),
    ("nonsense: 1", "no field 'nonsense'"),
])  # fmt: skip
def test_what_is_wrong_is_told_with_the_line_of_the_override(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said) as refused:
        load("fulfilment", TODAY, shop(tmp_path, text=text + "\n"))
    assert "rio/fulfilment.yaml:" in str(refused.value)


def test_a_shop_stands_no_higher_than_the_house_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = tmp_path / "house"
    house.mkdir()
    for file in reader.HOUSE.glob("*.yaml"):
        (house / file.name).write_text(file.read_text())
    careful = (house / "fulfilment.yaml").read_text().replace("rung: act", "rung: recommend", 1)
    (house / "fulfilment.yaml").write_text(careful.replace("starts_at: act", "starts_at: route", 1))
    monkeypatch.setattr(reader, "HOUSE", house)
    assert load("fulfilment", TODAY, shop(tmp_path, text="rung: route\n")).rung == "route"
    with pytest.raises(PolicyError, match="act is higher than the house allows, recommend"):
        load("fulfilment", TODAY, shop(tmp_path, text="rung: act\n"))
    with pytest.raises(PolicyError, match="recommend is higher than the house allows, route"):
        load("fulfilment", TODAY, shop(tmp_path, text="rungs: {starts_at: recommend}\n"))


def test_a_shop_s_promise_holds_from_its_day_and_the_house_s_before(tmp_path: Path) -> None:
    text = "thresholds: {return_days: {source: ours, values: [{from: 2000-01-01, value: 7}]}}\n"
    name = next(iter(reader.version("return_policy").thresholds))
    rio = shop(tmp_path, "return_policy", text.replace("return_days", name), since="2024-07-01")
    bound = load("returns", TODAY, rio).bound["return_policy"]
    own = [one for one in bound if one.id == "return_policy"]
    assert [(one.reference, str(one.in_force.since), str(one.in_force.until)) for one in own] == [
        ("return_policy@1", "2009-01-01", "2024-06-30"), ("return_policy@1+rio@2", "2024-07-01", "None"),
    ]  # fmt: skip
    assert own[1].thresholds_on(TODAY)[name] == 7 != own[0].thresholds_on(TODAY)[name]
    assert [one.reference for one in bound if one.extends] == ["holiday_extension@1", "holiday_extension@2"]


def test_two_overrides_of_one_day_are_refused(tmp_path: Path) -> None:
    rio = shop(tmp_path)
    (rio / "fulfilment@3.yaml").write_text(HEAD.format("fulfilment", "2020-01-01").replace("version: 2", "version: 3"))
    assert load("fulfilment", date(2019, 1, 1), rio).reference == "fulfilment@1+rio@2"
    with pytest.raises(PolicyError, match="are in force on 2026-11-02"):
        load("fulfilment", TODAY, rio)


def test_the_very_version_that_judged_is_found_by_its_name(tmp_path: Path) -> None:
    rio = shop(tmp_path, since="2020-01-01")
    assert version("fulfilment@1+rio@2", rio).in_force.since == date(2020, 1, 1)
    assert version("fulfilment@1", rio).in_force.until == date(2019, 12, 31)
    with pytest.raises(PolicyError, match=r"no fulfilment@1\+rio@9"):
        version("fulfilment@1+rio@9", rio)


def test_the_house_s_examples_hold_unless_the_shop_says_otherwise(tmp_path: Path) -> None:
    rio = shop(tmp_path, text="rules: {late_delivery: null}\n")
    broken = failing(laid_over("fulfilment", rio)[0].document)
    assert [one.partition(":")[0] for one in broken] == ["delivered a day after the promised day is late"]
    (rio / "fulfilment.examples.yaml").write_text(
        "examples:\n"
        "  - name: delivered a day after the promised day is late\n"
        "    facts: {delivered: true, days_late: 1}\n"
    )
    assert failing(laid_over("fulfilment", rio)[0].document) == []


def test_a_file_in_a_shop_s_folder_that_overrides_nothing_is_refused(tmp_path: Path) -> None:
    rio = shop(tmp_path)
    (rio / "fulfilmnt.yaml").write_text(HEAD.format("fulfilmnt", "2020-01-01"))
    with pytest.raises(PolicyError, match="did you mean 'fulfilment'"):
        load("fulfilment", TODAY, rio)


def test_a_shop_s_authority_narrows_the_tower_s_and_widens_nothing(tmp_path: Path) -> None:
    rio = shop(tmp_path, "authority", "limits: {approver refund: {each: {BRL: 5000}}}\n")
    own, house = authority(rio / "authority.yaml"), authority()
    assert own.reference == f"{house.reference}+rio@2"
    assert own.limits[0].each == {**house.limits[0].each, "BRL": 5000} and own.limits[1:] == house.limits[1:]


@pytest.mark.parametrize("text", [
    "limits: {approver refund: {each: {EUR: 200000}}}",
    "limits: {approver refund: {a_day: {EUR: 2000000}}}",
    "limits: {approver refund: {a_day: null}}",
    "limits: {approver reship: {rulings_a_day: null}}",
    "limits: {clerk refund: {role: clerk, action: refund, each: {EUR: 5}}}",
    "roles: {clerk: {means: anybody}}",
    "together: []",
    "together: {refund: {above: {EUR: 900000}}}",
    "together: {refund: {people: 1}}",
    "slack: {up_to: {EUR: 90000}}",
    "closes_breakers: [approver, lead, finance]",
    "keepers: [approver]",
    "promotes_lanes: [approver]",
    "overridden: nonsense",
])  # fmt: skip
def test_what_would_give_more_than_the_tower_does_is_refused(tmp_path: Path, text: str) -> None:
    rio = shop(tmp_path, "authority", text + "\n")
    with pytest.raises(PolicyError):
        authority(rio / "authority.yaml")


def test_the_tower_s_caps_hold_in_every_shop(tmp_path: Path) -> None:
    rio = shop(tmp_path, "authority", "caps: [{of: lane, action: reship, effects: 2}]\nbreakers: []\n")
    own, house = authority(rio / "authority.yaml").caps, authority().caps
    assert own.caps[: len(house.caps)] == house.caps and len(own.caps) == len(house.caps) + 1
    assert own.breakers == house.breakers
