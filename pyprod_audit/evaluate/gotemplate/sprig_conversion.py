"""Conversions between values and texts: Sprig's and Helm's, of which Helm's win where both have one."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Registered, takes
from pyprod_audit.evaluate.gotemplate.json_text import MalformedError, UnsupportedError, from_json, to_json
from pyprod_audit.evaluate.gotemplate.marks import MARK
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, STRING, need_whole
from pyprod_audit.evaluate.gotemplate.toml_text import UnsupportedError as NoToml
from pyprod_audit.evaluate.gotemplate.toml_text import from_toml, to_toml
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import List, Map, NilList, NilMap, TemplateError, Value
from pyprod_audit.evaluate.gotemplate.yaml_reading import MalformedError as NoYaml
from pyprod_audit.evaluate.gotemplate.yaml_reading import from_yaml
from pyprod_audit.evaluate.gotemplate.yaml_text import V2, V3, Dialect, RefusedError, to_yaml
from pyprod_audit.model import Unknown

_JSON_KINDS: Final = {dict: "object", list: "array", str: "string", float: "number", bool: "bool"}


def _yaml(call: Call, value: Value, dialect: Dialect) -> str:
    try:
        return to_yaml(value, call.mark, dialect)
    except RefusedError:
        return ""
    except Undecided as undecided:
        return call.mark(undecided.unknown)


def _to_yaml(call: Call, value: Value) -> Value:
    """`toYaml`: of what is not known a text too, a mark, so that `nindent` behind it keeps the lines apart."""
    return _yaml(call, value, V2)


def _to_yaml_pretty(call: Call, value: Value) -> Value:
    """`toYamlPretty`: lists are indented below their keys."""
    return _yaml(call, value, V3)


def _to_json(call: Call, value: Value) -> Value:
    """`toJson`: the empty text for what has no JSON."""
    try:
        return to_json(value, call.mark)
    except UnsupportedError:
        return ""


def _to_pretty_json(call: Call, value: Value) -> Value:
    """`toPrettyJson`."""
    try:
        return to_json(value, call.mark, indent="  ")
    except UnsupportedError:
        return ""


def _to_raw_json(call: Call, value: Value) -> Value:
    """`toRawJson`: without escapes of HTML; fails for what has no JSON."""
    return _or_fail(call, value, html=False)


def _must_to_json(call: Call, value: Value) -> Value:
    """`mustToJson`."""
    return _or_fail(call, value)


def _must_to_pretty_json(call: Call, value: Value) -> Value:
    """`mustToPrettyJson`."""
    return _or_fail(call, value, indent="  ")


def _or_fail(call: Call, value: Value, *, html: bool = True, indent: str = "") -> str:
    try:
        return to_json(value, call.mark, html=html, indent=indent)
    except UnsupportedError as error:
        raise TemplateError(str(error)) from error


def _json_kind(value: Value) -> str:
    return next((name for kind, name in _JSON_KINDS.items() if isinstance(value, kind)), "null")


def _mismatch(value: Value, wanted: str) -> str:
    return f"json: cannot unmarshal {_json_kind(value)} into Go value of type {wanted}"


@takes(STRING)
def from_json_map(text: str) -> Map:
    """`fromJson` of Helm: a map; of anything else a map with an Error."""
    try:
        value = from_json(text)
    except MalformedError:
        return Map({"Error": Unknown("fromJson", "the words of the error are not known here")})
    if isinstance(value, Map):
        return value
    return NilMap() if value is None else Map({"Error": _mismatch(value, "map[string]interface {}")})


@takes(STRING)
def from_json_array(text: str) -> List:
    """`fromJsonArray`: a slice; of anything else a slice with the error."""
    try:
        value = from_json(text)
    except MalformedError:
        return List([Unknown("fromJsonArray", "the words of the error are not known here")])
    if isinstance(value, List):
        return value
    return NilList() if value is None else List([_mismatch(value, "[]interface {}")])


@takes(STRING)
def must_from_json(text: str) -> Value:
    """`mustFromJson`: any value."""
    try:
        return from_json(text)
    except MalformedError as error:
        raise TemplateError(str(error)) from error


def _from_yaml(call: Call, text: Value) -> Value:
    """`fromYaml`: a map; of anything else a map with an Error."""
    read = _read_yaml(call, text)
    if isinstance(read, (Unknown, Map)):
        return read
    if read is None:
        return Map()
    wanted = _mismatch(read, "map[string]interface {}")
    return Map({"Error": f"error unmarshaling JSON: while decoding JSON: {wanted}"})


def _from_yaml_array(call: Call, text: Value) -> Value:
    """`fromYamlArray`: a slice; of anything else a slice with the error."""
    read = _read_yaml(call, text)
    if isinstance(read, (Unknown, List)):
        return read
    if read is None:
        return List()
    return List([f"error unmarshaling JSON: while decoding JSON: {_mismatch(read, '[]interface {}')}"])


def _read_yaml(call: Call, text: Value) -> Value:
    if isinstance(text, Unknown):
        return text

    def unmark(scalar: str) -> Value:
        found = MARK.fullmatch(scalar)
        return call.renderer.unknown_in(scalar) if found else scalar

    try:
        return from_yaml(text, unmark)
    except NoYaml as error:
        raise Undecided(Unknown("fromYaml", "the words of the error are not known here")) from error


@takes(ANY)
def toml(value: Value) -> str:
    """`toToml`; the text of the error for what has no TOML."""
    if value is None:
        raise TemplateError("reflect: call of reflect.Value.Type on zero Value")
    try:
        text = to_toml(value)
    except NoToml as error:
        return str(error)
    need_whole(text)
    return text


@takes(STRING)
def toml_map(text: str) -> Map:
    """`fromToml`."""
    return from_toml(text)


CONVERSION: Final[dict[str, Registered]] = {
    "toYaml": Contextual(_to_yaml, takes=(ANY,)),
    "toYamlPretty": Contextual(_to_yaml_pretty, takes=(ANY,)),
    "toJson": Contextual(_to_json, takes=(ANY,)),
    "toPrettyJson": Contextual(_to_pretty_json, takes=(ANY,)),
    "toRawJson": Contextual(_to_raw_json, takes=(ANY,)),
    "mustToJson": Contextual(_must_to_json, takes=(ANY,)),
    "mustToPrettyJson": Contextual(_must_to_pretty_json, takes=(ANY,)),
    "mustToRawJson": Contextual(_to_raw_json, takes=(ANY,)),
    "fromJson": from_json_map,
    "fromJsonArray": from_json_array,
    "mustFromJson": must_from_json,
    "fromYaml": Contextual(_from_yaml, takes=(STRING,)),
    "fromYamlArray": Contextual(_from_yaml_array, takes=(STRING,)),
    "toToml": toml,
    "fromToml": toml_map,
}
