"""What a container starts: what its manifest says in the place of the image's ENTRYPOINT and CMD."""

from __future__ import annotations

from pyprod_audit.evaluate.kubernetes.environment import PodEnvironment
from pyprod_audit.link.environment import Environment
from pyprod_audit.link.images import shell_family
from pyprod_audit.link.startup import Scripts, Startup, trace, trace_commands
from pyprod_audit.model import Node, Resource


def startup_of(
    stage: Resource | None, container: Resource | None, env: Environment, given: PodEnvironment, scripts: Scripts
) -> Startup | None:
    """The program that runs in a container in the end; None when that is not known.

    Args:
        stage: of the image, when it is built here.
        container: a `k8s.container` or a `compose.service`, when one runs the image.
        env: the environment of the process.
        given: what Kubernetes fills in itself.
        scripts: the shell script that a path in the container stands for.
    """
    family = shell_family(stage, container)
    if container is not None and container.kind == "compose.service":
        return _composed(stage, container, env, family, scripts)
    command = container.node.get("command") if container is not None else None
    args = container.node.get("args") if container is not None else None
    for node in (command, args):
        if node is not None and node.is_unknown:
            return None
    argument_words = tuple(given.expand(word) for word in args.items) if args is not None else ()
    if command is not None and command.items:
        words = (*(given.expand(word) for word in command.items), *argument_words)
        return trace(words, env, family, scripts)
    return _of_image(stage, argument_words or None, (), env, family, scripts)


def _composed(
    stage: Resource | None, service: Resource, env: Environment, family: str, scripts: Scripts
) -> Startup | None:
    """What a Compose service starts. Docker runs its words without a shell.

    An `entrypoint` takes the place of the image's, and of its CMD; a `command` that of its CMD
    (https://docs.docker.com/reference/compose-file/services/#entrypoint).
    """
    entrypoint, command = service.node.get("entrypoint"), service.node.get("command")
    if (entrypoint is not None and entrypoint.is_unknown) or (command is not None and command.is_unknown):
        return None
    tail = command.items if command is not None else None
    if entrypoint is not None:
        words = (*_init(service), *entrypoint.items, *(tail or ()))
        return trace(words, env, family, scripts) if entrypoint.items or tail else None
    return _of_image(stage, tail, _init(service), env, family, scripts)


def _init(service: Resource) -> tuple[Node, ...]:
    """`init: true` starts an init program in front, which passes signals on."""
    init = service.node.get("init")
    if init is None or init.value is not True:
        return ()
    return (init.holding("docker-init"), init.holding("--"))


def _of_image(
    stage: Resource | None,
    arguments: tuple[Node, ...] | None,
    init: tuple[Node, ...],
    env: Environment,
    family: str,
    scripts: Scripts,
) -> Startup | None:
    """What an image starts, behind `init`, with `arguments` in the place of its CMD unless they are None."""
    if stage is None:
        return None
    entrypoint, cmd = stage.node.get("entrypoint"), stage.node.get("cmd")
    tail = _exec_words(cmd) if arguments is None else arguments
    if entrypoint is not None and entrypoint.text_at("form") == "shell":
        if init:
            return trace((*init, *_by_shell(entrypoint)), env, family, scripts)
        return trace_commands(entrypoint.items_at("commands"), env, family, scripts, "sh -c")
    head = _exec_words(entrypoint)
    if arguments is None and cmd is not None and cmd.text_at("form") == "shell":
        if not head and not init:
            return trace_commands(cmd.items_at("commands"), env, family, scripts, "sh -c")
        tail = _by_shell(cmd)
    return trace((*init, *head, *tail), env, family, scripts) if head or tail else None


def _by_shell(node: Node) -> tuple[Node, ...]:
    """The words with which Docker runs the shell form of an instruction."""
    script = node.get("script")
    if script is None:
        return ()
    shell = Node("/bin/sh", script.source, script.start, script.start)
    flag = Node("-c", script.source, script.start, script.start)
    return (shell, flag, script)


def _exec_words(node: Node | None) -> tuple[Node, ...]:
    return node.items_at("words") if node is not None and node.text_at("form") == "exec" else ()
