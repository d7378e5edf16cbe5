"""The condition language: one small language for segments, branches, exits, entry, scoring and audiences.

`company_size >= 50 and country in ["DE", "AT"] and clicked(link="/pricing", within="30 days")`

A text is parsed by Python's own parser and then held against a whitelist, so that nothing in it is ever executed. The
result is a frozen tree that is read in two ways which a property test keeps equal: `holds` evaluates it over facts, and
`database.conditions` turns it into SQL. The logic is two-valued: a comparison with a missing field is false, `!=` and
`not in` included; `not (country == "DE")` is how one says "or unknown". Which fields and predicates exist is handed in
as `Words` by the rooms that own them.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias

from nurture.errors import BadInput, NurtureError, did_you_mean

Value: TypeAlias = str | int | float | bool

MAX_LENGTH = 4_000
MAX_DEPTH = 40
MAX_NUMBER = 2**63 - 1


class FieldType(StrEnum):
    """What a field holds, and so what it may be compared with."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"


@dataclass(frozen=True)
class Field:
    """A word that stands for a value. A `scale` orders its words from low to high; words outside it have no order."""

    type: FieldType
    scale: tuple[str, ...] = ()
    outside_scale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Argument:
    """What a predicate may be given, always written as text; `read` turns it into what the predicate needs."""

    name: str
    read: Callable[[str], object] = str
    is_required: bool = False


@dataclass(frozen=True)
class Predicate:
    """A question about a contact: `positional` arguments come first, `named` ones by keyword, `flags` take True.

    `check` is given all arguments as they were read, and says whether they go together.
    """

    positional: tuple[Argument, ...] = ()
    named: tuple[Argument, ...] = ()
    flags: tuple[str, ...] = ()
    check: Callable[[Mapping[str, object]], None] | None = None


@dataclass(frozen=True)
class Words:
    """Everything a condition may mention here; a segment is a condition with a name."""

    fields: Mapping[str, Field]
    predicates: Mapping[str, Predicate]
    segments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AllOf:
    """All of these hold; `segment` is the name of the segment that stands for them, if one does."""

    parts: tuple["Condition", ...]
    segment: str = ""


@dataclass(frozen=True)
class AnyOf:
    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    part: "Condition"


@dataclass(frozen=True)
class Compare:
    """`field operator value`; operator is one of == != < <= > >=."""

    field: str
    operator: str
    value: Value


@dataclass(frozen=True)
class OneOf:
    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Missing:
    """The field has no value of its type."""

    field: str
    type: FieldType


@dataclass(frozen=True)
class Asks:
    """A predicate with its arguments as read, in the order of their names."""

    predicate: str
    arguments: tuple[tuple[str, object], ...] = ()


Condition: TypeAlias = AllOf | AnyOf | Not | Compare | OneOf | Missing | Asks

ALWAYS: Condition = AllOf(())


class ConditionError(BadInput):
    """A condition that cannot be read; `column` counts from 1 in its text."""

    def __init__(self, message: str, column: int = 1, hint: str = "") -> None:
        super().__init__(message)
        self.column = column
        self.hint = hint


class Facts(Protocol):
    """What is known about a contact at one moment."""

    def value(self, name: str) -> Value | None:
        """The value of a field, None when it is missing."""

    def answers(self, predicate: str, arguments: Mapping[str, object]) -> bool:
        """Whether the predicate holds."""


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether the condition is true of these facts."""
    match condition:
        case AllOf(parts):
            return all(holds(part, facts) for part in parts)
        case AnyOf(parts):
            return any(holds(part, facts) for part in parts)
        case Not(part):
            return not holds(part, facts)
        case Missing(name, of_type):
            return not _is_of(of_type, facts.value(name))
        case OneOf(name, values):
            known = facts.value(name)
            return any(known == value and _is_comparable(known, value) for value in values)
        case Compare(name, operator, value):
            known = facts.value(name)
            return _is_comparable(known, value) and _COMPARISONS[operator](known, value)
        case Asks(predicate, arguments):
            return facts.answers(predicate, dict(arguments))


def _is_of(type_: FieldType, value: Value | None) -> bool:
    """Whether this is a value of that type; one from before a field changed its type is as good as missing."""
    match type_:
        case FieldType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldType.FLAG:
            return isinstance(value, bool)
    return isinstance(value, str)


def _is_comparable(known: Value | None, value: Value) -> bool:
    """Whether a field holds something of the same kind as what it is compared with."""
    of_type = (
        FieldType.FLAG if isinstance(value, bool) else FieldType.TEXT if isinstance(value, str) else FieldType.NUMBER
    )
    return _is_of(of_type, known)


_COMPARISONS: dict[str, Callable[..., bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and everything in it, outermost first."""
    yield condition
    match condition:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from walk(part)
        case Not(part):
            yield from walk(part)


def depends_on_time(condition: Condition) -> bool:
    """Whether it may come to hold, or stop to, only because time passes: some question in it names a length of time."""
    asked = (part for part in walk(condition) if isinstance(part, Asks))
    return any(isinstance(value, timedelta) for part in asked for _, value in part.arguments)


def parse(text: str, words: Words) -> Condition:
    """Read a condition, or say in which column what is wrong with it."""
    return _Parser(text, words, ()).parse()


def segments_in(text: str, words: Words) -> set[str]:
    """The segments a condition that parses mentions, also through other segments."""
    found = set()
    for node in ast.walk(_tree(text)):
        match node:
            case ast.Call(func=ast.Name(id="in_segment"), args=[ast.Constant(value=str(name))]):
                found.add(name)
    return found.union(*(segments_in(words.segments[name], words) for name in found))


def _tree(text: str) -> ast.Expression:
    # Line breaks in a YAML block are only layout.
    return ast.parse(text.replace("\n", " ").strip() or "()", mode="eval")


class _Parser:
    def __init__(self, text: str, words: Words, inside: tuple[str, ...]) -> None:
        self.text = text
        self.words = words
        self.inside = inside  # the segments being expanded, to catch one that contains itself

    def parse(self) -> Condition:
        if len(self.text) > MAX_LENGTH:
            raise ConditionError(f"a condition may be {MAX_LENGTH:,} characters long; name parts of it as segments")
        try:
            tree = _tree(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = (getattr(error, "offset", 1) or 1) + self._indent
            raise ConditionError("this is not a condition", column, 'write one such as `country == "DE"`.') from None
        self._refuse_what_no_database_keeps(tree)
        return self._condition(tree.body, 0)

    @property
    def _indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())

    def _refuse_what_no_database_keeps(self, tree: ast.Expression) -> None:
        """Half a surrogate pair and the character nought are no text, and of numbers there is a largest one."""
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if not all(map(_can_be_kept, text)):
                    raise self._error(node, "there is a character in this text that nobody can write")
                case ast.Constant(value=int() | float() as number) if number > MAX_NUMBER:
                    raise self._error(node, "no field holds a number so large")

    def _error(self, node: ast.AST, message: str, hint: str = "") -> ConditionError:
        # ast counts bytes of UTF-8; a column counts characters.
        before = self.text.strip().encode()[: getattr(node, "col_offset", 0)].decode(errors="replace")
        return ConditionError(message, len(before) + 1 + self._indent, hint)

    def _condition(self, node: ast.expr, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise self._error(node, f"nested more than {MAX_DEPTH} deep", "name parts of it as segments.")
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return AllOf(tuple(self._condition(value, depth + 1) for value in values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return AnyOf(tuple(self._condition(value, depth + 1) for value in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._condition(operand, depth + 1))
            case ast.Compare(left=left, ops=operators, comparators=others):
                operands = [left, *others]
                parts = [
                    self._comparison(operands[i], operands[i + 1], operator) for i, operator in enumerate(operators)
                ]
                return parts[0] if len(parts) == 1 else AllOf(tuple(parts))
            case ast.Call():
                return self._asked(node, depth)
            case ast.Name(id=name) if self._field(node, name).type is FieldType.FLAG:
                return Compare(name, "==", True)
            case ast.Name(id=name):
                raise self._error(node, f"{name} is a {self._field(node, name).type}", "compare it with something.")
            case ast.Constant(value=True):
                return ALWAYS
        raise self._error(node, "a condition has only and, or, not, comparisons and questions such as clicked()")

    def _comparison(self, left: ast.expr, right: ast.expr, operator: ast.cmpop) -> Condition:
        if isinstance(operator, ast.Is | ast.IsNot):
            if not (isinstance(left, ast.Name) and isinstance(right, ast.Constant) and right.value is None):
                raise self._error(right, "`is` asks for a missing value", "write `country is None`, otherwise `==`.")
            missing = Missing(left.id, self._field(left, left.id).type)
            return missing if isinstance(operator, ast.Is) else Not(missing)
        if isinstance(operator, ast.In | ast.NotIn):
            return self._membership(left, right, is_negated=isinstance(operator, ast.NotIn))
        word = _OPERATORS[type(operator)]
        if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
            left, right, word = right, left, _MIRRORED[word]
        if not isinstance(left, ast.Name):
            raise self._error(left, "a comparison has a field on one side", 'such as `country == "DE"`.')
        known = self._field(left, left.id)
        value = self._value(right, left.id, known)
        if word in {"==", "!="}:
            return Compare(left.id, word, value)
        if known.scale:
            return self._on_scale(right, left.id, known, word, value)
        if known.type not in {FieldType.NUMBER, FieldType.DATE}:
            raise self._error(left, f"{left.id} has no order", "use `==`, `!=` or `in`.")
        return Compare(left.id, word, value)

    def _on_scale(self, node: ast.expr, name: str, known: Field, operator: str, value: Value) -> Condition:
        """`stage >= "sales_ready"` names the words at or above it; those outside the order are never among them."""
        if value not in known.scale:
            raise self._error(node, f'"{value}" is outside the order of {name}', "use `==` or `in`.")
        rank = known.scale.index(str(value))
        return OneOf(name, tuple(w for i, w in enumerate(known.scale) if _COMPARISONS[operator](i, rank)))

    def _membership(self, left: ast.expr, right: ast.expr, *, is_negated: bool) -> Condition:
        if not isinstance(left, ast.Name) or not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise self._error(right, "`in` has a field before it and a list behind it", '`country in ["DE", "AT"]`.')
        known = self._field(left, left.id)
        found = OneOf(left.id, tuple(self._value(item, left.id, known) for item in right.elts))
        return AllOf((Not(found), Not(Missing(left.id, known.type)))) if is_negated else found

    def _field(self, node: ast.expr, name: str) -> Field:
        if name in self.words.fields:
            return self.words.fields[name]
        if name in self.words.predicates:
            raise self._error(node, f"{name} is a question", f"write {name}(…).")
        raise self._error(node, f'there is no field "{name}".{did_you_mean(name, self.words.fields)}')

    def _value(self, node: ast.expr, name: str, known: Field) -> Value:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        if not isinstance(inner, ast.Constant):
            raise self._error(node, "a field is compared with a constant", "text stands in quotes, numbers do not.")
        value = inner.value
        match known.type:
            case FieldType.NUMBER if isinstance(value, int | float) and not isinstance(value, bool):
                return -value if negative else value
            case FieldType.FLAG if isinstance(value, bool):
                return value
            case FieldType.DATE if isinstance(value, str):
                try:
                    # Kept as ISO text, as the fields are: it sorts by time.
                    return date.fromisoformat(value).isoformat()
                except ValueError:
                    raise self._error(node, f'"{value}" is not a date', 'write it as "2026-01-31".') from None
            case FieldType.TEXT if isinstance(value, str):
                every = known.scale + known.outside_scale
                if every and value not in every:
                    raise self._error(node, f'{name} is never "{value}".{did_you_mean(value, every)}')
                return value
        raise self._error(node, f"{name} is a {known.type}, and {ast.unparse(node)} is not")

    def _asked(self, node: ast.Call, depth: int) -> Condition:
        predicates = self.words.predicates
        if not isinstance(node.func, ast.Name):
            raise self._error(node, "only the known questions can be asked", "such as clicked() or has_tag(…).")
        name = node.func.id
        if name == "in_segment":
            return self._segment(node, depth)
        if name not in predicates:
            raise self._error(node, f'there is no question "{name}".{did_you_mean(name, [*predicates, "in_segment"])}')
        known = predicates[name]
        if len(node.args) > len(known.positional):
            raise self._error(node, f"{name} takes {len(known.positional)} value(s) before the named ones")
        given = {argument.name: (argument, value) for argument, value in zip(known.positional, node.args, strict=False)}
        for keyword in node.keywords:
            argument = self._keyword(node, name, known, keyword)
            if argument.name in given:
                raise self._error(keyword.value, f"{name} is given {argument.name} twice")
            given[argument.name] = (argument, keyword.value)
        for argument in (*known.positional, *known.named):
            if argument.is_required and argument.name not in given:
                raise self._error(node, f"{name} needs to know which {argument.name}", f'write {name}("…").')
        read = [(key, self._argument(name, known, argument, value)) for key, (argument, value) in given.items()]
        self._check_together(node, known, dict(read))
        return Asks(name, tuple(sorted(read, key=lambda pair: pair[0])))

    def _check_together(self, node: ast.Call, known: Predicate, read: Mapping[str, object]) -> None:
        try:
            if known.check:
                known.check(read)
        except NurtureError as error:
            raise self._error(node, str(error)) from None

    def _keyword(self, node: ast.Call, name: str, known: Predicate, keyword: ast.keyword) -> Argument:
        every = {argument.name: argument for argument in (*known.positional, *known.named)}
        every.update({flag: Argument(flag) for flag in known.flags})
        if keyword.arg is None or keyword.arg not in every:
            raise self._error(node, f'{name} knows no "{keyword.arg}".{did_you_mean(keyword.arg or "", every)}')
        return every[keyword.arg]

    def _argument(self, name: str, known: Predicate, argument: Argument, node: ast.expr) -> object:
        value = node.value if isinstance(node, ast.Constant) else None
        if argument.name in known.flags:
            if isinstance(value, bool):
                return value
            raise self._error(node, f"{argument.name} of {name} is True or left out")
        if not isinstance(value, str):
            raise self._error(node, f"{argument.name} of {name} is a text in quotes")
        try:
            read = argument.read(value)
        except NurtureError as error:
            raise self._error(node, str(error)) from None
        if isinstance(read, timedelta) and read < timedelta(0):
            raise self._error(node, f'"{value}" is less than nothing; write how long, such as "3 days"')
        return read

    def _segment(self, node: ast.Call, depth: int) -> Condition:
        given = node.args[0] if len(node.args) == 1 and not node.keywords else None
        name = given.value if isinstance(given, ast.Constant) else None
        if not isinstance(name, str):
            raise self._error(node, "in_segment takes the name of one segment")
        if name not in self.words.segments:
            raise self._error(node, f'there is no segment "{name}".{did_you_mean(name, self.words.segments)}')
        if name in self.inside:
            raise self._error(node, f'the segment "{name}" contains itself')
        inner = _Parser(self.words.segments[name], self.words, (*self.inside, name)).parse()
        if depth + _depth(inner) > MAX_DEPTH:
            raise self._error(node, f'with the segment "{name}" this is nested more than {MAX_DEPTH} deep')
        return AllOf((inner,), name)


def _can_be_kept(character: str) -> bool:
    return character != "\0" and not "\ud800" <= character <= "\udfff"


def _depth(condition: Condition) -> int:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return 1 + max(map(_depth, parts), default=0)
        case Not(part):
            return 1 + _depth(part)
    return 0
