"""What a container starts: the words after shells, init programs and wrappers are looked through.

Whether SIGTERM reaches the server hangs on who is PID 1. A shell does not pass signals on. `sh -c 'a && b'` is replaced
by its last command without `exec` by bash and busybox ash, never by dash (tried with dash 0.5.12, bash 5.2 and busybox
1.35). Bash before 5.1 does it for a single command only; no bash does it for a command with redirections, a pipeline or
`a; b && c`. A script file is never replaced by any of them. A shell that traps SIGTERM may pass it on. PID 1 gets no
default action for SIGTERM from the kernel (pid_namespaces(7)). Under an init program the shell dies of the signal, and
the init ends with its child; dumb-init and `tini -g` signal the whole group (their READMEs).
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyprod_audit.link.environment import Environment, expand_shell, split_shell
from pyprod_audit.model import Node, Resource, Span, Unknown

_SHELLS = {"sh", "bash", "ash", "dash", "zsh"}
_INITS = {"tini", "dumb-init", "tini-static", "docker-init", "catatonit", "pid1"}
# Programs that replace themselves by the command they are given (execve), by their documentation or source.
_EXEC_WRAPPERS = {
    "env", "nice", "nohup", "stdbuf", "setpriv", "gosu", "su-exec", "chpst", "setuidgid", "ionice", "chroot",
    "ddtrace-run", "opentelemetry-instrument", "chamber", "envdir", "exec",
}  # fmt: skip
_RUNNERS = {
    "poetry",
    "pipenv",
    "uv",
    "pdm",
    "hatch",
    "rye",
    "newrelic-admin",
    "doppler",
    "aws-vault",
    "op",
    "infisical",
}
_EXEC_RUNNERS = {"poetry", "pipenv", "newrelic-admin"}  # the others stay as parent and pass signals on, or may not
_VALUE_OPTIONS = {"-u", "-C", "-g", "--user", "--chdir", "-n", "-e", "-o", "-i", "--project", "--directory", "--extra",
                  "--group", "--with", "--env-file", "--python", "-p"}  # fmt: skip
KNOWN_SERVERS = {
    "gunicorn", "uvicorn", "hypercorn", "uwsgi", "daphne", "flask", "fastapi", "celery", "waitress-serve", "granian",
    "django-admin", "rq", "dramatiq", "arq", "huey_consumer", "streamlit", "mod_wsgi-express", "gunicorn_django",
}  # fmt: skip
_DEPTH = 12


class Startup(NamedTuple):
    """The program that finally runs and how it is reached.

    `words` are its name and arguments; `wrappers` what stands in front, outermost first; `signals` whether SIGTERM
    reaches it (None: cannot be told), decided at `signals_span` for the reason `signals_because`; `env` is the
    environment it gets, with what the scripts in front of it set.
    """

    words: tuple[Node, ...]
    span: Span
    env: Environment
    wrappers: tuple[str, ...] = ()
    signals: bool | None = True
    signals_because: str = ""
    signals_span: Span | None = None


@dataclass(slots=True)
class _Trail:
    wrappers: list[str]
    env: Environment
    signals: bool | None = True
    because: str = ""
    span: Span | None = None
    init: str = ""
    to_group: bool = False

    def lose(self, because: str, span: Span, *, certain: bool = True) -> None:
        """Signals end here; the first loss is the one that counts, a certain one more than a possible one."""
        if certain and self.to_group:
            because = f"{self.init} sends SIGTERM to the server too, but ends as soon as the shell does"
            certain = False
        elif certain and self.init:
            because = f"{self.init} passes SIGTERM to the shell only, and the container ends with the shell"
        if self.signals is True or (self.signals is None and certain):
            self.signals = False if certain else None
            self.because, self.span = because, span


Scripts = Callable[[str], Resource | None]


def trace(words: Sequence[Node], env: Environment, shell: str, scripts: Scripts) -> Startup | None:
    """Follow `words` to the program that serves.

    `shell` is the family of the image's /bin/sh: "dash", "bash", "busybox" or "" when it is not known; `scripts` gives
    the shell script that a path in the container stands for. None when the words are not known.
    """
    return _trace(tuple(words), shell, scripts, _Trail([], env))


def trace_commands(
    commands: Sequence[Node], env: Environment, shell: str, scripts: Scripts, wrapper: str
) -> Startup | None:
    """Like `trace`, for a script that has been parsed already (the shell form of a Dockerfile)."""
    trail = _Trail([wrapper], env)
    words = _through_commands(tuple(commands), (), shell, trail)
    return _trace(words, shell, scripts, trail)


def _trace(current: tuple[Node, ...], shell: str, scripts: Scripts, trail: _Trail) -> Startup | None:
    for _ in range(_DEPTH):
        if not current:
            return None
        program = current[0].text
        if program is None:
            return None
        name = posixpath.basename(program)
        following = _look_through(name, current, shell, scripts, trail)
        if following is None:
            break
        current = following
    if not current:
        return None
    return Startup(current, _whole(current), trail.env, tuple(trail.wrappers), trail.signals, trail.because, trail.span)


def _look_through(
    name: str, words: tuple[Node, ...], shell: str, scripts: Scripts, trail: _Trail
) -> tuple[Node, ...] | None:
    """The words behind the first program: None when it is the one that serves, none when they are not known."""
    if name in _SHELLS:
        return _through_shell(name, words, shell, scripts, trail)
    if name in _INITS:
        trail.wrappers.append(name)
        rest = _after_options(words[1:])
        options = {word.text for word in words[1 : len(words) - len(rest)]}
        trail.init = name
        trail.to_group = options.isdisjoint({"-c", "--single-child"}) if name == "dumb-init" else "-g" in options
        return rest
    if name in _EXEC_WRAPPERS:
        trail.wrappers.append(name)
        rest = _after_options(words[1:])
        if name in ("gosu", "su-exec", "setuidgid", "chamber") and rest:
            rest = _after_options(rest[1:])
        while name == "env" and rest and "=" in (rest[0].text or ""):
            rest = rest[1:]
        return rest
    if name in _RUNNERS:
        return _through_runner(name, words, trail)
    if name.startswith("wait-for") or name in ("dockerize", "wait"):
        after = next((i for i, word in enumerate(words) if word.text == "--"), None)
        if after is not None:
            trail.wrappers.append(name)
            return words[after + 1 :]
    script = scripts(words[0].text or "") if "/" in (words[0].text or "") or name.endswith(".sh") else None
    if script is not None:
        trail.wrappers.append(name)
        return _through_script(script, words[1:], trail)
    return None


def _through_shell(
    name: str, words: tuple[Node, ...], shell: str, scripts: Scripts, trail: _Trail
) -> tuple[Node, ...] | None:
    family = {"bash": "bash", "dash": "dash", "ash": "busybox"}.get(name, shell if name == "sh" else "")
    for index, word in enumerate(words[1:], start=1):
        text = word.text or ""
        if text.startswith("-") and not text.startswith("--") and "c" in text:
            if index + 1 >= len(words):
                return None
            trail.wrappers.append(f"{name} -c")
            return _through_commands(_commands(words[index + 1]), words[index + 3 :], family, trail)
        if not text.startswith("-"):
            script = scripts(text)
            trail.wrappers.append(f"{name} {posixpath.basename(text)}")
            return _through_script(script, words[index + 1 :], trail) if script is not None else ()
    return None


def _commands(script: Node) -> tuple[Node, ...]:
    """The commands of a `-c` script; also of one in which only a `$(VAR)` of Kubernetes is not known."""
    from pyprod_audit.parsers.shell import commands_of

    value = script.value
    if isinstance(value, Unknown):
        known = "$(" in value.expression and "{{" not in value.expression
        return commands_of(value.expression, script.span) if known else ()
    return commands_of(value, script.span) if isinstance(value, str) else ()


def _through_commands(
    commands: tuple[Node, ...], arguments: tuple[Node, ...], family: str, trail: _Trail
) -> tuple[Node, ...]:
    """The words of the command of a `-c` script that serves; `arguments` are its `$1` and the following."""
    serving = _serving(commands)
    if serving is None:
        return ()
    trail.env = _with_assignments(trail.env, commands, serving)
    words = _expanded(serving, arguments, trail.env)
    if not _flag(serving, "exec"):
        replaced = None if _traps(commands) else _replaces_shell(commands, serving, family)
        if replaced is not True:
            trail.lose(
                "the shell stays PID 1 and does not pass SIGTERM on" if replaced is False
                else "the script traps signals" if _traps(commands)
                else "whether this image's shell is replaced by its last command is not known",
                _whole(words) if words else serving.span, certain=replaced is False,
            )  # fmt: skip
    return words


def _replaces_shell(commands: tuple[Node, ...], serving: Node, family: str) -> bool | None:
    """Whether a `-c` shell becomes its last command without being told to."""
    if family == "dash" or not _flag(serving, "last") or serving.get("pipeline") is not None:
        return False
    if family == "busybox":
        return True
    if not family.startswith("bash"):
        return None
    if serving.text_at("condition") or serving.items_at("redirects"):
        return False
    if len(commands) == 1:
        return True
    operators = {command.text_at("operator") or "" for command in commands[1:]}
    mixed = ";" in operators and serving.text_at("operator") != ";"
    return None if mixed or family == "bash before 5.1" else True


def _traps(commands: Sequence[Node]) -> bool:
    """Whether the script handles signals itself, and so may pass SIGTERM on."""
    return any(command.text_at("name") == "trap" for command in commands)


def _with_assignments(env: Environment, commands: Sequence[Node], serving: Node) -> Environment:
    """The environment with what the commands before `serving` assign; under a condition: not known."""
    variables = dict(env.variables)
    for command in commands:
        if command is serving:
            break
        words = command.items_at("words")
        if words and words[0].text not in ("export", "declare", "readonly", "local", "typeset"):
            continue
        for name, value in command.mapping_at("env").items():
            if command.text_at("condition") or command.text_at("operator") in ("&&", "||"):
                unknown = Unknown(name, f"{name} is set under a condition")
                variables[name] = Node(unknown, value.source, value.start, value.end)
            else:
                variables[name] = expand_shell(value, Environment(variables, env.open))
    return Environment(variables, env.open)


def _through_script(script: Resource, arguments: tuple[Node, ...], trail: _Trail) -> tuple[Node, ...]:
    """The words of the command in a script file that serves; the shell of a file never replaces itself."""
    commands = script.node.items_at("commands")
    serving = _serving(commands)
    if serving is None:
        return ()
    if not _flag(serving, "exec"):
        others = [c for c in commands if c is not serving and _serves(c) and _flag(c, "exec")]
        trail.lose(
            "the script runs the server as a child and does not pass SIGTERM on",
            _command_span(serving),
            certain=not others and not _traps(commands),
        )
    trail.env = _with_assignments(trail.env, commands, serving)
    return _expanded(serving, arguments, trail.env)


def _serving(commands: Sequence[Node]) -> Node | None:
    """The command that goes on running: the last known server or `"$@"`, else the last command."""
    top = [command for command in commands if command.items_at("words") and command.text_at("condition") != "function"]
    known = [command for command in top if _serves(command)]
    if known:
        return known[-1]
    last = [command for command in top if _flag(command, "last")] or top[-1:]
    return last[-1] if last else None


def _serves(command: Node) -> bool:
    words = command.items_at("words")
    if not words:
        return False
    first = words[0]
    if isinstance(first.value, Unknown) and first.value.expression.strip('"') in ("$@", "${@}", "$*"):
        return True
    names = [posixpath.basename(word.text) for word in words[:4] if word.text]
    if not names or names[0] in ("echo", "pip", "which", "command", "printf", "rm", "cp"):
        return False
    if names[0] == "exec":
        names = names[1:]
    return any(name in KNOWN_SERVERS for name in names) or ("runserver" in [word.text for word in words])


def _expanded(command: Node, arguments: tuple[Node, ...], env: Environment) -> tuple[Node, ...]:
    words: list[Node] = []
    for word in command.items_at("words"):
        value = word.value
        if isinstance(value, Unknown) and value.expression.strip('"') in ("$@", "${@}", "$*"):
            words.extend(arguments)
        else:
            words.extend(split_shell(word, env))
    if words and words[0].text == "exec":
        words = words[1:]
    return tuple(words)


def _through_runner(name: str, words: tuple[Node, ...], trail: _Trail) -> tuple[Node, ...] | None:
    verb = next((i for i, word in enumerate(words[1:], start=1) if word.text in ("run", "exec", "run-program")), None)
    if verb is None:
        return None
    trail.wrappers.append(f"{name} {words[verb].text}")
    if name not in _EXEC_RUNNERS and name != "uv":
        trail.lose(f"whether {name} passes SIGTERM on is not known", _whole(words), certain=False)
    return _after_options(words[verb + 1 :])


def _after_options(words: tuple[Node, ...]) -> tuple[Node, ...]:
    index = 0
    while index < len(words):
        text = words[index].text
        if text == "--":
            return words[index + 1 :]
        if text is None or not text.startswith("-"):
            break
        index += 2 if text in _VALUE_OPTIONS else 1
    return words[index:]


def _flag(node: Node, key: str) -> bool:
    found = node.get(key)
    return found is not None and found.scalar is True


def _command_span(command: Node) -> Span:
    words = command.items_at("words")
    return _whole(words) if words else command.span


def _whole(words: Sequence[Node]) -> Span:
    first, last = words[0], words[-1]
    if first.source is last.source and first.start <= last.end:
        return Span(first.source, first.start, last.end)
    return first.span
