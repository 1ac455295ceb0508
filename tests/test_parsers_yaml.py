"""YAML: values, places, and input that means harm."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers import yaml_tree
from pyprod_audit.parsers.yaml_events import Documents, parse_documents
from pyprod_audit.parsers.yaml_scalars import CORE, KUBERNETES
from pyprod_audit.parsers.yaml_template import mask


def read(text: str, *, template: bool = False) -> Documents:
    source = SourceFile("k8s/web.yaml", text)
    return parse_documents(source, mask(text) if template else None)


def root(text: str, *, template: bool = False) -> Node:
    documents = read(text, template=template)
    assert not documents.problems
    [node] = documents.nodes
    return node


def plain(node: Node) -> object:
    """The value without places."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    return node.value


# -- scalars -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kubernetes", "core"),
    [
        ("yes", True, "yes"),
        ("Off", False, "Off"),
        ("y", True, "y"),
        ("true", True, True),
        ("TRUE", True, True),
        ("tRue", "tRue", "tRue"),
        ("null", None, None),
        ("~", None, None),
        ("", None, None),
        ("0777", 511, 777),
        ("0o777", 511, 511),
        ("0888", 888.0, 888),
        ("0x1F", 31, 31),
        ("0b101", 5, "0b101"),
        ("1_000", 1000, "1_000"),
        ("-12", -12, -12),
        ("+3", 3, 3),
        ("1e3", 1000.0, 1000.0),
        (".5", 0.5, 0.5),
        ("1.", 1.0, 1.0),
        ("-.inf", -math.inf, -math.inf),
        ("1e999", "1e999", "1e999"),
        ("1:30", "1:30", "1:30"),
        ("2024-01-31", "2024-01-31", "2024-01-31"),
        ("100m", "100m", "100m"),
        ("-", "-", "-"),
        (".", ".", "."),
        ("1٢", "1٢", "1٢"),
        ("9" * 100, "9" * 100, "9" * 100),
    ],
)
def test_plain_scalars_mean_what_their_reader_takes_them_for(written, kubernetes, core):
    for schema, expected in ((KUBERNETES, kubernetes), (CORE, core)):
        value = schema.resolve(written)
        assert value == expected
        assert type(value) is type(expected)


def test_quoted_scalars_are_text():
    assert plain(root("[\"yes\", '0777', \"null\", '']")) == ["yes", "0777", "null", ""]


def test_keys_keep_the_way_they_are_written():
    assert list(root("on: 1\n0777: 2\n~: 3\n1.0: 4\n'': 5\n").mapping) == ["on", "0777", "~", "1.0", ""]


def test_standard_tags_decide_the_type():
    node = root("- !!str 080\n- !!int '8'\n- !!float 1\n- ! yes\n- !!binary aGk=\n")
    assert plain(node) == ["080", 8, 1.0, "yes", "aGk="]
    assert isinstance(node.items[2].value, float)


def test_custom_tags_keep_the_value_and_can_be_asked_for():
    text = "ports: !override\n  - 80\nimage: !reset null\nname: !tag 'yes'\n"
    documents = read(text)
    node = documents.nodes[0]
    assert plain(node) == {"ports": [80], "image": None, "name": "yes"}
    assert documents.tags[node.mapping["ports"].start] == "!override"
    assert documents.tags[node.mapping["image"].start] == "!reset"
    assert node.mapping["ports"].span.text == "- 80"
    assert node.mapping["name"].span.text == "'yes'"


@pytest.mark.parametrize(
    "value",
    ["!Ref Bucket", "!Sub '${A}-b'", "!Join ['-', [a, b]]", "!vault |\n  616263\n  64", "!reference [.a, script]"],
)
def test_values_behind_computing_tags_are_unknown(value):
    found = root(f"key: {value}\nafter: 1\n")
    unknown = found.mapping["key"].value
    assert isinstance(unknown, Unknown)
    assert unknown.expression.startswith(value.split()[0])
    assert found.mapping["after"].value == 1


# -- places --------------------------------------------------------------------------------------------------


def test_places_count_code_points():
    node = root("größe: 😀 groß # 😀\nname: 'é'\n")
    first = node.mapping["größe"]
    assert first.span.text == "😀 groß"
    assert first.key.text == "größe"
    assert node.mapping["name"].span.text == "'é'"
    assert node.mapping["name"].span.column == 7


def test_a_byte_order_mark_moves_nothing():
    node = root("\ufeffapiVersion: v1\n")
    assert node.mapping["apiVersion"].span.text == "v1"
    assert node.mapping["apiVersion"].key.text == "apiVersion"


def test_crlf_moves_nothing():
    node = root("a: 1\r\nb:\r\n  - x\r\n  - |\r\n    line\r\n    more\r\n# end\r\nc: é\r\n")
    assert node.mapping["c"].span.text == "é"
    assert node.mapping["c"].span.line == 8
    assert node.mapping["b"].items[1].value == "line\nmore\n"
    assert node.mapping["b"].items[1].span.end_position[0] == 6


def test_a_block_ends_with_its_last_value_not_with_the_comments_after_it():
    text = "spec:\n  ports:\n    - 80\n    - 443\n\n  # about the next key\n\nstatus: |\n  ok\n\n# the end\n"
    node = root(text)
    assert node.mapping["spec"].span.text == "ports:\n    - 80\n    - 443"
    assert node.mapping["status"].span.text == "|\n  ok"
    assert node.span.text.endswith("ok")


def test_flow_containers_include_their_brackets():
    node = root("a: {x: [1, 2 ] , y: {}} # end\n")
    assert node.mapping["a"].span.text == "{x: [1, 2 ] , y: {}}"
    assert node.mapping["a"].mapping["x"].span.text == "[1, 2 ]"


def test_anchors_are_not_part_of_the_value():
    node = root("a: &x\n  # why\n  b: &y 1\nc: &z {d: *y}\n")
    assert node.mapping["a"].span.text == "b: &y 1"
    assert node.mapping["a"].mapping["b"].span.text == "1"
    assert node.mapping["c"].span.text == "{d: *y}"


def test_an_empty_value_stands_behind_its_key():
    node = root("a:\nb: 1\n")
    assert (node.mapping["a"].value, node.mapping["a"].start, node.mapping["a"].end) == (None, 2, 2)


def test_complex_keys_are_named_as_they_are_written():
    node = root("? [a, b]\n: 1\n? {c: d}\n: 2\ne: 3\n")
    assert plain(node) == {"[a, b]": 1, "{c: d}": 2, "e": 3}


# -- aliases, merge keys, repeated keys ----------------------------------------------------------------------


def test_an_alias_has_the_value_of_its_anchor_and_a_place_of_its_own():
    node = root("a: &x {k: 1}\nb: *x\n")
    assert plain(node.mapping["b"]) == {"k": 1}
    assert node.mapping["b"].span.text == "*x"
    assert node.mapping["b"].mapping["k"].span.line == 1


def test_merge_keys_yield_to_own_keys_and_to_earlier_mappings():
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nm:\n  <<: [*x, *y]\n  a: 0\nn:\n  a: 5\n  <<: *x\n'<<': text\n"
    node = root(text)
    assert plain(node.mapping["m"]) == {"a": 0, "b": 1, "c": 2}
    assert plain(node.mapping["n"]) == {"a": 5, "b": 1}
    assert node.mapping["<<"].value == "text"


def test_two_merge_keys_are_both_merged_and_no_repeated_key():
    documents = read("x: &x {a: 1}\ny: &y {a: 2, b: 2}\nm:\n  <<: *x\n  <<: *y\n")
    assert plain(documents.nodes[0].mapping["m"]) == {"a": 1, "b": 2}
    assert documents.duplicates == []


def test_the_last_of_repeated_keys_wins_and_is_noted():
    documents = read("spec:\n  containers:\n    - image: a\n      name: web\n      image: b\nspec2: {}\n")
    [duplicate] = documents.duplicates
    assert duplicate.path == ("spec", "containers", "0", "image")
    assert duplicate.first.value == "a"
    assert duplicate.node.value == "b"
    assert duplicate.node.key.line == 5
    assert plain(documents.nodes[0])["spec"]["containers"][0]["image"] == "b"
    assert not documents.partial


def test_an_alias_bomb_stays_small():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    documents = read("\n".join(lines))
    assert documents.partial
    assert "aliases expand" in documents.problems[0].message
    assert sum(1 for _ in documents.nodes[0].walk()) < 3 * yaml_tree.MAX_EXPANSION


@pytest.mark.parametrize(
    "text", ["a: *gone\nb: 1\n", "a: &x [*x]\nb: 1\n", "c: &x 1\na: &x [*x]\nb: 1\n", "x: &q 1\n---\na: *q\nb: 1\n"]
)
def test_an_alias_without_anchor_is_unknown_and_reported(text):
    documents = read(text)
    assert documents.partial
    assert "names no anchor" in documents.problems[0].message
    assert documents.nodes[-1].mapping["b"].value == 1


# -- documents -----------------------------------------------------------------------------------------------


def test_a_broken_document_does_not_lose_the_others():
    documents = read("a: 1\n---\nb: [1,\n---\nc: 3\n--- # also\n\td: 4\n---\ne: 5\n")
    assert [plain(node) for node in documents.nodes] == [{"a": 1}, {"c": 3}, {"e": 5}]
    assert [problem.line for problem in documents.problems] == [4, 7]
    assert documents.partial
    assert documents.nodes[2].mapping["e"].span.line == 9


def test_a_repeated_key_of_a_broken_document_is_forgotten():
    documents = read("a: 1\na: 2\n---\nb: 1\nb: 2\nc: [\n---\nd: 1\nd: 2\n")
    assert [duplicate.path for duplicate in documents.duplicates] == [("a",), ("d",)]
    assert [duplicate.document for duplicate in documents.duplicates] == [0, 1]


def test_empty_documents_count_for_nothing():
    documents = read("---\n# nothing\n---\na: 1\n...\n---\n---\n")
    assert [plain(node) for node in documents.nodes] == [{"a": 1}]
    assert read("").nodes == read("# only a comment\n").nodes == []


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: \0\n", "U+0000", 2),
        ("a: 1\nb: \udc80\n", "U+DC80", 2),
        ("a: 'open\n", "unexpected", 2),
        ("a:\n\tb: 1\n", "cannot start any token", 2),
        ("%%%REPLACE%%%\n", "not valid YAML", 1),
        ("a: b: c\n", "mapping values", 1),
    ],
)
def test_problems_say_what_and_where(text, message, line):
    documents = read(text + "---\nkept: 1\n")
    [problem] = documents.problems
    assert message in problem.message
    assert (problem.stage, problem.path) == ("parse", "k8s/web.yaml")
    assert problem.line == line
    assert plain(documents.nodes[-1]) == {"kept": 1}


def test_work_on_one_broken_file_is_bounded():
    documents = read("a: 1\n" + "--- [\n" * 500)
    assert 1 < len(documents.problems) < 50
    assert len(documents.nodes) == 1


def test_documents_between_unreadable_characters_are_kept():
    documents = read("a: 1\n---\nb: \0\n---\nc: 1\n---\nd: [\n---\ne: \x07\n---\nf: 1\n")
    assert [plain(node) for node in documents.nodes] == [{"a": 1}, {"c": 1}, {"f": 1}]
    assert [problem.line for problem in documents.problems] == [3, 8, 9]


@pytest.mark.parametrize("text", ["[" * 30_000, "{a: " * 30_000, "- " * 30_000, "? " * 30_000, "[" * 400 + "]" * 400])
def test_nesting_is_bounded(text):
    documents = read("a: 1\n---\n" + text + "\n---\nb: 2\n")
    assert [plain(node) for node in documents.nodes] == [{"a": 1}, {"b": 2}]
    [problem] = documents.problems
    assert "levels deep" in problem.message
    assert problem.line == 3


def test_nesting_as_deep_as_real_schemas_is_read():
    assert root("[" * 200 + "]" * 200).value != ()


def test_json_is_yaml():
    text = '{\n\t"apiVersion": "v1",\n\t"on": true, "n": 1.5e3, "u": "\\u00e9\\/", "list": [null,false]\n}'
    node = root(text)
    assert plain(node) == {"apiVersion": "v1", "on": True, "n": 1500.0, "u": "é/", "list": [None, False]}
    assert node.mapping["u"].span.text == '"\\u00e9\\/"'


def test_json_with_characters_beyond_the_basic_plane_is_read():
    node = root('{"smile": "\\ud83d\\ude00!", "after": 1}')
    assert node.mapping["after"].value == 1
    assert node.mapping["smile"].value.endswith("!")


# -- templates -----------------------------------------------------------------------------------------------


def test_what_a_template_fills_in_is_unknown():
    text = 'image: {{ image }}:{{ tag }}\nport: "{{ port | default("x") }}"\nhost: web\nlist: [{{ a }}, b]\n'
    node = root(text, template=True)
    assert node.mapping["image"].value == Unknown("{{ image }}:{{ tag }}", "filled in by a template")
    assert node.mapping["image"].span.text == "{{ image }}:{{ tag }}"
    assert node.mapping["port"].value.expression == '{{ port | default("x") }}'
    assert node.mapping["host"].value == "web"
    assert [item.is_unknown for item in node.mapping["list"].items] == [True, False]


def test_lines_of_control_vanish():
    text = "a: 1\n{% if x -%}\nb: 2\n  {%- endif %} {# why #}\nc:\n{% for i in l %}\n  - {{ i }}\n{% endfor %}\n"
    node = root(text, template=True)
    assert node.mapping["b"].value == 2
    assert node.mapping["b"].span.line == 3
    assert node.mapping["c"].items[0].is_unknown


def test_a_value_that_a_line_below_fills_in_is_unknown_not_null():
    node = root("resources:\n  # limits\n  {{- toYaml .r | nindent 2 }}\nname: x\nempty:\n", template=True)
    assert node.mapping["resources"].is_unknown
    assert "toYaml" in node.mapping["resources"].value.expression
    assert node.mapping["empty"].value is None


def test_block_scalars_with_template_lines_are_unknown():
    node = root("script: |\n    {% if x %}\n  echo\n  {% endif %}\nnext: 1\n", template=True)
    assert node.mapping["script"].is_unknown
    assert node.mapping["next"].value == 1


def test_branches_of_a_template_are_no_repeated_keys():
    documents = read("{% if a %}\nport: 1\n{% else %}\nport: 2\n{% endif %}\nx: 1\nx: 2\n", template=True)
    assert [duplicate.path for duplicate in documents.duplicates] == [("x",)]
    assert documents.nodes[0].mapping["port"].is_unknown


def test_control_within_a_line_leaves_the_rest_readable():
    text = (
        "web:{% if a %} &web{% endif %}\n  port: 80 {# usual #}\n  host: {% if b %}x{% else %}y{% endif %}\n"
        "  {% if c %}{{ name }}_data: {}{% endif %}\n  last: 1\n"
    )
    web = root(text, template=True).mapping["web"].mapping
    assert web["port"].value == 80
    assert web["host"].is_unknown
    assert list(web) == ["port", "host", "{% if c %}{{ name }}_data", "last"]


def test_template_keys_keep_their_text():
    assert list(root("{{ key }}: 1\nb: 2\n", template=True).mapping) == ["{{ key }}", "b"]


def test_tags_over_several_lines_are_masked_whole():
    text = "a: 1\n{{ macro(\n  x,\n  y) }}\nb: {% if x\n  and y %}1{% endif %}\n"
    node = root(text, template=True)
    assert plain(node)["a"] == 1
    assert node.mapping["b"].is_unknown


def test_text_without_template_tags_is_left_alone():
    assert mask('a: {b: {c: 1}}\nd: "${HOME}"\n') is None
    assert mask("a: '{{'\n") is None


def test_unclosed_tags_are_text():
    assert mask("a: '{{ x'\nb: '{% y'\n") is None
    masked = mask("a: '{{ x'\nb: {{ y }}\n")
    assert masked.starts == (13,)
    assert masked.text.startswith("a: '{{ x'\n")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}%# -:\n\r\tab'\"|é😀", max_size=120))
def test_masking_keeps_length_and_places(text):
    masked = mask(text)
    if masked is not None:
        assert len(masked.text) == len(text)
        assert list(masked.starts) == sorted(masked.starts)
        kept = set(range(len(text)))
        for start, end in zip(masked.starts, masked.ends, strict=True):
            kept -= set(range(start, end))
        assert all(masked.text[i] == text[i] for i in kept)


def test_of_many_openings_only_the_last_is_a_tag():
    text = "{{ " * 50_000 + "{% " * 50_000 + "{{ x }}"
    assert mask(text).starts == (len(text) - len("{{ x }}"),)


# -- properties ----------------------------------------------------------------------------------------------

_WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    _WORDS,
    st.sampled_from(["on", "0777", "1e3", "a: b", "- x"]),
)
_KEYS = st.text(alphabet="abcdefghijkxyz-_./é", min_size=2, max_size=10)
_DATA = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=25
)


def assert_same(node: Node, data: object) -> None:
    if isinstance(data, dict):
        assert list(node.mapping) == [str(key) for key in data]
        for key, value in data.items():
            assert_same(node.mapping[str(key)], value)
    elif isinstance(data, list):
        assert len(node.items) == len(data)
        for item, value in zip(node.items, data, strict=True):
            assert_same(item, value)
    else:
        # PyYAML leaves text unquoted that is a number to Kubernetes (`0E0`, `0888`).
        expected = KUBERNETES.resolve(data) if isinstance(data, str) and node.span.text == data else data
        assert node.value == expected
        assert type(node.value) is type(expected)


def assert_places(node: Node) -> None:
    """Plain scalars on one line stand where their place says; containers hold their members."""
    for outer in node.walk():
        written = outer.span.text
        assert 0 <= outer.start <= outer.end <= len(outer.source.text)
        if isinstance(outer.value, str) and written[:1] not in ("'", '"', "|", ">") and "\n" not in written:
            assert written == outer.value
        for inner in (*outer.mapping.values(), *outer.items):
            assert outer.start <= inner.start <= inner.end <= outer.end
        for key, inner in outer.mapping.items():
            assert inner.key_end <= inner.start
            assert key in yaml.safe_load(f"[{inner.key.text}]") or inner.key.text.startswith("?")


@settings(max_examples=150, deadline=None)
@given(_DATA, st.booleans(), st.sampled_from([None, True, False]), st.sampled_from(["\n", "\r\n"]))
def test_dumped_data_comes_back_with_places(data, unicode, flow, line_break):
    text = yaml.safe_dump(
        data, allow_unicode=unicode, default_flow_style=flow, line_break=line_break, sort_keys=False, width=40
    )
    documents = read(text)
    assert not documents.problems
    if data is not None:
        assert_same(documents.nodes[0], data)
        assert_places(documents.nodes[0])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab:-?[]{},&*!|>'\"%#@`\n\r\t {}<\ufeff\0é", max_size=200))
def test_arbitrary_text_never_raises(text):
    for template in (False, True):
        documents = read(text, template=template)
        assert documents.partial == bool(documents.problems)
        for node in documents.nodes:
            for inner in node.walk():
                assert 0 <= inner.start <= inner.end <= len(text)


def test_the_parser_of_pyyaml_gives_the_same_nodes(monkeypatch):
    text = (
        "a: &x\n  - 1\n  - 'é'\n\n# c\nb: !tag {c: *x, d: |\n    }\n---\n- yes\n- >-\n  x\n  y\n- !!str 1\n---\n: [\n"
        "---\nf: {g: h}\n"
    )
    text = text.replace("d: |\n    }", "d: 1}")

    def places(documents: Documents) -> list[tuple[object, str]]:
        return [(plain(inner), inner.span.text) for node in documents.nodes for inner in node.walk()]

    expected = read(text)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    actual = read(text)
    assert places(actual) == places(expected)
    assert len(actual.problems) == len(expected.problems) == 1
    assert "levels deep" in read("[" * 30_000).problems[0].message
