"""`tower policy backtest`: what another version would have decided, as tables, JSON and a picture."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control_tower.errors import SettingError
from control_tower.nouns import Money
from desk.run import watching
from desk.show import as_json, money, out, table
from tasks.backtest import Backtest
from tasks.backtest import backtest as decide_again

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from policies.backtest import Counterexample, Flips, Side

FORMATS = (".png", ".svg")
TURNS = ("newly_found", "no_longer_found", "became_unknown", "became_known")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def backtest(
    policy: str,
    since: str | None,
    until: str | None,
    against: str | None,
    plot: Path | None,
    *,
    json: bool,
    shop: str,
) -> None:
    """Decide again what past runs kept, and show what turns out otherwise.

    Args:
        policy: a document's name, `name@2`, or the path of a changed YAML.
        since: a day or moment, as 2026-10-01; without an offset, of UTC. From the first run when left out.
        until: a day, to its end, or a moment. Until now when left out.
        against: the version to compare with; the one in force at each look when left out.
        plot: where to draw a picture, as PNG or SVG by its ending.
    """
    first = _moment(since, "--since", ends=False) or EARLIEST
    last = _moment(until, "--until", ends=True) or datetime.now(UTC)
    if last < first:
        raise SettingError(f"{until or 'now'} is before {since}", where="--until", remedy="give the earlier as --since")
    if plot is not None and (plot.suffix.lower() not in FORMATS or not plot.parent.is_dir()):
        raise SettingError(f"{plot} can't be drawn", where="--plot", remedy="a .png or .svg in a folder that exists")
    with watching(f"deciding again by {policy}"):
        done = decide_again(policy, first, last, against, shop)
    if plot is not None:
        draw(done, plot)
    if json:
        as_json([each.model_dump(mode="json") for each in done])
        return
    for each in done:
        _show(each)
    if plot is not None:
        out.print(f"drawn in {plot}", highlight=False, soft_wrap=True)


def _moment(text: str | None, where: str, *, ends: bool) -> datetime | None:
    """A moment from text; a day alone is its beginning, or its end."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise SettingError(f"{text!r} is no moment", where=where, remedy="as in 2026-10-01") from fault
    if ends and len(text) <= len("2026-10-01"):
        moment = datetime.combine(moment.date(), time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(done: Backtest) -> None:
    flips, views = done.flips, done.views
    used = sum(bool(view.decided) for view in views)
    lines = (
        f"{done.lane}: {done.after} against {done.before}",
        f"{flips.subjects:,} subjects, each by the newest look that has it: {used} of {len(views)} looks kept, "
        f"as of {views[-1].as_of:%Y-%m-%d %H:%M} to {views[0].as_of:%Y-%m-%d %H:%M} UTC",
        f"{flips.changed:,} turn out otherwise; at risk {money(flips.at_risk_before)} before, "
        f"{money(flips.at_risk_after)} after",
    )
    for line in lines:
        out.print(line, markup=False, highlight=False)
    _show_kinds(flips)
    if flips.proposals:
        _show_proposals(flips)
    _show_teams(flips)
    if flips.counterexamples:
        _show_counterexamples(flips)


def _show_kinds(flips: Flips) -> None:
    columns = ("kind", "before", "after", "newly", "no longer", "now unknown", "now known", "money at risk")
    rows = [
        (
            kind,
            *(f"{count:,}" for count in (each.found_before, each.found_after)),
            *(f"{getattr(each, turn):,}" for turn in TURNS),
            money(each.money),
        )
        for kind, each in flips.kinds.items()
    ]
    table("Findings", columns, rows, right=columns[1:])


def _show_proposals(flips: Flips) -> None:
    rows = [
        (action, how, f"{told.count:,}", money(told.amount))
        for action, asked in flips.proposals.items()
        for how, told in (("gained", asked.gained), ("lost", asked.lost), ("of another amount", asked.amended))
        if told.count
    ]
    table("Proposals", ("action", "how", "count", "amount"), rows, right=("count", "amount"))


def _show_teams(flips: Flips) -> None:
    columns = ("team", "cases before", "cases after", "hours before", "hours after")
    rows = [
        (
            team,
            *(f"{cases:,}" for cases in (load.cases_before, load.cases_after)),
            *(f"{minutes / 60:,.1f}" for minutes in (load.minutes_before, load.minutes_after)),
        )
        for team, load in flips.teams.items()
        if load.cases_before or load.cases_after
    ]
    table("Queue", columns, rows, right=columns[1:])


def _show_counterexamples(flips: Flips) -> None:
    rows = [
        (
            each.subject,
            _amount(each.money_moved, each.currency),
            ", ".join(f"{name} {_word(value)}" for name, value in each.facts.items()),
            "\n".join(_turned(each)),
        )
        for each in flips.counterexamples
    ]
    table("Counterexamples", ("subject", "money", "facts", "before → after"), rows, right=("money",))


def _amount(amount: int, currency: str | None) -> str:
    return str(Money(amount=amount, currency=currency)) if currency and amount else "-"


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "unknown", True: "yes", False: "no"}[value]
    return f"{value:,.2f}".removesuffix(".00") if isinstance(value, float) else str(value)


def _turned(example: Counterexample) -> list[str]:
    """What differs between the two outcomes, a line each."""
    before, after = example.before, example.after
    pairs = [(f"{kind}: ", before.answers[kind], after.answers[kind]) for kind in before.answers]
    pairs += [("", _owner(before), _owner(after)), ("", _proposed(before), _proposed(after))]
    names = sorted({*before.concluded, *after.concluded})
    pairs += [(f"{name}: ", _word(before.concluded.get(name)), _word(after.concluded.get(name))) for name in names]
    return [f"{name}{was} → {now}" for name, was, now in pairs if was != now]


def _owner(side: Side) -> str:
    return f"{side.severity} {side.team}" if side.severity else "nobody"


def _proposed(side: Side) -> str:
    return "; ".join(side.proposes) or "nothing proposed"


def draw(done: list[Backtest], to: Path) -> None:
    """A picture of flips, and of money at risk by currency, by kind; a row for each lane."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure  # without pyplot: Agg draws it, and no window is opened

    currencies = sorted({name for each in done for kind in each.flips.kinds.values() for name in kind.money})
    kinds = sum(len(each.flips.kinds) for each in done)
    figure = Figure(figsize=(6 + 4 * len(currencies), 1.6 * len(done) + 0.5 * kinds), layout="constrained")
    axes: Any = figure.subplots(len(done), 1 + len(currencies), squeeze=False)
    for row, each in zip(axes, done, strict=True):
        _draw_flips(row[0], each)
        for place, currency in zip(row[1:], currencies, strict=True):
            _draw_money(place, each.flips, currency)
    with rc_context({"svg.hashsalt": "control-tower"}):  # the same backtest draws the same file
        figure.savefig(to, dpi=150, metadata={"Date": None} if to.suffix.lower() == ".svg" else None)


def _draw_flips(place: Axes, done: Backtest) -> None:
    """Bars to the right for what is found or unknown now, to the left for what is no more."""
    kinds = list(done.flips.kinds)[::-1]
    colours = {
        "newly_found": "#c2410c",
        "no_longer_found": "#15803d",
        "became_unknown": "#6b7280",
        "became_known": "#a5b4fc",
    }
    ends = {1: [0.0] * len(kinds), -1: [0.0] * len(kinds)}
    for turn, colour in colours.items():
        side = 1 if turn in ("newly_found", "became_unknown") else -1
        counts = [float(side * getattr(done.flips.kinds[kind], turn)) for kind in kinds]
        place.barh(kinds, counts, left=ends[side], color=colour, label=turn.replace("_", " "))
        ends[side] = [end + count for end, count in zip(ends[side], counts, strict=True)]
    place.axvline(0, color="black", linewidth=0.8)
    place.use_sticky_edges = False
    place.set_title(f"{done.lane}: subjects that flip, after against before", fontsize=10)
    place.legend(fontsize=7)


def _draw_money(place: Axes, flips: Flips, currency: str) -> None:
    from babel.numbers import get_currency_precision

    kinds = list(flips.kinds)[::-1]
    units = 10 ** get_currency_precision(currency)
    amounts = [flips.kinds[kind].money.get(currency, 0) / units for kind in kinds]
    place.barh(kinds, amounts, color=["#c2410c" if amount > 0 else "#15803d" for amount in amounts])
    place.axvline(0, color="black", linewidth=0.8)
    place.set_yticklabels([])
    place.use_sticky_edges = False
    place.set_title(f"money at risk, {currency}, after less before", fontsize=10)
