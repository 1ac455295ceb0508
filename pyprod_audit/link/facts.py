"""The names of the facts that rules may ask a service or a process for.

`app.*` come from the process that runs in the container, `image.*` from its Dockerfile, `k8s.*` from its workload,
`proxy.*` from what stands in front. A name is in a service's `facts` only when the repository shows its place:
absent means that one side is missing, `Unknown` that its value exists only at deploy time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class FactName(NamedTuple):
    """What a fact is: its unit ("" for text, counts and switches) and how a person calls it."""

    unit: str
    label: str


FACTS: Mapping[str, FactName] = {
    "app.bind_host": FactName("", "the address the server listens on"),
    "app.bind_port": FactName("", "the port the server listens on"),
    "app.bind_socket": FactName("", "the socket the server listens on"),
    "app.workers": FactName("", "worker processes"),
    "app.threads": FactName("", "threads of each worker"),
    "app.worker_class": FactName("", "the kind of worker"),
    "app.timeout": FactName("s", "a worker may be busy this long"),
    "app.graceful_timeout": FactName("s", "the server drains this long"),
    "app.keepalive": FactName("s", "idle connections are kept this long"),
    "app.max_requests": FactName("", "requests after which a worker is replaced"),
    "app.reload": FactName("", "restart on code changes"),
    "app.preload": FactName("", "the application is loaded before workers are forked"),
    "app.worker_tmp_dir": FactName("", "where heartbeat files are kept"),
    "app.forwarded_allow_ips": FactName("", "proxies whose headers are trusted"),
    "app.interface": FactName("", "the application protocol that was asked for"),
    "app.debug": FactName("", "debug mode"),
    "app.spew": FactName("", "trace every line"),
    "app.die_on_term": FactName("", "stop on SIGTERM"),
    "k8s.termination_grace": FactName("s", "the kubelet kills the pod after"),
    "k8s.prestop": FactName("s", "the preStop hook takes"),
    "k8s.replicas": FactName("", "replicas"),
    "k8s.min_replicas": FactName("", "replicas at least"),
    "k8s.max_replicas": FactName("", "replicas at most"),
    "k8s.cpu_request": FactName("cores", "CPU request"),
    "k8s.cpu_limit": FactName("cores", "CPU limit"),
    "k8s.memory_request": FactName("bytes", "memory request"),
    "k8s.memory_limit": FactName("bytes", "memory limit"),
    "proxy.read_timeout": FactName("s", "the proxy waits for an answer this long"),
}
