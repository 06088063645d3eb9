"""What customers write: reviews of what arrived, what they asked support, and who says that it never came.

Reviews and letters are in the languages of the shop's customers. Some ask where a parcel is while it is on its way,
which is true then and says nothing of its delivery.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from control_tower.stores.generator.clock import Generator, Moments, Numbers, between, span, within
from control_tower.stores.generator.columns import customer_ids, joined, named
from control_tower.stores.generator.rows import Rows
from control_tower.stores.generator.scene import Scene
from control_tower.stores.generator.truth import WORD_KINDS, Rates

PLEASED = np.array(
    [
        "Arrived a day early and looks lovely",
        "I received it, thank you",
        "Good quality, would buy again",
        "Recebi tudo certinho, muito obrigada",
        "Chegou antes do prazo, adorei",
        "Llegó rápido y muy bien embalado",
        "Todo perfecto, lo recomiendo",
        "It is smaller than I thought, but nice",
    ]
)
WAITING = np.array(
    [
        "I have not received my order yet, where is it?",
        "Ainda não recebi o produto, quando chega?",
        "Todavía no me llegó el pedido",
    ]
)
"""Read as "not received", and written while the parcel was on its way."""
MISSED = np.array(
    [
        "It says delivered but I never received my parcel",
        "The tracking says it is here and it did not arrive",
        "Consta como entregue, mas não recebi o produto",
        "Não chegou meu produto",
        "Dice entregado y no he recibido nada",
        "No me llegó el pedido",
    ]
)
BY_TOPIC = {
    "delivery": "When will it be here?",
    "address": "Please check my address",
    "payment": "Was my card charged?",
}
REVIEWED, ASKED = 0.15, 0.02
"""The shares of what arrived that is reviewed, and that was asked after on its way."""


def write_words(
    tables: dict[str, pa.Table], scene: Scene, rows: Rows, rates: Rates, chance: Generator
) -> dict[str, tuple[str, ...]]:
    """Add the reviews, and to support's contacts what was written; nothing else of a shop is changed.

    Returns:
        Kind -> ids of the orders that it holds for.
    """
    timeline, now = scene.timeline, scene.clock.now
    day_over = ~np.isnat(timeline.delivered) & (timeline.delivered <= now - span(72.0))
    arrived = np.flatnonzero(day_over & np.isnat(timeline.cancelled))
    missed = _some(arrived[scene.free[arrived]], rates.disputed_delivery, len(timeline), chance)
    others = np.setdiff1d(arrived, missed)
    told = chance.random(len(missed)) < 0.5
    after = timeline.delivered[missed] + within(chance, len(missed), 24.0, 60.0)
    pleased = _some(others, REVIEWED, len(others), chance)
    asked = _some(others, ASKED, len(others), chance)
    asked = asked[~np.isnat(timeline.handed_over[asked])]
    # Before the day on which it came, or it might be taken for a word about the delivery.
    way = between(timeline.handed_over[asked], timeline.delivered[asked], 0.3)
    same_day = scene.clock.day(way) >= scene.clock.day(timeline.delivered[asked])
    asked, way = asked[~same_day], way[~same_day]
    reviewed = np.append(pleased, missed[told])
    written = np.append(timeline.delivered[pleased] + within(chance, len(pleased), 1.0, 70.0), after[told])
    lot = chance.integers(0, 2**20, len(reviewed))
    words = np.append(PLEASED, MISSED)
    which = np.where(np.arange(len(reviewed)) < len(pleased), lot % len(PLEASED), len(PLEASED) + lot % len(MISSED))
    stars = np.where(which < len(PLEASED), 4 + lot % 2, 1)
    order = np.argsort(reviewed, kind="stable")
    tables["reviews"] = rows.table(
        "reviews",
        {
            "review_id": joined("V", _ids(rows, reviewed[order])),
            "order_id": _ids(rows, reviewed[order]),
            "stars": stars[order],
            "text": named(words, which[order]),
            "written_at": written[order],
        },
    )
    letters = _letters(rows, np.append(asked, missed[~told]), np.append(way, after[~told]), len(asked), chance)
    contacts = [_with_words(tables["support_contacts"]), letters]
    tables["support_contacts"] = pa.concat_tables(contacts).sort_by("contact_id")
    return {kind: tuple(_ids(rows, missed).to_pylist()) for kind in WORD_KINDS}


def _letters(rows: Rows, orders: Numbers, written: Moments, waiting: int, chance: Generator) -> pa.Table:
    """One letter for each order, the first so many of them by people who wait."""
    lot = chance.integers(0, 2**20, len(orders))
    words = np.append(WAITING, MISSED)
    which = np.where(np.arange(len(orders)) < waiting, lot % len(WAITING), len(WAITING) + lot % len(MISSED))
    return rows.table(
        "support_contacts",
        {
            "contact_id": joined("L", _ids(rows, orders)),
            "order_id": _ids(rows, orders),
            "customer_id": customer_ids(rows.customers[orders]),
            "channel": named(np.array(["mail", "chat", "message"]), lot % 3),
            "topic": named(np.array(["delivery"]), np.zeros(len(orders), int)),
            "text": named(words, which),
            "matches_order": np.ones(len(orders), bool),
            "contacted_at": written,
        },
    )


def _with_words(contacts: pa.Table) -> pa.Table:
    """The contacts that there are, with the words of their topic; of a call nobody wrote any down."""
    topic = pc.index_in(contacts["topic"], pa.array(list(BY_TOPIC))).to_numpy()
    spoken = pc.equal(contacts["channel"], "phone").to_numpy()
    texts = named(np.array(list(BY_TOPIC.values())), topic, spoken)
    at = contacts.column_names.index("text")
    return contacts.set_column(at, contacts.schema.field(at), texts)


def _some(pool: Numbers, share: float, of: int, chance: Generator) -> Numbers:
    wanted = min(max(1, round(share * of)) if share > 0 else 0, len(pool))
    picked: Numbers = np.sort(chance.choice(pool, wanted, replace=False))
    return picked


def _ids(rows: Rows, which: Numbers) -> pa.Array:
    return rows.ids.take(pa.array(which))
