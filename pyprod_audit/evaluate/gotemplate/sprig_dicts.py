"""Sprig's functions for maps. `set` and `unset` change their map; the others make new ones, and keep places.

Go's maps have no order: where Sprig's result has a random one, it is that of the keys here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Placed, Registered, takes
from pyprod_audit.evaluate.gotemplate.marks import is_marked
from pyprod_audit.evaluate.gotemplate.sprig_reflection import same
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, MAP, MAPS, REST, STRING, STRINGS, kind_of, strval
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, too_deep
from pyprod_audit.evaluate.gotemplate.values import List, Map, Strings, TemplateError, Value
from pyprod_audit.model import Unknown, Via

_MAYBE: Final = "it may be changed"


def _via(value: Mapping[str, Value], key: str) -> tuple[Via, ...]:
    return value.places.get(key, ()) if isinstance(value, Map) else ()


def _rest(value: Mapping[str, Value]) -> Unknown | None:
    """Why more keys may exist than there are."""
    return value.open if isinstance(value, Map) else None


def _put(made: Map, key: str, value: Value, via: tuple[Via, ...]) -> None:
    made[key] = value
    made.places.pop(key, None)
    if via:
        made.places[key] = via


def _dict(call: Call, *values: Value) -> Map:
    """`dict`: keys and values in turn; a key without a value has the empty text."""
    made = Map()
    for at in range(0, len(values), 2):
        key = values[at]
        if isinstance(key, Unknown):
            made.open = made.open or key
            continue
        name = strval(call, key) if key is not None else "<nil>"
        if is_marked(name):
            made.open = made.open or call.renderer.unknown_in(name)
            continue
        given = at + 1 < len(values)
        via = call.places[at + 1] if given and at + 1 < len(call.places) else ()
        _put(made, str(name), values[at + 1] if given else "", via)
    if made.open is not None:
        # The key that is not known may be any of the others.
        for name in made:
            made[name] = made.open
    return made


@takes(MAP, STRING)
def get(value: Mapping[str, Value], key: str) -> Value:
    """`get`: the empty text when the key is not there."""
    if key in value:
        return Placed(value[key], _via(value, key)) if _via(value, key) else value[key]
    rest = _rest(value)
    return "" if rest is None else rest


@takes(MAP, STRING)
def has_key(value: Mapping[str, Value], key: str) -> Value:
    """`hasKey`."""
    rest = _rest(value)
    return True if key in value else False if rest is None else rest


def _set(call: Call, value: Value, key: Value, item: Value) -> Value:
    """`set`: changes the map, and returns it."""
    if isinstance(value, Unknown):
        return value
    if isinstance(key, Unknown) or is_marked(key):
        unknown = key if isinstance(key, Unknown) else call.renderer.unknown_in(key)
        for name in list(value):
            value[name] = unknown
        if isinstance(value, Map):
            value.open = value.open or unknown
        return value
    key = str(key)
    if call.undecided:
        if not value and isinstance(value, Map):
            value.open = value.open or Unknown(key, _MAYBE)  # it may stay empty
        elif key not in value or same(value[key], item) is not True:
            value[key] = item if isinstance(item, Unknown) else Unknown(key, _MAYBE)
        return value
    via = call.places[2] if len(call.places) > 2 else ()
    if isinstance(value, Map):
        _put(value, key, item, via)
    else:
        value[key] = item
    return value


def _unset(call: Call, value: Value, key: Value) -> Value:
    """`unset`: changes the map, and returns it."""
    if isinstance(value, Unknown):
        return value
    if isinstance(key, Unknown) or is_marked(key):
        unknown = key if isinstance(key, Unknown) else call.renderer.unknown_in(key)
        for name in list(value):
            value[name] = unknown
    elif call.undecided and not isinstance(value, Map):
        if key in value:
            value[key] = Unknown(str(key), _MAYBE)
    elif key in value or not call.undecided:
        if call.undecided and isinstance(value, Map):
            value.open = value.open or Unknown(str(key), _MAYBE)  # it may be there or not
        value.pop(key, None)
        if isinstance(value, Map):
            value.places.pop(key, None)
    return value


def _pluck(call: Call, key: Value, *values: Value) -> Value:
    """`pluck`: what the maps have under the key; an Unknown member stands for one that may have it."""
    if isinstance(key, Unknown):
        return key
    if is_marked(key):
        return call.renderer.unknown_in(key)
    made = List()
    for value in values:
        found: Value = value if isinstance(value, Unknown) else value.get(key, _rest(value))
        if found is None and (isinstance(value, Unknown) or key not in value):
            continue
        via = () if isinstance(value, Unknown) else _via(value, key)
        if via:
            made.places[len(made)] = via
        made.append(found)
    return made


@takes(MAPS)
def keys(*values: Mapping[str, Value]) -> Strings:
    """`keys`, sorted."""
    made = Strings()
    for value in values:
        made += sorted(value)
        rest = _rest(value)
        if rest is not None:
            made.append(rest)
    return made


@takes(MAP)
def values_of(value: Mapping[str, Value]) -> List:
    """`values`, in the order of the keys."""
    made = List()
    for key in sorted(value):
        if _via(value, key):
            made.places[len(made)] = _via(value, key)
        made.append(value[key])
    rest = _rest(value)
    if rest is not None:
        made.append(rest)
    return made


@takes(MAP, STRINGS)
def pick(value: Mapping[str, Value], *names: str) -> Map:
    """`pick`: only these keys."""
    made = Map()
    for name in names:
        if name in value:
            _put(made, str(name), value[name], _via(value, name))
        else:
            made.open = made.open or _rest(value)
    return made


@takes(MAP, STRINGS)
def omit(value: Mapping[str, Value], *names: str) -> Map:
    """`omit`: all but these keys."""
    made = Map(open=_rest(value))
    for key, item in value.items():
        if key not in names:
            _put(made, key, item, _via(value, key))
    return made


def _copied(value: Value, depth: int, count: list[int]) -> Value:
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_MEMBERS:
        raise too_deep("deepCopy")
    if isinstance(value, Map):
        made = type(value)(places=value.places, open=value.open)
        made.update((key, _copied(item, depth + 1, count)) for key, item in value.items())
        return made
    if isinstance(value, List):
        return type(value)([_copied(item, depth + 1, count) for item in value], value.places)
    if isinstance(value, dict):
        return {key: _copied(item, depth + 1, count) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, depth + 1, count) for item in value]
    return value


@takes(ANY)
def deep_copy(value: Value) -> Value:
    """`deepCopy`; fails for nil."""
    if value is None:
        raise TemplateError("reflect: call of reflect.Value.Type on zero Value")
    return _copied(value, 0, [0])


def _dig(call: Call, *values: Value) -> Value:
    """`dig`: the member under a path of keys, or the default, which stands before the map."""
    if len(values) < 3:
        raise TemplateError("dig needs at least three arguments")
    *path, default, value = values
    via: tuple[Via, ...] = call.places[-1] if call.places else ()
    for at, key in enumerate(path):
        for unknown in (value, key):
            if isinstance(unknown, Unknown):
                return unknown
        if not isinstance(value, dict) or (isinstance(value, Map) and value.go_type != MAP):
            kind = "nil" if value is None else kind_of(value)
            raise TemplateError(f"interface conversion: interface {{}} is {kind}, not map[string]interface {{}}")
        if not isinstance(key, str):
            raise TemplateError(f"interface conversion: interface {{}} is {kind_of(key)}, not string")
        if is_marked(key):
            return call.renderer.unknown_in(key)
        if key not in value:
            rest = _rest(value)
            if rest is not None:
                return rest
            need_strings(path[at:])
            return Placed(default, call.places[-2]) if len(call.places) > 1 else default
        via = _via(value, key) or via
        value = value[key]
    return Placed(value, via) if via else value


def need_strings(path: list[Value]) -> None:
    """Raises for keys of `dig` that are no strings, also behind the one that is not there."""
    for key in path:
        if not isinstance(key, (str, Unknown)):
            raise TemplateError(f"interface conversion: interface {{}} is {kind_of(key)}, not string")


DICTS: Final[dict[str, Registered]] = {
    "dict": Contextual(_dict, takes=(REST,)),
    "get": get,
    "hasKey": has_key,
    "set": Contextual(_set, takes=(MAP, STRING, ANY)),
    "unset": Contextual(_unset, takes=(MAP, STRING)),
    "pluck": Contextual(_pluck, takes=(STRING, MAPS)),
    "keys": keys,
    "values": values_of,
    "pick": pick,
    "omit": omit,
    **dict.fromkeys(("deepCopy", "mustDeepCopy"), deep_copy),
    "dig": Contextual(_dig, takes=(REST,)),
}
