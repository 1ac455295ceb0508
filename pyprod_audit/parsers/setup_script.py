"""setup.py, read statically: the literals that its `setup()` call is given. It is never run.

Source: https://setuptools.pypa.io/en/latest/references/keywords.html.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import cache

import tree_sitter
import tree_sitter_python

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Unknown
from pyprod_audit.parsers.requirement_line import read_requirement

_MAX_STEPS = 100_000
_MAX_REQUIREMENTS = 5_000


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


def parse_setup_script(source: SourceFile) -> Parsed:
    """Reads the keywords of `setup()` into one `py.manifest`; a computed list of dependencies is `dynamic`."""
    if "setup(" not in source.text:
        return Parsed()
    content = source.text.encode("utf-8", "replace")
    tree = _parser().parse(content)
    script = _Script(source, content)
    call = script.survey(tree.root_node)
    if call is None:
        return Parsed()
    return script.manifest(call)


class _Script:
    def __init__(self, source: SourceFile, content: bytes) -> None:
        self.source = source
        self.content = content
        self.problems: list[Problem] = []
        self.assigned: dict[str, tree_sitter.Node | None] = {}
        self.offsets: list[int] = []
        if not source.text.isascii():
            for index, character in enumerate(source.text):
                self.offsets.extend([index] * len(character.encode("utf-8", "replace")))
            self.offsets.append(len(source.text))

    def survey(self, root: tree_sitter.Node) -> tree_sitter.Node | None:
        """The first call of `setup`; on the way, notes what is assigned to names (None: more than once)."""
        stack, call, steps = [root], None, 0
        while stack and steps < _MAX_STEPS:
            node = stack.pop()
            steps += 1
            if node.type == "call" and call is None:
                function = node.child_by_field_name("function")
                if function is not None and self._bytes(function).rpartition(b".")[2] == b"setup":
                    call = node
            elif node.type == "assignment":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and left.type == "identifier":
                    name = self._bytes(left).decode("utf-8", "replace")
                    self.assigned[name] = None if name in self.assigned else right
            elif node.type == "augmented_assignment":
                left = node.child_by_field_name("left")
                if left is not None:
                    self.assigned[self._bytes(left).decode("utf-8", "replace")] = None
            stack.extend(reversed(node.named_children))
        return call

    def manifest(self, call: tree_sitter.Node) -> Parsed:
        source = self.source
        keywords: dict[str, tuple[tree_sitter.Node, tree_sitter.Node]] = {}
        arguments = call.child_by_field_name("arguments")
        for argument in arguments.named_children if arguments is not None else ():
            key, value = argument.child_by_field_name("name"), argument.child_by_field_name("value")
            if argument.type == "keyword_argument" and key is not None and value is not None:
                keywords[self._bytes(key).decode("utf-8", "replace")] = (key, self._resolved(value))
        start, end = self._place(call)
        node: dict[str, Node] = {
            "tool": Node("setuptools", source, start, end),
            "buildable": Node(True, source, start, end),
            "groups": Node({}, source, start, start),
        }
        for name, keyword in (("name", "name"), ("requires_python", "python_requires")):
            if keyword in keywords:
                key, value = keywords[keyword]
                text = self._text(value)
                shown = Unknown(self._bytes(value)[:80].decode("utf-8", "replace"), "computed by setup.py")
                node[name] = Node(shown if text is None else text, source, *self._place(value), *self._place(key))
        dynamic: list[Node] = []
        node["dependencies"] = Node((), source, start, start)
        if "install_requires" in keywords:
            key, value = keywords["install_requires"]
            node["dependencies"] = Node(
                tuple(self._requirements(value)), source, *self._place(value), *self._place(key)
            )
            if not self._literal_list(value):
                dynamic.append(Node("dependencies", source, *self._place(key)))
        extras: dict[str, Node] = {}
        if "extras_require" in keywords and keywords["extras_require"][1].type == "dictionary":
            for pair in keywords["extras_require"][1].named_children:
                key_node, value_node = pair.child_by_field_name("key"), pair.child_by_field_name("value")
                extra = None if key_node is None else self._text(key_node)
                if extra is not None and key_node is not None and value_node is not None:
                    value = self._resolved(value_node)
                    members = tuple(self._requirements(value))
                    extras[extra] = Node(members, source, *self._place(value), *self._place(key_node))
        node["extras"] = Node(extras, source, start, start)
        node["dynamic"] = Node(tuple(dynamic), source, start, start)
        resource = Resource("py.manifest", source.path, Node(node, source, start, end))
        return Parsed([resource], self.problems, partial=bool(self.problems))

    # -- literals ------------------------------------------------------------------------------------------

    def _bytes(self, node: tree_sitter.Node) -> bytes:
        return self.content[node.start_byte : node.end_byte]

    def _place(self, node: tree_sitter.Node) -> tuple[int, int]:
        start, end = node.start_byte, node.end_byte
        if not self.offsets:
            return start, end
        return self.offsets[start], self.offsets[end]

    def _resolved(self, node: tree_sitter.Node) -> tree_sitter.Node:
        """What a name was assigned, when that is known; anything else as it stands."""
        if node.type != "identifier":
            return node
        return self.assigned.get(self._bytes(node).decode("utf-8", "replace")) or node

    def _literal_list(self, node: tree_sitter.Node) -> bool:
        if node.type not in ("list", "tuple"):
            return self._text(node) is not None
        return all(child.type in ("string", "concatenated_string", "comment") for child in node.named_children)

    def _requirements(self, node: tree_sitter.Node) -> Iterator[Node]:
        """The requirements among the strings of a list, or of the sum of lists."""
        stack, steps = [node], 0
        while stack and steps < _MAX_REQUIREMENTS:  # a name may be a sum that holds itself
            current = stack.pop()
            steps += 1
            if current.type in ("list", "tuple", "binary_operator", "parenthesized_expression"):
                stack.extend(reversed([self._resolved(child) for child in current.named_children]))
                continue
            text = self._text(current)
            start, end = self._place(current)
            position = start
            for line in text.split("\n") if text else ():
                words = line.strip()
                if not words or words.startswith("#"):
                    continue
                found = read_requirement(words)
                if isinstance(found, str):
                    line_number = self.source.span(start, start).line
                    self.problems.append(Problem("parse", self.source.path, found, line_number))
                    continue
                at = self.source.text.find(words, position, end)
                place = (start, end) if at < 0 else (at, at + len(words))
                position = position if at < 0 else place[1]
                yield found.node(self.source, *place)

    def _text(self, node: tree_sitter.Node) -> str | None:
        """The value of a string literal; None for anything else, f-strings and bytes too."""
        if node.type not in ("string", "concatenated_string"):
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `"\d"` is a SyntaxWarning about the scanned file, not about us
                value = ast.literal_eval(f"({self._bytes(node).decode('utf-8', 'replace')})")
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        return value if isinstance(value, str) else None
