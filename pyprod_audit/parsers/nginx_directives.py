"""Names of nginx directives, as far as reading a file needs them.

Source: https://nginx.org/en/docs/dirindex.html
"""

from __future__ import annotations

from typing import Final

LUA_SUFFIX: Final = "_by_lua_block"

NAMED_BLOCKS: Final = frozenset({"http", "events", "stream", "mail", "server", "location", "upstream", "map", "types"})

# Blocks in which the first word of a line is data, not the name of a directive.
DATA_BLOCKS: Final = frozenset({"map", "geo", "types", "split_clients", "charset_map"})

# Where a block may stand; blocks that are not named may stand anywhere. "" is the top of a file, which may be included
# anywhere, so it allows all.
_HTTP = frozenset({"", "http", "stream", "mail"})
PARENTS: Final = {
    "http": frozenset({""}),
    "events": frozenset({""}),
    "stream": frozenset({""}),
    "mail": frozenset({""}),
    "server": _HTTP,
    "upstream": _HTTP,
    "map": _HTTP,
    "geo": _HTTP,
    "split_clients": _HTTP,
    "location": frozenset({"", "http", "server", "location"}),
}

_DISTINCTIVE = """
absolute_redirect access_log add_header add_header_inherit auth_basic auth_basic_user_file auth_request autoindex
brotli_types chunked_transfer_encoding client_body_buffer_size client_body_timeout client_header_buffer_size
client_header_timeout client_max_body_size default_type error_log error_page fastcgi_buffer_size fastcgi_buffers
fastcgi_index fastcgi_param fastcgi_pass fastcgi_read_timeout fastcgi_split_path_info grpc_pass grpc_set_header
gzip_comp_level gzip_min_length gzip_proxied gzip_static gzip_types gzip_vary keepalive_requests keepalive_timeout
large_client_header_buffers limit_conn limit_conn_zone limit_rate limit_req limit_req_status limit_req_zone listen
log_format log_not_found more_clear_headers more_set_headers open_file_cache port_in_redirect proxy_buffer_size
proxy_buffering proxy_buffers proxy_cache proxy_cache_bypass proxy_cache_key proxy_cache_path proxy_cache_use_stale
proxy_cache_valid proxy_connect_timeout proxy_hide_header proxy_http_version proxy_intercept_errors
proxy_next_upstream proxy_no_cache proxy_pass proxy_read_timeout proxy_redirect proxy_request_buffering
proxy_send_timeout proxy_set_header proxy_ssl_name proxy_ssl_server_name proxy_ssl_verify real_ip_header
real_ip_recursive resolver_timeout rewrite scgi_pass send_timeout sendfile server_name server_name_in_redirect
server_names_hash_bucket_size server_tokens set_real_ip_from ssl_buffer_size ssl_certificate ssl_certificate_key
ssl_ciphers ssl_client_certificate ssl_conf_command ssl_dhparam ssl_ecdh_curve ssl_prefer_server_ciphers
ssl_protocols ssl_session_cache ssl_session_tickets ssl_session_timeout ssl_stapling ssl_stapling_verify
ssl_trusted_certificate ssl_verify_client stub_status sub_filter tcp_nodelay tcp_nopush try_files
types_hash_max_size underscores_in_headers uwsgi_param uwsgi_pass uwsgi_read_timeout worker_connections
worker_processes worker_rlimit_nofile
"""

# Names that are unlikely to be an argument: where one starts a line inside another directive, a `;` is missing. They
# also tell a file of nginx from others.
DISTINCTIVE: Final = frozenset(_DISTINCTIVE.split())

# Directives that take any number of words and check none of them. Where the `;` of one is missing, nginx takes the
# directive of the next line for further words, and says nothing.
TAKE_ANY_WORDS: Final = frozenset(
    {
        "addition_types", "ancient_browser", "brotli_types", "charset_types", "gzip_types", "index", "log_format",
        "proxy_cache_bypass", "proxy_no_cache", "server_name", "ssi_types", "sub_filter_types", "try_files",
        "valid_referers", "xslt_types", "zstd_types",
    }
)  # fmt: skip
