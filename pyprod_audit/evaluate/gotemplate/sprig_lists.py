"""Sprig's functions for slices. None of them changes a slice; members keep their places where they are copied.

An Unknown member stands for any number of members, so what depends on their number is Unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pyprod_audit.evaluate.gotemplate import text as texts
from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Placed, Registered, takes
from pyprod_audit.evaluate.gotemplate.marks import is_marked
from pyprod_audit.evaluate.gotemplate.sprig_cast import to_int
from pyprod_audit.evaluate.gotemplate.sprig_reflection import same
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, INT, PARTLY, REST, STRING, items_of, strval
from pyprod_audit.evaluate.gotemplate.truth import truth
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import List, Lists, NilList, Strings, TemplateError, Value
from pyprod_audit.model import Unknown, Via

_Member = tuple[Value, tuple[Via, ...]]


def _members(value: Value, verb: str) -> list[_Member]:
    """The members of a slice with their places."""
    items = items_of(value, verb)
    places = value.places if isinstance(value, List) else {}
    return [(item, places.get(index, ())) for index, item in enumerate(items)]


def _made(members: Iterable[_Member], kind: type[List] = List) -> List:
    made = kind()
    for index, (item, via) in enumerate(members):
        made.append(item)
        if via:
            made.places[index] = via
    return made


def _place(call: Call, at: int) -> tuple[Via, ...]:
    return call.places[at] if at < len(call.places) else ()


def _first_unknown(values: Sequence[Value]) -> Unknown:
    for value in values:
        if isinstance(value, Unknown):
            return value
    return Unknown("", PARTLY)


def _need_known(values: Sequence[Value]) -> None:
    """Raises `Undecided` when the number of the members is not known."""
    if any(isinstance(value, Unknown) for value in values):
        raise Undecided(_first_unknown(values))


# -- making ------------------------------------------------------------------------------------------------------


def _list(call: Call, *values: Value) -> List:
    """`list` and `tuple`."""
    return _made((value, _place(call, at)) for at, value in enumerate(values))


def _append(call: Call, value: Value, item: Value) -> Value:
    """`append` and `push`."""
    if isinstance(value, Unknown):
        return value
    return _made([*_members(value, "push on"), (item, _place(call, 1))])


def _prepend(call: Call, value: Value, item: Value) -> Value:
    """`prepend`."""
    if isinstance(value, Unknown):
        return value
    return _made([(item, _place(call, 1)), *_members(value, "prepend on")])


def _concat(call: Call, *values: Value) -> Value:
    """`concat`; an Unknown among the slices is an Unknown member."""
    members: list[_Member] = []
    for at, value in enumerate(values):
        if isinstance(value, Unknown):
            members.append((value, _place(call, at)))
        else:
            if value is not None and not isinstance(value, list):
                items_of(value, "concat")
            members += _members(value, "concat")
    return _made(members) if members else NilList()


# -- parts -------------------------------------------------------------------------------------------------------


@takes(ANY)
def first(value: Value) -> Value:
    """`first`: nil when there is none."""
    members = _members(value, "find first on")
    return _placed(members[0]) if members else None


@takes(ANY)
def last(value: Value) -> Value:
    """`last`: nil when there is none."""
    members = _members(value, "find last on")
    return _placed(members[-1]) if members else None


def _placed(member: _Member) -> Value:
    return Placed(*member) if member[1] else member[0]


@takes(ANY)
def rest(value: Value) -> Value:
    """`rest`: all but the first."""
    members = _members(value, "find rest on")
    if not members:
        return NilList()
    return members[0][0] if isinstance(members[0][0], Unknown) else _made(members[1:])


@takes(ANY)
def initial(value: Value) -> Value:
    """`initial`: all but the last."""
    members = _members(value, "find initial on")
    if not members:
        return NilList()
    return members[-1][0] if isinstance(members[-1][0], Unknown) else _made(members[:-1])


@takes(ANY, REST)
def part(value: Value, *bounds: Value) -> Value:
    """`slice` of Sprig, which takes the place of the one of text/template: nil for an empty slice."""
    if not isinstance(value, list) and value is not None:
        raise TemplateError("list should be type of slice or array")
    members = _members(value, "slice")
    if not members:
        return None
    _need_known([item for item, _ in members])
    start = to_int(bounds[0]) if bounds else 0
    end = to_int(bounds[1]) if len(bounds) > 1 else len(members)
    if start < 0 or start > end:
        raise TemplateError("reflect.Value.Slice: slice index out of bounds")
    if end > len(members):
        raise Undecided(Unknown("slice", "it reaches into the capacity of a slice"))
    return _made(members[start:end], _kind(value))


def _kind(value: Value) -> type[List]:
    return type(value) if isinstance(value, List) else List


@takes(INT, ANY)
def chunk(size: int, value: Value) -> Lists:
    """`chunk`: slices of `size` members each."""
    members = _members(value, "chunk")
    _need_known(value)
    if size <= 0:
        raise Undecided(Unknown("chunk", "the size is not positive"))
    return Lists(_made(members[at : at + size]) for at in range(0, len(members), size))


@takes(ANY)
def reverse(value: Value) -> List:
    """`reverse`."""
    return _made(reversed(_members(value, "find reverse on")))


# -- asking and choosing -----------------------------------------------------------------------------------------


def _holds(items: Sequence[Value], needle: Value) -> bool | None:
    """Whether one of the items is deeply equal to `needle`; None: undecided."""
    result: bool | None = False
    for item in items:
        found = same(needle, item)
        if found:
            return True
        result = None if found is None else result
    return result


def _decided(found: bool | None, values: Sequence[Value]) -> bool:
    if found is None:
        raise Undecided(_first_unknown(values))
    return found


@takes(ANY, ANY)
def has(needle: Value, value: Value) -> bool:
    """`has`."""
    items = [] if value is None else items_of(value, "find has on")
    return _decided(_holds(items, needle), items)


@takes(ANY)
def uniq(value: Value) -> List:
    """`uniq`: the first of those that are equal."""
    members = _members(value, "find uniq on")
    kept: list[_Member] = []
    items: list[Value] = []
    for member in members:
        if not _decided(_holds(items, member[0]), [*items, member[0]]):
            kept.append(member)
            items.append(member[0])
    return _made(kept)


@takes(ANY, REST)
def without(value: Value, *omitted: Value) -> List:
    """`without`."""
    members = _members(value, "find without on")
    return _made([member for member in members if not _decided(_holds(omitted, member[0]), [member[0]])])


@takes(ANY)
def compact(value: Value) -> List:
    """`compact`: without the empty ones."""
    members = _members(value, "compact on")
    return _made([member for member in members if _decided(truth(member[0]), [member[0]])])


# -- texts -------------------------------------------------------------------------------------------------------


def _strings(call: Call, value: Value) -> list[_Member]:
    """What `toStrings` gives: nil members are left out; anything but a slice is its only member."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [(strval(call, value), ())]
    return [(strval(call, item), via) for item, via in _members(value, "convert") if item is not None]


def _to_strings(call: Call, value: Value) -> Value:
    """`toStrings`."""
    return value if isinstance(value, Unknown) else _made(_strings(call, value), Strings)


def _join(call: Call, separator: Value, value: Value) -> Value:
    """`join`; Unknown members are marks in the text."""
    for argument in (separator, value):
        if isinstance(argument, Unknown):
            return argument
    return texts.join(separator, [item for item, _ in _strings(call, value)])


def _sort_alpha(call: Call, value: Value) -> Value:
    """`sortAlpha`: the members as texts, in the order of their bytes."""
    if isinstance(value, Unknown):
        return value
    if not isinstance(value, list):
        return Strings(["<nil>" if value is None else strval(call, value)])
    _need_known(value)
    members = _strings(call, value)
    if any(is_marked(item) for item, _ in members):
        raise Undecided(Unknown("sortAlpha", PARTLY))
    return _made(sorted(members, key=_text_of), Strings)


def _text_of(member: _Member) -> str:
    return str(member[0])


LISTS: Final[dict[str, Registered]] = {
    **dict.fromkeys(("list", "tuple"), Contextual(_list, takes=(REST,))),
    **dict.fromkeys(("append", "push", "mustAppend", "mustPush"), Contextual(_append, takes=(ANY, ANY))),
    **dict.fromkeys(("prepend", "mustPrepend"), Contextual(_prepend, takes=(ANY, ANY))),
    "concat": Contextual(_concat, takes=(REST,)),
    **dict.fromkeys(("first", "mustFirst"), first),
    **dict.fromkeys(("last", "mustLast"), last),
    **dict.fromkeys(("rest", "mustRest"), rest),
    **dict.fromkeys(("initial", "mustInitial"), initial),
    **dict.fromkeys(("slice", "mustSlice"), part),
    **dict.fromkeys(("chunk", "mustChunk"), chunk),
    **dict.fromkeys(("reverse", "mustReverse"), reverse),
    **dict.fromkeys(("has", "mustHas"), has),
    **dict.fromkeys(("uniq", "mustUniq"), uniq),
    **dict.fromkeys(("without", "mustWithout"), without),
    **dict.fromkeys(("compact", "mustCompact"), compact),
    "toStrings": Contextual(_to_strings, takes=(ANY,)),
    "join": Contextual(_join, takes=(STRING, ANY)),
    "sortAlpha": Contextual(_sort_alpha, takes=(ANY,)),
}
