"""The Python reader on hostile input: it never raises, and every place lies in the file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import SourceFile
from pyprod_audit.parsers.python_source import parse, read_module

FRAGMENTS = [
    "import os\n", "from flask import Flask as F, Blueprint\n", "from . import *\n", "app = F(__name__)\n",
    "@app.route('/x')\n",
    "async def h(a=Depends(b)):\n", "def create_app():\n", "    return app\n", "class S(BaseSettings):\n",
    "    x: int = Field(1, env='Y')\n",
    "X = os.environ['A']\n", "os.getenv('B', d)\n", "urlpatterns = [path('x', include('y')), *z]\n",
    "urlpatterns += a + b\n",
    "X['a']['b'] = {1: {2: [3, *c], **d}}\n", "signal.signal(SIGTERM, lambda *_: sys.exit(0))\n",
    "import signal, sys\n",
    "if __name__ == '__main__':\n", "    app.run(**k)\n", "op.create_index('i', 't', ['c'])\n",
    "from alembic import op\n", "X += [1]\n",
    "with a.b() as c, d:\n", "a = b = (c, d) = 1, 2\n", "{{ jinja }}", "{% if x %}\n", "f'{a!r:{b}}'", "\\", "'''",
    "(", ")", "[", "]",
    "é🐍", "\x00", "\ud800", "\r\n", "\t", "lambda: ", "self.x = httpx.Client()\n", "import httpx, ssl\n",
    "ssl.CERT_NONE\n",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=8), max_size=25),
    st.sampled_from(["a/urls.py", "s/settings.py"]),
)
def test_never_raises_and_places_lie_in_the_file(parts: list[str], path: str) -> None:
    source = SourceFile(path, "".join(parts))
    parsed = parse(source)
    for resource in parsed.resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(source.text)
            assert node.key_start <= node.key_end <= len(source.text)
    for problem in parsed.problems:
        assert problem.line is not None
        assert 1 <= problem.line <= len(source.line_starts)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 30_000 + ")" * 30_000,
        "x = " + "[" * 30_000,
        "import redis\nx = " + "redis.Redis(" * 5_000 + ")" * 5_000,
        "import os\n" + "os.getenv(" * 3_000 + ")" * 3_000,
        "x = a" + ".b()" * 30_000,
        "x = 1" + " + 1" * 30_000,
        "x = " + "-" * 30_000 + "1",
        "x = " + "{'a': " * 20_000,
        "x = " + "a = " * 20_000 + "1",
        "x = " + "lambda: " * 5_000 + "1",
        "x = " + "dict(a=" * 5_000 + "1" + ")" * 5_000,
        "".join(" " * i + "if a:\n" for i in range(500)),
        "".join(" " * i + f"def f{i}():\n" for i in range(500)),
        "".join(" " * i + "class A:\n" for i in range(500)),
        "x = 9" + "9" * 10_000,
        "urlpatterns = " + "a + " * 20_000 + "b",
        "{%" * 20_000,
        "{{" * 20_000 + "\nx = (",
        "x = '" + "{{ " * 20_000 + "'",
        "x = [" + "'/health'," * 20_000 + "]",
    ],
    ids=range(20),
)
def test_deep_and_wide_input(text: str) -> None:
    parsed = read_module(SourceFile("shop/urls.py", text))
    assert len(parsed.resources) + len(parsed.problems) >= 1


def test_an_oversized_file_is_a_problem() -> None:
    parsed = read_module(SourceFile("data/urls.py", "x = 1\n" * 600_000))
    assert parsed.resources == []
    assert parsed.partial
    assert [p.line for p in parsed.problems] == [1]
