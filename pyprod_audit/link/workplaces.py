"""Stages that serve developers or tests, by their names."""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.model import Resource
from pyprod_audit.model.workplaces import is_workplace as is_workplace
from pyprod_audit.model.workplaces import names_a_workplace as names_a_workplace


def shipped_stage(stages: Sequence[Resource]) -> Resource:
    """The stage of a Dockerfile that is built for others: the last one, unless it is one for development or tests.

    `docker build` takes the last stage when it is told nothing. A Dockerfile that ends with `FROM prod AS dev` is
    built with `--target`. Its base images, which start nothing, are not what is shipped. `stages` must not be empty.
    """
    last = stages[-1]
    if not names_a_workplace(last.node.text_at("name") or ""):
        return last
    for stage in reversed(stages):
        starts = stage.node.get("cmd") is not None or stage.node.get("entrypoint") is not None
        if starts and not names_a_workplace(stage.node.text_at("name") or ""):
            return stage
    return last
