"""Regular expressions as Go has them; what is expected was given by package regexp of Go 1.26."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyprod_audit.evaluate.re2 import InvalidPatternError, Steps, Unsupported, compile_pattern, quoted


def all_of(pattern: str, text: str) -> list[list[str | None]]:
    """What FindAllStringSubmatch gives; None for a group that took no part."""
    return [
        [None if found[at] < 0 else text[found[at] : found[at + 1]] for at in range(0, len(found), 2)]
        for found in compile_pattern(pattern).matches(text)
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a|ab", "ab", [["a"]]),  # the first alternative, not the longest
        ("(?:a|ab)(c|bcd)(d*)", "abcd", [["abcd", "bcd", ""]]),
        ("a*", "baac", [[""], ["aa"], [""]]),  # no empty match right behind "aa"
        ("(a*)*", "b", [["", ""], ["", ""]]),
        ("(a|b)*", "ab", [["ab", "b"]]),
        ("(a*)+", "b", [["", ""], ["", ""]]),
        ("(|a)*", "aa", [["", ""], ["", ""], ["", ""]]),
        ("(|a)+", "aa", [["", ""], ["", ""], ["", ""]]),
        ("a+?", "aaa", [["a"], ["a"], ["a"]]),
        ("(?U)a+", "aaa", [["a"], ["a"], ["a"]]),
        ("(?U)a+?", "aaa", [["aaa"]]),
        ("(a)|(b)", "b", [["b", None, "b"]]),
        ("^a$", "a\n", []),  # the end is the end, not before a last line feed
        ("(?m)^a$", "a\na", [["a"], ["a"]]),
        (".", "\n", []),
        ("(?s).", "\n", [["\n"]]),
        (r"\bweb\b", "web-1 webs", [["web"]]),
        (r"\w\d\s", "é1 ٣2\t a3 ", [["a3 "]]),  # letters and digits of ASCII only
        (r"\s", "\v", []),
        ("[[:space:]]", "\v", [["\v"]]),
        ("(?i)k", "kK\u212a", [["k"], ["K"], ["\u212a"]]),
        ("(?i)[^k]", "kK\u212a", []),
        ("(?i)σ", "σςΣ", [["σ"], ["ς"], ["Σ"]]),
        ("(?i)ß", "ßẞ", [["ß"], ["ẞ"]]),
        ("(?i)i", "ıİ", []),
        (r"\pL+", "webé1", [["webé"]]),
        (r"\p{Lu}|\p{^L}", "aB-", [["B"], ["-"]]),
        (r"[\P{L}x]", "ax1", [["x"], ["1"]]),
        (r"\Qa.b\E+", "a.bb", [["a.bb"]]),
        (r"\x41\x{00000000042}\103", "ABC", [["ABC"]]),
        ("a{,2}", "a{,2}", [["a{,2}"]]),
        ("a{02}", "a{02}", [["a{02}"]]),
        ("a(?i)*", "aaA", [["aa"], [""]]),
        ("(?i:a)b", "Ab AB", [["Ab"]]),
        ("(?i)a(?-i)b", "Ab AB", [["Ab"]]),
        ("(?P<x>a)(?<x>b)", "ab", [["ab", "a", "b"]]),
        ("[]a]", "]a", [["]"], ["a"]]),
        ("[a-]", "-", [["-"]]),
        ("[^-a]", "-b", [["b"]]),
        ("[[:^alpha:]]", "a1", [["1"]]),
    ],
)  # fmt: skip
def test_what_is_found_is_what_go_finds(pattern: str, text: str, found: list[list[str | None]]) -> None:
    assert all_of(pattern, text) == found


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "[", "a)", "*", "a**", "(*)", "(?i)*", "[z-a]", "[[:no:]]", "a{3,2}", "a{1001}", "(a{500}){3}", "\\",
     r"\8", r"\1", r"\Z", r"\C", r"\pé", r"\p{", r"\p{}", r"\x{110000}", r"\x4", "(?=a)", "(?<!a)", "(?P<a-b>x)",
     "(?P<>x)", "(?i-)", "(?z)"],
)  # fmt: skip
def test_what_go_refuses_is_invalid(pattern: str) -> None:
    with pytest.raises(InvalidPatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", [r"\p{Greek}", r"\pC", r"\p{letter}", "(" * 200 + "a" + ")" * 200, "a" * 5000, "[ab]{999}" * 5]
)
def test_what_is_not_followed_is_not_called_invalid(pattern: str) -> None:
    with pytest.raises(Unsupported):
        compile_pattern(pattern)


def test_a_character_without_a_class_yet_is_undecided() -> None:
    with pytest.raises(Unsupported):
        compile_pattern(r"\pL").search("\U0003fffe")


def test_patterns_nested_as_deep_as_is_allowed_are_followed() -> None:
    pattern = "(x|" * 50 + "a" + ")*y?|b" * 50
    assert compile_pattern(pattern, whole=False).found_in("a")


@pytest.mark.parametrize(
    ("by", "made"),
    [
        ("<$1>", "<we>-1"),
        ("${1}b", "web-1"),
        ("$1b", "-1"),  # the group "1b", which there is not
        ("${kind}", "b-1"),
        ("$kind.$0", "b.web-1"),
        ("$$1", "$1-1"),
        ("$", "$-1"),
        ("$-${", "$-${-1"),
        ("${1", "${1-1"),
        ("$01", "-1"),
        ("$9", "-1"),
        ("$é", "-1"),
        ("$1²", "we²-1"),
    ],
)
def test_replacements_name_groups_as_in_go(by: str, made: str) -> None:
    assert compile_pattern("(we)(?P<kind>b)").replace("web-1", by, most=100) == made


def test_replacing_goes_on_behind_empty_matches() -> None:
    assert compile_pattern("a*").replace("baac", "x", most=100) == "xbxcx"
    assert compile_pattern("a*").replace("b", "$0", most=100, literal=True) == "$0b$0"
    assert compile_pattern("(?P<x>a)?(?P<x>b)").replace("b", "<$x>", most=9) == "<b>"


def test_replacements_have_a_limit() -> None:
    with pytest.raises(Unsupported):
        compile_pattern("a").replace("a" * 100, "b" * 100, most=9_999)
    assert len(compile_pattern("a").replace("a" * 100, "b" * 100, most=10_000)) == 10_000


def test_whole_texts_and_limits_of_matches() -> None:
    assert compile_pattern("a|ab", whole=True).found_in("ab")
    assert not compile_pattern("a|ab", whole=True).found_in("abc")
    assert compile_pattern("(?m)a", whole=True).search("a\nb") is None
    assert [found[:2] for found in compile_pattern("a").matches("aaa", 2)] == [(0, 1), (1, 2)]
    assert not list(compile_pattern("a").matches("aaa", 0))
    assert compile_pattern("^a").search("aa", 1) is None


@pytest.mark.parametrize("pattern", ["(a*)*(a|a)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "((a+)+)+$b", "(x+x+)+y"])
def test_nested_quantifiers_take_steps_that_grow_with_the_text_only(pattern: str) -> None:
    used = []
    for size in (400, 800):
        steps = Steps(1_000_000)
        assert compile_pattern(pattern).search("a" * size, 0, steps) is None
        used.append(1_000_000 - steps.left)
    assert used[1] < used[0] * 2.1


def test_work_is_bounded_and_told() -> None:
    with pytest.raises(Unsupported, match="too many steps"):
        compile_pattern("(a?){900}b").search("a" * 10_000)
    with pytest.raises(Unsupported, match="too many steps"):
        list(compile_pattern("a").matches("a" * 1000, charge=Steps(500)))

    def refuse(_steps: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compile_pattern("a").search("a", 0, refuse)


ATOMS = ["a", "b", "[a-c]", "[^a]", "(a|b)", "(?:ab|c)", ".", "\\.", "a*", "b+", "c?", "(ab)*", "a{2}", "[ab]{1,2}",
         "b{1,}", "(a?b){2,3}", "^", "$", "\\w", "[\\d-]", "-", "(|a)", "|", "(a*)*"]  # fmt: skip


@given(st.lists(st.sampled_from(ATOMS), max_size=6), st.text("abc.-1", max_size=8))
def test_patterns_match_as_pythons_do(atoms: list[str], text: str) -> None:
    pattern = "".join(atoms)
    theirs = re.search(pattern, text)
    found = compile_pattern(pattern).search(text)
    assert (None if found is None else found[0]) == (None if theirs is None else theirs.start())
    whole = compile_pattern(pattern, whole=True).found_in(text)
    assert whole == (re.fullmatch(rf"(?:{pattern})\Z", text) is not None)


@given(st.text() | st.text(r"ab\()[]{}*+?|^$.,-:PpQEiLxdw<>12", max_size=20), st.text(), st.text("$a1{}é", max_size=8))
def test_nothing_else_is_raised(pattern: str, text: str, by: str) -> None:
    assert compile_pattern(quoted(text), whole=True).found_in(text) if len(text) < 400 else True
    try:
        regex = compile_pattern(pattern)
        list(regex.matches(text + pattern))
        regex.replace(text + pattern, by, most=1000)
    except (InvalidPatternError, Unsupported):
        return
