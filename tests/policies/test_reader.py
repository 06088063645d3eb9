import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

import policies
from control_tower.errors import PolicyError
from policies import Policy, load, read


def test_a_policy_says_what_it_is(small):
    assert small.reference == "small@3"
    assert small.kinds == ("slow", "very_slow", "owed")
    assert small.catalogue["grace"] == "number"


def test_a_policy_cannot_be_changed_after_reading(small):
    with pytest.raises(ValidationError):
        small.version = 4
    with pytest.raises(ValidationError):
        small.rules[0].score = 0


@pytest.mark.parametrize(
    ("change", "at", "what", "remedy"),
    [
        (("    when: late and", "    wen: late and"), None, "there is no field 'wen'", "did you mean 'when'"),
        (("owner: sellers}", "owned: sellers}"), None, "there is no field 'owned'", "did you mean 'owner'"),
        (
            ("calendar: {cut_off", "calendar: {cutoff"),
            None,
            "there is no field 'cutoff'",
            "did you mean 'cut_off'",
        ),
        (('{from: "09:00"', '{form: "09:00"'), None, "there is no field 'form'", "did you mean 'from'"),
        (("version: 3", "version: three"), None, "version: input should be a valid integer", ""),
        (("version: 3", 'version: "3"'), None, "version: input should be a valid integer", ""),
        (("version: 3", "version: true"), None, "version: input should be a valid integer", ""),
        (("rung: recommend", "rung: recomend"), None, "rung can't be 'recomend'", "did you mean 'recommend'"),
        (("type: boolean", "type: bool"), None, "type can't be 'bool'", "did you mean 'boolean'"),
        (
            ("      - {severity: sev2}", "      - {severity: sev4}"),
            None,
            "severity can't be 'sev4'",
            "did you mean",
        ),
        (
            ("late and hours > grace", "late and hour > grace"),
            None,
            "no fact or threshold 'hour'",
            "did you mean 'hours'",
        ),
        (("late and hours > grace", "late and seller > 'x'"), None, "a text has no order", "=="),
        (("hours > 100", "hours"), None, "hours is a number, where a boolean is needed", ""),
        (("known(seller)", "known(sellr)"), None, "no fact or threshold 'sellr'", "did you mean 'seller'"),
        (
            ("when: hours > grace\n        target", "when: hours >> grace\n        target"),
            None,
            "RShift",
            "say it with",
        ),
        (
            ("with {seller}", "with {sellers}"),
            None,
            "there is no fact or threshold 'sellers'",
            "did you mean 'seller'",
        ),
        (("with {seller}", "with {seller.upper}"), None, "there is no fact or threshold", "seller"),
        (("with {seller}", "with {seller!r}"), None, "can't be shown", "only {fact:money}"),
        (("{amount:money}.", "{hours:money}."), None, "'hours' is no money", "integer"),
        (("    family: time", "    family: tine"), None, "there is no family 'tine'", "did you mean 'time'"),
        (("    money: amount", "    money: hours"), None, "hours is a number, where integer is needed", ""),
        (("    clock: hours", "    clock: hour"), None, "there is no fact 'hour'", "did you mean 'hours'"),
        (("member: seller", "member: late"), None, "late is a boolean, where text is needed", ""),
        (("target: order_id", "target: order"), None, "there is no fact 'order'", "did you mean 'order_id'"),
        (("        amount: amount\n", ""), "action: refund", "a refund has an amount", ""),
        (
            ("rests_on: [late, amount]", "rests_on: [late, hours]"),
            None,
            "hours changes with the passing of time",
            "",
        ),
        (("kind: very_slow", "kind: slow"), None, "the kind 'slow' is there twice", ""),
        (("      - {team: warehouse}\n", ""), "    team:\n", "the last team has a condition", "always apply"),
        (
            ("      - {when: hours > 100, severity: sev1}", "      - {severity: sev1}"),
            "    severity:\n",
            "hides those after it",
            "",
        ),
        (("  grace: {", "  late: {"), None, "'late' is among the facts already", "something else"),
        (("  late: {type", "  missing: {type"), None, "'missing' is a word of expressions", "something else"),
        (("values: [{from: 2026-01-01, value: 10}, ", "values: ["), None, "has no value on 2026-01-01", ""),
        (("{from: 2026-06-01", "{from: 2025-06-01"), None, "its dates must rise", ""),
        (("until: 2026-12-31", "until: 2025-12-31"), None, "it ends before it begins", ""),
        (('to: "18:00"', 'to: "08:00"'), None, "it closes before it opens", ""),
        (("at_most: 8", "at_most: .inf"), None, "finite", ""),
        (("sev1: 30 minutes", "sev1: soon"), None, "sev1: string should match", ""),
        (("owner: head of shop\n", ""), "id: small", "'owner' is missing", ""),
        (
            ("  order_id: {type: text,", "  order_id: {type: integer,"),
            "facts:",
            "order_id must be among the facts",
            "",
        ),
        (("id: small", "id: large"), "", "holds the policy 'large'", "large.yaml"),
        (("id: small\n", "id: small\nas_of: 2026-01-01\n"), None, "not for the file to say", ""),
    ],
)
def test_what_is_wrong_is_refused_with_file_line_and_remedy(write, change, at, what, remedy):
    """The line is that of the change, or of the text that `at` names."""
    before, after = write().read_text(), write(change).read_text()
    lines = zip(before.splitlines(), after.splitlines(), strict=False)
    changed = next(number for number, (old, new) in enumerate(lines, 1) if old != new)
    line = changed if at is None else after[: after.index(at)].count("\n") + 1
    with pytest.raises(PolicyError) as refused:
        read(write(change))
    assert re.search(r"small\.yaml(:\d+)?$", refused.value.where)
    assert at == "" or refused.value.where.endswith(f":{line}"), (line, refused.value)
    assert what in refused.value.what
    assert remedy in refused.value.remedy


def test_several_faults_are_counted_and_the_first_is_told(read_small):
    with pytest.raises(PolicyError, match=r"small.yaml:\d\d: .*'hour'.*; 1 more from line \d\d"):
        read_small(("late and hours > grace", "late and hour > grace"), ("target: order_id", "target: order"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x [1]\nb: *x\n", "anchor or alias"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n", "anchor or alias"),
        ("a: !!python/object/apply:os.system ['true']\n", "tag"),
        ("<<: {a: 1}\n", "merge key"),
        ("id: small\nid: large\n", "duplicate key"),
        ("[" * 5000, "nested too deep"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 60)), "nested too deep"),
        ("id: small\n---\nid: large\n", "single document"),
        ("id: [\n", "expected node content"),
        ("- a list\n", "is no policy"),
        ("", "is no policy"),
        ("id: small\n\tversion: 1\n", ""),
        ("x" * 300_000, "larger than"),
        ("version: " + "9" * 6000, ""),
    ],
)
def test_yaml_that_is_more_than_it_looks_is_refused(tmp_path: Path, text, what):
    file = tmp_path / "small.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError) as refused:
        read(file)
    assert what in refused.value.what
    assert str(file) in refused.value.where


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    file = tmp_path / "small.yaml"
    file.write_bytes(b"id: \xff\xfe")
    with pytest.raises(PolicyError, match="not UTF-8"):
        read(file)


def test_a_policy_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path):
    with pytest.raises(PolicyError, match="did you mean 'fulfilment'"):
        load("fulfillment", date(2026, 1, 1))
    with pytest.raises(PolicyError, match="No such file"):
        load(tmp_path / "small.yaml", date(2026, 1, 1))


def test_a_policy_is_refused_on_a_day_on_which_it_is_not_in_force(write):
    file = write()
    assert load(file, date(2026, 12, 31)).as_of == date(2026, 12, 31)
    with pytest.raises(PolicyError, match="no version in force on 2027-01-01"):
        load(file, datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(PolicyError, match="no time zone"):
        load(file, datetime(2026, 2, 1))  # noqa: DTZ001


def test_of_two_versions_the_one_in_force_on_the_day_is_read(write, monkeypatch):
    old = write()
    write(
        ("version: 3", "version: 4"),
        ("from: 2026-01-01, until: 2026-12-31", "from: 2027-01-01"),
        name="small@4.yaml",
    )
    monkeypatch.setattr("policies.reader.HOUSE", old.parent)
    assert load("small", date(2026, 12, 31)).reference == "small@3"
    assert load("small", date(2027, 1, 1)).reference == "small@4"


def test_two_versions_in_force_on_one_day_are_refused(write, monkeypatch):
    old = write()
    write(("version: 3", "version: 4"), name="small@4.yaml")
    monkeypatch.setattr("policies.reader.HOUSE", old.parent)
    with pytest.raises(PolicyError, match="small@3 and small@4 in force"):
        load("small", date(2026, 5, 1))


def test_a_threshold_has_the_value_of_the_day(small):
    assert small.thresholds_on(date(2026, 5, 31)) == {"grace": 10.0}
    assert small.thresholds_on(datetime(2026, 6, 1, tzinfo=UTC)) == {"grace": 20.0}
    assert small.thresholds_on() == {"grace": 10.0}, "the day the policy was read for"
    with pytest.raises(PolicyError, match="grace has no value on 2025-01-01"):
        small.thresholds_on(date(2025, 1, 1))


def test_the_digest_covers_the_content_and_neither_comments_nor_the_day_of_reading(write):
    first = load(write(), date(2026, 2, 1))
    again = load(write(("version: 3", "version: 3  # the third")), date(2026, 3, 1))
    other = load(write(("value: 10", "value: 11")), date(2026, 2, 1))
    assert first.digest == again.digest != other.digest


def test_a_kept_policy_is_read_back_the_same(small):
    assert Policy.model_validate(small.model_dump(mode="json")) == small
    assert Policy.model_validate_json(small.model_dump_json()).digest == small.digest


def test_the_room_has_judgement_and_no_hands():
    hands = (
        "prefect",
        "httpx",
        "slack_sdk",
        "litellm",
        "duckdb",
        "sqlalchemy",
        "sqlmodel",
        "fastapi",
        "requests",
    )
    for file in Path(policies.__file__).parent.glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import)\s+(\w+)", file.read_text(), re.M)
        assert not set(imported) & {*hands, "tasks", "flows", "desk", "data_contracts"}, file
