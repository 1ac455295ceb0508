"""From tree-sitter's tree of a shell script to its commands, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, TypeAlias

import tree_sitter

from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.grammars import language

_LANGUAGE: Final = language("tree_sitter_bash")
_PARSER: Final = tree_sitter.Parser(_LANGUAGE)
_OPAQUE = lazy(r"[^\t\n\r -\x7e]")

Range: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class RawCommand:
    """One simple command as ranges of the parsed text: what `docs/model.md` calls `command`, before words are read."""

    start: int
    end: int
    words: list[Range]
    assignments: list[Range]
    redirects: list[Range]
    context: Context


class Context(NamedTuple):
    """Where in the script a command stands; the fields are those of `command` in `docs/model.md`."""

    operator: str = ""
    last: bool = True
    condition: str = ""
    function: Range | None = None
    pipeline: int | None = None
    background: bool = False
    redirects: tuple[Range, ...] = ()
    more_words: tuple[Range, ...] = ()
    in_pipeline: bool = False
    """The statement is itself a member of `pipeline`: of a list (tree-sitter nests `a | b && c` so), only its start."""


def _ids(*kinds: str) -> frozenset[int]:
    wanted = set(kinds)
    return frozenset(i for i in range(_LANGUAGE.node_kind_count) if _LANGUAGE.node_kind_for_id(i) in wanted)


_COMMAND = _ids("command")
_DECLARATION = _ids("declaration_command", "unset_command")
_ASSIGNMENT = _ids("variable_assignment")
_ASSIGNMENTS = _ids("variable_assignments")
_TEST = _ids("test_command")
_REDIRECTED = _ids("redirected_statement")
_PIPELINE = _ids("pipeline")
_LIST = _ids("list")
_IF = _ids("if_statement", "elif_clause", "else_clause")
_LOOP = _ids("while_statement", "for_statement", "c_style_for_statement")
_CASE = _ids("case_statement")
_CASE_ITEM = _ids("case_item")
_FUNCTION = _ids("function_definition")
_SEQUENCE = _ids("program", "compound_statement", "subshell", "do_group", "negated_command")
_ERROR: Final = frozenset({65535})
_FILE_REDIRECT = _ids("file_redirect")
_HEREDOC = _ids("heredoc_redirect")
_HERE_STRING = _ids("herestring_redirect")
_HEREDOC_START = _ids("heredoc_start")
_HEREDOC_REST = _ids("heredoc_body", "heredoc_end", "heredoc_content")
_COMMENT = _ids("comment")
_SIMPLE = _COMMAND | _DECLARATION | _ASSIGNMENT | _ASSIGNMENTS | _TEST
_STATEMENT = _SIMPLE | _REDIRECTED | _PIPELINE | _LIST | _IF | _LOOP | _CASE | _FUNCTION | _SEQUENCE | _ERROR
_WORD = _ids(
    "word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "number", "array",
    "simple_expansion", "expansion", "command_substitution", "process_substitution", "arithmetic_expansion",
    "brace_expression", "extglob_pattern", "regex", "variable_name", "test_operator", "special_variable_name",
    "command_name", "subscript",
)  # fmt: skip
_BACKGROUND = _ids("&")
_THEN = _ids("then")
_OPERATORS = {i: _LANGUAGE.node_kind_for_id(i) or "" for i in _ids("&&", "||")}

_MAX_PIPES: Final = 3_000
_MAX_ARRAYS: Final = 1_500
"""tree-sitter recovers from an error in quadratic time behind more of these; no script written by people has them."""

_Task: TypeAlias = tuple[tree_sitter.Node, Context]


def commands(text: str) -> tuple[list[RawCommand], list[Range], int | None]:
    """The commands of the script `text`, the names of its functions, and the offset of the first syntax error, if any.

    Offsets are code points: characters outside ASCII are parsed as if they were letters. Iterative, so that
    depth cannot exhaust the stack.
    """
    if text.count("|") > _MAX_PIPES or text.count("=(") > _MAX_ARRAYS:
        return [], [], 0
    root = _PARSER.parse(_OPAQUE.sub("x", text).encode("ascii")).root_node
    walk = _Walk(text)
    walk.run(root)
    if root.has_error:
        walk.found.sort(key=lambda command: command.start)
    return walk.found, walk.functions, _first_error(root) if root.has_error else None


def _first_error(root: tree_sitter.Node) -> int:
    node = root
    while True:
        below = next((child for child in node.children if child.has_error), None)
        if below is None:
            return node.start_byte
        node = below


class _Walk:
    """Visits statements in order; each kind of statement says what follows from it for those inside."""

    visitors: ClassVar[dict[int, Callable[[_Walk, tree_sitter.Node, Context], None]]] = {}

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[RawCommand] = []
        self.functions: list[Range] = []
        self._pipelines = 0
        self._stack: list[_Task] = []

    def run(self, root: tree_sitter.Node) -> None:
        """Visit everything below `root`."""
        stack = self._stack
        visitors = self.visitors
        stack.append((root, Context()))
        while stack:
            node, context = stack.pop()
            visitors[node.kind_id](self, node, context)

    # -- simple commands -----------------------------------------------------------------------------------

    def _simple(self, node: tree_sitter.Node, context: Context) -> None:
        kind = node.kind_id
        words: list[Range] = []
        assignments: list[Range] = []
        redirects: list[Range] = []
        if kind in _ASSIGNMENT:
            assignments.append((node.start_byte, node.end_byte))
        elif kind in _TEST:
            words = _leaves(node)
        else:
            for child in node.children:
                child_kind = child.kind_id
                place = (child.start_byte, child.end_byte)
                if child_kind in _ASSIGNMENT:
                    assignments.append(place)
                    if kind in _DECLARATION:
                        words.append(place)
                elif child_kind in _WORD or not child.is_named:
                    if not words and assignments and self._line_between(assignments[-1][1], place[0]):
                        self._assigned(assignments, context)
                        assignments, context = [], context._replace(operator=";")
                    words.append(place)
                elif child_kind in _FILE_REDIRECT or child_kind in _HERE_STRING:
                    swallowed = _redirect(child, redirects)
                    words.extend(swallowed)
                elif child_kind in _STATEMENT:
                    self._stack.append((child, context))
        words.extend(context.more_words)
        redirects.extend(context.redirects)
        start = node.start_byte if assignments or not words else min(words[0][0], node.end_byte)
        self.found.append(RawCommand(start, node.end_byte, words, assignments, redirects, context))

    def _line_between(self, start: int, end: int) -> bool:
        gap = self.text[start:end]
        return "\n" in gap.replace("\\\n", "")

    def _assigned(self, assignments: list[Range], context: Context) -> None:
        """Assignments that tree-sitter takes for the start of the command on the next line."""
        alone = context._replace(last=False, background=False, redirects=(), more_words=())
        self.found.append(RawCommand(assignments[0][0], assignments[-1][1], [], assignments, [], alone))

    # -- statements ----------------------------------------------------------------------------------------

    def _sequence(self, node: tree_sitter.Node, context: Context) -> None:
        children = node.children
        if len(children) == 1 and children[0].kind_id in _STATEMENT:
            self._stack.append((children[0], context))
        else:
            self._statements(children, context)

    def _error(self, node: tree_sitter.Node, context: Context) -> None:
        """What the grammar could not place: whole statements as usual, and loose words on a line as a command."""
        self._statements(node.children, context._replace(last=False))
        run: list[Range] = []
        for child in node.children:
            if child.kind_id in _WORD and (not run or "\n" not in self.text[run[-1][1] : child.start_byte]):
                run.append((child.start_byte, child.end_byte))
            elif run:
                self._loose(run, context)
                run = [(child.start_byte, child.end_byte)] if child.kind_id in _WORD else []
        if run:
            self._loose(run, context)

    def _loose(self, words: list[Range], context: Context) -> None:
        self.found.append(RawCommand(words[0][0], words[-1][1], words, [], [], context._replace(last=False)))

    def _statements(self, children: Sequence[tree_sitter.Node], context: Context) -> None:
        """Push `children` that are statements, the first as `context` says, the others after a `;`."""
        if context.in_pipeline:
            context = context._replace(in_pipeline=False)
        tasks: list[_Task] = []
        inner = context._replace(last=False) if context.last else context
        after = inner if inner.operator == ";" else inner._replace(operator=";")
        last_task = -1
        for child in children:
            kind = child.kind_id
            if kind in _STATEMENT:
                tasks.append((child, after if tasks else inner))
                if kind not in _FUNCTION:
                    last_task = len(tasks) - 1
            elif kind in _BACKGROUND and tasks:
                statement, its = tasks[-1]
                tasks[-1] = (statement, its._replace(background=True))
        if context.last and last_task >= 0:
            statement, its = tasks[last_task]
            tasks[last_task] = (statement, its._replace(last=True))
        self._stack.extend(reversed(tasks))

    def _list(self, node: tree_sitter.Node, context: Context) -> None:
        operator = context.operator
        tasks: list[_Task] = []
        inner = context._replace(last=False, redirects=(), more_words=())
        for child in node.children:
            kind = child.kind_id
            if kind in _OPERATORS:
                operator = _OPERATORS[kind]
            elif kind in _STATEMENT:
                tasks.append((child, inner._replace(operator=operator)))
                if inner.in_pipeline:
                    inner = inner._replace(pipeline=None, in_pipeline=False)
        self._push_with_end(tasks, context)

    def _pipeline(self, node: tree_sitter.Node, context: Context) -> None:
        number = context.pipeline
        if number is None:
            self._pipelines += 1
            number = self._pipelines
        first = context._replace(last=False, pipeline=number, redirects=(), more_words=(), in_pipeline=True)
        after = first._replace(operator="|")
        tasks: list[_Task] = []
        for child in node.children:
            if child.kind_id in _STATEMENT:
                tasks.append((child, after if tasks else first))
        self._push_with_end(tasks, context)

    def _push_with_end(self, tasks: list[_Task], context: Context) -> None:
        """Push `tasks`; the last of them is last where the whole is, and takes what is attached to the whole."""
        if tasks:
            statement, its = tasks[-1]
            tasks[-1] = (
                statement,
                its._replace(last=context.last, redirects=context.redirects, more_words=context.more_words),
            )
        self._stack.extend(reversed(tasks))

    def _redirected(self, node: tree_sitter.Node, context: Context) -> None:
        body: tree_sitter.Node | None = None
        redirects: list[Range] = []
        swallowed: list[Range] = []
        following: list[tuple[str, tree_sitter.Node]] = []
        for child in node.children:
            kind = child.kind_id
            if kind in _FILE_REDIRECT or kind in _HERE_STRING:
                swallowed.extend(_redirect(child, redirects))
            elif kind in _HEREDOC:
                _heredoc(child, redirects, swallowed, following)
            elif kind in _STATEMENT:
                body = child
        if swallowed and redirects and "|" in self.text[redirects[-1][1] : swallowed[0][0]]:
            self._pipelines += 1
            context = context._replace(pipeline=context.pipeline or self._pipelines)
            rest = context._replace(operator="|", redirects=(), more_words=())
            self.found.append(RawCommand(swallowed[0][0], swallowed[-1][1], swallowed, [], [], rest))
            context, swallowed = context._replace(last=False), []
        if body is None:
            place = (node.start_byte, node.end_byte)
            self.found.append(RawCommand(*place, swallowed, [], [*redirects, *context.redirects], context))
            return
        inner = context._replace(
            redirects=(*redirects, *context.redirects),
            more_words=(*swallowed, *context.more_words) if body.kind_id in _SIMPLE | _LIST | _PIPELINE else (),
            last=context.last and not following,
        )
        tasks: list[_Task] = [(body, inner)]
        for operator, statement in following:
            if operator == "|" and inner.pipeline is None:
                self._pipelines += 1
                inner = inner._replace(pipeline=self._pipelines)
                tasks[0] = (body, inner)
            its = context._replace(operator=operator, pipeline=inner.pipeline if operator == "|" else None)
            tasks.append((statement, its._replace(last=context.last and statement is following[-1][1])))
        self._stack.extend(reversed(tasks))

    def _if(self, node: tree_sitter.Node, context: Context) -> None:
        children = node.children
        then = next((i for i, child in enumerate(children) if child.kind_id in _THEN), 0)
        branch = context._replace(condition="if", operator=";")
        self._branches(children[then:], branch)
        if then:
            self._statements(children[:then], context._replace(last=False))

    def _branches(self, children: Sequence[tree_sitter.Node], context: Context) -> None:
        """Push the statements of one branch, then the further branches, each of which may be the last to run."""
        own = [child for child in children if child.kind_id not in _IF or child.type == "if_statement"]
        others = [child for child in children if child.kind_id in _IF and child.type != "if_statement"]
        self._stack.extend((child, context) for child in reversed(others))
        self._statements(own, context)

    def _loop(self, node: tree_sitter.Node, context: Context) -> None:
        self._statements(node.children, context._replace(condition="loop"))

    def _case(self, node: tree_sitter.Node, context: Context) -> None:
        inner = context._replace(condition="case", operator=";")
        items = [child for child in node.children if child.kind_id in _CASE_ITEM or child.kind_id in _STATEMENT]
        self._stack.extend((child, inner) for child in reversed(items))

    def _function(self, node: tree_sitter.Node, context: Context) -> None:
        name = node.child_by_field_name("name")
        place = (name.start_byte, name.end_byte) if name else (node.start_byte, node.start_byte)
        self.functions.append(place)
        inner = context._replace(condition="function", function=place, last=False, operator="", background=False)
        body = node.child_by_field_name("body")
        if body is not None and body.kind_id in _STATEMENT:
            self._stack.append((body, inner))


for _kinds, _visitor in (
    (_SIMPLE, _Walk._simple),
    (_REDIRECTED, _Walk._redirected),
    (_PIPELINE, _Walk._pipeline),
    (_LIST, _Walk._list),
    (_IF, _Walk._if),
    (_LOOP, _Walk._loop),
    (_CASE, _Walk._case),
    (_CASE_ITEM, _Walk._sequence),
    (_FUNCTION, _Walk._function),
    (_SEQUENCE, _Walk._sequence),
    (_ERROR, _Walk._error),
):
    _Walk.visitors.update(dict.fromkeys(_kinds, _visitor))


def _redirect(node: tree_sitter.Node, redirects: list[Range]) -> list[Range]:
    """Add the redirect `node`; return words that tree-sitter takes for further destinations (`a >f b`)."""
    destinations = node.children_by_field_name("destination")
    if len(destinations) < 2:
        redirects.append((node.start_byte, node.end_byte))
        return []
    redirects.append((node.start_byte, destinations[0].end_byte))
    return [(extra.start_byte, extra.end_byte) for extra in destinations[1:]]


def _heredoc(
    node: tree_sitter.Node,
    redirects: list[Range],
    words: list[Range],
    following: list[tuple[str, tree_sitter.Node]],
) -> None:
    """Sort what stands on the line of a here-document: other redirects, words, the commands that come after."""
    operator = "|"
    for child in node.children:
        kind = child.kind_id
        if kind in _HEREDOC_START:
            redirects.append((node.start_byte, child.end_byte))
        elif kind in _OPERATORS:
            operator = _OPERATORS[kind]
        elif kind in _FILE_REDIRECT or kind in _HERE_STRING:
            words.extend(_redirect(child, redirects))
        elif kind in _STATEMENT:
            following.append((operator, child))
        elif kind in _WORD and kind not in _HEREDOC_REST:
            words.append((child.start_byte, child.end_byte))


def _leaves(node: tree_sitter.Node) -> list[Range]:
    """The words of a test command, in order."""
    found: list[Range] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if current.kind_id in _WORD or not current.child_count:
            if current.end_byte > current.start_byte:
                found.append((current.start_byte, current.end_byte))
        else:
            stack.extend(reversed(current.children))
    return found
