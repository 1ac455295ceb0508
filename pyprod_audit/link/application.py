"""Which application object a server is given, followed through the modules that pass it on."""

from __future__ import annotations

from typing import NamedTuple

from pyprod_audit.link.environment import environment
from pyprod_audit.link.python_modules import ModuleFinder
from pyprod_audit.model import AppReference, Node, Repository, Resource, Service, Unknown

_STEPS = 12


class Application(NamedTuple):
    """An application object or factory where it is made.

    `framework` ("flask", "fastapi", "django" …) and `interface` ("wsgi", "asgi", "aiohttp" …) are those of the
    parser; `wrapper` is the dotted name of what wraps it last; `place` is the name that is assigned or defined.
    """

    framework: str
    interface: str
    module: Resource
    place: Node
    factory: bool = False
    wrapper: str = ""


def finder_of(service: Service, repository: Repository) -> ModuleFinder:
    """The module finder of a service: as its process would import; made once for each service."""
    finders: dict[Service, ModuleFinder] = repository.memo("link.finders", lambda _repo: {})
    if service not in finders:
        env = environment(service.image, service.container or service.compose, repository)
        chdir = service.process.chdir if service.process is not None else ""
        finders[service] = ModuleFinder(repository, service.files, service.project, env, chdir)
    return finders[service]


def application(service: Service, repository: Repository) -> Application | Unknown | None:
    """The application that the service's server is told to run; None when it is told none.

    An Unknown says why it cannot be told: the module is not in the repository, a call decides, and the like.
    """
    process = service.process
    if process is None or process.app is None:
        return None
    if isinstance(process.app, Unknown):
        return process.app
    finder = finder_of(service, repository)
    module = service.module or _module(process.app, finder)
    if module is None:
        return Unknown(process.app.module, f"the module {process.app.module} is not in the repository")
    return resolve(module, process.app.attribute, finder)


def _module(reference: AppReference, finder: ModuleFinder) -> Resource | None:
    return finder.module(reference.module)


def resolve(module: Resource, attribute: str, finder: ModuleFinder) -> Application | Unknown:
    """The application that `attribute` of `module` is; `create_app()` and `create_app` are the same factory."""
    name = attribute.partition("(")[0]
    wrapper = ""
    for _ in range(_STEPS):
        found = _app_node(module, name)
        if found is not None:
            wrapper = wrapper or found.text_at("wrapper") or ""
            framework, interface = found.text_at("framework"), found.text_at("interface")
            if interface:
                factory = found.get("factory")
                return Application(framework or "", interface, module, found,
                                   factory=factory is not None and factory.scalar is True, wrapper=wrapper)  # fmt: skip
            origin = found.text_at("from")
        else:
            imported = module.node.get("imports")
            target = imported.mapping.get(name) if imported is not None else None
            origin = target.text if target is not None else None
        if not origin:
            decided = found.text_at("wrapper") if found is not None else ""
            return Unknown(name, f"what {name} is cannot be told" + (f": {decided} decides" if decided else ""))
        following = _owner(origin, module, name, finder)
        if following is None:
            return Unknown(origin, f"{origin} is not in the repository")
        module, name = following
    return Unknown(name, f"{name} is passed on through too many modules")


def _app_node(module: Resource, name: str) -> Node | None:
    return next((app for app in module.node.items_at("apps") if app.text_at("name") == name), None)


def _owner(dotted: str, module: Resource, name: str, finder: ModuleFinder) -> tuple[Resource, str] | None:
    """The module and the name in it that `dotted` means, seen from `module`."""
    if "." not in dotted:
        return (module, dotted) if dotted != name and _app_node(module, dotted) is not None else None
    parent, _, last = dotted.rpartition(".")
    found = finder.module(parent)
    if found is None or found is module:
        return None
    return found, last
