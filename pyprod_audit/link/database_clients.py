"""Which database a service talks to, and how many connections it may open there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pyprod_audit.link.datastores import MONGODB, Datastore, datastores
from pyprod_audit.link.network import nearest
from pyprod_audit.link.pod_environment import pod_environment
from pyprod_audit.link.poolers import names_pooler, poolers
from pyprod_audit.link.pools import Pool, kind_of_url, pools_of
from pyprod_audit.link.setting_values import settings_of
from pyprod_audit.model import Fact, Node, Repository, Service, Span, Unknown
from pyprod_audit.model.kubernetes import object_of
from pyprod_audit.model.patterns import lazy

_URL = lazy(r"([a-z][a-z0-9+.-]{1,30})://(?:[^@/\s]{0,300}@)?([a-zA-Z0-9._-]{1,253}|\[[0-9a-fA-F:]{2,45}\])")
_NAMES_HOST = lazy(r"(?i)(?:host|server|addr|url|uri|dsn|endpoint)")
_ASYNCHRONOUS = ("gevent", "eventlet", "uvicorn", "asgi", "tornado", "aiohttp")
_ONE_PROCESS = frozenset({"daphne", "flask", "runserver", "hypercorn", "uvicorn", "fastapi run"})


class Demand(NamedTuple):
    """The connections that one service may open at `datastore`.

    `total` is the product that `shown` spells out; Unknown when a factor is. `places` are the factors with labels, the
    pool first.
    """

    service: Service
    datastore: Datastore
    total: int | Unknown
    shown: str
    places: tuple[tuple[Span, str], ...]


def demands(repository: Repository) -> Mapping[int, Demand | str]:
    """By the id of the service: its demand, or the reason why there is none. Services without a pool are absent."""
    return repository.memo("link.demands", lambda repo: dict(_all(repo)))


def _all(repository: Repository) -> Iterator[tuple[int, Demand | str]]:
    by_project: dict[str, tuple[Pool, ...]] = {}
    for service in repository.services:
        if service.project is None or service.process is None:
            continue
        pools = by_project.get(service.project)
        if pools is None:
            pools = by_project[service.project] = pools_of(service.modules)
        if service.container is not None and any(isinstance(pool.size, Unknown) for pool in pools):
            pools = pools_of(service.modules, settings_of(service, repository))
        if pools:
            yield id(service), _demand(service, pools, repository)


def _demand(service: Service, pools: tuple[Pool, ...], repository: Repository) -> Demand | str:
    if service.container is None:
        return "no workload of the repository runs the image"
    if service.workload is not None and service.workload.kind in ("k8s.job", "k8s.cronjob"):
        return "a job is no service"
    found = _datastore(service, pools, repository)
    if isinstance(found, str):
        return found
    total, shown, places = _product(service, _largest(pools, found.kind))
    return Demand(service, found, total, shown, places)


def _largest(pools: tuple[Pool, ...], kind: str) -> Pool:
    """The pool that counts. A project may declare several, for commands or for tests; one is surely used."""
    fitting = [pool for pool in pools if pool.kind in (kind, "")] or list(pools)
    sized = [(pool.size, -index) for index, pool in enumerate(fitting) if isinstance(pool.size, int)]
    return fitting[-max(sized)[1]] if sized else fitting[0]


# -- which database --------------------------------------------------------------------------------------------


def _datastore(service: Service, pools: tuple[Pool, ...], repository: Repository) -> Datastore | str:
    """By the host that the environment or the code names, else the only one of its kind in the repository."""
    candidates = [
        one for one in datastores(repository) if one.kind != MONGODB and not one.replica and one.runs_as != "compose"
    ]
    if not candidates:
        return "no database is declared in the repository"
    hosts, kinds = _named(service, pools, repository)
    if any(names_pooler(host) for host in hosts):
        return "the service connects through a pooler"
    by_host = [one for one in candidates if not one.hosts.isdisjoint(hosts)]
    if by_host:
        return _chosen(by_host, service) or "the environment names several databases"
    if poolers(repository):
        return "the repository has a pooler, and which way the service takes is not known"
    kinds |= {pool.kind for pool in pools if pool.kind}
    candidates = [one for one in candidates if (not kinds or one.kind in kinds) and (not hosts or not one.hosts)]
    return _chosen(candidates, service) or "which of the databases the service uses is not known"


def _named(service: Service, pools: tuple[Pool, ...], repository: Repository) -> tuple[set[str], set[str]]:
    """Hosts of databases that the service is told, and the kinds of database that URLs name."""
    hosts: set[str] = set()
    kinds: set[str] = set()
    known = {host for one in datastores(repository) for host in one.hosts}
    values: list[tuple[str, Node]] = [("url", pool.url) for pool in pools if pool.url is not None]
    given = pod_environment(service.container, repository)
    values += [(name, given.variables[name].holding(text)) for name, text in given.revealed().items()]
    for name, node in values:
        text = node.text
        if text is None or not _NAMES_HOST.search(name):
            continue
        if text.strip() in known:
            hosts.add(text.strip())
        kind = kind_of_url(node)
        found = _URL.search(text) if kind and kind != "SQLite" else None
        if found is not None:
            kinds.add(kind)
            hosts.add(found[2] + (":6432" if ":6432" in text else ""))
    return hosts, kinds


def _chosen(candidates: list[Datastore], service: Service) -> Datastore | None:
    """The one database among copies of the same object; None when there are several."""
    if len({(one.kind, one.name) for one in candidates}) != 1 or service.container is None:
        return None
    near = nearest([one.resource for one in candidates], object_of(service.container))
    return next(one for one in candidates if one.resource is near[0])


# -- how many --------------------------------------------------------------------------------------------------


def _product(service: Service, pool: Pool) -> tuple[int | Unknown, str, tuple[tuple[Span, str], ...]]:
    threads = _concurrency(service) if pool.per_thread or pool.bound_by_threads else None
    workers = _processes(service)
    replicas = _labelled(service.facts.get("k8s.max_replicas"), "replicas at most")
    known = (one for one in (threads, workers, replicas) if isinstance(one, Fact))
    places = ((pool.span, pool.label), *((one.span, one.label) for one in known))
    if isinstance(pool.size, Unknown):
        return pool.size, "", places
    if isinstance(threads, Unknown):
        return threads, "", places
    if not isinstance(workers, Fact):
        return _unknown_number(workers, "worker processes"), "", places
    if not isinstance(replicas, Fact):
        return _unknown_number(replicas, "replicas"), "", places
    per_process, shown = pool.size, pool.shown
    if threads is None:
        if pool.per_thread:
            return Unknown("threads", "nothing bounds the number of concurrent connections"), "", places
    elif pool.per_thread or threads.number < pool.size:
        per_process, shown = int(threads.number), _counted(threads, "thread")
    factors = (shown, _counted(workers, "worker"), _counted(replicas, "replica"))
    return per_process * int(workers.number) * int(replicas.number), " × ".join(factors), places


def _unknown_number(found: Unknown | None, what: str) -> Unknown:
    because = f"the number of {what} is not known"
    if found is None:
        return Unknown(what, because)
    return Unknown(found.expression, f"{because}: {found.because or found.expression}")


def _counted(fact: Fact, word: str) -> str:
    number = int(fact.number)
    return f"{number} {word}{'' if number == 1 else 's'}"


def _concurrency(service: Service) -> Fact | Unknown | None:
    """Threads that may hold a connection at a time in one process; None when nothing bounds them."""
    process = service.process
    if process is None:
        return None
    threads, worker_class = service.facts.get("app.threads"), service.facts.get("app.worker_class")
    if process.server == "celery":
        return Fact(1, process.span, declared=False, label="a worker process runs one task at a time")
    if process.server == "uwsgi":
        return _labelled(threads, "threads of each worker")
    if process.server != "gunicorn":
        return None
    if isinstance(worker_class, Unknown):
        return worker_class
    if worker_class is not None and any(mark in str(worker_class.value).lower() for mark in _ASYNCHRONOUS):
        return None
    return _labelled(threads, "threads of each worker")


def _processes(service: Service) -> Fact | Unknown | None:
    process = service.process
    if process is None:
        return None
    if process.server == "celery":
        return _celery_concurrency(process.argv)
    found = service.facts.get("app.workers")
    if found is not None:
        return _labelled(found, "worker processes")
    if process.server in _ONE_PROCESS:
        return Fact(1, process.span, declared=False, label="one process")
    if process.server == "python":
        for module in service.modules:
            for call in module.node.items_at("calls"):
                workers = call.get("kwargs.workers")
                if call.text_at("name") == "uvicorn.run" and workers is not None:
                    return workers.value if isinstance(workers.value, Unknown) else _number(workers)
        return Fact(1, process.span, declared=False, label="one process")
    return Unknown(process.server, "how many processes the program starts is not known")


def _number(node: Node) -> Fact | Unknown:
    value = node.scalar
    if isinstance(value, int):
        return Fact(value, node.span, label="worker processes")
    return Unknown(str(value), "not a number")


def _celery_concurrency(words: tuple[Node, ...]) -> Fact | Unknown:
    for index, word in enumerate(words):
        text = word.text or ""
        value = text.partition("=")[2] if text.startswith("--concurrency=") else ""
        if text in ("-c", "--concurrency") and index + 1 < len(words):
            value = words[index + 1].text or ""
        elif text.startswith("-c") and text[2:].isdigit():
            value = text[2:]
        if value.isdigit():
            return Fact(int(value), word.span, label="processes of the worker")
    return Unknown("--concurrency", "without --concurrency Celery starts one process for each CPU of the node")


def _labelled(fact: Fact | Unknown | None, label: str) -> Fact | Unknown | None:
    if not isinstance(fact, Fact):
        return fact
    shown = label + ("" if fact.declared else f", by default {fact.value:g}" if not isinstance(fact.value, str) else "")
    return Fact(fact.value, fact.span, fact.unit, fact.declared, shown)
