"""The small language of mappings: columns, constants, comparisons, a few functions; compiled to SQL.

Python's grammar is used to read it and nothing of Python to run it: what is not listed here is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from control_tower.errors import MappingError, nearest
from control_tower.joins import literal

FUNCTIONS = ("concat", "coalesce", "least", "greatest", "lower", "upper", "trim")
OTHERS = {  # with arguments of their own kind
    "column": "column('its name'), for a name with blanks",
    "moment": "moment(column)",
    "matches": "matches(column, 'pattern')",
    "padded": "padded(column, width), the width at most 40",
    "abs": "abs(number)",
    "floor": "floor(number)",
}
SIGNS: dict[type[ast.AST], str] = {
    ast.Eq: "=", ast.NotEq: "<>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.And: "AND", ast.Or: "OR",
}  # fmt: skip
NUMBER = "DECIMAL(18, 4)"
LONGEST = 1000


@dataclass(frozen=True)
class Compiled:
    """An expression as SQL.

    Args:
        sql: its value.
        cells: the cells that it reads.
        lost: whether nothing came of it though each of those cells holds something.
    """

    sql: str
    cells: tuple[str, ...]
    lost: str


def compile_expression(text: str, column: Callable[[str], str], moment: Callable[[str], str], where: str) -> Compiled:
    """SQL of an expression.

    A cell that is no number where one is needed, a sum that is too large and a division by nothing give
    NULL, never an error: one cell must not stop the reading of the others. `lost` then tells of them,
    unless the expression itself has None for a value.

    Args:
        column: SQL of a named column, as `name` or `file.name`; raises for one that is not there.
        moment: SQL of a timestamp from SQL of a text; used by `moment(x)`.
        where: what to name in an error.

    Raises:
        MappingError: something in it is not allowed.
    """
    compiler = _Compiler(text, column, moment, where)
    if len(text) > LONGEST:
        raise compiler.refusal("is too long")
    try:
        sql = compiler.sql(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise compiler.refusal("can't be read") from fault
    cells = tuple(dict.fromkeys(compiler.cells))
    lost = " AND ".join([f"({sql}) IS NULL", *(f"{cell} IS NOT NULL" for cell in cells)])
    return Compiled(sql, cells, "false" if compiler.nothings else f"({lost})")


@dataclass(frozen=True)
class _Compiler:
    text: str
    column: Callable[[str], str]
    moment: Callable[[str], str]
    where: str
    cells: list[str] = field(default_factory=list)
    nothings: list[None] = field(default_factory=list)

    def refusal(self, what: str, remedy: str = "") -> MappingError:
        return MappingError(f"the expression {self.text[:80]!r} {what}", where=self.where, remedy=remedy)

    def sql(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return self._column(name)
            case ast.Attribute(value=ast.Name(id=file), attr=name):
                return self._column(f"{file}.{name}")
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
        return self._compound(node)

    def _column(self, name: str) -> str:
        self.cells.append(self.column(name))
        return self.cells[-1]

    def _number(self, node: ast.expr) -> str:
        return f"TRY_CAST({self.sql(node)} AS {NUMBER})"

    def _compound(self, node: ast.expr) -> str:
        match node:
            case ast.BoolOp(op=op, values=values):
                return "(" + f" {SIGNS[type(op)]} ".join(map(self.sql, values)) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(NOT {self.sql(operand)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGNS:
                first, second = self._number(left), self._number(right)
                second = f"nullif({second}, 0)" if isinstance(op, ast.Div) else second
                return f"TRY({first} {SIGNS[type(op)]} {second})"
            case ast.Compare(left=left, ops=[compare], comparators=[right]):
                return self._comparison(left, compare, right)
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                return f"CASE WHEN {self.sql(test)} THEN {self.sql(body)} ELSE {self.sql(otherwise)} END"
        raise self.refusal(f"uses {type(node).__name__}, which is not part of the language")

    def _constant(self, value: object) -> str:
        match value:
            case bool():
                return "true" if value else "false"
            case None:
                self.nothings.append(None)
                return "NULL"
            case int() | float():
                return repr(value)
            case str():
                return literal(value)
        raise self.refusal(f"has a {type(value).__name__}, which is not part of the language")

    def _pattern(self, pattern: str) -> str:
        """A regular expression that the engine can read (RE2, which never runs away)."""
        import duckdb

        try:
            with duckdb.connect() as connection:
                connection.execute("SELECT regexp_matches('', ?)", [pattern])
        except duckdb.Error as fault:
            raise self.refusal(f"has the pattern {pattern!r}, which can't be read", str(fault)[:100]) from fault
        return pattern

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        if isinstance(op, ast.Is | ast.IsNot) and isinstance(right, ast.Constant) and right.value is None:
            return f"({self.sql(left)} IS {'NOT ' if isinstance(op, ast.IsNot) else ''}NULL)"
        if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            side = self._number if any(map(is_number, right.elts)) else self.sql
            listed = ", ".join(map(side, right.elts))
            return f"({side(left)} {'NOT ' if isinstance(op, ast.NotIn) else ''}IN ({listed}))"
        if type(op) not in SIGNS:
            raise self.refusal(f"compares with {type(op).__name__}", "use == != < <= > >=, in [...] or is None")
        # Cells are text: against a number, they are read as one.
        side = self._number if is_number(left) or is_number(right) else self.sql
        return f"({side(left)} {SIGNS[type(op)]} {side(right)})"

    def _call(self, name: str, arguments: list[ast.expr]) -> str:
        match name, arguments:
            case "column", [ast.Constant(value=str(named))]:
                return self._column(named)
            case "moment", [one]:
                return self.moment(self.sql(one))
            case "abs", [one]:
                return f"abs({self._number(one)})"
            case "floor", [one]:
                return f"floor({self._number(one)})"
            case "matches", [one, ast.Constant(value=str(pattern))]:
                return f"regexp_matches({self.sql(one)}, {literal(self._pattern(pattern))})"
            case "padded", [one, ast.Constant(value=int(width))] if type(width) is int and 0 < width <= 40:
                text = f"CAST({self.sql(one)} AS VARCHAR)"
                return f"lpad({text}, CAST(greatest({width}, length({text})) AS INTEGER), '0')"  # which would cut
        if name in OTHERS:
            raise self.refusal(f"calls {name} with what it does not take", f"write {OTHERS[name]}")
        if name not in FUNCTIONS or not arguments:
            raise self.refusal(f"calls {name}", nearest(name, [*FUNCTIONS, *OTHERS]))
        return f"{name}({', '.join(map(self.sql, arguments))})"


def columns_in(text: str) -> list[str]:
    """The names of the columns that an expression reads.

    Raises:
        MappingError: something in it is not allowed.
    """
    names: list[str] = []

    def seen(name: str) -> str:
        names.append(name)
        return "NULL"

    compile_expression(text, seen, lambda sql: sql, "an expression")
    return names


def is_number(node: ast.expr) -> bool:
    """Whether an expression can only be a number."""
    match node:
        case ast.Constant(value=value):
            return type(value) in (int, float)
        case ast.BinOp() | ast.Call(func=ast.Name(id="abs" | "floor")):
            return True
    return False
