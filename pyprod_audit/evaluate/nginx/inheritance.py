"""What an nginx block takes over from the block around it.

Nearly every directive is replaced as a whole when the inner level has one of that name; simple values and lists
(`add_header`, `proxy_set_header`, `error_page`, `access_log`, …) do not differ in that. The exceptions here are read
off the merge functions of nginx (src/http/ngx_http_core_module.c, src/http/modules/*), of headers-more-nginx-module,
and from https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header_inherit (1.29.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pyprod_audit.model.node import Node

# Handlers: only the nameless locations of `if` and `limit_except` take them over.
_HANDLERS: Final = frozenset(
    {"proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass", "tunnel_pass"}
)
_ONE_LEVEL: Final = frozenset(
    {
        "return", "rewrite", "break", "set", "try_files", "listen", "server_name", "stub_status", "empty_gif", "flv",
        "mp4", "perl", "js_content", "content_by_lua_block", "content_by_lua_file", "log_format", "limit_req_zone",
        "limit_conn_zone", "proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path",
    }
)  # fmt: skip
# Directives that fill one slot: any of them at a level replaces all that come from outside.
_SLOTS: Final = (frozenset({"allow", "deny"}), frozenset({"root", "alias"}), _HANDLERS)
_SLOT_OF: Final = {name: slot for slot in _SLOTS for name in slot}
# Lists that the inner level extends.
_EXTENDED: Final = frozenset(
    {"more_set_headers", "more_clear_headers", "more_set_input_headers", "more_clear_input_headers"}
)
_RULED: Final = {"add_header": "add_header_inherit", "add_trailer": "add_trailer_inherit"}


def effective(
    outer: Mapping[str, Node], own: Mapping[str, Sequence[Node]], *, nameless: bool = False
) -> dict[str, Node]:
    """The directives that hold in a block.

    Args:
        outer: the effective directives of the block around it.
        own: the occurrences written in the block itself, by name: tuples of arguments.
        nameless: whether it is an `if` or `limit_except` block.

    Returns:
        By name, a tuple of occurrences; inherited ones keep their place.
    """
    rules = {rule: own.get(rule, outer[rule].items if rule in outer else ()) for rule in _RULED.values()}
    replaced = {member for name in own if name in _SLOT_OF for member in _SLOT_OF[name]}
    result: dict[str, Node] = {}
    for name, occurrences in outer.items():
        rule = _rule(rules[_RULED[name]]) if name in _RULED else "on"
        if name in replaced or rule == "off" or (name in own and rule != "merge" and name not in _EXTENDED):
            continue
        if name in _ONE_LEVEL or (name in _HANDLERS and not nameless):
            continue
        result[name] = occurrences
    for name, written in own.items():
        before = result[name].items if name in result else ()
        # nginx puts what is merged behind what is written here, the module headers-more in front of it
        result[name] = _occurrences((*written, *before) if name in _RULED else (*before, *written))
    return result


def _occurrences(found: tuple[Node, ...]) -> Node:
    """The occurrences of one directive; the place is that of the first."""
    first = found[0]
    return Node(found, first.source, first.key_start, first.end, first.key_start, first.key_end)


def _rule(occurrences: Sequence[Node]) -> str:
    """The argument of the last `add_header_inherit` (on, off or merge)."""
    args = occurrences[-1].items if occurrences else ()
    return (args[0].text or "on") if args else "on"
