"""Templates run: data in, text with the place of every part out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from pyprod_audit.evaluate.gotemplate.calls import Entry, lookup
from pyprod_audit.evaluate.gotemplate.frames import Frame, Places
from pyprod_audit.evaluate.gotemplate.functions import Call, Registered
from pyprod_audit.evaluate.gotemplate.marks import MARK, Mark
from pyprod_audit.evaluate.gotemplate.parser import add_definitions, parse_text
from pyprod_audit.evaluate.gotemplate.statements import INCLUDED, NO_VALUE, Program
from pyprod_audit.evaluate.gotemplate.syntax import Definition
from pyprod_audit.evaluate.gotemplate.text import replace, union
from pyprod_audit.evaluate.gotemplate.values import LimitReached, TemplateError, Text, Value
from pyprod_audit.model import Span, Unknown, Via


class Limits(NamedTuple):
    """What one `Renderer.render` may do at most, all in counts: reaching one raises `LimitReached`.

    `steps`: actions, iterations and calls, and each hundred characters or members of results; `characters` of output,
    includes counted again in their includers; `members` of one slice; `frames`: Python frames of templates inside of
    templates (a template takes 10 to 40).
    """

    steps: int = 2_000_000
    characters: int = 20_000_000
    members: int = 1_000_000
    frames: int = 4_000


MissingKey = Literal["zero", "default", "error"]
"""What a field of a map that is not there is (Go's option missingkey). Helm's engine says "zero"."""

_WEIGHT: Final = 100
_RECURSIONS: Final = 5
"""How often a template is in itself before a branch that may not be taken stops going deeper."""


class Renderer:
    """Renders templates that know each other.

    `functions` by name, added to the builtin ones. `hide_no_value`: "<no value>", which Go prints for nil, is taken out
    of what `render` and `expand` return, as Helm does (what `include` returns still has it, and functions see it).
    `marks`: what the marks in rendered text stand for, by index; they grow over all renderings of this renderer.
    """

    def __init__(
        self,
        templates: Mapping[str, Definition],
        functions: Mapping[str, Registered],
        limits: Limits = Limits(),  # noqa: B008 - a NamedTuple cannot change
        missing_key: MissingKey = "zero",
        hide_no_value: bool = True,
    ) -> None:
        self.templates = templates
        self.functions = functions
        self.limits = limits
        self.missing_key = missing_key
        self.hide_no_value = hide_no_value
        self.marks: list[Mark] = []
        self.steps = 0
        self.written = 0
        self.frames = 0
        self.undecided = 0
        self.frame: Frame | None = None
        self._running: dict[Definition, int] = {}
        self._entries: dict[str, Entry | None] = {}

    def render(self, name: str, data: Value) -> Text:
        """The output of the template `name` for `data`, with its pieces.

        A literal piece is in the file of its `define`, with the actions that included it as `via`; an action's piece is
        the action, with the places that its value came through as `via` before those. Raises `TemplateError` with the
        span where rendering stopped, and `LimitReached`.
        """
        self.steps = self.written = self.frames = self.undecided = 0
        self.frame = None
        self._running.clear()
        before = sys.getrecursionlimit()
        # Templates in templates take frames of Python's stack, which `Limits.frames` counts.
        sys.setrecursionlimit(before + self.limits.frames)
        try:
            return self._shown(self.invoke(name, data, (), ()))
        except RecursionError:
            raise LimitReached("values or templates are nested too deeply") from None
        finally:
            sys.setrecursionlimit(before)
            self.frame = None

    def _shown(self, text: Text) -> Text:
        if not self.hide_no_value or NO_VALUE not in text:
            return text
        shown = replace(text, NO_VALUE, "")
        return shown if isinstance(shown, Text) else Text(shown)

    # -- templates in templates --------------------------------------------------------------------------------

    def invoke(self, name: str, data: Value, places: Places, via: Places) -> Text:
        """The output of a template for data that came through `places`; `via` are the actions that include it."""
        definition = self.templates.get(name)
        if definition is None:
            raise TemplateError(f'no template "{name}"')
        return self._run(definition, data, places, via)

    def _run(self, definition: Definition, data: Value, places: Places, via: Places) -> Text:
        program = definition.program
        if program is None:
            program = definition.program = Program(definition)
        if self.undecided and self._running.get(definition, 0) >= _RECURSIONS:
            unknown = Unknown(definition.name, "it is not known how often it includes itself")
            return Text(self.mark(unknown, definition.span(0, 0), via))
        self.frames += program.frames
        if self.frames > self.limits.frames:
            raise LimitReached(f'templates are nested too deeply at "{definition.name}"', definition.span(0, 0))
        frame = Frame(self, definition, data, places, via)
        self._running[definition] = self._running.get(definition, 0) + 1
        try:
            program.run(frame)
        finally:
            self._running[definition] -= 1
        self.frames -= program.frames
        return frame.text()

    def include(self, name: str, data: Value, call: Call, places: tuple[Via, ...] = ()) -> Text:
        """See `Calling.include`."""
        return self.invoke(str(name), data, places or _places(call), self._chain(call))

    def expand(self, text: str, data: Value, call: Call, places: tuple[Via, ...] = ()) -> Text:
        """See `Calling.expand`."""
        anchor = call.span._replace(via=union(places, call.span.via))
        name = self.frame.definition.name if self.frame is not None else "tpl"
        self.spend(len(text))
        parsed = parse_text(str(text), anchor, name)
        if parsed.problems:
            message, line = parsed.problems[0]
            raise TemplateError(f"cannot parse template: line {line}: {message}", call.span)
        outer = self.templates
        if len(parsed.definitions) > 1:
            inner = dict(outer)
            add_definitions(inner, parsed)
            self.templates = inner
        try:
            return self._shown(self._run(parsed.definitions[name], data, _places(call), ()))
        finally:
            self.templates = outer

    def _chain(self, call: Call) -> Places:
        """The actions that include a template which `call` includes."""
        outer = self.frame.via if self.frame is not None else ()
        return union((Via(Span(*call.span[:3]), INCLUDED),), outer)

    # -- marks -------------------------------------------------------------------------------------------------

    def mark(self, unknown: Unknown, span: Span, via: tuple[Via, ...] = ()) -> str:
        """See `Calling.mark`."""
        self.spend()
        self.marks.append(Mark(unknown, Span(*span[:3]), union(via, span.via)))
        return f"\ue010{len(self.marks) - 1}\ue011"

    def unknown_in(self, text: str) -> Unknown:
        """What the first mark of a text stands for."""
        found = MARK.search(text)
        index = int(found[1]) if found else -1
        if 0 <= index < len(self.marks):
            return self.marks[index].unknown
        return Unknown("", "part of it is known only when deployed")

    # -- bounds ------------------------------------------------------------------------------------------------

    def spend(self, characters: int = 0) -> None:
        """Counts a step, and characters that were written."""
        self.steps += 1
        self.written += characters
        if self.steps > self.limits.steps:
            raise LimitReached(f"more than {self.limits.steps} steps")
        if self.written > self.limits.characters:
            raise LimitReached(f"more than {self.limits.characters} characters of output")

    def weigh(self, result: str | list[Value]) -> None:
        """Counts what a function made."""
        size = len(result)
        if size > _WEIGHT:
            self.steps += size // _WEIGHT
            limit = self.limits.characters if isinstance(result, str) else self.limits.members
            if size > limit:
                raise LimitReached("a result is too large")

    def entry(self, name: str) -> Entry | None:
        """The function of that name; None when there is none."""
        if name not in self._entries:
            self._entries[name] = lookup(self.functions, name)
        return self._entries[name]


def _places(call: Call) -> Places:
    """The places of the data of `include` and `tpl`, their second argument."""
    return call.places[1] if len(call.places) > 1 else ()
