"""What RUN, CMD, ENTRYPOINT and HEALTHCHECK run: words of an exec form, commands of a shell form or here-document."""

from __future__ import annotations

from pyprod_audit.model import Node
from pyprod_audit.parsers import shell
from pyprod_audit.parsers.docker_reader import Instruction
from pyprod_audit.parsers.docker_words import node
from pyprod_audit.parsers.joined import Joined


def command_node(instruction: Instruction, words: tuple[Node, ...] | None, posix: bool) -> dict[str, Node]:
    """CMD or ENTRYPOINT: `words` are those of an exec form, or None; `posix` says what reads a shell form."""
    source = instruction.line.source
    place = node(instruction, instruction.arguments, instruction.arguments_end, written(instruction))

    def here(value: str | bool) -> Node:
        return Node(value, source, place.start, place.end)

    value = {
        "form": here("shell" if words is None else "exec"),
        "own": here(True),
        "empty": here(instruction.arguments >= instruction.arguments_end or words == ()),
    }
    if words is not None:
        value["words"] = Node(words, source, place.start, place.end)
    else:
        value["script"] = place
        commands = shell.commands_of_joined(instruction.line, instruction.arguments) if posix else ()
        value["commands"] = Node(commands, source, place.start, place.end)
    return value


def run_node(instruction: Instruction, words: tuple[Node, ...] | None, own: Node, posix: bool) -> Node:
    """The node of a `docker.run`; `own` is the instruction's node."""
    source = instruction.line.source
    place = own.mapping["text"]
    if words is not None:
        commands = _exec_commands(words, place)
    elif posix:
        commands = _script_commands(instruction)
    else:
        commands = ()
    value = {
        "commands": Node(commands, source, place.start, own.end),
        "flags": own.mapping["flags"],
        "form": Node("shell" if words is None else "exec", source, place.start, place.end),
        "text": place,
        "heredocs": own.mapping["heredocs"],
    }
    return Node(value, source, own.start, own.end, own.key_start, own.key_end)


def heredocs(instruction: Instruction) -> Node:
    """The bodies of the here-documents of an instruction, as scalars."""
    source = instruction.line.source
    bodies = tuple(Node(source.text[doc.start : doc.end], source, doc.start, doc.end) for doc in instruction.heredocs)
    return Node(bodies, source, instruction.start, instruction.end)


def written(instruction: Instruction) -> str:
    """The arguments as they are written: templates in a script do not make the whole script unknown."""
    return instruction.line.text[instruction.arguments : instruction.arguments_end]


def _exec_commands(words: tuple[Node, ...], place: Node) -> tuple[Node, ...]:
    """The commands of a RUN in exec form: those of the script behind `sh -c`, else the words themselves."""
    if not words:
        return ()
    program = words[0].text
    if program is not None and shell.is_posix_shell(program):
        for at in range(1, len(words) - 1):
            flag = words[at].text
            if flag is not None and flag.startswith("-") and not flag.startswith("--") and flag.endswith("c"):
                script = words[at + 1]
                return shell.commands_of(script.text, script.span) if script.text is not None else ()
    return (shell.command_of_words(words, place),)


def _script_commands(instruction: Instruction) -> tuple[Node, ...]:
    """The commands of a RUN in shell form, whose script may be, or contain, here-documents."""
    source = instruction.line.source
    if not instruction.heredocs:
        return shell.commands_of_joined(instruction.line, instruction.arguments)
    if instruction.only_heredoc:
        body = instruction.heredocs[0]
        if not shell.reads_shebang(source.text[body.start : body.end].lstrip()):
            return ()
        return shell.commands_in(source, body.start, body.end)
    return shell.commands_of_joined(_with_bodies(instruction), instruction.arguments)


def _with_bodies(instruction: Instruction) -> Joined:
    """The logical line and the lines of its here-documents: the script as the shell gets it."""
    line = instruction.line
    start = instruction.after_line - 1
    if not line.source.text.startswith("\n", start):
        return line
    bodies = Joined.lines(line.source, start, instruction.end)
    length = len(line.text)
    return Joined(
        line.source,
        line.text + bodies.text,
        [*line.starts, *(length + at for at in bodies.starts)],
        [*line.origins, *bodies.origins],
    )
