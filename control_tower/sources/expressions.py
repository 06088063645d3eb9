"""The small language of mappings: columns, constants, comparisons, a few functions; compiled to SQL.

Python's grammar is used to read it and nothing of Python to run it: what is not listed here is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from control_tower.errors import MappingError, nearest
from control_tower.joins import literal

FUNCTIONS = ("concat", "coalesce", "least", "greatest", "lower", "upper", "trim")
OTHERS = ("moment", "matches", "padded", "abs")  # with arguments of their own kind
SIGNS: dict[type[ast.AST], str] = {
    ast.Eq: "=", ast.NotEq: "<>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.And: "AND", ast.Or: "OR",
}  # fmt: skip
LONGEST = 1000


def compile_expression(text: str, column: Callable[[str], str], moment: Callable[[str], str], where: str) -> str:
    """SQL of an expression.

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
        return compiler.sql(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise compiler.refusal("can't be read") from fault


@dataclass(frozen=True)
class _Compiler:
    text: str
    column: Callable[[str], str]
    moment: Callable[[str], str]
    where: str

    def refusal(self, what: str, remedy: str = "") -> MappingError:
        return MappingError(f"the expression {self.text[:80]!r} {what}", where=self.where, remedy=remedy)

    def sql(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return self.column(name)
            case ast.Attribute(value=ast.Name(id=file), attr=name):
                return self.column(f"{file}.{name}")
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments)
        return self._compound(node)

    def _compound(self, node: ast.expr) -> str:
        match node:
            case ast.BoolOp(op=op, values=values):
                return "(" + f" {SIGNS[type(op)]} ".join(map(self.sql, values)) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(NOT {self.sql(operand)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGNS:
                sides = (f"TRY_CAST({self.sql(side)} AS DECIMAL(18, 4))" for side in (left, right))
                return "(" + f" {SIGNS[type(op)]} ".join(sides) + ")"
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
            listed = ", ".join(map(self.sql, right.elts))
            return f"({self.sql(left)} {'NOT ' if isinstance(op, ast.NotIn) else ''}IN ({listed}))"
        if type(op) not in SIGNS:
            raise self.refusal(f"compares with {type(op).__name__}", "use == != < <= > >=, in [...] or is None")
        return f"({self.sql(left)} {SIGNS[type(op)]} {self.sql(right)})"

    def _call(self, name: str, arguments: list[ast.expr]) -> str:
        match name, arguments:
            case "moment", [one]:
                return self.moment(self.sql(one))
            case "abs", [one]:
                return f"abs(TRY_CAST({self.sql(one)} AS DECIMAL(18, 4)))"
            case "matches", [one, ast.Constant(value=str(pattern))]:
                return f"regexp_matches({self.sql(one)}, {literal(self._pattern(pattern))})"
            case "padded", [one, ast.Constant(value=int(width))] if 0 < width <= 40:
                return f"lpad(CAST({self.sql(one)} AS VARCHAR), {width}, '0')"
        if name not in FUNCTIONS or not arguments:
            raise self.refusal(f"calls {name}", nearest(name, [*FUNCTIONS, *OTHERS]))
        return f"{name}({', '.join(map(self.sql, arguments))})"
