"""The nginx evaluation: include graph, inheritance by class of directive, addresses, derived values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.nginx.configmaps import evaluate as evaluate_config_maps
from pyprod_audit.evaluate.nginx.evaluation import evaluate
from pyprod_audit.link.network import proxied_hosts
from pyprod_audit.model import Node, Problem, Resource, SourceFile, Span, Tree, Unknown, Via
from pyprod_audit.model.node import Derived
from pyprod_audit.parsers import kubernetes
from pyprod_audit.parsers.nginx import parse
from pyprod_audit.parsers.nginx_embedded import parse_text


def run(files: dict[str, str]) -> tuple[list[Resource], list[Problem]]:
    resources = [r for path, text in files.items() for r in parse(SourceFile(path, text)).resources]
    evaluated = evaluate(resources, Tree(set(files)))
    return evaluated.resources, evaluated.problems


def blocks(files: dict[str, str] | str) -> dict[str, Resource]:
    resources, problems = run({"nginx.conf": files} if isinstance(files, str) else files)
    assert problems == []
    found = {f"{r.kind.removeprefix('nginx.')} {r.address}": r for r in resources}
    assert len(found) == len(resources)
    return found


def words(resource: Resource, name: str) -> list[list[object]]:
    node = resource.node.mapping.get(name)
    return [] if node is None else [[arg.value for arg in occurrence.items] for occurrence in node.items]


def texts(resource: Resource, name: str) -> list[object]:
    return [item.value for item in resource.node.items_at(name)]


PROXY = """
events {}
http {
    server_tokens off;
    add_header X-Http 1;
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    upstream app { least_conn; server app:8000 max_fails=0; server unix:/run/a.sock; server [::1]:81 down; server b; }
    server {
        listen 443 ssl default_server;
        server_name example.com www.example.com;
        root /srv;
        return 301 https://example.com$request_uri;
        rewrite ^/a /b;
        try_files $uri =404;
        allow 10.0.0.0/8;
        deny all;
        location / { proxy_pass http://app; proxy_read_timeout 5s; limit_except GET { deny all; } }
        location /api/ {
            proxy_pass http://app;
            proxy_set_header X-Api 1;
            add_header X-Loc 1;
            allow all;
            if ($arg_x = "1") { add_header X-If 1; }
            location /api/v1/ { alias /v1/; location /api/v1/files/ { autoindex on; } }
        }
    }
}
"""
SERVER = "server[example.com:443]"


def test_kinds_addresses_and_parents() -> None:
    found = blocks(PROXY)
    assert [(name, r.parent.address if r.parent else None) for name, r in found.items()] == [
        ("http http", None),
        ("upstream upstream[app]", "http"),
        (f"server {SERVER}", "http"),
        (f"location {SERVER}/location[/]", SERVER),
        (f"limit_except {SERVER}/location[/]/limit_except[GET]", f"{SERVER}/location[/]"),
        (f"location {SERVER}/location[/api/]", SERVER),
        (f"if {SERVER}/location[/api/]/if[$arg_x = 1]", f"{SERVER}/location[/api/]"),
        (f"location {SERVER}/location[/api/]/location[/api/v1/]", f"{SERVER}/location[/api/]"),
        (
            f"location {SERVER}/location[/api/]/location[/api/v1/]/location[/api/v1/files/]",
            f"{SERVER}/location[/api/]/location[/api/v1/]",
        ),
    ]


def test_inheritance_replaces_by_name_or_keeps_the_place() -> None:
    found = blocks(PROXY)
    root, api = found[f"location {SERVER}/location[/]"], found[f"location {SERVER}/location[/api/]"]
    assert words(root, "proxy_set_header") == [["Host", "$host"], ["X-Real-IP", "$remote_addr"]]
    assert words(api, "proxy_set_header") == [["X-Api", "1"]]
    assert words(root, "add_header") == [["X-Http", "1"]]
    assert words(api, "add_header") == [["X-Loc", "1"]]
    assert words(root, "server_tokens") == [["off"]]
    inherited = root.node.mapping["server_tokens"]
    assert inherited.key is not None
    assert (inherited.key.text, inherited.key.line) == ("server_tokens", 4)
    assert texts(root, "own") == ["proxy_pass", "proxy_read_timeout"]
    assert words(api, "proxy_read_timeout") == []


def test_what_is_not_inherited() -> None:
    location = blocks(PROXY)[f"location {SERVER}/location[/]"].node.mapping
    assert {"return", "rewrite", "try_files", "listen", "server_name"}.isdisjoint(location)
    assert "root" in location


def test_access_rules_and_roots_share_a_slot() -> None:
    found = blocks(PROXY)
    api = found[f"location {SERVER}/location[/api/]"]
    assert words(api, "allow") == [["all"]]
    assert words(api, "deny") == []
    nested = found[f"location {SERVER}/location[/api/]/location[/api/v1/]"]
    assert words(nested, "root") == []
    assert words(nested, "proxy_pass") == []
    deepest = found[f"location {SERVER}/location[/api/]/location[/api/v1/]/location[/api/v1/files/]"]
    assert words(deepest, "alias") == [["/v1/"]]


def test_if_and_limit_except_take_over_the_handler() -> None:
    found = blocks(PROXY)
    inner = found[f"if {SERVER}/location[/api/]/if[$arg_x = 1]"]
    assert words(inner, "proxy_pass") == [["http://app"]]
    assert words(inner, "add_header") == [["X-If", "1"]]
    assert texts(inner, "condition") == ["$arg_x", "=", "1"]
    limited = found[f"limit_except {SERVER}/location[/]/limit_except[GET]"]
    assert words(limited, "proxy_pass") == [["http://app"]]
    assert texts(limited, "methods") == ["GET"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("", [["B", "2"]]), ("on", [["B", "2"]]), ("merge", [["B", "2"], ["A", "1"]]), ("off", [["B", "2"]])],
)
def test_add_header_inherit(rule: str, expected: list[list[str]]) -> None:
    line = f"add_header_inherit {rule};" if rule else ""
    found = blocks(f"http {{ {line} add_header A 1; server {{ location / {{ add_header B 2; }} location /b {{ }} }} }}")
    assert words(found["location server[:80]/location[/]"], "add_header") == expected
    other = words(found["location server[:80]/location[/b]"], "add_header")
    assert other == ([] if rule == "off" else [["A", "1"]])


def test_headers_more_extends() -> None:
    found = blocks("http { more_set_headers 'A: 1'; server { more_set_headers 'B: 2'; } }")
    assert words(found["server server[:80]"], "more_set_headers") == [["A: 1"], ["B: 2"]]


def test_upstream_servers() -> None:
    upstream = blocks(PROXY)["upstream upstream[app]"].node
    assert upstream.text_at("name") == "app"
    assert "least_conn" in upstream.mapping
    servers = [{k: v.value for k, v in s.mapping.items() if k != "args"} for s in upstream.items_at("servers")]
    assert servers == [
        {"host": "app", "port": 8000},
        {"unix": "/run/a.sock"},
        {"host": "[::1]", "port": 81},
        {"host": "b"},
    ]
    first = upstream.items_at("servers")[0]
    assert [a.value for a in first.items_at("args")] == ["max_fails=0"]
    port = first.get("port")
    assert port is not None
    assert (port.span.text, first.span.text) == ("8000", "app:8000 max_fails=0")


@pytest.mark.parametrize(
    ("listen", "port", "ssl", "address"),
    [
        ("", 80, False, "server[:80]"),
        ("listen 8080;", 8080, False, "server[:8080]"),
        ("listen [::]:443 ssl;", 443, True, "server[:443]"),
        ("listen localhost;", 80, False, "server[:80]"),
        ("listen *:8443; ssl on;", 8443, True, "server[:8443]"),
        ("listen 443 quic reuseport;", 443, True, "server[:443]"),
        ("listen unix:/run/n.sock;", None, False, "server[:/run/n.sock]"),
    ],
)
def test_listens(listen: str, port: int | None, ssl: bool, address: str) -> None:
    (server,) = [r for r in blocks(f"http {{ server {{ {listen} }} }}").values() if r.kind == "nginx.server"]
    (socket,) = server.node.items_at("listens")
    found = socket.get("port")
    assert (found.value if found else None) == port
    assert socket.mapping["ssl"].value is ssl
    assert server.address == address
    assert texts(server, "server_names") == [""]


def test_a_port_that_a_template_gives_is_unknown() -> None:
    found = blocks({"templates/a.conf.template": "server { listen ${PORT} ssl; server_name {{ d }}; }"})
    server = found["server server[{{ d }}:${PORT}]"]
    port = server.node.items_at("listens")[0].mapping["port"]
    assert isinstance(port.value, Unknown)


@pytest.mark.parametrize(
    ("written", "parts"),
    [("/a", ["/a"]), ("= /a", ["=", "/a"]), (r"~\.php$", ["~", r"\.php$"]), ("~*x", ["~*", "x"]), ("@n", ["@n"])],
)
def test_location_patterns(written: str, parts: list[str]) -> None:
    (location,) = [
        r for r in blocks(f"http {{ server {{ location {written} {{ }} }} }}").values() if "location" in r.kind
    ]
    assert texts(location, "location") == parts
    assert [n.span.text for n in location.node.items_at("location")] == parts


def test_variables() -> None:
    found = blocks(
        "http { map $http_upgrade $up { default upgrade; '' close; } server { set $host_a app; set $url "
        "http://${host_a}:8000; set $ip $remote_addr; set $m 0; if ($arg_m) { set $m 1; } location / { } } }"
    )
    variables = found["location server[:80]/location[/]"].node.mapping_at("variables")
    assert [v.value for v in variables["up"].items] == ["upgrade", "close"]
    assert variables["url"].value == "http://app:8000"
    assert isinstance(variables["ip"].value, Unknown)
    assert [v.value for v in variables["m"].items] == ["0", "1"]


@pytest.mark.parametrize(
    ("written", "name", "values"),
    [
        ("map $arg_a $x { a 1; b 2; }", "x", ["1", "2", ""]),
        ("map $arg_a $x { default 0; include more.map; }", "x", ["0", "9"]),
        ("map $arg_a $x { default 0; include gone.map; }", "x", ["0", Unknown]),
        ("geo $x { 10.0.0.0/8 1; }", "x", ["1", ""]),
        ("split_clients $arg_a $x { 50% a; * b; }", "x", ["a", "b"]),
        ("server { if ($arg_a) { set $x 1; } }", "x", ["", "1"]),
        ("server { if ($arg_a) { set $args a=1; } }", "args", [Unknown, "a=1"]),
        ("server { set $x 0; if ($arg_a) { set $x $arg_b; } }", "x", ["0", Unknown]),
    ],
)
def test_what_a_variable_may_be(written: str, name: str, values: list[object]) -> None:
    server = "" if "server" in written else "server { }"
    found = blocks({"nginx.conf": f"events {{}} http {{ {written} {server} }}", "more.map": "c 9;\n"})
    variables = found["server server[:80]"].node.mapping_at("variables")
    assert [Unknown if v.is_unknown else v.value for v in variables[name].items] == values


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("http://app:8000/x", ["app"]),
        ("http://app:8000$request_uri", ["app"]),
        ("http://pool", ["a", "b"]),
        ("http://$host_a:8000", ["api"]),
        ("$url/x", ["api"]),
        ("http://$http_host", ["$http_host"]),
    ],
)
def test_hosts_that_a_location_passes_on_to(target: str, hosts: list[str]) -> None:
    found = blocks(
        "http { upstream pool { server a:1; server b:2; } server { set $host_a api; set $url http://$host_a:1;"
        f" location / {{ proxy_pass {target}; }} }} }}"
    )
    upstreams = {"pool": found["upstream upstream[pool]"]}
    assert list(proxied_hosts(found["location server[:80]/location[/]"], upstreams)) == hosts


# -- includes --------------------------------------------------------------------------------------------------

MAIN = "events {}\nhttp { include mime.types; server_tokens off; include /etc/nginx/conf.d/*.conf; }\n"


def test_includes_are_found_by_their_tail() -> None:
    found = blocks(
        {
            "docker/nginx/nginx.conf": MAIN,
            "docker/nginx/conf.d/app.conf": "server { listen 80; include snippets/proxy.conf; }\n",
            "docker/nginx/conf.d/.hidden.conf": "server { listen 81; }\n",
            "docker/nginx/snippets/proxy.conf": "proxy_read_timeout 9s;\n",
            "other/conf.d/other.conf": "server { listen 82; }\n",
        }
    )
    app = found["server server[:80]"]
    assert app.path == "docker/nginx/conf.d/app.conf"
    assert words(app, "server_tokens") == [["off"]]
    assert words(app, "proxy_read_timeout") == [["9s"]]
    assert "incomplete" not in app.node.mapping
    for alone in ("server server[:81]", "server server[:82]"):
        assert found[alone].parent is None
        assert words(found[alone], "server_tokens") == []


def test_rendered_templates_are_included() -> None:
    found = blocks({"web/nginx.conf": MAIN, "web/templates/default.conf.template": "server { listen 80; }\n"})
    assert words(found["server server[:80]"], "server_tokens") == [["off"]]


def test_sites_available_stand_in_for_sites_enabled() -> None:
    found = blocks(
        {"n/nginx.conf": "http { gzip on; include /etc/nginx/sites-enabled/*; }", "n/sites-available/a": "server { }"}
    )
    assert words(found["server server[:80]"], "gzip") == [["on"]]


def test_a_server_beside_the_main_file_goes_into_its_conf_d() -> None:
    found = blocks({"web/nginx.conf": MAIN, "web/default.conf": "server { }"})
    assert words(found["server server[:80]"], "server_tokens") == [["off"]]


def test_an_unresolved_include_makes_a_block_incomplete() -> None:
    found = blocks(
        "http { include /etc/nginx/conf.d/*.conf; server { include /etc/letsencrypt/options-ssl-nginx.conf;"
        " location / { include uwsgi_params; } } server { listen 81; include fastcgi_params; } }"
    )
    assert texts(found["http http"], "incomplete") == ["/etc/nginx/conf.d/*.conf"]
    missing = ["/etc/letsencrypt/options-ssl-nginx.conf"]
    assert texts(found["server server[:80]"], "incomplete") == missing
    assert texts(found["location server[:80]/location[/]"], "incomplete") == missing
    assert "incomplete" not in found["server server[:81]"].node.mapping


def test_text_from_a_template_makes_a_block_incomplete() -> None:
    found = blocks({"a.conf.j2": "server {\n  {{ extra }}\n  listen 80;\n}\n"})
    (unknown,) = found["server server[:80]"].node.items_at("incomplete")
    assert unknown.is_unknown


def test_snippets() -> None:
    found = blocks(
        {
            "nginx/used.conf": "ssl_protocols TLSv1.3;\n",
            "nginx/unused.conf": "ssl_protocols TLSv1;\nlocation /x { proxy_pass http://a; }\n",
            "nginx/site.conf": "server { include used.conf; }\nserver { listen 81; include used.conf; }\n",
        }
    )
    assert sorted(found) == [
        "location location[/x]", "server server[:80]", "server server[:81]", "snippet nginx/unused.conf",
    ]  # fmt: skip
    assert words(found["server server[:80]"], "ssl_protocols") == words(found["server server[:81]"], "ssl_protocols")
    assert found["snippet nginx/unused.conf"].node.items_at("incomplete")[0].is_unknown
    assert words(found["location location[/x]"], "ssl_protocols") == [["TLSv1"]]


def test_a_shared_location_appears_in_each_server() -> None:
    found = blocks(
        {"s.conf": "server { include l.conf; }\nserver { listen 81; include l.conf; }\n", "l.conf": "location / { }\n"}
    )
    places = {r.address: (r.path, r.node.start) for r in found.values() if r.kind == "nginx.location"}
    assert places == {"server[:80]/location[/]": ("l.conf", 0), "server[:81]/location[/]": ("l.conf", 0)}


def test_a_file_that_two_entry_points_include_is_reported_once() -> None:
    text = "http { include conf.d/*.conf; }"
    resources, problems = run(
        {"nginx.conf": text, "nginx.dev.conf": text, "conf.d/a.conf": "server { location / { } }"}
    )
    assert [r.kind for r in resources].count("nginx.server") == 1
    assert [r.kind for r in resources].count("nginx.location") == 1
    assert problems == []


def test_equal_addresses_in_one_file_are_numbered() -> None:
    found = blocks("http { server { location / { } } server { location / { } } }")
    assert [r.address for r in found.values()] == [
        "http", "server[:80]", "server[:80]/location[/]", "server[:80]#2", "server[:80]#2/location[/]",
    ]  # fmt: skip


def test_a_cycle_is_a_problem() -> None:
    resources, problems = run({"a.conf": "http { include b.conf; }", "b.conf": "server { include a.conf; }"})
    assert [r.kind for r in resources] == ["nginx.http", "nginx.server"]
    assert [(p.stage, p.path, p.line) for p in problems] == [("evaluate", "b.conf", 1)]


def test_includes_that_double_are_bounded() -> None:
    files = {f"f{i}.conf": f"include f{i + 1}.conf;\n" * 3 for i in range(18)}
    files["nginx.conf"] = "http { server { include f0.conf; } }"
    files["f18.conf"] = "add_header A 1;\n"
    resources, problems = run(files)
    assert "nginx.server" in {r.kind for r in resources}
    assert ["too much to expand" in p.message for p in problems] == [True]


def test_deep_nesting_is_a_problem() -> None:
    resources, problems = run({"a.conf": "server {" + "location / {" * 60 + "}" * 61})
    assert 20 < len(resources) < 60
    assert ["nested deeper" in p.message for p in problems] == [True]


def test_stream_servers() -> None:
    found = blocks(
        {
            "nginx.conf": "stream { resolver 10.0.0.2; upstream db { server pg:5432; }"
            " server { listen 5432; proxy_pass db; } }",
            "conf.d/tcp.conf": "server { listen 6379; proxy_pass redis:6379; }",
        }
    )
    assert sorted(found) == [
        "stream_server server[:6379]",
        "stream_server stream/server[:5432]",
        "upstream upstream[db]",
    ]
    assert words(found["stream_server stream/server[:5432]"], "resolver") == [["10.0.0.2"]]


def test_a_server_behind_an_extra_brace_stays_in_http() -> None:
    resources, _ = run({"nginx.conf": "http { gzip on; server { } } }\nserver { listen 81; }\n"})
    last = resources[-1]
    assert last.address == "server[:81]"
    assert words(last, "gzip") == [["on"]]
    assert last.parent is not None


def tree_of(files: dict[str, str]) -> Tree:
    return Tree(set(files), reader=lambda path: SourceFile(path, files[path]) if path in files else None)


def test_files_that_nobody_recognised_are_read_when_they_are_included() -> None:
    files = {
        "nginx.conf": "events {} http { include odd; include tuning/*; include sites/*; server { } }",
        "odd": "brotli on;\n",
        "tuning/sockets": "tcp_nopush on;\n",
        "tuning/other.conf": "[program:x]\ncommand=y\n",
        "sites/notes": "# nothing {\nunbalanced {\n",
    }
    given = parse(SourceFile("nginx.conf", files["nginx.conf"])).resources
    evaluated = evaluate(given, tree_of(files))
    read = [r.address for r in evaluated.resources if r.kind == "nginx.config"]
    assert read == ["odd", "tuning/sockets"]
    (server,) = [r for r in evaluated.resources if r.kind == "nginx.server"]
    assert (words(server, "brotli"), words(server, "tcp_nopush")) == ([["on"]], [["on"]])
    assert server.node.mapping["brotli"].source.path == "odd"


def test_a_file_that_is_named_is_read_with_its_faults() -> None:
    files = {"nginx.conf": "events {} http { include odd; }", "odd": "gzip on;\nserver {\n"}
    evaluated = evaluate(parse(SourceFile("nginx.conf", files["nginx.conf"])).resources, tree_of(files))
    assert [(p.path, p.line) for p in evaluated.problems] == [("odd", 2)]


def test_a_template_is_rendered_into_conf_d() -> None:
    found = blocks(
        {
            "web/nginx.conf": MAIN,
            "web/templates/default.conf.template": "server { listen ${PORT}; }\n",
            "web/templates/api/v1.conf.template": "server { listen 81; }\n",
            "web/conf.d/default.conf": "server { listen 82; }\n",
        }
    )
    assert found["server server[:${PORT}]"].parent is not None
    assert found["server server[:81]"].parent is None  # conf.d/*.conf does not match conf.d/api/v1.conf
    assert found["server server[:82]"].parent is None  # the template is written over it


# -- ConfigMaps ------------------------------------------------------------------------------------------------

GATEWAY = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: gateway}
data:
  notes.txt: server { listen 1; }
  nginx.conf: |
    events {}
    http {
      server_tokens off;
      include /etc/nginx/conf.d/*.conf;
      log_format two 'a
        b';
    }
  default.conf: |+2
     server {
       listen 443 ssl;
       ssl_protocols TLSv1 TLSv1.2;
       include snippets/proxy.conf;
     }

  proxy.conf: "proxy_read_timeout 5s;\\nproxy_set_header A b;"
"""
MOUNTS = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec:
  template:
    spec:
      containers:
        - name: nginx
          volumeMounts:
            - {name: main, mountPath: /etc/nginx/nginx.conf, subPath: nginx.conf}
            - {name: sites, mountPath: /etc/nginx/conf.d}
            - {name: all, mountPath: /etc/nginx/snippets}
      volumes:
        - {name: main, configMap: {name: gateway}}
        - {name: sites, configMap: {name: gateway, items: [{key: default.conf, path: a.conf}]}}
        - name: all
          projected:
            sources:
              - configMap: {name: gateway, items: [{key: proxy.conf, path: proxy.conf}]}
"""


def in_config_maps(text: str, path: str = "k8s/gateway.yaml") -> dict[str, Resource]:
    evaluated = evaluate_config_maps(kubernetes.parse(SourceFile(path, text)).resources, Tree({path}))
    assert evaluated.problems == []
    found = {f"{r.kind.removeprefix('nginx.')} {r.address}": r for r in evaluated.resources}
    assert len(found) == len(evaluated.resources)
    return found


@pytest.mark.parametrize("text", [GATEWAY, GATEWAY + MOUNTS], ids=["nobody mounts it", "mounted"])
def test_configurations_of_a_config_map_are_one_configuration(text: str) -> None:
    found = in_config_maps(text)
    assert {name for name in found if name.startswith("config ")} == {
        "config ConfigMap/gateway/nginx.conf",
        "config ConfigMap/gateway/default.conf",
        "config ConfigMap/gateway/proxy.conf",
    }
    server = found["server server[:443]"]
    assert server.parent is found["http http"]
    assert words(server, "server_tokens") == [["off"]]
    assert words(server, "proxy_read_timeout") == [["5s"]]
    assert "incomplete" not in server.node.mapping
    protocol = server.node.mapping["ssl_protocols"].items[0].items[0]
    assert (protocol.span.text, protocol.span.line, protocol.span.column) == ("TLSv1", 17, 22)
    assert server.path == "k8s/gateway.yaml"
    timeout = server.node.mapping["proxy_read_timeout"].items[0].items[0]
    assert (timeout.value, timeout.span.line, timeout.span.column) == ("5s", 21, 15)
    assert words(found["http http"], "log_format") == [["two", "a\n    b"]]


def test_a_config_map_of_a_deployment_belongs_to_its_variant() -> None:
    given = [
        Resource(one.kind, one.address, one.node, None, variant)
        for variant in ("a", "b")
        for one in kubernetes.parse(SourceFile("cm.yaml", GATEWAY)).resources
    ]
    evaluated = evaluate_config_maps(given, Tree({"cm.yaml"}))
    servers = [(r.variant, r.address) for r in evaluated.resources if r.kind == "nginx.server"]
    assert servers == [("a", "server[:443]"), ("b", "server[:443]")]


def made_by_a_template(text: str, written: str) -> Resource:
    """The server of a ConfigMap whose `default.conf` was made from what is `written` there."""
    path, values_file = "templates/cm.yaml", SourceFile("values.yaml", "port: 8443\n")
    (config,) = kubernetes.parse(SourceFile(path, written)).resources
    data = config.node.mapping_at("data")
    via = Via(Span(values_file, 6, 10), "set by values.yaml")
    rendered = Derived(data["default.conf"], (via,)).holding(text)
    node = config.node.holding({**config.node.mapping, "data": config.node.holding({"default.conf": rendered})})
    evaluated = evaluate_config_maps([Resource(config.kind, config.address, node)], Tree({path}))
    (server,) = [r for r in evaluated.resources if r.kind == "nginx.server"]
    return server


TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: edge}
data:
  default.conf: |
    server {
      listen .Values.port ssl;
      ssl_protocols TLSv1;
      add_header A "one
        two";
    }
"""


def test_lines_that_a_template_made_keep_their_line() -> None:
    made = 'server {\n  listen 8443 ssl;\n  ssl_protocols TLSv1;\n  add_header A "one\n    two";\n}\n'
    server = made_by_a_template(made, TEMPLATE)
    assert server.address == "server[:8443]"
    listen, protocol = server.node.mapping["listens"].items[0], server.node.mapping["ssl_protocols"].items[0].items[0]
    assert (listen.span.line, listen.span.text) == (7, "listen .Values.port ssl;")
    port = server.node.mapping["listen"].items[0].items[0]
    assert (port.value, port.span.text, [via.label for via in port.via]) == (
        "8443", "listen .Values.port ssl;", ["set by values.yaml"],
    )  # fmt: skip
    assert (protocol.span.text, protocol.span.line, protocol.via) == ("TLSv1", 8, ())
    header = server.node.mapping["add_header"].items[0].items[1]
    assert (header.value, header.span.text) == ("one\n    two", '"one\n        two"')


def test_other_lines_than_those_of_the_file_are_told_at_its_first() -> None:
    server = made_by_a_template("server { listen 8443 ssl; }", TEMPLATE)
    assert (server.address, server.node.span.line, server.node.span.text) == ("server[:8443]", 5, "|")


def test_templates_in_a_config_map() -> None:
    text = GATEWAY.replace("listen 443 ssl;", "listen {{ .Values.port }} ssl;")
    found = in_config_maps(text)
    server = found["server server[:{{ .Values.port }}]"]
    assert server.node.items_at("listens")[0].mapping["port"].is_unknown
    assert words(server, "ssl_protocols") == [["TLSv1", "TLSv1.2"]]


def test_other_files_in_a_config_map_are_left_alone() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata:\n  postgresql.conf: |\n    port = 5432\n"
    assert in_config_maps(text) == {}


@given(st.text(st.sampled_from("{};|>-+2\"'\\$# \n\r\tab(){%}}:") | st.characters(codec="utf-8"), max_size=120))
@settings(max_examples=150, deadline=None)
def test_config_maps_never_raise(text: str) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nginx}\ndata:\n"
    whole = f"{head}  nginx.conf: {text}\n  a.conf: |\n    {text}\n"
    evaluated = evaluate_config_maps(kubernetes.parse(SourceFile("cm.yaml", whole)).resources, Tree({"cm.yaml"}))
    for resource in evaluated.resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(node.source.text)


@given(
    st.text(st.sampled_from("{};|\"'$# \n\rab.{}") | st.characters(codec="utf-8"), max_size=60),
    st.text(st.sampled_from("{};|\"'$# \n\rab.:") | st.characters(codec="utf-8"), max_size=60),
    st.sampled_from(["|\n    ", "|", "| # x\r\n  ", "|2\n", "'", ""]),
)
@settings(max_examples=200, deadline=None)
def test_any_text_that_a_template_made_has_places_in_the_file(made: str, written: str, head: str) -> None:
    source = SourceFile("cm.yaml", f"key: {head}{written}")
    scalar = Derived(Node(made, source, 5, len(source.text), 0, 3), (Via(Span(source, 0, 3), "set by x"),))
    node, problems = parse_text(scalar, "nginx.conf")
    for one in node.walk():
        assert one.source is source
        assert 0 <= one.start <= one.end <= len(source.text)
    assert all(problem.line is not None and problem.line >= 1 for problem in problems)


PIECES = [
    "http {", "server {", "location / {", "location ~ x {", "}", "include a.conf;", "include *.conf;", "set $a $b;",
    "if (x) {", "upstream u {", "listen 80;", "listen [;", "map $a $b {", "x;", "server a:1;", "proxy_pass http://a;",
    "limit_except GET {", "stream {",
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=16).map("\n".join), min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_never_raises(texts: list[str]) -> None:
    resources, _ = run({f"{name}.conf": text for name, text in zip("abc", texts, strict=False)})
    seen = [(r.path, r.kind, r.address) for r in resources]
    assert len(seen) == len(set(seen))
    for resource in resources:
        for node in resource.node.walk():
            assert isinstance(node, Node)
            assert 0 <= node.start <= node.end <= len(node.source.text)


def test_a_file_that_includes_itself_is_a_problem_and_the_rest_counts() -> None:
    resources, problems = run({
        "nginx.conf": "events {}\nhttp {\n  include tls.conf;\n  server { listen 80; }\n}\n",
        "tls.conf": "server_tokens off;\ninclude tls.conf;\nssl_protocols TLSv1.3;\n",
    })  # fmt: skip
    assert problems == [Problem("evaluate", "tls.conf", "nginx: the file includes itself", 2)]
    (server,) = [resource for resource in resources if resource.kind == "nginx.server"]
    assert {"server_tokens", "ssl_protocols"} <= set(server.node.mapping)
