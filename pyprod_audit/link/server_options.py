"""The options of Python servers by program: which take a value, and which of them say a setting that rules read.

Sources: `--help` of gunicorn 27.0, uvicorn 0.54, hypercorn 0.18, daphne 4.2, granian 2.8, waitress 3.0, Flask 3.1 and
fastapi-cli 0.0.34 (older names stay), the options reference of uWSGI 2.0, `python -m http.server --help` of Python
3.14, Django 5.2's `runserver --help`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grammar:
    """How one program reads its command line.

    `values`: options with a value, and the setting that they give; `other_values`: options whose value nobody asks
    for; `switches`: options without a value. An option that is in none of them is taken for a switch.
    """

    values: Mapping[str, str]
    other_values: frozenset[str] = frozenset()
    switches: Mapping[str, str] = field(default_factory=dict)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GUNICORN = Grammar(
    {
        "-b": "bind", "--bind": "bind", "-w": "workers", "--workers": "workers", "-k": "worker_class",
        "--worker-class": "worker_class", "--threads": "threads", "-t": "timeout", "--timeout": "timeout",
        "--graceful-timeout": "graceful_timeout", "--keep-alive": "keepalive", "--max-requests": "max_requests",
        "--max-requests-jitter": "max_requests_jitter", "--worker-tmp-dir": "worker_tmp_dir",
        "--forwarded-allow-ips": "forwarded_allow_ips", "-c": "config", "--config": "config", "--chdir": "chdir",
        "--pythonpath": "pythonpath", "--worker-connections": "worker_connections",
    },
    _names("""
        --backlog --limit-request-line --limit-request-fields --limit-request-field_size -e --env -p --pid -u --user -g
        --group -m --umask --access-logfile --access-logformat --log-file --error-logfile --log-level --logger-class
        --log-config --log-config-json --log-syslog-to --log-syslog-prefix --log-syslog-facility --statsd-host
        --dogstatsd-tags --statsd-prefix -n --name --paste --paster --keyfile --certfile --ssl-version --cert-reqs
        --ca-certs --ciphers --reload-engine --reload-extra-file --proxy-allow-from --protocol --uwsgi-allow-from
        --http-protocols --http2-cleartext --http2-max-concurrent-streams --http2-initial-window-size
        --http2-max-frame-size --http2-max-header-list-size --paste-global --forwarder-headers --header-map --asgi-loop
        --asgi-lifespan --asgi-disconnect-grace-period --websocket-max-message-size --http-parser --root-path
        --dirty-app --dirty-workers --dirty-timeout --dirty-threads --dirty-graceful-timeout --control-socket
        --control-socket-mode --secure-scheme-headers --tmp-upload-dir
    """),
    {"--reload": "reload", "--preload": "preload", "--spew": "spew"},
)  # fmt: skip
_UVICORN = Grammar(
    {
        "--host": "host", "--port": "port", "--uds": "uds", "--fd": "fd", "--workers": "workers",
        "--interface": "interface", "--timeout-keep-alive": "keepalive",
        "--timeout-graceful-shutdown": "graceful_timeout", "--limit-max-requests": "max_requests",
        "--forwarded-allow-ips": "forwarded_allow_ips", "--app-dir": "chdir",
    },
    _names("""
        --reload-dir --reload-include --reload-exclude --reload-delay --loop --http --ws --ws-max-size --ws-max-queue
        --ws-ping-interval --ws-ping-timeout --ws-per-message-deflate --lifespan --env-file --log-config --log-level
        --root-path --limit-concurrency --backlog --limit-max-requests-jitter --timeout-worker-healthcheck
        --ssl-keyfile --ssl-certfile --ssl-keyfile-password --ssl-version --ssl-cert-reqs --ssl-ca-certs --ssl-ciphers
        --header --h11-max-incomplete-event-size
    """),
    {"--reload": "reload", "--factory": "factory", "--proxy-headers": "proxy_headers",
     "--no-proxy-headers": "no_proxy_headers"},
)  # fmt: skip
_HYPERCORN = Grammar(
    {
        "-b": "bind", "--bind": "bind", "-w": "workers", "--workers": "workers", "-k": "worker_class",
        "--worker-class": "worker_class", "--keep-alive": "keepalive", "--graceful-timeout": "graceful_timeout",
        "-c": "config", "--config": "config", "--max-requests": "max_requests",
    },
    _names("""
        --access-log --access-logfile --access-logformat --backlog --ca-certs --certfile --cert-reqs --ciphers
        --error-log --error-logfile --log-file --log-config --log-level -g --group --insecure-bind --keyfile
        --keyfile-password --quic-bind --read-timeout --root-path --server-name --statsd-host --statsd-prefix -m --umask
        -u --user --verify-mode --websocket-ping-interval -p --pid --max-requests-jitter
    """),
    {"--reload": "reload", "--debug": "debug"},
)  # fmt: skip
_DAPHNE = Grammar(
    {
        "-b": "host", "--bind": "host", "-p": "port", "--port": "port", "-u": "uds", "--unix-socket": "uds",
        "-t": "timeout", "--http-timeout": "timeout", "-e": "endpoint", "--endpoint": "endpoint", "--fd": "fd",
    },
    _names("""
        -v --verbosity --websocket_timeout --websocket_connect_timeout --access-log --log-fmt --ping-interval
        --ping-timeout --websocket-max-message-size --websocket-max-frame-size --application-close-timeout --root-path
        --proxy-headers-host --proxy-headers-port -s --server-name
    """),
    {"--proxy-headers": "proxy_headers"},
)  # fmt: skip
_GRANIAN = Grammar(
    {
        "--host": "host", "--port": "port", "--uds": "uds", "--interface": "interface", "--workers": "workers",
        "--blocking-threads": "threads", "--working-dir": "chdir", "--workers-kill-timeout": "graceful_timeout",
    },
    _names("""
        --uds-permissions --http --blocking-threads-idle-timeout --runtime-threads --runtime-blocking-threads
        --runtime-mode --loop --task-impl --backlog --backpressure --http1-buffer-size --http1-header-read-timeout
        --http2-initial-connection-window-size --http2-initial-stream-window-size --http2-keep-alive-interval
        --http2-keep-alive-timeout --http2-max-concurrent-streams --http2-max-frame-size --http2-max-headers-size
        --http2-max-send-buffer-size --log-level --log-config --access-log-fmt --ssl-certificate --ssl-keyfile
        --ssl-keyfile-password --ssl-protocol-min --ssl-ca --ssl-crl --url-path-prefix --respawn-interval
        --rss-sample-interval --rss-samples --workers-lifetime --workers-max-rss --env-files --static-path-route
        --static-path-mount --static-path-dir-to-file --static-path-expires --metrics-scrape-interval --metrics-address
        --metrics-port --reload-paths --reload-ignore-dirs --reload-ignore-patterns --reload-ignore-paths --reload-tick
        --process-name --pid-file --threading-mode --opt --threads
    """),
    {"--reload": "reload", "--factory": "factory"},
)  # fmt: skip
_WAITRESS = Grammar(
    {"--host": "host", "--port": "port", "--listen": "bind", "--threads": "threads", "--unix-socket": "uds"},
    _names("""
        --app --unix-socket-perms --url-scheme --url-prefix --ident --backlog --recv-bytes --send-bytes
        --outbuf-overflow --outbuf-high-watermark --inbuf-overflow --connection-limit --cleanup-interval
        --channel-timeout --max-request-header-size --max-request-body-size --asyncore-loop-timeout
        --channel-request-lookahead --trusted-proxy --trusted-proxy-count --trusted-proxy-headers
    """),
    {"--call": "factory"},
)  # fmt: skip
_UWSGI = Grammar(
    {
        "--http": "bind", "--http-socket": "bind", "--http11-socket": "bind", "--https": "bind", "-s": "bind",
        "--socket": "bind", "--uwsgi-socket": "bind", "--fastcgi-socket": "bind", "-p": "workers",
        "--processes": "workers", "--workers": "workers", "--threads": "threads", "-t": "timeout",
        "--harakiri": "timeout", "--ini": "config", "--module": "app", "-w": "app", "--wsgi": "app",
        "--wsgi-file": "file", "--file": "file", "--callable": "callable", "--chdir": "chdir",
        "--max-requests": "max_requests", "-R": "max_requests", "--py-autoreload": "reload",
        "--python-autoreload": "reload", "--pyargv": "argv",
    },
    _names("""
        --pythonpath --python-path --pp -H --home --virtualenv --venv --uid --gid --buffer-size -b --listen -l --env
        --static-map --check-static --stats --pidfile --logto -d --daemonize --log-format --plugin --plugins --mount
        --chmod-socket -C --chown-socket --http-timeout --socket-timeout --reload-on-rss --reload-on-as
        --max-worker-lifetime --min-worker-lifetime --worker-reload-mercy --cheaper --cheaper-initial --cheaper-step
        --cheaper-algo --offload-threads --attach-daemon --hook-master-start --touch-reload --post-buffering --gevent
        --set --procname-prefix --ignore-sigpipe-file --xml --yaml --json --py-call-osafterfork-file
    """),
    {
        "--master": "master", "-M": "master", "--die-on-term": "die_on_term", "--enable-threads": "enable_threads",
        "--lazy-apps": "lazy_apps", "--lazy": "lazy_apps",
    },
)  # fmt: skip

GRAMMARS: Mapping[str, Grammar] = {
    "gunicorn": _GUNICORN,
    "uvicorn": _UVICORN,
    "hypercorn": _HYPERCORN,
    "daphne": _DAPHNE,
    "granian": _GRANIAN,
    "waitress-serve": _WAITRESS,
    "uwsgi": _UWSGI,
    "flask": Grammar(
        {
            "-h": "host", "--host": "host", "-p": "port", "--port": "port", "-A": "app", "--app": "app",
            "-e": "env_file", "--env-file": "env_file", "--cert": "cert", "--key": "key",
        },
        _names("--extra-files --exclude-patterns"),
        {"--debug": "debug", "--reload": "reload"},
    ),
    "fastapi": Grammar(
        {
            "--host": "host", "--port": "port", "--workers": "workers", "--app": "attribute", "-e": "app",
            "--entrypoint": "app", "--forwarded-allow-ips": "forwarded_allow_ips",
        },
        _names("--root-path --reload-dir"),
        {"--reload": "reload", "--no-reload": "no_reload"},
    ),
    "http.server": Grammar({"-b": "host", "--bind": "host"}, _names("-d --directory -p --protocol --tls-cert")),
    "runserver": Grammar({}, _names("--settings --pythonpath -v --verbosity"), {"--noreload": "no_reload"}),
}  # fmt: skip
