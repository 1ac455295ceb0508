"""Requests to `behaviour.conf` on a running nginx, and what came back."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
CONFIGURATION = FOLDER / "behaviour.conf"
RECORDED = FOLDER / "behaviour.json"
MORE = FOLDER / "headers-more.conf"
MORE_RECORDED = FOLDER / "headers-more.json"
_S = "server[example.com:PORT]"
_T = "server[own.example.com:PORT]"


class Request(NamedTuple):
    """A request, and the block whose directives answer it."""

    target: str
    block: str
    method: str = "GET"
    host: str = "example.com"
    body: str = ""


REQUESTS = (
    Request("/plain/", f"{_S}/location[/plain/]"),
    Request("/plain/?if=nothing", f"{_S}/location[/plain/]/if[$arg_if = nothing]"),
    Request("/plain/?if=header", f"{_S}/location[/plain/]/if[$arg_if = header]"),
    Request("/plain/?if=pass", f"{_S}/location[/plain/]/if[$arg_if = pass]"),
    Request("/plain/", f"{_S}/location[/plain/]", "POST", body="x" * 15),
    Request("/own/", f"{_S}/location[/own/]"),
    Request("/own/", f"{_S}/location[/own/]", "POST", body="x" * 15),
    Request("/own/?if=nothing", f"{_S}/location[/own/]/if[$arg_if = nothing]"),
    Request("/own/?if=header", f"{_S}/location[/own/]/if[$arg_if = header]"),
    Request("/own/nested/", f"{_S}/location[/own/]/location[/own/nested/]"),
    Request("/own/headers/", f"{_S}/location[/own/]/location[/own/headers/]"),
    Request("/own/sent/", f"{_S}/location[/own/]/location[/own/sent/]"),
    Request("/own/static/a.txt", f"{_S}/location[/own/]/location[/own/static/]"),
    Request("/merge/", f"{_S}/location[/merge/]"),
    Request("/merge/nested/", f"{_S}/location[/merge/]/location[/merge/nested/]"),
    Request("/merge/on/", f"{_S}/location[/merge/]/location[/merge/on/]"),
    Request("/merge/off/", f"{_S}/location[/merge/]/location[/merge/off/]"),
    Request("/off/", f"{_S}/location[/off/]"),
    Request("/off/nested/", f"{_S}/location[/off/]/location[/off/nested/]"),
    Request("/except/", f"{_S}/location[/except/]"),
    Request("/except/", f"{_S}/location[/except/]/limit_except[GET]", "POST"),
    Request("/closed/", f"{_S}/location[/closed/]"),
    Request("/closed/still/", f"{_S}/location[/closed/]/location[/closed/still/]"),
    Request("/closed/open/", f"{_S}/location[/closed/]/location[/closed/open/]"),
    Request("/uwsgi/", f"{_S}/location[/uwsgi/]"),
    Request("/uwsgi/own/", f"{_S}/location[/uwsgi/own/]"),
    Request("/uwsgi/own/nested/", f"{_S}/location[/uwsgi/own/]/location[/uwsgi/own/nested/]"),
    Request("/missing/", f"{_S}/location[/missing/]"),
    Request("/missing/own/", f"{_S}/location[/missing/own/]"),
    Request("/missing/own/nested/", f"{_S}/location[/missing/own/]/location[/missing/own/nested/]"),
    Request("/index/", f"{_S}/location[/index/]"),
    Request("/index/own/", f"{_S}/location[/index/own/]"),
    Request("/index/own/nested/", f"{_S}/location[/index/own/]/location[/index/own/nested/]"),
    Request("/aliased/a.txt", f"{_S}/location[/aliased/]"),
    Request("/aliased/root/a.txt", f"{_S}/location[/aliased/]/location[/aliased/root/]"),
    Request("/tried/", f"{_S}/location[/tried/]"),
    Request("/tried/nested/", f"{_S}/location[/tried/]/location[/tried/nested/]"),
    Request("/plain/", f"{_T}/location[/plain/]", host="own.example.com"),
    Request("/own/", f"{_T}/location[/own/]", host="own.example.com"),
    Request("/missing/", f"{_T}/location[/missing/]", host="own.example.com"),
)
MORE_REQUESTS = (
    Request("/plain/", f"{_S}/location[/plain/]"),
    Request("/own/", f"{_S}/location[/own/]"),
    Request("/own/nested/", f"{_S}/location[/own/]/location[/own/nested/]"),
    Request("/own/?if=more", f"{_S}/location[/own/]/if[$arg_if = more]"),
    Request("/cleared/", f"{_S}/location[/cleared/]"),
)
_FILES = (
    "files/own/static/a.txt", "files/index/http.html", "files/index/own/own.html", "files/index/own/http.html",
    "files/index/own/nested/own.html", "files/index/own/nested/http.html", "files/index/a.txt",
    "files/rooted/aliased/root/a.txt", "files/tried/nested/http.html", "files/error/none",
)  # fmt: skip


class NotStartedError(Exception):
    """This nginx does not start with the configuration."""


def observed(nginx: str, configuration: Path, requests: tuple[Request, ...]) -> list[dict[str, Any]]:
    """What a running nginx answers: status, headers of interest, what the backend was sent, where it was logged."""
    with tempfile.TemporaryDirectory() as scratch, _backends() as (backend, uwsgi):
        prefix = Path(scratch)
        prefix.chmod(0o755)
        for path in _FILES:
            (prefix / path).parent.mkdir(parents=True, exist_ok=True)
            (prefix / path).write_text(f"{path}\n", encoding="utf-8")
        (prefix / "logs").mkdir()
        built = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
        modules = re.search(r"--modules-path=(\S+)", built)
        if modules:
            (prefix / "modules").symlink_to(modules[1])
        port = _free_port()
        text = configuration.read_text(encoding="utf-8")
        for name, value in (("PORT", port), ("BACKEND", backend), ("UWSGI", uwsgi)):
            text = re.sub(rf"(?<=127\.0\.0\.1:){name}\b", str(value), text)
        (prefix / "nginx.conf").write_text(text, encoding="utf-8")
        running = subprocess.Popen([nginx, "-p", scratch, "-c", f"{scratch}/nginx.conf", "-e", "stderr"])
        try:
            _wait_for(port, running)
            return [_answered(port, one, prefix / "logs") for one in requests]
        finally:
            running.terminate()
            running.wait(10)
            shutil.rmtree(prefix / "logs", ignore_errors=True)


def _answered(port: int, request: Request, logs: Path) -> dict[str, Any]:
    for log in logs.iterdir():
        log.write_bytes(b"")
    head = f"{request.method} {request.target} HTTP/1.1\r\nHost: {request.host}\r\nConnection: close\r\n"
    head += "TE: trailers\r\n"
    length = f"Content-Length: {len(request.body)}\r\n" if request.body or request.method == "POST" else ""
    with socket.create_connection(("127.0.0.1", port), 10) as opened:
        opened.sendall(f"{head}{length}\r\n{request.body}".encode())
        data = b""
        while part := opened.recv(65536):
            data += part
    top, _, body = data.decode().partition("\r\n\r\n")
    status, *lines = top.split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    trailers: list[str] = []
    if ["Transfer-Encoding", "chunked"] in pairs:
        body, trailers = _unchunked(body)
    wanted = ("x-", "location", "set-cookie", "cache-control")
    time.sleep(0.01)
    return {
        "request": f"{request.method} {request.host}{request.target}",
        "status": int(status.split()[1]),
        "headers": [f"{name}: {value}" for name, value in pairs if name.lower().startswith(wanted)],
        "trailers": trailers,
        "body": "" if body.startswith("<html>") else body.strip(),
        "logs": sorted(log.name for log in logs.iterdir() if log.stat().st_size),
    }


def _unchunked(body: str) -> tuple[str, list[str]]:
    text, rest = "", body
    while True:
        size, _, rest = rest.partition("\r\n")
        if not int(size, 16):
            return text, [line for line in rest.split("\r\n") if line]
        text, rest = text + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if running.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NotStartedError


@contextlib.contextmanager
def _backends() -> Iterator[tuple[int, int]]:
    """A backend for HTTP and one for uwsgi, which answer with what they were sent."""
    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("127.0.0.1", 0)) as uwsgi:
        for server, answer in ((http, _http), (uwsgi, _uwsgi)):
            threading.Thread(target=_serve, args=(server, answer), daemon=True).start()
        yield http.getsockname()[1], uwsgi.getsockname()[1]


def _serve(server: socket.socket, answer: Any) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            sent = answer(connection.recv(65536))
            body = f"alpha beta {json.dumps(sent)}"
            connection.sendall(
                (
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Hide-Http: 1\r\nX-Hide-Own: 1\r\n"
                    "Location: http://internal.example.com/x\r\nSet-Cookie: a=b; Path=/inner\r\n"
                    f"Connection: close\r\n\r\n{body}"
                ).encode()
            )


def _http(data: bytes) -> list[str]:
    return sorted(line for line in data.decode().split("\r\n\r\n")[0].split("\r\n")[1:] if line.startswith("X-"))


def _uwsgi(data: bytes) -> list[str]:
    words, at = [], 4
    end = 4 + int.from_bytes(data[1:3], "little")
    while at < end:
        size = int.from_bytes(data[at : at + 2], "little")
        words.append(data[at + 2 : at + 2 + size].decode())
        at += 2 + size
    return sorted(f"{name}={value}" for name, value in zip(words[::2], words[1::2], strict=True) if name[:2] == "P_")
