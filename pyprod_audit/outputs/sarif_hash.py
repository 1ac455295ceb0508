"""The fingerprint that GitHub's code scanning gives to a line.

GitHub follows an alert through edits by `partialFingerprints.primaryLocationLineHash`. Its upload action fills in what
is missing and warns about what differs, so the value must be the one that github/codeql-action computes
(src/fingerprints.ts): a polynomial hash of the 100 UTF-16 units that follow the start of the line, where spaces and
tabs do not count, every line end is one line feed, and the end of the file is one unit 0xFFFF followed by zeros; then
":" and how many lines up to here have had that hash.
"""

from __future__ import annotations

import operator
from array import array
from collections import Counter
from collections.abc import Collection
from typing import Final

_WINDOW: Final = 100
_BASE: Final = 37
_MASK: Final = (1 << 64) - 1
_POWERS: Final = tuple(pow(_BASE, _WINDOW - 1 - index, 1 << 64) for index in range(_WINDOW))
_END: Final = 0xFFFF
_LINE_FEED: Final = 0x0A


def line_hashes(text: str, wanted: Collection[int]) -> dict[int, str]:
    """The fingerprints of the 1-based lines in `wanted`; a line that the text does not have is left out."""
    if not wanted:
        return {}
    last = max(wanted)
    squeezed = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
    units = array("H", squeezed.encode("utf-16-le", "surrogatepass"))
    if array("H", b"\x00\x01")[0] == 1:  # a big-endian machine
        units.byteswap()
    units.append(_END)
    found: dict[int, str] = {}
    seen: Counter[int] = Counter()
    start, line = 0, 1
    while start < len(units) and line <= last:
        value = sum(map(operator.mul, units[start : start + _WINDOW], _POWERS)) & _MASK
        seen[value] += 1
        if line in wanted:
            found[line] = f"{value:x}:{seen[value]}"
        try:
            start = units.index(_LINE_FEED, start) + 1
        except ValueError:
            break
        line += 1
    return found
