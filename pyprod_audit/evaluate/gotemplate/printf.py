"""`printf`: formats of Go's package fmt taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pyprod_audit.evaluate.gotemplate.formatting import Inexact, Marker, Verb, Writer, type_name
from pyprod_audit.evaluate.gotemplate.marks import is_marked
from pyprod_audit.evaluate.gotemplate.text import concat, cut
from pyprod_audit.evaluate.gotemplate.values import Value

_FLAGS: Final = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
_TOO_LARGE: Final = 1_000_000
_MOST_DIGITS: Final = 7
_DIGITS: Final = frozenset("0123456789")


def sprintf(form: str, operands: Sequence[Value], mark: Marker) -> str:
    """The format with its verbs replaced by the operands; texts under a plain %s keep their pieces.

    Raises `Inexact` where Go's result is not known.
    """
    if is_marked(form):
        raise Inexact("the format is known only when deployed")
    return _Format(form, operands, Writer(mark)).run()


class _Format:
    """One call: the place in the format, and the operand that is next."""

    def __init__(self, form: str, operands: Sequence[Value], writer: Writer) -> None:
        self.form = form
        self.operands = operands
        self.writer = writer
        self.at = 0
        self.next = 0
        self.indexed = False
        self.reordered = False
        self.good = True
        self.parts: list[str] = []

    def run(self) -> str:
        """The whole format."""
        while True:
            percent = self.form.find("%", self.at)
            if percent < 0:
                break
            self.parts.append(cut(self.form, self.at, percent))
            self.at = percent + 1
            self.verb()
        self.parts.append(cut(self.form, self.at, len(self.form)))
        if not self.reordered and self.next < len(self.operands):
            self.parts.append(self.extra())
        return concat(self.parts)

    def extra(self) -> str:
        """What Go appends for operands that no verb asked for."""
        shown = [
            "<nil>" if value is None else f"{type_name(value)}={self.writer.argument(value, Verb())}"
            for value in self.operands[self.next :]
        ]
        return f"%!(EXTRA {', '.join(shown)})"

    def verb(self) -> None:
        """One verb behind its percent sign."""
        form, end = self.form, len(self.form)
        self.good, self.indexed = True, False
        flags: dict[str, bool] = {}
        while self.at < end and form[self.at] in _FLAGS:
            flags[_FLAGS[form[self.at]]] = True
            self.at += 1
        self.index()
        width = self.width(flags)
        precision = self.precision()
        if not self.indexed:
            self.index()
        if self.at >= end:
            self.parts.append("%!(NOVERB)")
            return
        letter = form[self.at]
        self.at += 1
        if letter == "%":
            self.parts.append("%")
        elif not self.good:
            self.parts.append(f"%!{letter}(BADINDEX)")
        elif self.next >= len(self.operands):
            self.parts.append(f"%!{letter}(MISSING)")
        else:
            value = self.operands[self.next]
            self.next += 1
            verb = Verb(letter, width=width, precision=precision, **flags)
            self.parts.append(self.writer.argument(value, verb))

    def index(self) -> None:
        """`[n]`: the number of the next operand."""
        form = self.form
        if self.at >= len(form) or form[self.at] != "[":
            self.indexed = False
            return
        self.reordered = True
        closing = form.find("]", self.at + 1)
        if closing < 0 or len(form) - self.at < 3:
            self.good = self.indexed = False
            self.at += 1
            return
        digits = form[self.at + 1 : closing]
        self.at = closing + 1
        number = int(digits) if digits and len(digits) < 8 and _DIGITS.issuperset(digits) else None
        self.indexed = number is not None
        if number is not None and 1 <= number <= len(self.operands):
            self.next = number - 1
        else:
            self.good = False

    def number(self) -> int | None:
        """Digits; None when there are none, or too many."""
        start = self.at
        while self.at < len(self.form) and self.form[self.at] in _DIGITS:
            self.at += 1
        if start == self.at:
            return None
        if self.at - start > _MOST_DIGITS:
            # Go gives up the rest of the format for such a number.
            self.at = len(self.form)
            return None
        return int(self.form[start : self.at])

    def width(self, flags: dict[str, bool]) -> int | None:
        """The width, which `*` takes from an operand."""
        if not self.form.startswith("*", self.at):
            width = self.number()
            if self.indexed and width is not None:
                self.good = False
            return width
        self.at += 1
        width = self.operand()
        if width is None:
            self.parts.append("%!(BADWIDTH)")
        elif width < 0:
            flags["minus"], flags["zero"] = True, False
            width = -width
        self.indexed = False
        return width

    def precision(self) -> int | None:
        """The precision behind a point; a point alone is 0."""
        if self.at + 1 >= len(self.form) or self.form[self.at] != ".":
            return None
        self.at += 1
        if self.indexed:
            self.good = False
        self.index()
        if not self.form.startswith("*", self.at):
            return self.number() or 0
        self.at += 1
        precision = self.operand()
        self.indexed = False
        if precision is None or precision < 0:
            self.parts.append("%!(BADPREC)")
            return None
        return precision

    def operand(self) -> int | None:
        """The next operand as a width or precision."""
        if self.next >= len(self.operands):
            return None
        value = self.operands[self.next]
        self.next += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _TOO_LARGE:
            return None
        return value
