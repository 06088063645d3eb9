"""The small language of mappings: columns, constants, comparisons, a few functions; compiled to SQL.

Python's grammar is used to read it and nothing of Python to run it: what is not listed here is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from control_tower.errors import MappingError, nearest
from control_tower.joins import literal

FUNCTIONS = {"concat": "concat", "coalesce": "coalesce", "least": "least", "greatest": "greatest", "lower": "lower", "upper": "upper", "trim": "trim"}
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

    def refuse(what: str, remedy: str = "") -> MappingError:
        return MappingError(f"the expression {text[:80]!r} {what}", where=where, remedy=remedy)

    def compiled(node: ast.AST) -> str:
        match node:
            case ast.Expression(body=body):
                return compiled(body)
            case ast.Name(id=name):
                return column(name)
            case ast.Attribute(value=ast.Name(id=file), attr=name):
                return column(f"{file}.{name}")
            case ast.Constant(value=bool() as value):
                return "true" if value else "false"
            case ast.Constant(value=None):
                return "NULL"
            case ast.Constant(value=int() | float() as value):
                return repr(value)
            case ast.Constant(value=str() as value):
                return literal(value)
            case ast.BoolOp(op=op, values=values):
                return "(" + f" {SIGNS[type(op)]} ".join(map(compiled, values)) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(NOT {compiled(operand)})"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in SIGNS:
                sides = (f"TRY_CAST({compiled(side)} AS DECIMAL(18, 4))" for side in (left, right))
                return "(" + f" {SIGNS[type(op)]} ".join(sides) + ")"
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return compared(left, op, right)
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                return f"CASE WHEN {compiled(test)} THEN {compiled(body)} ELSE {compiled(otherwise)} END"
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return called(name, arguments)
        raise refuse(f"uses {type(node).__name__}, which is not part of the language")

    def compared(left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        if isinstance(op, ast.Is | ast.IsNot) and isinstance(right, ast.Constant) and right.value is None:
            return f"({compiled(left)} IS {'NOT ' if isinstance(op, ast.IsNot) else ''}NULL)"
        if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            listed = ", ".join(map(compiled, right.elts))
            return f"({compiled(left)} {'NOT ' if isinstance(op, ast.NotIn) else ''}IN ({listed}))"
        if type(op) not in SIGNS:
            raise refuse(f"compares with {type(op).__name__}", "use == != < <= > >=, in [...] or is None")
        return f"({compiled(left)} {SIGNS[type(op)]} {compiled(right)})"

    def called(name: str, arguments: list[ast.expr]) -> str:
        if name == "moment" and len(arguments) == 1:
            return moment(compiled(arguments[0]))
        if name not in FUNCTIONS or not arguments:
            raise refuse(f"calls {name}", nearest(name, [*FUNCTIONS, "moment"]))
        return f"{FUNCTIONS[name]}({', '.join(map(compiled, arguments))})"

    if len(text) > LONGEST:
        raise refuse("is too long")
    try:
        return compiled(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise refuse("can't be read") from fault
