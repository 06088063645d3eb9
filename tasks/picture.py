"""Picture: a case's neighbourhood as SVG, what is shared between the orders that share it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from control_tower.nouns import Link

WIDTH, HEIGHT, APART, ROW = 168, 24, 76, 32
"""Of a box, and from one to the next, in pixels."""
COLUMNS = ("orders of the case", "share", "with", "which share", "with")
FILLS = ("#dbe9ff", "#f2f2f2", "#ffffff", "#f2f2f2", "#ffffff")
LETTERS = 24


def picture(links: Sequence[Link]) -> bytes:
    """Draw links: from what is shared, a line to every order that is named. The same links, the same bytes."""
    columns = _columns(links)
    depth = max((len(names) for names in columns), default=0)
    width = len(COLUMNS) * WIDTH + (len(COLUMNS) - 1) * APART + 2 * ROW
    svg = Xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {(depth + 2) * ROW}",
            "font-family": "sans-serif",
            "font-size": "12",
        },
    )
    Xml.SubElement(svg, "title").text = "Orders that share something"
    places = {
        (column, name): (ROW + column * (WIDTH + APART), ROW * (row + 1) + ROW // 2)
        for column, names in enumerate(columns)
        for row, name in enumerate(names)
    }
    for one in links:
        middle = 1 if one.hop == 1 else 3
        for column, orders in ((middle - 1, one.own), (middle + 1, one.others)):
            for order in orders:
                _line(svg, places[column, order], places[middle, _named(one)], leftwards=column > middle)
    for (column, name), place in places.items():
        _box(svg, place, name, FILLS[column])
    for column, heading in enumerate(COLUMNS):
        if columns[column]:
            _text(svg, (ROW + column * (WIDTH + APART), ROW // 2), heading, bold=True)
    written: bytes = Xml.tostring(svg, encoding="utf-8", xml_declaration=True)
    return written


def _columns(links: Sequence[Link]) -> list[list[str]]:
    """What stands in each column, once, from top to bottom."""
    found: list[dict[str, None]] = [{} for _ in COLUMNS]
    for one in links:
        middle = 1 if one.hop == 1 else 3
        found[middle][_named(one)] = None
        for column, orders in ((middle - 1, one.own), (middle + 1, one.others)):
            found[column].update(dict.fromkeys(orders))
    return [list(names) for names in found]


def _named(one: Link) -> str:
    return f"{one.shares} {one.value} ({one.orders})"


def _line(svg: Xml.Element, order: tuple[int, int], shared: tuple[int, int], *, leftwards: bool) -> None:
    first, last = (shared, order) if leftwards else (order, shared)
    ends = {"x1": first[0] + WIDTH, "y1": first[1] + HEIGHT // 2, "x2": last[0], "y2": last[1] + HEIGHT // 2}
    Xml.SubElement(svg, "line", {name: str(value) for name, value in ends.items()} | {"stroke": "#999999"})


def _box(svg: Xml.Element, place: tuple[int, int], name: str, fill: str) -> None:
    group = Xml.SubElement(svg, "g")
    Xml.SubElement(group, "title").text = _printable(name)
    frame = {"x": place[0], "y": place[1], "width": WIDTH, "height": HEIGHT, "rx": 4}
    Xml.SubElement(
        group, "rect", {key: str(value) for key, value in frame.items()} | {"fill": fill, "stroke": "#666666"}
    )
    short = name if len(name) <= LETTERS else f"{name[: LETTERS - 8]}…{name[-7:]}"
    _text(group, (place[0] + 6, place[1] + 16), short)


def _text(parent: Xml.Element, place: tuple[int, int], words: str, *, bold: bool = False) -> None:
    style = {"x": str(place[0]), "y": str(place[1])} | ({"font-weight": "bold"} if bold else {})
    Xml.SubElement(parent, "text", style).text = _printable(words)


def _printable(text: str) -> str:
    """Text from outside without what XML can't hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
