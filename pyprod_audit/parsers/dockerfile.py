"""Dockerfiles: build stages with what they amount to, and the commands of each RUN.

`docs/model.md`, section "Docker", describes the nodes.
"""

from __future__ import annotations

from pyprod_audit.model import Node, Parsed, Resource, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.docker_expand import expand
from pyprod_audit.parsers.docker_reader import DockerfileReader, Instruction
from pyprod_audit.parsers.docker_stage import PLATFORM_ARGS, Names, Stage, arguments
from pyprod_audit.parsers.docker_words import Range, node, plain_words
from pyprod_audit.parsers.placeholders import FILL

_MAX_STAGES = 500
_NAME = lazy(r"[^\s$]+")


def parse(source: SourceFile) -> Parsed:
    """A Dockerfile as `docker.file`, one `docker.stage` per stage and one `docker.run` per RUN.

    A file with instructions but without FROM is a problem and gives nothing; an empty one gives nothing at all.
    """
    reader = DockerfileReader(source)
    reader.read()
    build = _Build(reader)
    build.read()
    parsed = Parsed(problems=reader.problems, partial=reader.partial)
    if build.stages:
        parsed.resources = build.resources()
    elif reader.instructions or reader.problems:
        reader.problems[:] = []
        reader.problem("no FROM: not a Dockerfile", 0)
        parsed.partial = True
    return parsed


class _Build:
    """The stages of one file, and what they have in common."""

    def __init__(self, reader: DockerfileReader) -> None:
        self.reader = reader
        self.source = reader.source
        self.stages: list[Stage] = []
        self.args: Names = {}
        self._by_name: dict[str, int] = {}

    def read(self) -> None:
        """Give every instruction to its stage."""
        for instruction in self.reader.instructions:
            if instruction.name == "FROM":
                if len(self.stages) >= _MAX_STAGES:
                    self.reader.problem(f"more than {_MAX_STAGES} stages", instruction.start)
                    return
                self._open(instruction)
            elif self.stages:
                self.stages[-1].read(instruction)
            elif instruction.name == "ARG":
                self.args.update(arguments(instruction, self._expanded, self.reader.escape))
            else:
                self.reader.problem(f"{instruction.name} before FROM", instruction.start)

    # -- FROM ----------------------------------------------------------------------------------------------

    def _lookup(self, name: str) -> str | Unknown | None:
        found = self.args.get(name)
        if found is not None:
            return found.value if isinstance(found.value, (str, Unknown)) else None
        return Unknown(f"${name}", "the platform that is built for") if name in PLATFORM_ARGS else None

    def _expanded(self, instruction: Instruction, where: Range) -> Node:
        start, end = where
        line = instruction.line
        written = line.text[start:end]
        result = expand(instruction.masked[start:end], written, self._lookup, self.reader.escape)
        first = line.start(start)
        return Node(result, line.source, first, max(first, line.end(end)))

    def _open(self, instruction: Instruction) -> None:
        stage = Stage(len(self.stages), instruction, self.reader, self.args)
        stage.end = instruction.end
        words = plain_words(instruction)
        if not words:
            self.reader.problem("FROM without image", instruction.start)
        elif len(words) >= 3 and instruction.masked[slice(*words[1])].upper() == "AS":
            stage.name = node(instruction, *words[2])
        elif len(words) > 1 and FILL not in instruction.masked:
            self.reader.problem("FROM takes an image and AS name", instruction.start)
        for flag in instruction.flags:
            if flag.name == "platform" and flag.value is not None:
                stage.platform = self._expanded(instruction, (flag.start, flag.end))
        image = self._image(instruction, words[0] if words else (instruction.arguments, instruction.arguments))
        stage.reference = self._reference(image, words[0] if words else (0, 0), instruction)
        stage.base = stage.reference
        earlier = self._by_name.get(image.text.lower()) if image.text else None
        if earlier is not None:
            stage.reference["stage"] = Node(earlier, self.source, image.start, image.end)
            stage.inherit(self.stages[earlier])
            if stage.platform is None:
                stage.platform = self.stages[earlier].platform
        self.stages.append(stage)
        if stage.name is not None and stage.name.text:
            self._by_name[stage.name.text.lower()] = stage.index

    def _image(self, instruction: Instruction, where: Range) -> Node:
        image = self._expanded(instruction, where)
        if image.value == "":
            written = instruction.line.text[where[0] : where[1]]
            return Node(Unknown(written, "no image is named"), self.source, image.start, image.end)
        return image

    def _reference(self, image: Node, where: Range, instruction: Instruction) -> Names:
        """The parts of an image reference; of one that is not known, the name when at least that is written."""
        found: Names = {"image": image}
        text = image.text
        if text is None:
            written = instruction.masked[where[0] : where[1]]
            slash = written.rfind("/")
            head, colon, tag = written[slash + 1 :].partition(":")
            head = written[: slash + 1] + head
            if colon and _NAME.fullmatch(head) and FILL not in head and "$" not in head:
                self._name(found, head, image, image.start)
                at = image.start + len(head) + 1
                original = instruction.line.text[where[1] - len(tag) : where[1]]
                because = image.value.because if isinstance(image.value, Unknown) else ""
                found["tag"] = Node(Unknown(original, because), self.source, min(at, image.end), image.end)
            return found
        exact = self.source.text[image.start : image.end] == text

        def part(start: int, end: int) -> Node:
            if exact:
                return Node(text[start:end], self.source, image.start + start, image.start + end)
            return Node(text[start:end], self.source, image.start, image.end)

        digest = text.find("@")
        end = len(text) if digest < 0 else digest
        if digest >= 0:
            found["digest"] = part(digest + 1, len(text))
        tag_colon = text.rfind(":", text.rfind("/", 0, end) + 1, end)
        if tag_colon >= 0:
            found["tag"] = part(tag_colon + 1, end)
            end = tag_colon
        self._name(found, text[:end], image, image.start if exact else -1)
        return found

    def _name(self, found: Names, path: str, image: Node, exact_start: int) -> None:
        """Add `name`, and `registry` when the first component is a host; `library/` of the hub is left out."""

        def part(start: int, end: int) -> Node:
            if exact_start < 0:
                return Node(path[start:end], self.source, image.start, image.end)
            return Node(path[start:end], self.source, exact_start + start, exact_start + end)

        first, slash, _ = path.partition("/")
        at = 0
        if slash and ("." in first or ":" in first or first == "localhost"):
            found["registry"] = part(0, len(first))
            at = len(first) + 1
        if at == 0 or first in ("docker.io", "index.docker.io"):
            if path.startswith("library/", at):
                at += len("library/")
        found["name"] = part(at, len(path))

    # -- result --------------------------------------------------------------------------------------------

    def resources(self) -> list[Resource]:
        """The file, its stages and their RUNs."""
        source = self.source
        needed = self._needed()
        end = len(source.text)
        nodes = [self._stage_node(stage, stage.index in needed) for stage in self.stages]
        value: Names = {
            "stages": Node(tuple(nodes), source, 0, end),
            "args": Node(self.args, source, 0, end),
            "escape": Node(self.reader.escape, source, 0, 0),
        }
        file = Resource("docker.file", source.path, Node(value, source, 0, end))
        found = [file]
        taken: set[str] = set()
        for stage, its in zip(self.stages, nodes, strict=True):
            name = stage.name.text if stage.name is not None else None
            address = f"stage[{name}]" if name and name not in taken else f"stage[{stage.index}]"
            taken.add(name or "")
            resource = Resource("docker.stage", address, its, file)
            found.append(resource)
            for number, run in enumerate(stage.runs, 1):
                found.append(Resource("docker.run", f"{address}/RUN[{number}]", run, resource))
        return found

    def _needed(self) -> set[int]:
        """The stages whose files are in the final image: as its base, or copied from, through any number of steps."""
        needed: set[int] = set()
        waiting = [len(self.stages) - 1]
        while waiting:
            index = waiting.pop()
            if index in needed:
                continue
            needed.add(index)
            stage = self.stages[index]
            if stage.parent is not None:
                waiting.append(stage.parent)
            for copied in stage.copies_from:
                other = self._earlier(copied.text, index)
                if other is not None:
                    waiting.append(other)
        return needed

    def _earlier(self, name: str | None, before: int) -> int | None:
        """The stage that `COPY --from` in the stage `before` names, by name or by number."""
        if not name:
            return None
        found = self._by_name.get(name.lower())
        if found is None and name.isascii() and name.isdigit() and len(name) < 6:
            found = int(name)
        return found if found is not None and found < before else None

    def _stage_node(self, stage: Stage, needed: bool) -> Node:
        source = self.source
        opener = stage.opener
        key_start, key_end = opener.keyword
        start, end = opener.start, max(stage.end, opener.end)
        place = opener.line.start(key_start)
        first, last = place, place + key_end - key_start

        def at_from(value: str | int | bool | Names | tuple[Node, ...]) -> Node:
            return Node(value, source, first, last)

        image = stage.reference["image"]
        value: Names = {
            "index": at_from(stage.index),
            "final": at_from(stage.index == len(self.stages) - 1),
            "reaches_final": at_from(needed),
            "from": Node(stage.reference, source, image.start, image.end),
            "base": Node(stage.base, source, stage.base["image"].start, stage.base["image"].end),
            "env": at_from(stage.env),
            "args": at_from(stage.args),
            "labels": at_from(stage.labels),
            "expose": at_from(stage.expose),
            "volumes": at_from(stage.volumes),
            "instructions": Node(tuple(stage.instructions), source, start, end),
        }
        value.update(stage.single)
        for key, known in (("name", stage.name), ("platform", stage.platform), ("healthcheck", stage.healthcheck)):
            if known is not None:
                value[key] = known
        for key, command, of in (
            ("cmd", stage.cmd, stage.cmd_place),
            ("entrypoint", stage.entrypoint, stage.entrypoint_place),
        ):
            if command is not None and of is not None:
                value[key] = Node(command, source, of.start, of.end, of.key_start, of.key_end)
        return Node(value, source, start, end, first, last)
