"""What a file is whose name leaves it open: asked of the parsers that might want it."""

from __future__ import annotations

from pyprod_audit.discover.classify import CONF, JSON, SCRIPT, YAML, classify, is_compose_name

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})


def classify_content(path: str, text: str) -> str | None:
    """The kind of a file whose name leaves it open; one of `KINDS`, or None when nobody would read it."""
    kind = classify(path)
    if kind == YAML:
        from pyprod_audit.parsers.kubernetes import looks_like_kubernetes

        if looks_like_kubernetes(text):
            return "kubernetes"
        if not is_compose_name(path):
            return "yaml"
        from pyprod_audit.parsers.compose import looks_like_compose

        return "compose" if looks_like_compose(text) else "yaml"
    if kind == JSON:
        from pyprod_audit.parsers.kubernetes import looks_like_kubernetes_json

        if looks_like_kubernetes_json(text):
            return "kubernetes"
        from pyprod_audit.parsers.terraform_plan import looks_like_plan

        return "terraform-plan" if looks_like_plan(text) else "text"
    if kind == CONF:
        from pyprod_audit.parsers.nginx import looks_like_nginx

        if looks_like_nginx(path, text):
            return "nginx"
        return _script_kind(text) or "text"
    if kind == SCRIPT:
        return _script_kind(text)
    return kind


def _script_kind(text: str) -> str | None:
    """The kind that a `#!` line tells; programs may stand in front of the interpreter (`env -S`, `with-contenv`)."""
    if not text.startswith("#!"):
        return None
    programs = [word.rpartition("/")[2] for word in text[2:200].partition("\n")[0].split()]
    if not _SHELLS.isdisjoint(programs):
        return "shell"
    return "python" if any(program.rstrip("0123456789.") == "python" for program in programs) else None
