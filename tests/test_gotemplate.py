"""Go's text/template in Python: recorded outputs of the real engine, places, and what is Unknown."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.gotemplate import sprig
from pyprod_audit.evaluate.gotemplate.builtin_functions import BUILTINS, SHORT_CIRCUIT
from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Registered, lenient, takes, transparent
from pyprod_audit.evaluate.gotemplate.interpreter import Limits, Renderer
from pyprod_audit.evaluate.gotemplate.marks import MARK
from pyprod_audit.evaluate.gotemplate.parser import add_definitions, parse
from pyprod_audit.evaluate.gotemplate.syntax import Definition
from pyprod_audit.evaluate.gotemplate.text import (
    concat,
    cut,
    indent,
    join,
    map_lines,
    map_parts,
    origin,
    replace,
    surround,
    trim,
    trim_prefix,
    trim_suffix,
    unplaced,
)
from pyprod_audit.evaluate.gotemplate.values import (
    Callables,
    LimitReached,
    List,
    Map,
    Piece,
    TemplateError,
    Text,
    Value,
)
from pyprod_audit.model import SourceFile, Span, Unknown, Via

CASES = json.loads((Path(__file__).parent / "oracles" / "gotemplate" / "cases.json").read_text(encoding="utf-8"))


def value(data: Any) -> Value:
    """JSON as Go reads it: all numbers are floats."""
    if isinstance(data, dict):
        return Map({key: value(member) for key, member in data.items()})
    if isinstance(data, list):
        return List(value(member) for member in data)
    return float(data) if isinstance(data, int) and not isinstance(data, bool) else data


def include(call: Call, name: str, data: Value) -> Value:
    return call.renderer.include(name, data, call)


def expand(call: Call, text: str, data: Value) -> Value:
    return call.renderer.expand(text, data, call, call.places[0])


@transparent
def nindent(width: int, text: str) -> str:
    return concat(("\n", indent(text, " " * width)))


@lenient
def default(other: Value, found: Value = None) -> Value:
    return found if isinstance(found, Unknown) or found else other


FUNCTIONS: dict[str, Registered] = {
    "include": Contextual(include),
    "tpl": Contextual(expand),
    "nindent": nindent,
    "default": default,
}


# -- the real engine -------------------------------------------------------------------------------------------


def outcome(case: dict[str, Any]) -> tuple[str, str]:
    functions = {**(sprig.FUNCTIONS if case.get("sprig") else {}), "include": Contextual(include)}
    known = {*BUILTINS, *SHORT_CIRCUIT, *functions}
    parsed = parse(SourceFile("t.tpl", case["template"]), "t", known)
    if parsed.problems:
        return "error", parsed.problems[0][0]
    missing_key = case.get("missingkey", "default")
    renderer = Renderer(parsed.definitions, functions, missing_key=missing_key, hide_no_value=False)
    try:
        output = str(renderer.render("t", value(CASES["data"][case["data"]])))
    except TemplateError as error:
        return "error", str(error)
    return ("unknown", output) if renderer.marks else ("output", output)


def test_outputs_are_those_of_the_real_engine() -> None:
    different: list[str] = []
    unknown: list[str] = []
    for case in CASES["cases"]:
        kind, text = outcome(case)
        if kind == "unknown":
            unknown.append(case["template"])
        elif kind not in case or (kind == "output" and text != case["output"]):
            different.append(f"{case['template']!r}: {text!r}, not {case.get('output', case.get('error'))!r}")
    assert not different, "\n".join(different)
    assert len(CASES["cases"]) >= 900
    # A complex constant is the only thing of these that we do not calculate.
    assert unknown == ["{{ 1i }}"]


def test_errors_have_the_words_of_the_real_engine() -> None:
    same = 0
    for case in CASES["cases"]:
        kind, text = outcome(case)
        same += kind == "error" and "error" in case and text in case["error"]
    assert same > 200


# -- rendering -------------------------------------------------------------------------------------------------


def render(template: str, data: Value = None, path: str = "t.yaml", **more: str) -> tuple[Text, Renderer]:
    """The output of a template, with further files given by name."""
    templates: dict[str, Definition] = {}
    for name, text in {**more, path: template}.items():
        parsed = parse(SourceFile(name, text), name)
        assert not parsed.problems
        add_definitions(templates, parsed)
    renderer = Renderer(templates, FUNCTIONS)
    return renderer.render(path, data), renderer


def shown(text: str) -> str:
    """The text with marks as `?`."""
    return MARK.sub("?", text)


def place(text: Text, part: str) -> Span:
    """Where a part of a rendered text was written."""
    at = text.index(part)
    found = origin(text, at, at + len(part))
    assert found is not None
    return found


def via(file: SourceFile, part: str, label: str = "set by values.yaml") -> tuple[Via, ...]:
    at = file.text.index(part)
    return (Via(file.span(at, at + len(part)), label),)


VALUES = SourceFile("values.yaml", "port: 80\nimage:\n  tag: v1\nnames: [a, b]\n")


def values() -> Map:
    names = List(["a", "b"], {0: via(VALUES, "a,"), 1: via(VALUES, "b]")})
    image = Map({"tag": "v1"}, {"tag": via(VALUES, "tag: v1")})
    places = {"port": via(VALUES, "port: 80"), "image": via(VALUES, "image:"), "names": via(VALUES, "names: [a, b]")}
    return Map({"Values": Map({"port": 80.0, "image": image, "names": names}, places)})


def vias(span: Span) -> list[str]:
    return [f"{one.span.text} ({one.label})" for one in span.via]


def test_a_literal_is_placed_exactly() -> None:
    text, _ = render("spec:\n  replicas: {{ .n }}\n  image: nginx\n", {"n": 3})
    found = place(text, "nginx")
    assert (found.file.path, found.line, found.text) == ("t.yaml", 3, "nginx")


def test_an_action_is_placed_with_the_line_of_the_values() -> None:
    text, _ = render("a: 1\nport: {{ .Values.port }}\ntag: {{ .Values.image.tag }}\n", values())
    port = place(text, "80")
    assert (port.line, port.text, vias(port)) == (2, "{{ .Values.port }}", ["port: 80 (set by values.yaml)"])
    assert vias(place(text, "v1")) == ["tag: v1 (set by values.yaml)"]


def test_places_go_through_variables_range_index_and_functions() -> None:
    template = (
        "{{ $t := .Values.image }}{{ $t.tag }}\n{{ range .Values.names }}<{{ . }}>{{ end }}\n"
        '{{ index .Values.names 1 }}!{{ printf "%s:%v" .Values.image.tag .Values.port }}'
    )
    text, _ = render(template, values())
    assert vias(place(text, "v1")) == ["tag: v1 (set by values.yaml)"]
    assert vias(place(text, "b>")) == ["b] (set by values.yaml)"]
    assert vias(place(text, "b!")) == ["b] (set by values.yaml)"]
    both = ["tag: v1 (set by values.yaml)", "port: 80 (set by values.yaml)"]
    assert vias(place(text, "v1:80")) == both


def test_an_included_literal_is_in_its_own_file_and_tells_who_included_it() -> None:
    helpers = '{{ define "labels" }}app: web\nport: {{ .Values.port }}{{ end }}'
    text, _ = render('meta:{{ include "labels" . | nindent 2 }}\n', values(), helpers=helpers)
    assert text == "meta:\n  app: web\n  port: 80\n"
    found = place(text, "web")
    assert (found.file.path, found.text) == ("helpers", "web")
    assert vias(found) == ['include "labels" . (included here)']
    assert vias(place(text, "80")) == ["port: 80 (set by values.yaml)", 'include "labels" . (included here)']
    assert place(text, "app:").text == "app:"


def test_includes_in_includes_name_the_nearest_first() -> None:
    helpers = '{{ define "a" }}A{{ include "b" . }}{{ end }}{{ define "b" }}deep{{ end }}'
    text, _ = render('{{ include "a" . }}', helpers=helpers)
    assert vias(place(text, "deep")) == ['include "b" . (included here)', 'include "a" . (included here)']


def test_a_template_in_a_value_is_placed_at_the_call() -> None:
    data = Map({"greeting": "hi {{ .name }}", "name": "ann"}, {"greeting": via(VALUES, "port: 80")})
    text, _ = render("x: {{ tpl .greeting . }}", data)
    assert text == "x: hi ann"
    found = place(text, "hi")
    assert (found.file.path, found.text) == ("t.yaml", "{{ tpl .greeting . }}".strip("{ }"))
    assert vias(found) == ["port: 80 (set by values.yaml)"]


def test_definitions_of_a_template_in_a_value_end_with_it() -> None:
    text, _ = render('{{ tpl .t . }}{{ include "x" . }}', {"t": '{{ define "x" }}in{{ end }}{{ include "x" . }}'},
                     helpers='{{ define "x" }}out{{ end }}')  # fmt: skip
    assert text == "inout"


def test_no_value_is_taken_out_of_the_output_only() -> None:
    text, _ = render('[{{ .x }}]{{ if include "e" . }}seen{{ end }}', {}, helpers='{{ define "e" }}{{ .x }}{{ end }}')
    assert text == "[]seen"


def test_later_files_define_again_unless_blank() -> None:
    def define(text: str) -> str:
        return f'{{{{ define "x" }}}}{text}{{{{ end }}}}'

    text, _ = render('{{ template "x" }}', None, a=define("one"), b=define("two"), c=define(" "))
    assert text == "two"


def test_methods_and_fields_of_objects() -> None:
    files = Callables({"Name": "web"}, {"Get": lambda name: f"<{name}>", "Lines": lambda: List(["x"])})
    template = '{{ .Get "a" }}{{ "b" | .Get }}{{ .Name }}{{ range .Lines }}{{ . }}{{ end }}{{ (.Get "c") | len }}'
    assert render(template, files)[0] == "<a><b>webx3"
    with pytest.raises(TemplateError, match="can't evaluate field Nope"):
        render("{{ .Nope }}", files)


def test_an_error_tells_where_it_stopped() -> None:
    with pytest.raises(TemplateError, match=r"nil pointer evaluating interface \{\}.b") as caught:
        render("one: 1\ntwo: {{ .a.b }}\n", {})
    assert caught.value.span is not None
    assert (caught.value.span.line, caught.value.span.text) == (2, ".a.b")


def test_an_error_in_a_function_is_placed_at_the_call() -> None:
    with pytest.raises(TemplateError, match="index out of range: 5") as caught:
        render('\n{{ printf "%v" (index .l 5) }}\n', {"l": [1]})
    assert caught.value.span is not None
    assert caught.value.span.text == "index .l 5"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a\n{{ if .x }}\nb", "unexpected EOF", 3),
        ("\n{{ end }}", "unexpected {{end}}", 2),
        ("{{ .x", "unclosed action", 1),
        ("{{ nope }}", 'function "nope" not defined', 1),
        ("\n\n{{ $x }}", 'undefined variable "$x"', 3),
        ('{{ "a }}', "unterminated quoted string", 1),
    ],
)
def test_problems_have_a_message_and_a_line(text: str, message: str, line: int) -> None:
    parsed = parse(SourceFile("t", text), "t", BUILTINS)
    assert parsed.problems == ((message, line),)


def test_definitions_before_a_problem_are_there() -> None:
    parsed = parse(SourceFile("t", '{{ define "a" }}x{{ end }}{{ if }}'), "t")
    assert "a" in parsed.definitions
    assert parsed.problems


# -- what is unknown -------------------------------------------------------------------------------------------

LATER = Unknown(".Values.later", "it is set at deploy time")


def unknowns(**more: Value) -> Map:
    return Map({"u": LATER, "yes": True, "no": False, **more})


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("a: {{ .u }}", "a: ?"),
        ("a: {{ .u.x.y }}", "a: ?"),
        ('a: {{ printf "%s-%v" "x" .u }}', "a: x-?"),
        ('a: {{ printf "%q" .u }}', 'a: "?"'),
        ('a: {{ printf "%05d" .u }}', "a: ?"),
        ("a: {{ len .u }}", "a: ?"),
        ("a: {{ .l }}", "a: [1 ?]"),
        ("a: {{ default 3 .u }}", "a: ?"),
        ("{{ range .l }}- {{ . }}\n{{ end }}", "- 1\n- ?\n"),
        ("{{ if and .u .no }}a{{ else }}b{{ end }}", "b"),
        ("{{ if or .u .yes }}a{{ else }}b{{ end }}", "a"),
        ("{{ if not (and .u .no) }}a{{ else }}b{{ end }}", "a"),
        ("{{ if .u }}same{{ else }}same{{ end }}", "same"),
        ('{{ if eq (printf "%s-web" .u) "x-db" }}a{{ else }}b{{ end }}', "b"),
        ("x: {{ if .u }}a{{ else }}b{{ end }}", "x: ?"),
        ("x: [{{ if .u }}a, {{ end }}b]", "x: [?, b]"),
        ('x: ["a"{{ if .u }}, "b"{{ end }}]', 'x: ["a", ?]'),
        ("{{ if .u }}k: v{{ end }}\n", "?: ?\n"),
        ("- {{ if .u }}k: v{{ end }}\n", "- ?: ?\n"),
    ],
)
def test_unknown_values_are_marks(template: str, written: str) -> None:
    text, _ = render(template, unknowns(l=List([1.0, LATER])))
    assert shown(text) == written


def test_a_mark_tells_what_it_stands_for() -> None:
    data = Map({"u": LATER}, {"u": via(VALUES, "port: 80")})
    text, renderer = render("one: 1\na: {{ .u }}", data)
    found = MARK.search(text)
    assert found is not None
    mark = renderer.marks[int(found[1])]
    assert mark.unknown == LATER
    assert (mark.span.line, mark.span.text, mark.via) == (2, "{{ .u }}", data.places["u"])


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("s:\n  {{- if .u }}\n  a: 1\n  {{- end }}\n  b: 2\n", "s:\n  ?: ?\n  b: 2\n"),
        ("s:\n  {{- if .u }}\n  a: 1\n  {{- else }}\n  c: 1\n  {{- end }}\n  b: 2\n", "s:\n  ?: ?\n  b: 2\n"),
        ("e:\n{{- if .u }}\n- a\n- b\n{{- end }}\nf: 1\n", "e:\n- ?\nf: 1\n"),
        ("e:\n{{- range .u }}\n- name: {{ .name }}\n{{- end }}\nf: 1\n", "e:\n- ?\nf: 1\n"),
        ("e:\n{{- with .u }}\n  k: {{ . }}\n{{- end }}\nf: 1\n", "e:\n  ?: ?\nf: 1\n"),
        # Back to a lesser indentation: both may bring keys.
        ("s:\n  t:\n    a: 1\n{{- if .u }}\n    b: 2\n  c: 3\n{{- end }}\n", "s:\n  t:\n    a: 1\n    ?: ?\n  ?: ?\n"),
        # A branch that begins like the other one is certain up to there.
        ("{{ if .u }}a: 1\nb: 2\n{{ else }}a: 1\nb: 3\n{{ end }}", "a: 1\n?: ?\n"),
        # One kind or the other: the value as a whole.
        ("s:\n{{- if .u }}\n  a: 1\n{{- else }}\n  - 1\n{{- end }}\n", "s:\n  ?\n"),
        ("s: {{ if .u }}|\n  text\n  more{{ else }}x{{ end }}\nt: 1\n", "s: ?\nt: 1\n"),
        ("a: 1\n{{ if .u }}---\nb: 2\n{{ end }}---\nc: 3\n", "a: 1\n---\n?: ?\n---\nc: 3\n"),
        ("{{- if .u }}\nb: 2\n---\n{{- end }}\nc: 3\n", "\n?: ?\n---\nc: 3\n"),
        ('{ "a": 1{{ if .u }},\n  "b": 2{{ end }} }', '{ "a": 1,\n  ?: ? }'),
        ("{{ if .u }}\n  # a comment\n{{ end }}x: 1", "\n  # ?\nx: 1"),
    ],
)
def test_what_a_condition_leaves_open_keeps_the_shape_of_yaml(template: str, written: str) -> None:
    text, _ = render(template, unknowns())
    assert shown(text) == written


def test_a_mark_of_a_branch_is_placed_at_its_condition() -> None:
    text, renderer = render("s:\n  {{- if .u }}\n  a: 1\n  {{- end }}\n", unknowns())
    found = place(text, MARK.search(text)[0])  # type: ignore[index]  # there is one
    assert (found.line, found.text) == (2, "{{- if .u }}")
    assert renderer.marks[-1].unknown == Unknown("{{- if .u }}", LATER.because)


def test_a_branch_that_fails_is_not_taken() -> None:
    text, _ = render("{{ if .u }}{{ index .l 9 }}{{ else }}a: 1{{ end }}", unknowns(l=List([])))
    assert text == "a: 1"
    text, _ = render("{{ if and .u (index .l 9) }}a{{ else }}b{{ end }}", unknowns(l=List([])))
    assert text == "b"


def test_a_variable_set_in_an_open_branch_is_unknown_afterwards() -> None:
    template = "{{ $a := 1 }}{{ $b := 1 }}{{ if .u }}{{ $a = 2 }}{{ $b = 1 }}{{ end }}{{ $a }} {{ $b }}"
    text, _ = render(template, unknowns())
    assert shown(text) == "? 1"


def test_of_two_maps_the_members_that_agree_are_certain() -> None:
    one = Map({"a": 1.0, "b": 2.0, "in": Map({"x": "y", "z": 1.0})}, {"a": via(VALUES, "port: 80")})
    other = Map({"a": 1.0, "in": Map({"x": "y", "z": 2.0})})
    data = unknowns(one=one, other=other, same=Map({"a": 1.0}))
    template = (
        "{{ $m := .one }}{{ $s := .same }}{{ if .u }}{{ $m = .other }}{{ $s = .same }}{{ end }}"
        "{{ $m.a }} {{ $m.b }} {{ index $m `in` `x` }} {{ index $m `in` `z` }} {{ $s }}"
    )
    text, _ = render(template, data)
    assert shown(text) == "1 ? y ? map[a:1]"
    assert vias(place(text, "1")) == ["port: 80 (set by values.yaml)"]


def test_text_that_stands_for_a_branch_may_be_empty() -> None:
    helpers = '{{ define "x" }}{{ if .u }}a: 1\nb: 2{{ end }}{{ end }}{{ define "y" }}c: 1{{ template "x" . }}{{ end }}'
    template = '{{ with include "%s" . }}k: {{ . | nindent 2 }}{{ end }}'
    assert shown(render(template % "x", unknowns(), helpers=helpers)[0]) == "?: ?"
    assert shown(render(template % "y", unknowns(), helpers=helpers)[0]).startswith("k: \n  c: 1")
    assert shown(render("{{ with .list }}{{ if tpl . $ }}a{{ else }}b{{ end }}{{ end }}",
                        unknowns(list="{{ if .u }}\n- x\n{{ end }}"))[0]) == "?"  # fmt: skip
    compared = '{{ if eq (include "x" .) "" }}same{{ else }}other{{ end }}'
    assert shown(render(compared, unknowns(), helpers=helpers)[0]) == "?"


def test_templates_that_may_include_themselves_end() -> None:
    helpers = '{{ define "x" }}- a\n{{ range .v }}{{ template "x" (index . "v") }}{{ end }}{{ end }}'
    text, _ = render('l:\n{{ include "x" . }}\nm: 1\n', Map({"v": LATER}), helpers=helpers)
    assert shown(text) == "l:\n- a\n- ?\nm: 1\n"


def test_what_is_added_to_an_unknown_text_is_certain() -> None:
    parsed = parse(SourceFile("t", "a:{{ .u | nindent 2 }}"), "t")
    functions = {"nindent": takes("int", "string")(nindent)}
    assert shown(Renderer(parsed.definitions, functions).render("t", unknowns())) == "a:\n  ?"


def test_a_loop_that_may_end_early_goes_on_open() -> None:
    text, _ = render("{{ range .l }}{{ if $.u }}{{ break }}{{ end }}- {{ . }}\n{{ end }}z: 1", unknowns(l=List("abc")))
    assert re.fullmatch(r"(- \?\n)+z: 1", shown(text))
    text, _ = render("{{ range .l }}{{ if $.u }}{{ continue }}{{ end }}- x{{ . }}\n{{ end }}", unknowns(l=List("ab")))
    assert "x" not in shown(text)


def test_a_map_with_more_keys_than_are_known() -> None:
    more = Map({"a": 1.0}, open=LATER)
    data = unknowns(m=more, e=Map({}, open=LATER))
    assert shown(render("{{ .m.a }} {{ .m.b }} {{ len .m }}", data)[0]) == "1 ? ?"
    assert shown(render("{{ range $k, $v := .m }}- {{ $k }}\n{{ end }}", data)[0]) == "- a\n- ?\n"
    assert shown(render("x: {{ if .e }}a{{ else }}b{{ end }}{{ if .m }}c{{ end }}", data)[0]) == "x: ?c"


def test_functions_that_do_not_know_marks_are_not_called() -> None:
    called: list[str] = []

    def digest(text: str) -> str:
        called.append(text)
        return "wrong"

    parsed = parse(SourceFile("t", '{{ printf "a%s" .u | digest }}{{ .u | digest }}{{ "x" | digest }}'), "t")
    renderer = Renderer(parsed.definitions, {"digest": digest})
    assert shown(renderer.render("t", unknowns())) == "??wrong"
    assert called == ["x"]


def test_a_function_that_breaks_is_unknown_and_not_an_error() -> None:
    def broken(text: str) -> str:
        return text.nope  # type: ignore[attr-defined,no-any-return]  # the point of it

    parsed = parse(SourceFile("t", '{{ broken "a" }} {{ missing 1 }}'), "t")
    renderer = Renderer(parsed.definitions, {"broken": broken})
    assert shown(renderer.render("t", None)) == "? ?"
    with pytest.raises(TemplateError, match="wrong number of args"):
        Renderer(parse(SourceFile("t", "{{ broken }}"), "t").definitions, {"broken": broken}).render("t", None)


def test_functions_are_told_when_their_branch_may_not_be_taken() -> None:
    seen: list[bool] = []
    note = Contextual(lambda call: seen.append(call.undecided) or "")
    parsed = parse(SourceFile("t", "{{ note }}{{ if .u }}{{ note }}{{ end }}{{ note }}"), "t")
    Renderer(parsed.definitions, {"note": note}).render("t", unknowns())
    assert seen == [False, True, False]


# -- texts -----------------------------------------------------------------------------------------------------

FILE = SourceFile("f", "alpha: one\nbeta: two\n")
WHOLE = Text(FILE.text, [Piece(0, FILE.span(0, len(FILE.text)), literal=True)])


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (indent(WHOLE, "    "), "beta"),
        (indent(cut(WHOLE, 7, 16), "  "), "beta"),
        (trim(WHOLE), "two"),
        (trim(WHOLE, "aeh\n", right=False), "pha"),
        (trim_prefix(WHOLE, "alpha: "), "one"),
        (trim_suffix(WHOLE, "\n"), "two"),
        (cut(WHOLE, 3, 15), "beta"),
        (concat(("x", cut(WHOLE, 11, 20), "y")), "two"),
        (join(", ", (cut(WHOLE, 0, 5), cut(WHOLE, 11, 15))), "beta"),
        (replace(WHOLE, "one", "1"), "beta"),
        (surround(cut(WHOLE, 11, 15), '"', '"'), "beta"),
        (map_lines(WHOLE, lambda line: concat(("# ", line))), "beta"),
        (map_parts(WHOLE, lambda part: part), "beta"),
    ],
)
def test_texts_keep_their_places(made: str, part: str) -> None:
    at = made.index(part)
    found = origin(made, at, at + len(part))
    assert found is not None
    assert found.text == part


def test_plain_strings_stay_plain() -> None:
    for made in (concat(("a", "b")), indent("a\nb", " "), trim(" a "), replace("aa", "a", "b"), cut("abc", 1, 2)):
        assert type(made) is str


def test_changed_characters_are_not_placed_exactly() -> None:
    made = map_parts(WHOLE, str.upper)
    assert made == FILE.text.upper()
    found = origin(made, 0, 5)
    assert found is not None
    assert found.text == FILE.text


def test_unplaced_parts_are_placed_where_they_are_printed() -> None:
    own = via(VALUES, "tag: v1")
    made = Text("a: 1\nb: 2", [Piece(0, unplaced()), Piece(5, unplaced(own))])
    parsed = parse(SourceFile("t", "x\n{{ made }}"), "t")
    text = Renderer(parsed.definitions, {"made": lambda: made}).render("t", None)
    assert (place(text, "a: 1").text, place(text, "a: 1").via) == ("{{ made }}", ())
    assert (place(text, "b: 2").text, place(text, "b: 2").via) == ("{{ made }}", own)


@given(st.text(alphabet="ab\n ", max_size=40), st.lists(st.integers(0, 40), max_size=4), st.integers(0, 5))
def test_operations_on_texts_are_those_on_strings(text: str, starts: list[int], width: int) -> None:
    file = SourceFile("f", text)
    cuts = sorted({start for start in starts if start < len(text)})
    pieces = [Piece(start, file.span(start, len(text)), literal=True) for start in cuts]
    made = Text(text, pieces)
    pad = " " * width
    for kept, plain in (
        (indent(made, pad), pad + text.replace("\n", "\n" + pad)),
        (trim(made), text.strip()),
        (cut(made, width, 30), text[width:30]),
        (replace(made, "a", "xy"), text.replace("a", "xy")),
        (map_lines(made, lambda line: line), text),
        (concat((made, "-", made)), f"{text}-{text}"),
    ):
        assert kept == plain
        for at in range(len(kept)):
            found = origin(kept, at, at + 1)
            if found is not None and found.text and kept[at] not in " -xy":
                assert found.text == kept[at]


# -- bounds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{ range 100000000 }}x{{ end }}",
        '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
        '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
        '{{ define "a" }}{{ tpl "{{ include `a` . }}" . }}{{ end }}{{ include "a" . }}',
        '{{ $x := "0123456789" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}{{ $x }}',
        "{{ range 1000 }}{{ range 1000 }}{{ if $.u }}a{{ end }}{{ end }}{{ end }}",
    ],
)
def test_what_does_not_end_is_stopped(template: str) -> None:
    parsed = parse(SourceFile("t", template), "t")
    renderer = Renderer(parsed.definitions, FUNCTIONS, Limits(steps=20_000, characters=100_000))
    with pytest.raises(LimitReached):
        renderer.render("t", unknowns())


@pytest.mark.parametrize(
    "template",
    [
        "{{ if true }}" * 5000,
        "{{ " + "(" * 5000,
        "{{ if true }}" * 300 + "{{ end }}" * 300,
        "{{ if .x }}{{ else if .x }}" * 300,
    ],
)
def test_what_is_nested_too_deeply_is_a_problem(template: str) -> None:
    assert parse(SourceFile("t", template), "t").problems


def test_values_nested_without_end_are_unknown() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    assert shown(render("{{ . }}|{{ .self.self }}", loop)[0]) == "?|?"


WORDS = st.sampled_from(
    [
        *("{{", "}}", "{{-", "-}}", "{{/*", "*/}}", " ", "\n", "(", ")", "|", ",", ":=", "=", ".", "$", "$x", "nil"),
        *("if", "else", "end", "range", "with", "define", "template", "block", "break", "continue", '"a"', "`r`"),
        *(".u", ".l", ".m.k", "$.l", "1", "-2.5", "0x1F", "'c'", "true", "print", "printf", '"%v%d%[1]s"', "index"),
        *("and", "or", "not", "eq", "lt", "len", "slice", "html", "include", "tpl", "x: y", "- z", "\\", "é", "\x00"),
    ]
)
STATEMENTS = st.sampled_from(
    [
        *("{{ if .u }}", "{{ else }}", "{{ end }}", "{{- range .l }}\n", "{{ with .m }}", "{{ .u }}", "{{ $x := .l }}"),
        *("{{ $x = .u }}", "{{ $x }}", '{{ define "a" }}', '{{ template "a" . }}', '{{ include "a" .l }}', "a: b\n"),
        *("- c\n", "  ", "---\n", "{{ break }}", "{{ continue }}", "{{ range .u }}", "{{ tpl .t . }}", "\n  d: |\n"),
        *(
            "{{ range $k, $v := .o }}",
            "{{ if and .u .l }}",
            "{{ print .u .l | printf `%s %q` }}",
            "{{ .m | nindent 2 }}",
        ),
    ]
)


@lru_cache
def fuzzed() -> Map:
    inner = Map({"k": "v", "u": LATER})
    return Map({"u": LATER, "l": List([1.0, None, "x", LATER]), "m": inner, "o": Map({"a": 1.0}, open=LATER),
                "t": "{{ .u }}{{ if .u }}\na: {{ .l }}{{ end }}"})  # fmt: skip


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(),
        st.lists(WORDS, max_size=30).map("".join),
        st.lists(WORDS, max_size=30).map(" ".join),
        st.lists(STATEMENTS, max_size=20).map("".join),
        st.lists(STATEMENTS, max_size=10).map(lambda some: "{{ $x := 1 }}" + "".join(some) + "{{ end }}" * 3),
    )
)
def test_no_text_raises_anything_but_template_errors(text: str) -> None:
    parsed = parse(SourceFile("t", text), "t")
    for name in parsed.definitions:
        renderer = Renderer(parsed.definitions, FUNCTIONS, Limits(steps=5_000, characters=50_000))
        try:
            output = renderer.render(name, fuzzed())
        except TemplateError:
            continue
        assert all(int(index) < len(renderer.marks) for index in MARK.findall(output))
        starts = [piece.start for piece in output.pieces]
        assert starts == sorted(starts)
