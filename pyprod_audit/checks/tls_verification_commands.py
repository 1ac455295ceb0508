"""Commands and variables that switch the check of certificates off."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from pyprod_audit.checks.api import Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import names_a_workplace
from pyprod_audit.checks.nginx_view import is_local
from pyprod_audit.link.pod_environment import pod_environment
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.shell import commands_of

_FALSE = ("0", "false", "no", "off", "n", "f")
# Variables that switch the check off, with the values that do; None: any but an empty or a false one.
_VARIABLES: Mapping[str, tuple[str, ...] | None] = {
    "PYTHONHTTPSVERIFY": ("0",),
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",),
    "NPM_CONFIG_STRICT_SSL": _FALSE,
    "CONSUL_HTTP_SSL_VERIFY": _FALSE,
    "GIT_SSL_NO_VERIFY": None,
    "VAULT_SKIP_VERIFY": None,
    "PIP_TRUSTED_HOST": None,
    "UV_INSECURE_HOST": None,
}
_TOOLS = frozenset({
    "curl", "wget", "git", "pip", "pip3", "uv", "npm", "yarn", "pnpm", "apt", "apt-get", "kubectl", "helm", "oc",
    "conda", "mamba", "aws", "http", "https",
})  # fmt: skip
_WRAPPERS = frozenset({
    "sudo", "timeout", "env", "exec", "time", "nice", "ionice", "xargs", "command", "gosu", "su-exec", "setpriv",
    "retry", "nohup", "chroot", "doas", "proxychains", "torsocks",
})  # fmt: skip
_PIP = lazy(r"pip[0-9.]*")
# Options of curl that take the rest of the word, or the next one, as their value.
_CURL_VALUES = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")
_VERIFY_OFF = lazy(r"https?\.(?:\S+\.)?sslVerify=(?:false|0|no|off)", re.IGNORECASE)
_APT_OFF = lazy(r"Acquire::https::(?:\S+::)?Verify-(?:Peer|Host)=\"?(?:false|0|no)", re.IGNORECASE)
_HOST = lazy(r"[\"']*(https?|wss?)://(?:[^/@\s]*@)?(\[[^\]]*\]|\$\([^)]*\)|[^/:\"'\s]+)")
_ITSELF = lazy(r"\$\(hostname|\$\{?(?:HOSTNAME|POD_IP|MY_POD_IP|POD_NAME)\b")
_LONGEST_SCRIPT = 65_536


def in_run(run: Resource) -> Outcomes:
    """The commands of one RUN."""
    stage = run.parent
    if stage is not None and names_a_workplace(stage.node.text_at("name") or ""):
        yield Skip("the stage serves developers or tests")
        return
    yield from _commands(run.node.items_at("commands"), run.address)


def in_script(script: Resource) -> Outcomes:
    """The commands of a script."""
    yield from _commands(script.node.items_at("commands"), script.address)


def in_image(stage: Resource) -> Outcomes:
    """What a stage starts with, and its environment."""
    if names_a_workplace(stage.node.text_at("name") or ""):
        yield Skip("the stage serves developers or tests")
        return
    yield from _variables(stage.node.mapping_at("env"), stage.path)
    for key in ("cmd", "entrypoint", "healthcheck.cmd"):
        start = stage.node.get(key)
        if start is not None:
            yield from _started(start.items_at("commands"), start.items_at("words"), f"{stage.path}/{key}")


def in_container(container: Resource, repository: Repository) -> Outcomes:
    """What a container of a pod runs, its hooks and probes, and its environment."""
    yield from _variables(pod_environment(container, repository).variables, container.address)
    for key in ("command", "args"):
        yield from _started((), container.node.items_at(key), f"{container.address}/{key}")
    for key in ("lifecycle.postStart", "lifecycle.preStop", "livenessProbe", "readinessProbe", "startupProbe"):
        yield from _started((), container.node.items_at(f"{key}.exec.command"), f"{container.address}/{key}")


def _variables(variables: Mapping[str, Node], owner: str) -> Outcomes:
    for name, value in variables.items():
        switch = _VARIABLES.get(name.upper(), ())
        if switch == () or value.is_unknown or value.scalar is None:
            continue
        text = str(value.scalar).strip().lower()
        off = text in switch if switch else bool(text) and text not in _FALSE and not is_local(text)
        if off:
            yield Hit(value.span, {"what": f"{name}={value.scalar}"}, address=f"{owner}/{name}")


def _started(commands: Sequence[Node], words: Sequence[Node], owner: str) -> Outcomes:
    """Commands as parsed, or the words of an exec form, a script after `-c` among them."""
    yield from _commands(commands, owner)
    if not words:
        return
    yield from _words(words, owner)
    for word in words:
        text = word.text or ""
        if " " in text and any(tool in text for tool in _TOOLS):
            yield from _commands(commands_of(text[:_LONGEST_SCRIPT], word.anchor), owner)


def _commands(commands: Sequence[Node], owner: str) -> Outcomes:
    for command in commands:
        words = command.items_at("words")
        yield from _words(words, owner)
        assigned = command.mapping_at("env")
        yield from _variables(assigned, owner)
        for word in (*words, *assigned.values()):
            inner = _substituted(word)
            if inner:
                yield from _plain_commands(commands_of(inner, word.anchor), owner)


def _plain_commands(commands: Sequence[Node], owner: str) -> Outcomes:
    for command in commands:
        yield from _words(command.items_at("words"), owner)


def _substituted(word: Node) -> str:
    """The script of a `$( … )` that may run one of the tools."""
    unknown = word.value
    if not isinstance(unknown, Unknown) or "$(" not in unknown.expression:
        return ""
    inner = unknown.expression.partition("$(")[2].rpartition(")")[0][:_LONGEST_SCRIPT]
    return inner if any(tool in inner for tool in _TOOLS) else ""


def _words(words: Sequence[Node], owner: str) -> Outcomes:
    """What one command, behind `sudo`, `timeout` and the like, switches off."""
    for index, word in enumerate(words[:6]):
        name = posixpath.basename(word.text or "")
        if name in _TOOLS or _PIP.fullmatch(name):
            arguments = words[index + 1 :]
            switch = _switch("pip" if _PIP.fullmatch(name) else name, arguments)
            if switch is not None:
                node, what = switch
                yield Hit(node.span, {"what": f"{name} {what}"}, address=f"{owner}/{name} {what}")
            return
        if index == 0 and name not in _WRAPPERS and not name.startswith("python"):
            return


def _switch(tool: str, arguments: Sequence[Node]) -> tuple[Node, str] | None:
    """The argument that switches the check off, and how to call it."""
    texts = [argument.text or "" for argument in arguments]
    match tool:
        case "curl":
            found = next((i for i, text in enumerate(texts) if _is_insecure(text)), None)
            return None if found is None or _talks_to_itself(arguments) else (arguments[found], "-k")
        case "wget":
            return None if _talks_to_itself(arguments) else _option(arguments, texts, "--no-check-certificate")
        case "http" | "https":
            return None if _talks_to_itself(arguments) else _option(arguments, texts, "--verify=no", "--verify=false")
        case "pip":
            return _trusted_host(arguments, texts)
        case "uv":
            return _option(arguments, texts, "--allow-insecure-host", "--trusted-host")
        case "git":
            return _git(arguments, texts)
        case "npm" | "yarn" | "pnpm":
            off = "strict-ssl" in texts and "false" in texts and "set" in texts
            return (arguments[texts.index("strict-ssl")], "strict-ssl false") if off else None
        case "apt" | "apt-get":
            found = next((i for i, text in enumerate(texts) if _APT_OFF.search(text)), None)
            return None if found is None else (arguments[found], "Verify-Peer=false")
        case "aws":
            return _option(arguments, texts, "--no-verify-ssl")
        case "conda" | "mamba":
            off = "ssl_verify" in texts and bool({"false", "no", "False"} & set(texts))
            return (arguments[texts.index("ssl_verify")], "ssl_verify false") if off else None
        case _:
            options = ("--insecure-skip-tls-verify", "--insecure-skip-tls-verify=true")
            return _option(arguments, texts, *options)


def _option(arguments: Sequence[Node], texts: Sequence[str], *options: str) -> tuple[Node, str] | None:
    for argument, text in zip(arguments, texts, strict=True):
        for option in options:
            if text == option or (text.startswith(option + "=") and "=" not in option and text[-5:] != "false"):
                return argument, option
    return None


def _is_insecure(text: str) -> bool:
    """`--insecure`, or a `k` among short options of curl that is not the value of another."""
    if text in ("--insecure", "--proxy-insecure"):
        return True
    if not text.startswith("-") or text.startswith("--"):
        return False
    for letter in text[1:]:
        if letter == "k":
            return True
        if letter in _CURL_VALUES or not letter.isalnum():
            return False
    return False


def _talks_to_itself(arguments: Sequence[Node]) -> bool:
    """Whether all addresses are of this machine or do not use TLS at all."""
    found = False
    for argument in arguments:
        text = argument.value.expression if isinstance(argument.value, Unknown) else argument.text or ""
        address = _HOST.match(text)
        if address is None:
            continue
        found = True
        if address[1] in ("https", "wss") and not is_local(address[2]) and not _ITSELF.match(address[2]):
            return False
    return found


def _trusted_host(arguments: Sequence[Node], texts: Sequence[str]) -> tuple[Node, str] | None:
    for index, text in enumerate(texts):
        option, separator, host = text.partition("=")
        if option != "--trusted-host" and text != "global.trusted-host":
            continue
        host = host if separator else (texts[index + 1] if index + 1 < len(texts) else "")
        if not is_local(host.partition(":")[0]):
            return arguments[index], "--trusted-host"
    return None


def _git(arguments: Sequence[Node], texts: Sequence[str]) -> tuple[Node, str] | None:
    for index, text in enumerate(texts):
        following = texts[index + 1].lower() if index + 1 < len(texts) else ""
        if _VERIFY_OFF.fullmatch(text) or (text.lower() == "http.sslverify" and following in _FALSE):
            return arguments[index], "http.sslVerify=false"
    return None
