"""The functions that Helm adds to Sprig's: `include`, `tpl`, `required`, `fail`, `lookup`.

Charts that demand values refuse to be rendered without them. What they demand is then Unknown, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Registered
from pyprod_audit.evaluate.gotemplate.sprig import FUNCTIONS as SPRIG
from pyprod_audit.evaluate.gotemplate.values import TemplateError, Value
from pyprod_audit.model import Span, Unknown

_MAX_REASON = 200


@dataclass(slots=True)
class Refusals:
    """What a chart refused to be rendered without, by the action that said so."""

    reasons: dict[tuple[str, int], tuple[Span, str]] = field(default_factory=dict)

    def add(self, span: Span, reason: str) -> None:
        """Notes one; the same action counts once."""
        self.reasons.setdefault((span.file.path, span.start), (span, reason))


def functions(names: Container[str], missing: str, refusals: Refusals) -> Mapping[str, Registered]:
    """All functions of Helm's templates.

    Args:
        names: The named templates that there are.
        missing: Why further ones may exist ("the dependency redis … is not in the repository"), else "".
        refusals: Gets what `required` and `fail` said.
    """

    def include(call: Call, name: Value, data: Value = None) -> Value:
        if not isinstance(name, str):
            return name if isinstance(name, Unknown) else call.renderer.include(name, data, call)
        try:
            return call.renderer.include(name, data, call)
        except TemplateError:
            if missing and name not in names:
                return Unknown(f'include "{name}"', missing)
            raise

    def required(call: Call, message: Value, value: Value) -> Value:
        if value is None or value == "":
            reason = _reason("required", message)
            refusals.add(call.span, reason)
            return Unknown(str(message), f"the chart demands a value: {reason}")
        return value

    def fail(call: Call, message: Value) -> Value:
        reason = _reason("fail", message)
        if call.undecided:
            raise TemplateError(reason)  # a branch that fails is not the one that is taken
        refusals.add(call.span, reason)
        return Unknown(f"fail: {reason}", f"the chart refuses these values: {reason}")

    return {
        **SPRIG,
        "include": Contextual(include, takes=("string", "interface {}")),
        "tpl": Contextual(_tpl, takes=("string", "interface {}")),
        "required": Contextual(required, takes=("string", "interface {}")),
        "fail": Contextual(fail, takes=("string",)),
        "lookup": Contextual(_lookup),
    }


def _tpl(call: Call, text: Value, data: Value) -> Value:
    if isinstance(text, Unknown):
        return text
    return call.renderer.expand(text, data, call, call.places[0] if call.places else ())


def _lookup(_call: Call, *arguments: Value) -> Value:
    """What the cluster has is known to it alone; `helm template` finds nothing there."""
    asked = " ".join(str(one) for one in arguments if isinstance(one, str) and one)
    return Unknown(f"lookup {asked}".rstrip(), "it is looked up in the cluster")


def _reason(function: str, message: Value) -> str:
    text = " ".join(str(message).split()) if isinstance(message, str) else function
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…"
