"""The figures: a few grouped questions to the book, and the metrics that their answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import ColumnElement, Connection, Row, case, func, inspect, select
from sqlmodel import col

from control_tower.ledger.tables import BreakerRow, CaseRow, EffectRow, LookRow, ProposalRow, RulingRow
from control_tower.model.tables import ModelCall
from control_tower.nouns import EffectState
from control_tower.shops import named_in
from control_tower.slack.tables import OUTBOX, UNDELIVERED
from control_tower.slack.tables import column as message

LONGEST = 80  # characters of a label
A_DAY = timedelta(days=1)
UNSETTLED = (EffectState.sent.value, EffectState.unknown.value)

Rows = Iterable[Sequence[Any]]


def figures(book: Connection, now: datetime, shops: Collection[str] = ()) -> Iterator[Metric]:
    """Everything that is counted, as it is at this moment.

    Args:
        shops: those of the tower's file; of every other the label `shop` is empty, as of a tower that has one.
    """
    there = set(inspect(book).get_table_names())
    yield from _cases(book, now, shops)
    yield from _proposals(book, now, shops)
    yield from _effects(book, now, shops)
    yield from _looks(book, now, shops)
    yield from _outbox(book, now, OUTBOX.name in there)
    yield from _breakers(book, shops)
    yield from _rulings(book, shops)
    yield from _model_calls(book, now, str(ModelCall.__tablename__) in there)


def gauge(name: str, says: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A gauge; each row is the values of its labels, and then its value."""
    return _filled(GaugeMetricFamily(name, says, labels=labels), rows)


def counter(name: str, says: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A counter: of what is only ever added to the book."""
    return _filled(CounterMetricFamily(name, says, labels=labels), rows)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, rows: Rows) -> Metric:
    for *labels, value in rows:
        family.add_metric([str(label)[:LONGEST] for label in labels], float(value))
    return family


def _named(shop: Any, shops: Collection[str]) -> ColumnElement[str]:
    named: ColumnElement[str] = case((shop.in_(shops), shop), else_="")
    return named


def _cases(book: Connection, now: datetime, shops: Collection[str]) -> Iterator[Metric]:
    late = func.sum(case((col(CaseRow.due_at) < now, 1), else_=0))
    kinds = (col(CaseRow.lane), _named(col(CaseRow.shop), shops), col(CaseRow.team), col(CaseRow.severity))
    found = book.execute(
        select(*kinds, func.count(), late, func.min(col(CaseRow.opened_at)), func.min(col(CaseRow.due_at)))
        .where(col(CaseRow.standing) == "open")
        .group_by(*kinds)
    ).all()
    oldest, due = _least((row[:2], row[6]) for row in found), _least((row[:2], row[7]) for row in found)
    overdue = {kind: sum(row[5] for row in found if row[:2] == kind) for kind in oldest}
    labels = ("lane", "shop")
    yield gauge(
        "tower_open_cases", "Cases that are open.", (*labels, "team", "severity"), (row[:5] for row in found)
    )  # fmt: skip
    yield gauge(
        "tower_overdue_cases", "Open cases past the time they are due.", labels,
        ((*kind, number) for kind, number in overdue.items()),
    )  # fmt: skip
    yield gauge(
        "tower_oldest_open_case_age_seconds", "How long the oldest open case has been open.", labels,
        _ages(oldest, now),
    )  # fmt: skip
    yield gauge(
        "tower_longest_overdue_seconds", "How long the open case that was due first has been overdue; 0 when none is.",
        labels, _ages(due, now),
    )  # fmt: skip


def _proposals(book: Connection, now: datetime, shops: Collection[str]) -> Iterator[Metric]:
    kinds = (col(ProposalRow.standing), _said("lane"), _named(_said("shop"), shops), _said("action"))
    found = book.execute(
        select(*kinds, func.count(), func.min(col(ProposalRow.opened_at)))
        .where(col(ProposalRow.standing).in_(("waiting", "expired")))
        .group_by(*kinds)
    ).all()
    waiting = [row[1:] for row in found if row[0] == "waiting"]
    labels = ("lane", "shop", "action")
    yield gauge("tower_waiting_proposals", "Proposals that wait for a person.", labels, (row[:4] for row in waiting))
    yield gauge(
        "tower_oldest_waiting_proposal_age_seconds", "How long the oldest of them has waited.", labels,
        ((*row[:3], _age(row[4], now)) for row in waiting),
    )  # fmt: skip
    yield gauge(
        "tower_expired_proposals", "Proposals that nobody ruled on in time; nothing was done.", labels,
        (row[1:5] for row in found if row[0] == "expired"),
    )  # fmt: skip


def _said(name: str) -> ColumnElement[str]:
    said: ColumnElement[str] = col(ProposalRow.body)[name].as_string()
    return said


def _effects(book: Connection, now: datetime, shops: Collection[str]) -> Iterator[Metric]:
    kinds = (col(EffectRow.lane), _named(col(EffectRow.shop), shops), col(EffectRow.action), col(EffectRow.state))
    found = book.execute(select(*kinds, func.count(), func.min(col(EffectRow.intended_at))).group_by(*kinds)).all()
    unsettled = _least(((*row[:2], row[3]), row[5]) for row in found if row[3] in UNSETTLED)
    yield gauge(
        "tower_effects", "Effects by where they stand.", ("lane", "shop", "action", "state"), (row[:5] for row in found)
    )
    yield gauge(
        "tower_oldest_unsettled_effect_age_seconds",
        "How long ago the oldest effect was begun of which nobody knows yet whether it happened.",
        ("lane", "shop", "state"), ((*kind, _age(since, now)) for kind, since in unsettled.items()),
    )  # fmt: skip


def _looks(book: Connection, now: datetime, shops: Collection[str]) -> Iterator[Metric]:
    lane, source, at = col(LookRow.lane), col(LookRow.source), col(LookRow.at)
    stopped = func.sum(case((col(LookRow.breach) != "", 1), else_=0))
    found = book.execute(
        select(lane, source, func.max(at), func.count() - stopped, stopped).group_by(lane, source)
    ).all()
    newest: dict[tuple[str, str], datetime] = {}
    outcomes: Counter[tuple[str, str, str]] = Counter()
    for name, seen, when, read, broken in found:
        kind = (name, _shop(seen, shops))
        newest[kind] = max(when, newest.get(kind, when))
        outcomes.update({(*kind, "read"): read, (*kind, "stopped"): broken})
    yield gauge(
        "tower_newest_look_age_seconds", "How long ago a lane last looked.", ("lane", "shop"), _ages(newest, now)
    )
    yield counter(
        "tower_looks", "Looks, by whether a broken contract stopped them.", ("lane", "shop", "outcome"),
        ((*kind, number) for kind, number in outcomes.items()),
    )  # fmt: skip
    yield from _newest_looks(book, [row[:3] for row in found], shops)


def _shop(source: str, shops: Collection[str]) -> str:
    named = named_in(source)
    return named if named in shops else ""


def _newest_looks(book: Connection, found: Rows, shops: Collection[str]) -> Iterator[Metric]:
    """What the newest look of each lane at each kind of source came to."""
    last: dict[tuple[str, str, str], tuple[datetime, str]] = {}
    for lane, source, at in found:
        kind = (lane, _shop(source, shops), source.partition(":")[0])
        last[kind] = max((at, source), last.get(kind, (at, source)))
    seen = {kind: _look(book, kind[0], source, at) for kind, (at, source) in last.items()}
    yield gauge(
        "tower_look_stopped", "1 when a broken contract stopped the newest look.", ("lane", "shop", "source"),
        ((*kind, look.breach != "") for kind, look in seen.items()),
    )  # fmt: skip
    yield gauge(
        "tower_look_rows", "Rows that the newest look took or set aside.",
        ("lane", "shop", "source", "table", "standing"),
        (
            (*kind, table, standing, number)
            for kind, look in seen.items()
            for standing, numbers in (("accepted", look.accepted), ("quarantined", look.quarantined))
            for table, number in numbers.items()
        ),
    )  # fmt: skip


def _look(book: Connection, lane: str, source: str, at: datetime) -> Row[Any]:
    asked = select(col(LookRow.accepted), col(LookRow.quarantined), col(LookRow.breach)).where(
        col(LookRow.lane) == lane, col(LookRow.source) == source, col(LookRow.at) == at
    )
    return book.execute(asked.limit(1)).one()


def _outbox(book: Connection, now: datetime, there: bool) -> Iterator[Metric]:
    asked = select(message.state, func.count(), func.min(message.queued_at)).group_by(message.state)
    found = book.execute(asked).all() if there else []
    since = min((row[2] for row in found if row[0] in UNDELIVERED), default=now)
    yield gauge("tower_outbox_messages", "Messages by where they stand.", ("state",), (row[:2] for row in found))
    yield gauge(
        "tower_oldest_undelivered_message_age_seconds",
        "How long the oldest message has waited to be delivered; 0 when none waits.", (), [(_age(since, now),)],
    )  # fmt: skip


def _breakers(book: Connection, shops: Collection[str]) -> Iterator[Metric]:
    """Stopped in one shop or, with no shop named, in all."""
    kinds, still_open = (col(BreakerRow.lane), _named(col(BreakerRow.shop), shops)), col(BreakerRow.closed_at).is_(None)
    tripped = book.execute(select(*kinds, func.sum(case((still_open, 1), else_=0))).group_by(*kinds)).all()
    acted = book.execute(select(col(EffectRow.lane), _named(col(EffectRow.shop), shops)).distinct()).all()
    told = dict.fromkeys(acted, 0) | {(lane, shop): int(number > 0) for lane, shop, number in tripped}
    yield gauge(
        "tower_breaker_open", "1 when the hands of a lane are stopped.", ("lane", "shop"),
        ((*kind, number) for kind, number in told.items()),
    )  # fmt: skip


def _rulings(book: Connection, shops: Collection[str]) -> Iterator[Metric]:
    kinds = (col(CaseRow.lane), _named(col(CaseRow.shop), shops), col(RulingRow.verdict), col(RulingRow.via))
    found = book.execute(
        select(*kinds, func.count())
        .join(ProposalRow, col(ProposalRow.digest) == col(RulingRow.proposal))
        .join(CaseRow, col(CaseRow.id) == col(ProposalRow.case_id))
        .group_by(*kinds)
    ).all()
    yield counter("tower_rulings", "Rulings that people made.", ("lane", "shop", "verdict", "via"), found)


def _model_calls(book: Connection, now: datetime, there: bool) -> Iterator[Metric]:
    kinds = (col(ModelCall.lane), col(ModelCall.outcome))
    asked = select(*kinds, func.count()).where(col(ModelCall.at) > now - A_DAY).group_by(*kinds)
    found = book.execute(asked).all() if there else []
    yield gauge(
        "tower_model_calls_in_a_day", "Times that a model was asked in the last 24 hours.", ("lane", "outcome"), found
    )


def _least(moments: Iterable[tuple[Any, datetime]]) -> dict[Any, datetime]:
    """The earliest moment of each."""
    least: dict[Any, datetime] = {}
    for name, moment in moments:
        least[name] = min(moment, least.get(name, moment))
    return least


def _ages(moments: dict[tuple[str, str], datetime], now: datetime) -> list[tuple[str, str, float]]:
    return [(*kind, _age(moment, now)) for kind, moment in moments.items()]


def _age(moment: datetime, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0)
