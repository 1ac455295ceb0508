"""The modules of the repository that are loaded with an application, and the settings module of a Django project."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.link.application import finder_of
from pyprod_audit.link.environment import environment
from pyprod_audit.link.python_modules import ModuleFinder
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

_MOST = 400
_SETDEFAULT = lazy(r"DJANGO_SETTINGS_MODULE[\"']\s{0,9}[,\]]\s{0,9}(?:=\s{0,9})?[\"']([\w.]{1,200})[\"']")
_VARIABLE = "DJANGO_SETTINGS_MODULE"


def imported_modules(service: Service, repository: Repository) -> tuple[Resource, ...]:
    """The application's module and what it imports from the repository, outer first; made once for each service.

    Imports inside of functions count too: factories import there. Bounded.
    """

    def build(repo: Repository) -> tuple[Resource, ...]:
        if service.module is None:
            return ()
        finder = finder_of(service, repo)
        found = {service.module.path: service.module}
        waiting = [service.module]
        settings = settings_module(service, repo)
        if isinstance(settings, Resource) and settings.path not in found:
            found[settings.path] = settings
            waiting.append(settings)
        while waiting and len(found) < _MOST:
            for module in _imports(waiting.pop(), finder):
                if module.path not in found:
                    found[module.path] = module
                    waiting.append(module)
        return tuple(found.values())

    return repository.memo(f"link.imported.{id(service)}", build)


def _imports(module: Resource, finder: ModuleFinder) -> Iterator[Resource]:
    names = [node.text for node in module.node.mapping_at("imports").values()]
    names += [node.text for node in module.node.items_at("star_imports")]
    for dotted in names:
        if dotted:
            found = finder.module(dotted) or finder.module(dotted.rpartition(".")[0] or dotted)
            if found is not None:
                yield found


def settings_module(service: Service, repository: Repository) -> Resource | Unknown | None:
    """The settings module that a Django process uses; None when it is no Django process.

    `DJANGO_SETTINGS_MODULE` of the image or the container decides, else what the module that the server loads sets as
    a default, unless the variable may still come at deploy time and the project has several modules of settings.
    """
    env = environment(service.image, service.container or service.compose, repository)
    finder = finder_of(service, repository)
    given = env.variables.get(_VARIABLE)
    if given is not None:
        if isinstance(given.value, Unknown):
            return given.value
        return finder.module(str(given.scalar)) or Unknown(_VARIABLE, f"{given.scalar} is not in the repository")
    loaded = service.module
    found = _SETDEFAULT.search(loaded.source.text) if loaded is not None else None
    if found is None:
        return None
    module = finder.module(found[1])
    if module is None:
        return Unknown(found[1], f"{found[1]} is not in the repository")
    others = [one for one in service.modules if one is not module and "DATABASES" in one.node.mapping_at("assignments")]
    if others and not env.excludes(_VARIABLE):
        return Unknown(_VARIABLE, f"{_VARIABLE} may choose other settings at deploy time")
    return module


def django_setting(module: Resource, name: str, finder: ModuleFinder) -> Node | None:
    """The value of a setting: of the module itself, else of what it takes in with `from x import *`."""
    waiting, seen = [module], {module.path}
    while waiting and len(seen) < _MOST:
        current = waiting.pop(0)
        found = current.node.mapping_at("assignments").get(name)
        if found is not None:
            return found
        for star in reversed(current.node.items_at("star_imports")):
            other = finder.module(star.text) if star.text else None
            if other is not None and other.path not in seen:
                seen.add(other.path)
                waiting.append(other)
    return None
