"""Command lines of servers: options with and without values, in all spellings."""

from __future__ import annotations

import pytest

from pyprod_audit.link.options import CommandLine, read
from pyprod_audit.model import Node, SourceFile, Unknown


def words(text: str) -> list[Node]:
    source = SourceFile("Dockerfile", text)
    found, at = [], 0
    for word in text.split(" "):
        start = text.index(word, at)
        at = start + len(word)
        value = Unknown(word, "the shell fills it in") if "$" in word else word
        found.append(Node(value, source, start, at))
    return found


def values(line: CommandLine) -> dict[str, object]:
    return {name: setting.value and setting.value.scalar for name, setting in line.settings.items()}


@pytest.mark.parametrize(
    ("program", "text", "settings", "positional"),
    [
        ("gunicorn", "-b :8000 -w 4 shop:app", {"bind": ":8000", "workers": "4"}, ["shop:app"]),
        ("gunicorn", "-w4 -b0.0.0.0:80 shop:app", {"bind": "0.0.0.0:80", "workers": "4"}, ["shop:app"]),
        ("gunicorn", "--bind=:8000 --threads=2 shop:app", {"bind": ":8000", "threads": "2"}, ["shop:app"]),
        ("gunicorn", "--access-logfile - --log-level info shop:app", {}, ["shop:app"]),
        ("gunicorn", "--http-protocols h2,h1 --preload shop:app", {"preload": None}, ["shop:app"]),
        ("gunicorn", "shop:app -k asgi --control-socket-mode 0600", {"worker_class": "asgi"}, ["shop:app"]),
        ("uvicorn", "main:app --host :: --no-access-log --port=80", {"host": "::", "port": "80"}, ["main:app"]),
        ("uvicorn", "--ws-ping-interval 5 --factory main:make", {"factory": None}, ["main:make"]),
        ("hypercorn", "--read-timeout 5 -b [::]:80 main:app", {"bind": "[::]:80"}, ["main:app"]),
        ("daphne", "-b 0.0.0.0 -p 80 --websocket-max-frame-size 9 a:app", {"host": "0.0.0.0", "port": "80"}, ["a:app"]),
        ("granian", "--interface asgi --runtime-mode mt main:app", {"interface": "asgi"}, ["main:app"]),
        ("waitress-serve", "--listen=*:8041 --call shop:make", {"bind": "*:8041", "factory": None}, ["shop:make"]),
        ("uwsgi", "--http-socket :80 -p 4 --master -w shop:app", {"bind": ":80", "workers": "4", "master": None,
                                                                  "app": "shop:app"}, []),
        ("flask", "--app shop --host=0.0.0.0 --debug", {"app": "shop", "host": "0.0.0.0", "debug": None}, []),
        ("fastapi", "main.py --workers 2 --no-reload", {"workers": "2", "no_reload": None}, ["main.py"]),
        ("runserver", "--settings config.local 0.0.0.0:80", {}, ["0.0.0.0:80"]),
    ],
)  # fmt: skip
def test_options_of(program: str, text: str, settings: dict[str, object], positional: list[str]) -> None:
    line = read(program, words(text))
    assert values(line) == settings
    assert [word.text for word in line.positional] == positional
    assert line.complete


def test_a_value_points_at_its_own_characters() -> None:
    line = read("gunicorn", words("--bind=0.0.0.0:8000 -w3 shop:app"))
    assert {n: s.value.span.text for n, s in line.settings.items() if s.value} == {
        "bind": "0.0.0.0:8000",
        "workers": "3",
    }


def test_a_value_that_the_shell_fills_in_is_unknown_and_the_rest_is_known() -> None:
    line = read("gunicorn", words("--bind=0.0.0.0:$PORT --workers $N shop:app"))
    assert line.complete
    assert all(setting.value is not None and setting.value.is_unknown for setting in line.settings.values())
    assert [word.text for word in line.positional] == ["shop:app"]


def test_words_that_may_be_options_leave_the_line_open() -> None:
    line = read("gunicorn", words("$GUNICORN_OPTS shop:app"))
    assert not line.complete


def test_the_last_of_an_option_counts_and_an_option_without_its_value_does_not() -> None:
    assert values(read("uvicorn", words("a:b --port 80 --port 81 --host"))) == {"port": "81"}
