"""Sprig's and Helm's functions: what the real ones give, and what becomes of places and of what is not known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.gotemplate.builtin_functions import BUILTINS
from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual
from pyprod_audit.evaluate.gotemplate.interpreter import Renderer
from pyprod_audit.evaluate.gotemplate.json_text import from_json, to_json
from pyprod_audit.evaluate.gotemplate.marks import MARK
from pyprod_audit.evaluate.gotemplate.parser import parse
from pyprod_audit.evaluate.gotemplate.sprig import FUNCTIONS, LENIENT
from pyprod_audit.evaluate.gotemplate.sprig_reflection import same
from pyprod_audit.evaluate.gotemplate.toml_text import UnsupportedError, to_toml
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import Int64, LimitReached, List, Map, Piece, TemplateError, Text
from pyprod_audit.evaluate.gotemplate.yaml_reading import MalformedError, from_yaml
from pyprod_audit.evaluate.gotemplate.yaml_text import V2, V3, RefusedError, to_yaml
from pyprod_audit.model import SourceFile, Span, Unknown, Via

RECORDED = Path(__file__).parent / "oracles" / "sprig"
CASES = json.loads((RECORDED / "cases.json").read_text(encoding="utf-8"))
VALUES = json.loads((RECORDED / "values.json").read_text(encoding="utf-8"))
GROUPS = sorted({case["group"] for case in CASES["cases"]})

VALUES_FILE = SourceFile("values.yaml", "image:\n  repository: example.com/web\n  tag: '1.0'\nlist:\n- a\n- b\n")
TEMPLATE = "t.yaml"


def go(value: Any) -> Any:
    """A value of JSON as Go's encoding/json has it."""
    if isinstance(value, dict):
        return Map((key, go(member)) for key, member in value.items())
    if isinstance(value, list):
        return List([go(member) for member in value])
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def include(call: Call, name: str, data: Any) -> Any:
    return call.renderer.include(name, data, call)


ALL = {**FUNCTIONS, "include": Contextual(include)}


class Rendered:
    def __init__(self, template: str, data: Any) -> None:
        parsed = parse(SourceFile(TEMPLATE, template), "t", {**ALL, **BUILTINS, "and": None, "or": None})
        assert not parsed.problems, parsed.problems
        self.renderer = Renderer(parsed.definitions, ALL)
        self.text = self.renderer.render("t", data)

    @property
    def shown(self) -> str:
        """The text with what marks stand for in angle brackets."""
        return MARK.sub(lambda found: f"<{self.renderer.marks[int(found[1])].unknown.expression}>", self.text)

    @property
    def lines(self) -> list[tuple[str, tuple[int, ...]]]:
        """Each line, and the lines of values.yaml that what is on it came through."""
        lines = []
        at = 0
        for line in self.text.split("\n"):
            places: set[int] = set()
            for index, piece in enumerate(self.text.pieces):
                end = self.text.pieces[index + 1].start if index + 1 < len(self.text.pieces) else len(self.text)
                if piece.start < at + len(line) and end > at + len(line) - len(line.lstrip()):
                    places |= {via.span.line for via in piece.span.via if via.span.file is VALUES_FILE}
            lines.append((line.strip(), tuple(sorted(places))))
            at += len(line) + 1
        return lines


def shown(template: str, data: Any = None) -> str:
    return Rendered(template, data).shown


def set_by(line: int) -> tuple[Via, ...]:
    return (Via(VALUES_FILE.line_span(line), "set by values.yaml"),)


def chart_values() -> Map:
    image = Map({"repository": "example.com/web", "tag": "1.0"}, {"repository": set_by(2), "tag": set_by(3)})
    return Map(
        {
            "image": image,
            "list": List(["a", "b"], {0: set_by(5), 1: set_by(6)}),
            "unknown": Unknown("UNKNOWN", "only the deployment knows"),
            "half": Map({"a": "x", "b": Unknown("B", "a secret")}),
            "open": Map({"a": "x"}, open=Unknown("REST", "a template decides")),
        },
        {"image": set_by(1), "list": set_by(4)},
    )


# -- as the real ones ------------------------------------------------------------------------------------------


def outcome(template: str, data: Any) -> dict[str, Any]:
    try:
        rendered = Rendered(template, go(data))
    except TemplateError:
        return {"error": True}
    return {"unknown": True} if rendered.renderer.marks else {"output": str(rendered.text)}


@pytest.mark.parametrize("group", GROUPS)
def test_functions_give_what_was_recorded(group: str) -> None:
    wrong = []
    for case in CASES["cases"]:
        if case["group"] != group:
            continue
        found = outcome(case["template"], case.get("data", CASES["data"]))
        if case.get("unknown"):
            expected: dict[str, Any] = {"unknown": True}
        else:
            expected = {"error": True} if "error" in case else {"output": case["output"]}
        if found != expected:
            wrong.append((case["template"], case.get("data"), expected, found))
    assert wrong == []


def no_mark(unknown: Unknown, _via: tuple[Via, ...]) -> str:
    raise AssertionError(unknown)


def written(value: Any, name: str) -> str:
    try:
        if name == "json":
            return to_json(value, no_mark)
        if name == "toml":
            return to_toml(value)
        return to_yaml(value, no_mark, V2 if name == "yaml" else V3)
    except RefusedError:
        return ""
    except UnsupportedError as error:
        return str(error)


@pytest.mark.parametrize("name", ["yaml", "pretty", "json", "toml"])
def test_values_are_written_as_recorded(name: str) -> None:
    assert len(VALUES) >= 300
    different = [row["value"] for row in VALUES if written(go(row["value"]), name) != row[name]]
    assert different == []


def test_every_function_of_helm_is_there() -> None:
    names = """
        abbrev abbrevboth add add1 add1f addf adler32sum ago all any append atoi b32dec b32enc b64dec b64enc base
        bcrypt biggest buildCustomCert camelcase cat ceil chunk clean coalesce compact concat contains date
        dateInZone dateModify date_in_zone date_modify decryptAES deepCopy deepEqual default derivePassword dict dig
        dir div divf duration durationRound empty encryptAES ext first float64 floor fromJson fromJsonArray fromToml
        fromYaml fromYamlArray genCA genCAWithKey genPrivateKey genSelfSignedCert genSelfSignedCertWithKey
        genSignedCert genSignedCertWithKey get getHostByName has hasKey hasPrefix hasSuffix hello htmlDate
        htmlDateInZone htpasswd indent initial initials int int64 isAbs join kebabcase keys kindIs kindOf last list
        lower max maxf merge mergeOverwrite min minf mod mul mulf mustAppend mustChunk mustCompact mustDateModify
        mustDeepCopy mustFirst mustFromJson mustHas mustInitial mustLast mustMerge mustMergeOverwrite mustPrepend
        mustPush mustRegexFind mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral
        mustRegexSplit mustRest mustReverse mustSlice mustToDate mustToJson mustToPrettyJson mustToRawJson mustUniq
        mustWithout must_date_modify nindent nospace now omit osBase osClean osDir osExt osIsAbs pick pluck plural
        prepend push quote randAlpha randAlphaNum randAscii randBytes randInt randNumeric regexFind regexFindAll
        regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat replace rest reverse
        round semver semverCompare seq set sha1sum sha256sum sha512sum shuffle slice snakecase sortAlpha split
        splitList splitn squote sub subf substr swapcase ternary title toDate toDecimal toJson toPrettyJson
        toRawJson toString toStrings toToml toYaml toYamlPretty trim trimAll trimPrefix trimSuffix trimall trunc
        tuple typeIs typeIsLike typeOf uniq unixEpoch unset until untilStep untitle upper urlJoin urlParse uuidv4
        values without wrap wrapWith
    """
    assert set(FUNCTIONS) == set(names.split())
    assert {"default", "toYaml", "dict", "set"} <= LENIENT
    assert "upper" not in LENIENT


# -- places ----------------------------------------------------------------------------------------------------


def test_yaml_tells_where_each_member_was_set() -> None:
    rendered = Rendered("image:\n  {{- toYaml .image | nindent 2 }}\nafter: 1", chart_values())
    assert rendered.lines == [
        ("image:", ()),
        ("repository: example.com/web", (2,)),
        ('tag: "1.0"', (3,)),
        ("after: 1", ()),
    ]
    assert rendered.text.pieces[0].literal
    assert {piece.span.file.path for piece in rendered.text.pieces} == {TEMPLATE}


def test_json_tells_where_each_member_was_set() -> None:
    rendered = Rendered("{{ toPrettyJson .image }}", chart_values())
    assert rendered.lines == [
        ("{", (1,)),
        ('"repository": "example.com/web",', (2,)),
        ('"tag": "1.0"', (3,)),
        ("}", (1,)),
    ]


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ('{{ pick .image "tag" | toYaml }}', 3),
        ('{{ omit .image "repository" | toYaml }}', 3),
        ('{{ dict "tag" .image.tag | toYaml }}', 3),
        ('{{ merge (dict "repository" "x") .image | toYaml | trimPrefix "repository: x\\n" }}', 3),
        ('{{ mergeOverwrite (dict "tag" "x") (pick .image "tag") | toYaml }}', 3),
        ('{{ deepCopy (pick .image "tag") | toYaml }}', 3),
        ('{{ get .image "tag" }}', 3),
        ('{{ dig "image" "tag" "none" . }}', 3),
        ('{{ default "none" .image.tag }}', 3),
        ("{{ coalesce .unset .image.tag }}", 3),
        ('{{ ternary .image.tag "none" true }}', 3),
        ("{{ .image.tag | upper | quote | indent 2 }}", 3),
        ("{{ fromYaml (toYaml .image) | values | last }}", 3),
        ("{{ last .list }}", 6),
        ("{{ rest .list | toYaml }}", 6),
        ("{{ reverse .list | first }}", 6),
        ('{{ without .list "a" | toYaml }}', 6),
        ('{{ append (rest .list) "x" | toYaml | trimSuffix "\\n- x" }}', 6),
        ("{{ concat .list .list | last }}", 6),
        ("{{ list .image.tag | first }}", 3),
        ("{{ values .image | last }}", 3),
        ('{{ pluck "tag" .image | first }}', 3),
        ("{{ sortAlpha .list | last }}", 6),
    ],
)  # fmt: skip
def test_functions_keep_the_places_of_members(template: str, line: int) -> None:
    assert [places for _, places in Rendered(template, chart_values()).lines] == [(line,)]


def test_what_a_template_wrote_is_where_from_yaml_found_it() -> None:
    template = (
        '{{ define "d" }}\na: 1\nb: {{ .image.tag }}\n{{ end }}'
        '{{ $d := include "d" . | fromYaml }}\n{{ $d.a }} {{ $d.b }}'
    )
    rendered = Rendered(template, chart_values())
    labels = [[(via.label, via.span.line) for via in piece.span.via] for piece in rendered.text.pieces]
    read = "the text that fromYaml reads"
    assert [(read, 2), ("included here", 4)] in labels
    assert [(read, 3), ("set by values.yaml", 3), ("included here", 4)] in labels


# -- what is not known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ toYaml .half }}", "a: x\nb: <B>"),
        ("{{ toYaml .open }}", "a: x\n<REST>: <REST>"),
        ("a:{{ toYaml .unknown | nindent 2 }}", "a:\n  <UNKNOWN>"),
        ("{{ toJson .half }}", '{"a":"x","b":<B>}'),
        ("{{ toJson .open }}", '{"a":"x",<REST>: <REST>}'),
        ("{{ toToml .half }}", "<B>"),
        ('{{ list "a" .unknown | join "," }}', "a,<UNKNOWN>"),
        ('{{ list "a" .unknown | has "a" }} {{ list "a" .unknown | has "b" }}', "true <UNKNOWN>"),
        ('{{ default "d" .unknown }} {{ coalesce "x" .unknown }} {{ empty .half }}', "<UNKNOWN> x false"),
        ('{{ all .unknown "" }} {{ any .unknown "x" }} {{ ternary 1 2 .unknown }}', "false true <UNKNOWN>"),
        ('{{ hasKey .open "a" }} {{ hasKey .open "z" }} {{ get .open "z" }}', "true <REST> <REST>"),
        ('{{ dig "a" "d" .open }} {{ dig "z" "d" .open }} {{ dig "z" "d" .half }}', "x <REST> d"),
        ('{{ keys .open | join "," }} {{ values .open | toJson }}', 'a,<REST> ["x",<REST>]'),
        ('{{ merge (dict "a" 1 "e" "") .open | toYaml }}', "a: 1\ne: <REST>\n<REST>: <REST>"),
        ('{{ merge (dict "a" 1 "m" (dict "x" 1)) .unknown | toYaml }}',
         "a: 1\nm:\n  x: 1\n  <UNKNOWN>: <UNKNOWN>\n<UNKNOWN>: <UNKNOWN>"),
        ('{{ mergeOverwrite (dict "a" 1) .open | toYaml }}', "a: x\n<REST>: <REST>"),
        ('{{ mergeOverwrite (dict "b" 1) .open | toYaml }}', "a: x\nb: <REST>\n<REST>: <REST>"),
        ('{{ pick .open "a" "z" | toYaml }}', "a: x\n<REST>: <REST>"),
        ("{{ concat (list 1) .unknown | toJson }}", "[1,<UNKNOWN>]"),
        ('{{ pluck "b" .half .unknown | toJson }}', "[<B>,<UNKNOWN>]"),
        ("{{ deepEqual .half .half }} {{ deepEqual .half .list }}", "<deepEqual> false"),
        ("{{ .unknown | upper | trunc 3 }} {{ add 1 .unknown }} {{ int .unknown }}", "<UNKNOWN> <UNKNOWN> <UNKNOWN>"),
        ('{{ dict .unknown 1 "a" 2 | toYaml }}', "a: <UNKNOWN>\n<UNKNOWN>: <UNKNOWN>"),
        ("{{ quote .unknown }} {{ quote .half.b 1 }}", '"<UNKNOWN>" "<B>" "1"'),
    ],
)  # fmt: skip
def test_unknown_values_stay_where_they_are(template: str, expected: str) -> None:
    assert shown(template, chart_values()) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("trunc 4", "web-"),
        ("trunc 20", "web-<UNKNOWN>"),
        ("trunc -2", "-x"),
        ("trunc -20", "<trunc>"),
        ("upper", "WEB-<UNKNOWN>-X"),
        ('trimSuffix "-x"', "web-<UNKNOWN>"),
        ('replace "e" "i"', "wib-<UNKNOWN>-x"),
        ('replace "0" "1"', "<>"),
        ("indent 2", "  web-<UNKNOWN>-x"),
        ("quote", '"web-<UNKNOWN>-x"'),
        ('contains "eb"', "true"),
        ('contains "zz"', "<>"),
        ('hasPrefix "we"', "true"),
        ('hasPrefix "zz"', "false"),
        ('hasPrefix "web-1"', "<>"),
        ('hasSuffix "-x"', "true"),
        ('hasSuffix "-y"', "false"),
        ("sha256sum", "<UNKNOWN>"),
        ("b64enc", "<UNKNOWN>"),
        ('regexMatch "web"', "<UNKNOWN>"),
        ('splitList "-" | first', "<UNKNOWN>"),
        ('default "d"', "web-<UNKNOWN>-x"),
    ],
)
def test_texts_that_are_known_in_part(function: str, expected: str) -> None:
    template = '{{ define "n" }}web-{{ .unknown }}-x{{ end }}{{ include "n" . | ' + function + " }}"
    assert shown(template, chart_values()) == expected


def test_a_text_that_may_be_empty_is_not_taken_for_set() -> None:
    template = '{{ define "n" }}{{ .unknown }}{{ end }}{{ include "n" . | default "d" }} {{ empty (include "n" .) }}'
    assert shown(template, chart_values()) == "<UNKNOWN> <UNKNOWN>"


def test_yaml_that_is_known_in_part_is_read() -> None:
    template = (
        '{{ define "y" }}a: {{ .unknown }}\nb: "p-{{ .unknown }}"\nc: 1\n'
        "d:\n  {{- toYaml .open | nindent 2 }}\n{{ end }}"
        '{{ $y := include "y" . | fromYaml }}{{ $y.a }} {{ $y.b }} {{ $y.c }} {{ get $y.d "z" }} {{ $y.d.a }}'
    )
    assert shown(template, chart_values()) == "<UNKNOWN> p-<UNKNOWN> 1 <REST> x"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ('set $d "a" 2', "a: <a>\nm:\n  x: 1"),
        ('set $d "a" 1', "a: 1\nm:\n  x: 1"),
        ('set $d "b" 2', "a: 1\nb: <b>\nm:\n  x: 1"),
        ('unset $d "a"', "m:\n  x: 1\n<a>: <a>"),
        ('unset $d "z"', "a: 1\nm:\n  x: 1"),
        ('merge $d (dict "a" 5 "b" 6 "m" (dict "z" 1))', "a: 1\nb: <b>\nm:\n  x: 1\n  z: <z>"),
        ('mergeOverwrite $d (dict "a" 5)', "a: <a>\nm:\n  x: 1"),
    ],
)
def test_changes_that_may_not_happen(change: str, expected: str) -> None:
    template = '{{ $d := dict "a" 1 "m" (dict "x" 1) }}{{ if .unknown }}{{ $_ := %s }}{{ end }}{{ toYaml $d }}'
    assert shown(template % change, chart_values()) == expected


@pytest.mark.parametrize(
    ("template", "expression"),
    [
        ("{{ randAlphaNum 10 }}", "randAlphaNum 10"),
        ("{{ uuidv4 }}", "uuidv4"),
        ('{{ (genCA "ca" 365).Cert }}', 'genCA "ca" 365'),
        ('{{ htpasswd "admin" "hunter2" }}', "htpasswd"),
        ('{{ derivePassword 1 "long" "hunter2" "user" "example.com" }}', "derivePassword"),
        ('{{ genSelfSignedCert "web" nil (list "example.com") 365 }}', "genSelfSignedCert"),
        ('{{ now | date "2006" }}', "now"),
        ('{{ getHostByName "example.com" }}', 'getHostByName "example.com"'),
    ],
)
def test_what_is_made_anew_is_unknown(template: str, expression: str) -> None:
    rendered = Rendered(template, None)
    [mark] = rendered.renderer.marks
    assert mark.unknown.expression == expression
    assert mark.unknown.because
    assert str(rendered.text) == MARK.search(rendered.text)[0]  # type: ignore[index]  # there is one


def test_arguments_of_another_type_are_errors() -> None:
    for template in ("{{ trunc .n .s }}", "{{ upper .n }}", "{{ until .n }}", "{{ trunc (add 1 1) .s }}"):
        with pytest.raises(TemplateError, match="expected"):
            shown(template, Map({"n": 3.0, "s": "text"}))


def test_types_of_go_count() -> None:
    assert same(1, Int64(1)) is False
    assert same(1, 1.0) is False
    assert same(List([1]), List([1])) is True
    assert same(True, 1) is False


# -- bounds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        '{{ repeat 1000000000 "x" | len }}',
        '{{ indent 1000000000 "x" | len }}',
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toYaml $d }}',
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toJson $d }}',
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ deepCopy $d | len }}',
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toToml $d }}',
        '{{ $d := dict }}{{ $e := dict }}{{ $_ := set $d "d" $d }}{{ $_ := set $e "d" $e }}{{ deepEqual $d $e }}',
        "{{ $l := list 1 }}{{ range until 40 }}{{ $l = list $l $l }}{{ end }}{{ toYaml $l | len }}",
        "{{ $l := list 1 }}{{ range until 40 }}{{ $l = list $l $l }}{{ end }}{{ deepEqual $l (deepCopy $l) }}",
        '{{ fromYaml (repeat 200 "[") | toJson }}{{ fromJson (repeat 500 "[") | toJson }}',
        '{{ regexMatch (repeat 5 "a{999}") "a" }}',
    ],
)  # fmt: skip
def test_what_would_not_end_is_unknown(template: str) -> None:
    assert Rendered(template, None).renderer.marks


@pytest.mark.parametrize("template", ["{{ until 1000000000 | len }}", "{{ seq 1000000000 | len }}"])
def test_a_list_beyond_all_bounds_ends_the_rendering(template: str) -> None:
    with pytest.raises(LimitReached, match="a list of 1000000000 numbers"):
        Rendered(template, None)


def test_nested_quantifiers_take_no_more_steps() -> None:
    assert shown('{{ regexMatch "^(([a-z])+.)+[A-Z]([a-z])+$" (repeat 60 "a") }}') == "false"
    assert shown('{{ regexMatch "^(a|a)*$" (repeat 200 "a") }}') == "true"


def test_aliases_that_double_are_not_followed_for_ever() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    with pytest.raises(Undecided):
        from_yaml("\n".join(lines), lambda text: text)


# -- any input -------------------------------------------------------------------------------------------------

texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "true", "0x1F", "1.5", "2020-01-01", "a: b", "[1,", "(a*)*", "^1.2", "1.2.3-a", "\ue0100\ue011", "é"]
    ),
    st.text(alphabet="ab01 .-_:/[](){}*+?|^$\\\n\"'#&!,<>=~@%\te\ue0100\ue011", max_size=20),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-9, 9).map(Int64),
    st.floats(),
    texts,
    texts.map(lambda text: Text(text, [Piece(0, Span(VALUES_FILE, 0, 1, set_by(1)))] if text else [])),
    st.just(Unknown("U", "unknown")),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(List),
        st.lists(inner, max_size=3),
        st.dictionaries(texts, inner, max_size=4).map(Map),
        st.dictionaries(texts, inner, max_size=3).map(lambda members: Map(members, open=Unknown("O", "open"))),
    ),
    max_leaves=12,
)
OF_TYPE: Mapping[str, st.SearchStrategy[Any]] = {
    "string": texts,
    "int": st.integers(-70, 70),
    "float64": st.floats(),
    "bool": st.booleans(),
    "map[string]interface {}": st.dictionaries(texts, anything, max_size=4).map(Map),
    "[]interface {}": st.lists(anything, max_size=3).map(List),
}


class NoRenderer:
    """What contextual functions ask a renderer for."""

    def mark(self, unknown: Unknown, _span: Span, _via: tuple[Via, ...] = ()) -> str:
        assert isinstance(unknown, Unknown)
        return "\ue0107\ue011"

    def unknown_in(self, text: str) -> Unknown:
        return Unknown(str(text), "in a text")


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A function and arguments of the types that it takes; those of lenient functions may be unknown too."""
    name = draw(st.sampled_from(sorted(FUNCTIONS)))
    types = list(FUNCTIONS[name].takes)  # type: ignore[union-attr]  # all of them tell
    if types and types[-1].startswith("..."):
        types[-1:] = [types[-1][3:]] * draw(st.integers(0, 3))
    arguments = [draw(OF_TYPE.get(kind, anything)) for kind in types]
    if name in LENIENT and arguments and draw(st.booleans()):
        arguments[draw(st.integers(0, len(arguments) - 1))] = Unknown("U", "unknown")
    return name, arguments


@settings(max_examples=1_500, deadline=None)
@given(calls(), st.booleans())
def test_no_argument_makes_a_function_raise_anything_else(call: tuple[str, list[Any]], undecided: bool) -> None:
    name, arguments = call
    function = FUNCTIONS[name]
    if isinstance(function, Contextual):
        places = [set_by(1)] * len(arguments)
        # Of the renderer, this is what functions use.
        arguments = [Call(NoRenderer(), Span(VALUES_FILE, 0, 1), places, undecided), *arguments]  # type: ignore[arg-type]
    with suppress(TemplateError):
        function(*arguments)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=15,
)


def equal(one: Any, other: Any) -> bool:
    """Equal values, where 0 and -0 are one and the same."""
    return bool(one == other) and json.dumps(one).replace("-0.0", "0.0") == json.dumps(other).replace("-0.0", "0.0")


@settings(max_examples=400, deadline=None)
@given(json_values)
def test_yaml_that_is_written_is_read_as_the_same_value(value: Any) -> None:
    # go-yaml writes the key "<<" without quotes, and then reads it as a merge.
    if "<<" in strings(value) or any("\ue010" in part for part in strings(value)):
        return
    for dialect in (V2, V3):
        try:
            # The functions take the last line feed away.
            text = to_yaml(go(value), no_mark, dialect) + "\n"
            read = from_yaml(text, lambda scalar: scalar)
        except (RefusedError, Undecided):
            continue
        assert equal(sorted_members(read), sorted_members(value))


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_json_that_is_written_is_read_as_the_same_value(value: Any) -> None:
    for text in (to_json(go(value), no_mark), to_json(go(value), no_mark, html=False, indent="  ")):
        assert equal(sorted_members(from_json(text)), sorted_members(value))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(part for member in value.values() for part in strings(member))]
    if isinstance(value, list):
        return [part for member in value for part in strings(member)]
    return [value] if isinstance(value, str) else []


def sorted_members(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sorted_members(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_members(member) for member in value]
    return 0.0 if isinstance(value, float) and math.isclose(value, 0, abs_tol=0) else value


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="ab01 :-\n\"'[]{},&*#|>!?%@<~\t\ue0100\ue011", max_size=40))
def test_any_text_is_yaml_or_is_not(text: str) -> None:
    with suppress(MalformedError, Undecided):
        from_yaml(text, lambda scalar: scalar)
