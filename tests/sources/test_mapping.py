"""A mapping says which column is which; what it can't read is kept, and what it may not do is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_contracts
from control_tower.errors import MappingError, SourceError
from control_tower.sources.delimited import read_delimited
from control_tower.sources.folder import FolderSource
from tests.thorough import up_to

MAPPING = """
shop: {{id: s, time_zone: America/Sao_Paulo, country: BR, currency: BRL}}
files: {{o: o.csv, p: p.csv}}
tables:
  payments:
    file: p
    join: {{o: number}}
    {extra}
    columns:
      payment_id: id
      order_id: number
      amount: {{column: value, read_as: money}}
      currency: {{constant: BRL}}
      method: {{expression: "{expression}"}}
      paid_at: o.paid
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    (tmp_path / "o.csv").write_text("number,paid\n1,2018-09-03 18:00:00\n2,\n1,2019-01-01\n")
    (tmp_path / "p.csv").write_text("id,number,value,kind\na,1,10.50,CARD\nb,2,3,\nc,3,1.005,x\nd,1,ten,x\n")
    return tmp_path


def read(folder: Path, expression: str = "kind", extra: str = "") -> list[dict[str, Any]]:
    file = folder / "m.yaml"
    file.write_text(MAPPING.format(expression=expression, extra=extra))
    source = FolderSource(folder, str(file))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = source.relation(connection, "payments", data_contracts.load("payments").duckdb_types())
        return connection.sql(relation).to_arrow_table().to_pylist()


def test_money_times_and_joins_come_through_and_a_join_adds_no_row(export: Path) -> None:
    rows = read(export)
    assert [row["amount"] for row in rows] == [1050, 300, None, None]
    assert rows[0]["paid_at"].isoformat() == "2018-09-03T21:00:00+00:00"
    assert rows[1]["paid_at"] is None
    assert rows[2]["unreadable"] == "amount: 1.005", "half a cent is not rounded away"
    assert rows[3]["unreadable"] == "amount: ten"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("concat(number, '-', lower(kind))", ["1-card", "2-", "3-x", "1-x"]),
        ("coalesce(kind, 'none')", ["CARD", "none", "x", "x"]),
        ("'big' if kind == 'CARD' else 'small'", ["big", "small", "small", "small"]),
    ],
)
def test_simple_expressions(export: Path, expression: str, said: list[str]) -> None:
    assert [row["method"] for row in read(export, expression)] == said


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('id')", "read_csv('/etc/passwd')", "(lambda: 1)()", "kind; drop", "[x for x in kind]",
        "kind.__class__", "f'{kind}'", "(select 1)", "kind[0]", "open('x')", "a" * 2000, "((" * 300, "",
    ],
)  # fmt: skip
def test_code_in_an_expression_is_refused(export: Path, expression: str) -> None:
    with pytest.raises(MappingError):
        read(export, expression)


def test_where_leaves_rows_out_and_keeps_the_broken_ones(export: Path) -> None:
    (export / "p.csv").write_text("id,number,value,kind\na,1,10.50,CARD\nb,2,3\nc,3,1,x\n")
    rows = read(export, extra="where: kind == 'CARD'")
    assert [row["payment_id"] for row in rows] == ["a", None]
    assert "3 cells where the header has 4" in rows[1]["unreadable"]


def test_an_unknown_key_is_refused_with_its_line(export: Path) -> None:
    with pytest.raises(MappingError, match=r"m\.yaml:8.*did you mean 'where'"):
        read(export, extra="wher: kind == 'CARD'")


@pytest.mark.parametrize(("content", "said"), [(b"", "has no header"), (b"a,b,a\n1,2,3\n", "names column 'a' twice")])
def test_a_file_without_a_usable_header_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(SourceError, match=said):
        read_delimited(tmp_path / "x.csv")


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert read_delimited(tmp_path / "x.csv").column_names[:2] == ["a", "b"]


@settings(max_examples=up_to(60), deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=20)), min_size=1, max_size=30))
def test_rows_in_are_rows_out_whatever_is_in_the_cells(tmp_path_factory: Any, cells: list[tuple[str, bytes]]) -> None:
    def quoted(value: bytes) -> bytes:
        return b'"' + value.replace(b'"', b'""') + b'"'

    file = tmp_path_factory.mktemp("cells") / "x.csv"
    lines = [quoted(text.encode("utf-8", "replace")) + b"," + quoted(raw) for text, raw in cells]
    file.write_bytes(b"a,b\n" + b"\n".join(lines) + b"\n")
    table = read_delimited(file)
    assert table.num_rows == len(cells)
    broken = [reason is not None for reason in table["_broken"].to_pylist()]

    def is_text(raw: bytes) -> bool:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    assert broken == [not is_text(raw) for _, raw in cells]


def test_one_row_is_read_for_each_value_and_it_is_the_first(export: Path) -> None:
    (export / "p.csv").write_text("id,number,value,kind\na,1,1,x\nb,1,2,y\nc,2,3,z\n")
    rows = read(export, expression="concat(padded(_row, 3), '/', kind)", extra="one_row_for: number")
    assert [(row["payment_id"], row["method"]) for row in rows] == [("a", "001/x"), ("c", "003/z")]


def test_rows_are_chosen_by_a_pattern_and_a_number_loses_its_sign(export: Path) -> None:
    (export / "p.csv").write_text("id,number,value,kind\nC1,1,1,-5\nb,1,2,-6\n")
    rows = read(export, expression="concat(abs(kind))", extra="where: matches(id, '^C[0-9]')")
    assert [(row["payment_id"], float(row["method"])) for row in rows] == [("C1", 5.0)]


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("matches(kind, '[')", "has the pattern"),
        ("matches(kind, id)", r"calls matches.*write matches\(column, 'pattern'\)"),
        ("padded(kind, 1000)", "calls padded"),
        ("padded(kind, True)", "calls padded"),
        ("paded(kind, 3)", "did you mean 'padded'"),
    ],
)
def test_a_function_that_is_misused_is_refused(export: Path, expression: str, what: str) -> None:
    with pytest.raises(MappingError, match=what):
        read(export, expression=expression)


AMOUNT = """
shop: {{id: s, time_zone: Europe/London, country: GB, currency: GBP}}
files: {{p: {file}}}
tables:
  {table}:
    file: p
    {extra}
    columns:
      {key}: no
      {columns}
"""


def computed(
    folder: Path,
    content: bytes | pd.DataFrame,
    columns: str,
    extra: str = "",
    table: str = "payments",
    threads: int = 2,
) -> list[dict[str, Any]]:
    """The rows of a table that is read from a file of these contents, the columns that are said only."""
    if isinstance(content, bytes):
        (folder / "x.csv").write_bytes(content)
    else:
        content.to_parquet(folder / "x.parquet", row_group_size=100)
        os.utime(folder / "x.parquet", (0, 0))  # written again, it is the same file
    key = data_contracts.load(table).key
    file = "x.csv" if isinstance(content, bytes) else "x.parquet"
    mapping = folder / "a.yaml"
    mapping.write_text(AMOUNT.format(file=file, table=table, key=key, columns=columns, extra=extra))
    source = FolderSource(folder, str(mapping))
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = source.relation(connection, table, data_contracts.load(table).duckdb_types())
        return connection.sql(relation).to_arrow_table().to_pylist()


def test_money_with_a_decimal_comma_is_read_where_the_mapping_says_so_and_nothing_is_guessed(tmp_path: Path) -> None:
    written = ['"12,90"', '"1.249,00"', '"1.234.567,8"', "7", '"1.249"', "12.50", '"12,905"', '"1.24,00"', '"2O,00"']
    (tmp_path / "p.csv").write_text("id,value\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(written)))
    file = tmp_path / "m.yaml"
    file.write_text("""
shop: {id: s, time_zone: Europe/Berlin, country: DE, currency: EUR}
files: {p: p.csv}
tables:
  payments:
    file: p
    columns:
      payment_id: id
      order_id: id
      amount: {column: value, read_as: money, decimal: ","}
      currency: {constant: EUR}
""")
    source = FolderSource(tmp_path, str(file))
    with duckdb.connect() as connection:
        relation = source.relation(connection, "payments", data_contracts.load("payments").duckdb_types())
        rows = connection.sql(relation).to_arrow_table().to_pylist()
    assert [row["amount"] for row in rows] == [1290, 124_900, 123_456_780, 700, 124_900, None, None, None, None]
    assert rows[5]["unreadable"] == "amount: 12.50"
    file.write_text(file.read_text().replace("read_as: money, ", ""))
    with pytest.raises(MappingError, match="only a column that is read as money"):
        FolderSource(tmp_path, str(file))


@pytest.mark.parametrize("amount", ["{expression: q * p * 100}", "{expression: q * p, read_as: money}"])
def test_money_that_is_worked_out_is_not_rounded_and_what_is_no_number_is_said(tmp_path: Path, amount: str) -> None:
    cells = b"no,q,p\na,3,1.25\nb,1,0.005\nc,ten,1\nd,,1\ne,99999999999,99999999999\n"
    rows = computed(tmp_path, cells, f"amount: {amount}")
    assert [row["amount"] for row in rows] == [375, None, None, None, None]
    unread = {row["payment_id"]: row["unreadable"] for row in rows}
    assert "ten, 1" in unread["c"] and "99999999999" in unread["e"]
    assert unread["b"].startswith("amount: 0.")
    assert unread["a"] is None and unread["d"] is None, "an empty cell says nothing, and nothing is wrong with it"


def test_a_division_by_nothing_stops_no_other_row(tmp_path: Path) -> None:
    rows = computed(tmp_path, b"no,q,p\na,6,3\nb,1,0\nc,1,3\n", "amount: {expression: q / p}")
    assert [row["amount"] for row in rows] == [2, None, None]
    assert [row["unreadable"] is not None for row in rows] == [False, True, True]


def test_a_time_that_is_worked_out_and_can_not_be_read_is_said(tmp_path: Path) -> None:
    rows = computed(tmp_path, b"no,at\na,2020-01-01\nb,soon\n", "paid_at: {expression: moment(at)}")
    assert [row["unreadable"] for row in rows] == [None, "paid_at: moment(at), soon"]


def test_nothing_that_an_expression_itself_says_is_no_fault(tmp_path: Path) -> None:
    rows = computed(tmp_path, b"no,q\na,6\nb,7\n", "amount: {expression: q if q > 6 else None}")
    assert [(row["amount"], row["unreadable"]) for row in rows] == [(None, None), (7, None)]


@pytest.mark.parametrize(
    ("condition", "chosen"), [("q > 1", ["a", "b", "d"]), ("q in [2, 3]", ["a", "d"]), ("abs(q) == 1.5", ["b", "d"])]
)
def test_cells_are_compared_with_a_number_as_numbers_and_what_is_none_is_kept(
    tmp_path: Path, condition: str, chosen: list[str]
) -> None:
    rows = computed(tmp_path, b"no,q\na,2\nb,1.5\nc,-2\nd,ten\n", "method: q", extra=f"where: {condition}")
    assert [row["payment_id"] for row in rows] == chosen
    assert rows[-1]["unreadable"] == f"can't tell whether it is one of the payments: {condition}, ten"


def test_a_row_that_can_not_be_read_takes_the_place_of_no_other(tmp_path: Path) -> None:
    cells = b"no,who\n1,\xff\n1,ana\n,bob\n,cem\n2,ben\n3,\xff\n"
    rows = computed(tmp_path, cells, "customer_id: who", extra="one_row_for: no", table="orders")
    assert [(row["order_id"], row["customer_id"]) for row in rows[:-1]] == [
        ("1", "ana"), (None, "bob"), (None, "cem"), ("2", "ben"),
    ]  # fmt: skip
    assert rows[-1]["order_id"] == "3" and "not UTF-8" in rows[-1]["unreadable"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_that_are_chosen_come_in_the_order_of_the_file_however_many_read_it(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"no": [str(n * 7 % 5000) for n in range(20_000)], "place": [str(n) for n in range(20_000)]})
    content = frame.to_csv(index=False).encode() if kind == "csv" else frame
    columns = "customer_id: {expression: \"concat(place, '/', _row)\"}"
    wanted = [(str(n * 7 % 5000), f"{n}/{n + 1}") for n in range(5000)]
    for threads in (1, 4):
        rows = computed(tmp_path, content, columns, "one_row_for: no", "orders", threads)
        assert [(row["order_id"], row["customer_id"]) for row in rows] == wanted


def test_joined_rows_of_one_key_come_in_one_order_however_many_read_them(tmp_path: Path) -> None:
    frame = pd.DataFrame({"no": [str(n % 100) for n in range(20_000)], "place": [str(n) for n in range(20_000)]})
    given = [computed(tmp_path, frame, "method: place", "join: {p: no}", threads=threads) for threads in (1, 2, 4, 8)]
    one, *others = [[row["method"] for row in rows] for rows in given]
    assert len(one) == len(frame) and all(other == one for other in others)


def test_an_id_that_is_longer_than_it_is_padded_to_is_not_cut(tmp_path: Path) -> None:
    rows = computed(tmp_path, b"no,q\na,12345\nb,1\n", "method: {expression: 'padded(q, 3)'}")
    assert [row["method"] for row in rows] == ["12345", "001"]


def test_one_row_for_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"reads column 'nno'.*did you mean 'no'"):
        computed(tmp_path, b"no,q\na,1\n", "method: q", extra="one_row_for: nno")


OPTIONAL = """
shop: {id: s, time_zone: Asia/Tokyo, country: JP, currency: JPY}
files: {p: "pay*.csv"}
optional: {p: [note, kind of payment]}
tables:
  payments:
    file: p
    columns:
      payment_id: id
      order_id: number
      amount: {column: value, read_as: money}
      currency: {constant: JPY}
      method: {expression: "lower(column('kind of payment'))"}
      paid_at: {expression: "moment(paid)"}
"""


def test_an_optional_column_that_is_not_there_is_untold_and_one_that_is_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(OPTIONAL)
    told = {}
    for name, lines in {
        "old": "id,number,value,paid\na,1,3,2026-03-02 09:15:00 +0100\n",
        "new": "id,number,value,paid,kind of payment\na,1,3,2026-03-02 09:15,CARD\n",
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"pay_{name}.csv").write_text(lines)
        source = FolderSource(folder, str(tmp_path / "m.yaml"))
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            relation = source.relation(connection, "payments", data_contracts.load("payments").duckdb_types())
            (row,) = connection.sql(relation).to_arrow_table().to_pylist()
        told[name] = (row["method"], row["amount"], row["paid_at"].isoformat(), "method" in source.columns("payments"))
    assert told == {
        "old": (None, 3, "2026-03-02T08:15:00+00:00", False),
        "new": ("card", 3, "2026-03-02T00:15:00+00:00", True),
    }, "a time with an offset is that moment, and one without is in the shop's zone"


def test_optional_columns_of_a_file_that_is_not_named_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(OPTIONAL.replace("optional: {p:", "optional: {q:"))
    with pytest.raises(MappingError, match=r"m\.yaml:4: optional reads file 'q'"):
        FolderSource(tmp_path, str(tmp_path / "m.yaml"))


TICKETS = Path(__file__).parent / "exports" / "tickets"


def tickets(folder: Path) -> list[dict[str, Any]]:
    source = FolderSource(folder, "tickets")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = data_contracts.load("support_contacts").duckdb_types()
        return connection.sql(source.relation(connection, "support_contacts", columns)).to_arrow_table().to_pylist()


def test_tickets_are_contacts_in_the_customers_own_words() -> None:
    told = {row["contact_id"]: row for row in tickets(TICKETS)}
    assert {name: row["channel"] for name, row in told.items()} == {
        "t-1": "mail", "t-2": "chat", "t-3": "phone", "t-4": "carrier pigeon", "t-5": "mail",
    }, "a word that the mapping does not know stays, for the contract to refuse"  # fmt: skip
    assert told["t-1"]["text"].endswith("<b>nothing</b> is here.\nI never received my order!"), "letter by letter"
    assert (told["t-2"]["order_id"], told["t-2"]["customer_id"], told["t-3"]["text"]) == (None, None, None)
    assert told["t-1"]["contacted_at"].isoformat() == "2026-03-06T09:00:00+00:00"
    assert told["t-3"]["contacted_at"].isoformat() == "2026-03-08T15:00:00+00:00", (
        "without an offset, in the shop's zone"
    )
    assert told["t-5"]["unreadable"] == "contacted_at: 08.03.2026", "the eighth of March, or the third of August"


def test_tickets_without_an_order_column_are_of_no_order_and_that_is_untold(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("id,created_at,channel,description\n1,2026-03-06T10:00:00Z,email,Hello\n")
    (row,) = tickets(tmp_path)
    assert (row["order_id"], row["text"], row["unreadable"]) == (None, "Hello", None)
    told = FolderSource(tmp_path, "tickets").columns("support_contacts")
    assert "order_id" not in told and "topic" not in told and "text" in told


def test_tickets_without_a_time_column_are_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("id,channel\n1,email\n")
    with pytest.raises(MappingError, match="table support_contacts reads column 'created_at'"):
        tickets(tmp_path)
