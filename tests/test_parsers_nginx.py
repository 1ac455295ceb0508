"""The nginx parser: tokens, structure, templates, recovery, and the content sniff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import crossplane
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, SourceFile, Unknown
from pyprod_audit.parsers.nginx import MAX_DEPTH, looks_like_nginx, parse
from pyprod_audit.parsers.nginx_tokens import end_of_lua

SITE = r"""
# main site
user  www-data;
events { worker_connections 2048; }
http {
    include mime.types;
    log_format main '$remote_addr - "$request" '
                    '$status "$http_user_agent"';
    map $http_upgrade $connection_upgrade {
        default upgrade;
        ''      close;
        ~*^h2c  "up grade";
    }
    geo $internal { default 0; 10.0.0.0/8 1; }
    split_clients "${remote_addr}AAA" $variant { 50% .one; * ""; }
    types { text/html html htm; }
    upstream app { server unix:/run/app.sock fail_timeout=0; server 10.0.0.2:8000 backup; }
    server {
        listen 443 ssl; # TLS
        server_name example.com ~^(?<sub>.+)\.example\.com$;
        add_header Content-Security-Policy "default-src 'self'; img-src *" always;
        location ~ "^/report/(\d{4})/{2}" { proxy_pass http://app; }
        location ~* \.(?:css|js)$ { expires 1y; }
        location / {
            if ($request_method !~ ^(GET|POST)$ ) { return 405; }
            if (-f $request_filename) { break; }
            limit_except GET POST { deny all; }
            set $target "http://${host}:8000";
            rewrite ^/old/(.*)$ /new/$1?a=b;c permanent;
        }
    }
}
"""


def parsed(text: str, path: str = "nginx/nginx.conf") -> Parsed:
    return parse(SourceFile(path, text))


def tree(directives: tuple[Node, ...]) -> list[Any]:
    found = []
    for node in directives:
        members = node.mapping
        entry: list[Any] = [members["name"].value, [arg.value for arg in members["args"].items]]
        if "block" in members:
            entry.append(tree(members["block"].items))
        found.append(entry)
    return found


def read(text: str, path: str = "nginx/nginx.conf") -> list[Any]:
    return tree(parsed(text, path).resources[0].node.mapping["directives"].items)


def messages(text: str, path: str = "nginx/nginx.conf") -> list[tuple[int | None, str]]:
    return [(problem.line, problem.message) for problem in parsed(text, path).problems]


def of_crossplane(directives: list[dict[str, Any]]) -> list[Any]:
    return [
        [d["directive"], d["args"], *([of_crossplane(d["block"])] if "block" in d else [])]
        for d in directives
        if d["directive"] != "#"
    ]


SNIPPETS = [
    SITE.replace("rewrite ^/old/(.*)$ /new/$1?a=b;c permanent;", "rewrite ^/old/(.*)$ /new/$1 permanent;"),
    "return 200 'a\\.b';",
    "root /srv/a;\r\nindex index.html\r\n      index.htm;\r\n",
    "location / { try_files $uri /x#y; }#end",
    "a \"x;y{z}\" '#no' b#c;",
    "set $x ${host}_${scheme};",
    "server {\n}\n",
    'if ($http_cookie ~* "id=([^;]+)(?:;|$)") { set $id $1; }',
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_agrees_with_crossplane(text: str, tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(text, newline="")
    other = crossplane.parse(str(file), single=True, check_ctx=False, check_args=False)
    assert other["status"] == "ok"
    assert read(text) == of_crossplane(other["config"][0]["parsed"])
    assert messages(text) == []


def test_one_resource_per_file() -> None:
    result = parsed(SITE)
    assert [(r.kind, r.address) for r in result.resources] == [("nginx.config", "nginx/nginx.conf")]


def test_places_are_exact() -> None:
    text = 'server {\n    add_header  X-Frame "DENY" always;\n}\n'
    server = parsed(text).resources[0].node.mapping["directives"].items[0]
    header = server.mapping["block"].items[0]
    assert header.span.text == 'add_header  X-Frame "DENY" always;'
    assert header.key is not None
    assert header.key.text == "add_header"
    args = header.mapping["args"]
    assert [arg.span.text for arg in args.items] == ["X-Frame", '"DENY"', "always"]
    assert args.key is not None
    assert (args.key.line, args.key.column) == (2, 5)
    assert server.span.text == text.strip()
    assert server.anchor.text == "server"


def test_escapes() -> None:
    assert read(r"""a "q\"q" 'it\'s' x\ y \\ t\tt d\d;""") == [["a", ['q"q', "it's", "x\\ y", "\\", "t\tt", "d\\d"]]]


def test_a_closing_brace_inside_a_word_is_text() -> None:
    assert read("set $a b}c;") == [["set", ["$a", "b}c"]]]


@pytest.mark.parametrize(
    "code",
    [
        "ngx.say('}')",
        'local t = {a = {1}, b = "{{"}',
        "-- } comment\nreturn 1",
        "--[[ } \n } ]] x()",
        "s = [==[ }} ]=] } ]==] .. 'x\\'}'",
    ],
)
def test_lua_blocks_keep_their_code(code: str) -> None:
    text = f"location /l {{ content_by_lua_block {{{code}}} deny all; }}\nroot /x;"
    assert read(text) == [
        ["location", ["/l"], [["content_by_lua_block", [code]], ["deny", ["all"]]]],
        ["root", ["/x"]],
    ]
    assert messages(text) == []


def test_lua_without_end_is_reported() -> None:
    assert end_of_lua("x = '}'", 0) == -1
    assert messages("init_by_lua_block {\n x = {}\n") == [(1, "nginx: 'init_by_lua_block' is never closed")]


# -- templates -------------------------------------------------------------------------------------------------


def values_of(text: str, path: str) -> list[Any]:
    return [
        arg.value for arg in parsed(text, path).resources[0].node.mapping["directives"].items[0].mapping["args"].items
    ]


@pytest.mark.parametrize(
    ("path", "text", "unknown"),
    [
        ("t/default.conf.template", "listen ${PORT};", "${PORT}"),
        ("t/default.conf.template", "listen $PORT;", "$PORT"),
        ("nginx.conf", "listen ${PORT};", "${PORT}"),
        ("site.conf.j2", "server_name {{ domain }};", "{{ domain }}"),
        ("site.conf.j2", "root /srv/{{ app.name }}/www;", "/srv/{{ app.name }}/www"),
        ("site.conf.j2", 'add_header X "{{ a }}; b";', '"{{ a }}; b"'),
        ("site.conf.erb", "root <%= @root %>;", "<%= @root %>"),
        ("x.conf.tftpl", "root ${root};", "${root}"),
        ("x.conf", "root ${var.root};", "${var.root}"),
    ],
)
def test_what_a_template_fills_in_is_unknown(path: str, text: str, unknown: str) -> None:
    last = values_of(text, path)[-1]
    assert isinstance(last, Unknown)
    assert last.expression == unknown
    assert last.because


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("t/default.conf.template", "proxy_pass http://$host;"),
        ("t/default.conf.template", "proxy_pass http://${host};"),
        ("nginx.conf", "proxy_pass http://$BACKEND;"),
        ("nginx.conf", 'return 200 \'{"a": {"b": 1}}\';'),
    ],
)
def test_variables_of_nginx_are_text(path: str, text: str) -> None:
    assert all(isinstance(value, str) for value in values_of(text, path))


def test_template_statements_vanish_between_directives() -> None:
    text = "{# note } #}\nserver {\n{% if tls %}\n  listen 443 ssl;\n{% endif %}\n  root /x;\n}\n"
    assert read(text, "s.conf.j2") == [["server", [], [["listen", ["443", "ssl"]], ["root", ["/x"]]]]]
    assert messages(text, "s.conf.j2") == []


def test_go_template_statements_vanish() -> None:
    text = "{{ if .TLS }}\nlisten 443;\n{{- end }}\nroot /x;"
    assert read(text, "s.conf.tmpl") == [["listen", ["443"]], ["root", ["/x"]]]


def test_a_template_choice_inside_a_directive_is_unknown() -> None:
    (listen,) = (
        parsed("listen {% if tls %}443 ssl{% else %}80{% endif %} http2;", "s.conf.j2")
        .resources[0]
        .node.mapping["directives"]
        .items
    )
    first, last = listen.mapping["args"].items
    assert isinstance(first.value, Unknown)
    assert first.value.expression == "{% if tls %}443 ssl{% else %}80{% endif %}"
    assert last.value == "http2"


@pytest.mark.parametrize("line", ["{{ extra }}", "${EXTRA_CONFIG}", "{% include 'tls.conf' %}"])
def test_text_that_a_template_puts_in_is_a_directive_without_name(line: str) -> None:
    text = f"server {{\n    {line}\n    listen 80;\n}}\n"
    (server,) = parsed(text, "a.conf.template").resources[0].node.mapping["directives"].items
    inserted, listen = server.mapping["block"].items
    assert inserted.mapping["name"].is_unknown
    assert listen.mapping["name"].value == "listen"
    assert messages(text, "a.conf.template") == []


# -- recovery --------------------------------------------------------------------------------------------------


def test_a_missing_brace_keeps_the_rest() -> None:
    text = "http {\n server {\n  listen 80;\n  location / { return 204; }\n server {\n  listen 81;\n }\n}\n"
    ((_, _, servers),) = read(text)
    assert [server[2][0] for server in servers] == [["listen", ["80"]], ["listen", ["81"]]]
    assert messages(text) == [(2, "nginx: the block 'server' is not closed before 'server'")]
    assert parsed(text).partial


def test_a_location_that_cannot_be_nested_ends_the_one_before() -> None:
    text = "server {\n location /a {\n  root /x;\n location /b { root /y; }\n}\n"
    assert read(text) == [
        ["server", [], [["location", ["/a"], [["root", ["/x"]]]], ["location", ["/b"], [["root", ["/y"]]]]]]
    ]
    assert [line for line, _ in messages(text)] == [2]


def test_nested_locations_stay_nested() -> None:
    text = "location /a { location /a/b { deny all; } location ~ x { deny all; } }"
    assert len(read(text)[0][2]) == 2
    assert messages(text) == []


def test_an_extra_brace_keeps_the_rest() -> None:
    text = "server { listen 80; }\n}\nserver { listen 81; }\n"
    assert len(read(text)) == 2
    assert messages(text) == [(2, "nginx: unexpected '}': no block is open")]


def test_an_unclosed_block_is_named() -> None:
    assert messages("events {}\nhttp {\n server {\n }\n") == [(2, "nginx: the block 'http' is never closed")]


@pytest.mark.parametrize(
    "text", ["root /x\nserver_name a;\n", "location / {\n root /x\n}\nserver_name a;\n", "server_name a;\nroot /x"]
)
def test_a_missing_semicolon(text: str) -> None:
    assert ["root", ["/x"]] in [inner for entry in read(text) for inner in (entry[2] if len(entry) > 2 else [entry])]
    assert ["server_name", ["a"]] in read(text)
    assert [message for _, message in messages(text)] == ["nginx: 'root /x' does not end with ';'"]


def test_an_unclosed_quote_costs_one_directive() -> None:
    text = 'add_header A "one;\nadd_header B "two";\nroot /x;\n'
    assert read(text) == [["add_header", ["A", "one"]], ["add_header", ["B", "two"]], ["root", ["/x"]]]
    assert messages(text)[0] == (1, 'nginx: the " is never closed')


def test_depth_is_capped() -> None:
    text = "location / {\n" * (MAX_DEPTH + 50) + "}" * (MAX_DEPTH + 50) + "root /x;"
    assert messages(text) == [(MAX_DEPTH + 1, f"nginx: blocks are nested deeper than {MAX_DEPTH}")]
    assert read(text)[-1] == ["root", ["/x"]]


@given(st.text(st.sampled_from("{};\"'\\$# \n\r\tab(){%}}#-[]=") | st.characters(), max_size=200))
@settings(max_examples=300, deadline=None)
def test_never_raises_and_spans_stay_inside(text: str) -> None:
    for path in ("a.conf", "a.conf.template"):
        result = parsed(text, path)
        for node in result.resources[0].node.walk():
            assert 0 <= node.start <= node.end <= len(text)
            assert -1 <= node.key_start <= node.key_end <= len(text)


WORD = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1, max_size=12)


def quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,8}_x", fullmatch=True), st.lists(WORD, max_size=4)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_quoted_arguments_round_trip(directives: list[tuple[str, list[str]]]) -> None:
    directives = [
        (name, [a for a in args if "{{" not in a and "<%" not in a and "${" not in a]) for name, args in directives
    ]
    text = "\n".join(f"{name} {' '.join(map(quoted, args))};" for name, args in directives)
    assert read(text, "a.conf") == [[name, args] for name, args in directives]


# -- sniff -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nginx.conf", "# empty\n"),
        ("deploy/site.conf", "server {\n    listen 80;\n}\n"),
        ("sites-available/default", "upstream app {\n  server a:80;\n}\nserver\n{\n  listen 80;\n}\n"),
        ("nginx/snippets/headers.conf", "proxy_set_header Host $host;\n"),
        ("ops/tls.conf", "# modern\nssl_protocols TLSv1.2 TLSv1.3;\n"),
        ("shared/hidden_files.conf", "location ~* /[.](?!well-known/) {\n    deny all;\n}\n"),
        ("shared/basic.conf", "# the usual\ninclude shared/hidden_files.conf;\ninclude shared/tls.conf; # modern\n"),
        (
            "web/default.conf.template",
            "location /api { proxy_pass http://${BACKEND}; }\nlocation / {\n return 200;\n}\n",
        ),
    ],
)
def test_nginx_is_recognized(path: str, text: str) -> None:
    assert looks_like_nginx(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sites-available/a.conf", "<VirtualHost *:80>\n  ServerName a\n</VirtualHost>\n"),
        ("nginx/supervisord.conf", "[supervisord]\nnodaemon=true\n[program:nginx]\ncommand=nginx -g 'daemon off;'\n"),
        ("redis.conf", "bind 127.0.0.1\nmaxmemory 1gb\n"),
        ("postgresql.conf", "listen_addresses = '*'\nmax_connections = 100\n"),
        ("named.conf", 'options {\n listen-on port 53 { any; };\n};\nzone "a" { type master; file "a.db"; };\n'),
        ("ddns.conf", 'include "keys/ddns.conf";\n'),
        ("apps.conf", "location {\n    root data;\n}\n"),
        ("php-fpm.conf", "[www]\nlisten = 9000\n"),
        ("README", "Set server {\n as you like\n}\n"),
        ("nginx/run", "#!/bin/sh\nnginx -g 'daemon off;'\n"),
        ("data.conf", "server {\n\0"),
    ],
)
def test_other_files_are_not(path: str, text: str) -> None:
    assert not looks_like_nginx(path, text)
