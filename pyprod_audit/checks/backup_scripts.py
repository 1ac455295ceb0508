"""Scripts that dump databases: BKP-006 (failures that nobody sees), BKP-007 (copies that stay), BKP-010 (passwords)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.backup_tools import dump_program, speaks_of_backups
from pyprod_audit.checks.rehearsal import is_rehearsal
from pyprod_audit.checks.script_view import Script, script_of
from pyprod_audit.checks.secret_values import is_stand_in
from pyprod_audit.model import Node, Repository, Resource, Span, Unknown
from pyprod_audit.model.kubernetes import object_of
from pyprod_audit.model.patterns import lazy

_LOGICAL = frozenset({"pg_dump", "pg_dumpall", "mysqldump", "mariadb-dump", "mysqlpump", "mongodump"})
_CARRIERS = frozenset({
    "sudo", "docker", "docker-compose", "podman", "nerdctl", "kubectl", "oc", "ssh", "nice", "ionice", "nohup", "time",
    "timeout", "su", "gosu", "su-exec", "runuser", "flock", "chronic", "env", "microk8s", "k3s",
})  # fmt: skip
_RESTORES = frozenset({"psql", "mysql", "mariadb", "pg_restore", "mongorestore", "mongo", "mongosh"})
_FILTERS = frozenset({
    "gzip", "pigz", "bzip2", "pbzip2", "xz", "zstd", "lz4", "lzop", "7z", "zip", "openssl", "gpg", "gpg2", "age", "pv",
    "tee", "split", "cat", "dd", "sed", "grep", "awk", "head", "tail", "tr", "sponge", "mbuffer", "buffer",
})  # fmt: skip
_UPLOADERS = lazy(
    r"(?i)\b(?:aws|s3cmd|s4cmd|s5cmd|gsutil|gcloud|rclone|restic|borg|borgmatic|kopia|duplicity|azcopy|az|b2|mc|scp|sftp"
    r"|lftp|ncftpput|rsync|swift|oci|doctl|wal-g|pgbackrest|barman|tarsnap|rdiff-backup|ossutil|gof3r|s3fs|boto3|ftp"
    r"|coscmd|obsutil|velero|upload|offsite)\b|upload|\b(?:s3|gs|b2|az|wasbs?|abfss?|swift|s?ftps?|rsync|davs?|oss|cos)://"
    r"|\bcurl\b[^\n]{0,300}\s(?:-T|--upload-file|-F|--form|--data-binary|-XPUT|-X\s?(?:PUT|POST))"
)
_COMMENT = lazy(r"(?m)^[ \t]*#[^\n]*")
_TO_FILE = ("-f", "--file", "--result-file", "-r", "--out", "-o", "--archive")
_NO_DATA = frozenset({"--version", "-V", "--help", "-?", "--schema-only", "-s", "--no-data", "--list", "-l"})
_STATUS = lazy(r"\$\?|PIPESTATUS|\btrap\b[^\n]{0,200}\bERR\b")
_CHECKED_BEFORE = lazy(r"(?:\b(?:if|elif|while|until)|!|\|\|)\s*$")
_PASSWORD_VARIABLES = frozenset({"PGPASSWORD", "MYSQL_PWD", "MONGO_PASSWORD", "MONGODB_PASSWORD"})
_URL_PASSWORD = lazy(r"[a-z][a-z0-9+]{1,20}://[^:@/\s]{0,100}:([^@/\s]{1,200})@")


class _Dump(NamedTuple):
    """One command that dumps a database: the program, its arguments, and the word that names it."""

    program: str
    command: Node
    place: Span
    arguments: tuple[str, ...]


def failure_unnoticed(resource: Resource, _context: Context) -> Outcomes:
    """A dump that fails, and the script goes on or ends well."""
    script = _backup_script(resource)
    dumps = list(_dumps(script)) if script is not None else []
    if script is None or not dumps:
        yield Skip("no script that backs a database up")
        return
    for dump in dumps:
        members = _pipeline(script, dump.command)
        if _restores(members):
            continue
        if len(members) > 1 and members[-1] is not dump.command:
            if "pipefail" not in script.options and not _STATUS.search(script.text):
                last = _name(members[-1]) or "the last command"
                yield Hit(dump.place, {"program": dump.program, "last": last}, address=_address(resource, dump))
        elif _is_ignored(script, dump.command):
            yield Hit(
                dump.place, {"program": dump.program}, address=_address(resource, dump),
                message="a failure of {program} goes unnoticed: the script goes on and looks at no status",
            )  # fmt: skip


def never_leaves_disk(resource: Resource, context: Context) -> Outcomes:
    """A dump that is written to a file, in a script that sends nothing anywhere."""
    script = _backup_script(resource)
    dumps = [one for one in _dumps(script) if _writes_file(script, one)] if script is not None else []
    if script is None or not dumps:
        yield Skip("no script that writes a backup to a file")
        return
    if _sends(script) or _others_upload(context.repository):
        return
    called = _calls_unknown(script)
    if called is not None:
        yield Cannot(called.span.first_line, "a command that is called here may copy the backup elsewhere")
        return
    yield Hit(dumps[0].place, {"program": dumps[0].program}, address=_address(resource, dumps[0]))


def password_in_script(resource: Resource, _context: Context) -> Outcomes:
    """The database's password is written in the script that dumps it."""
    script = script_of(resource)
    if script is None or not any(_dumps(script)):
        yield Skip("no script that dumps a database")
        return
    for node, what in _passwords(script):
        yield Hit(node.span.first_line, {"what": what}, address=f"{resource.address}/{what}")


def password_places(repository: Repository) -> Iterator[Node]:
    """The places that `password_in_script` judges, for the rules about secrets in general."""
    for resource in repository.of_kind("shell.script", "cron.entry", "k8s.container", "k8s.initcontainer"):
        script = script_of(resource)
        if script is not None and script.exact and any(_dumps(script)):
            yield from (node for node, _ in _passwords(script))


# -- which commands --------------------------------------------------------------------------------------------


def _backup_script(resource: Resource) -> Script | None:
    """The script when it is about backups: by its path, by its words, or because a CronJob runs it."""
    if is_rehearsal(resource):
        return None
    script = script_of(resource)
    if script is None:
        return None
    if resource.kind == "cron.entry":
        return script if speaks_of_backups(script.text) else None
    if resource.kind != "shell.script":
        return script if object_of(resource).kind in ("k8s.cronjob", "k8s.job") else None
    return script if speaks_of_backups(resource.path) or speaks_of_backups(script.text) else None


def _dumps(script: Script) -> Iterator[_Dump]:
    for command in script.commands:
        words = command.items_at("words")
        at = _dump_word(words)
        if at is None:
            continue
        word = words[at]
        texts = (word.text or "").split()
        inside = next((i for i, text in enumerate(texts) if dump_program(text.strip("'\"();"))), 0)
        program = dump_program(texts[inside].strip("'\"();"))
        arguments = (*texts[inside + 1 :], *(_written(one) for one in words[at + 1 :]))
        if program in _LOGICAL and _NO_DATA.isdisjoint(arguments):
            yield _Dump(program, command, word.span.first_line, arguments)


def _dump_word(words: tuple[Node, ...]) -> int | None:
    """The index of the word that names the dump program: the first, or one behind `docker exec`, `sudo`, `ssh`."""
    if not words or words[0].text is None:
        return None
    if dump_program(words[0].text):
        return 0
    if words[0].text.rpartition("/")[2] not in _CARRIERS:
        return None
    for index, word in enumerate(words[1:40], start=1):
        if any(dump_program(text.strip("'\"();")) for text in (word.text or "").split()[:40]):
            return index
    return None


def _pipeline(script: Script, command: Node) -> list[Node]:
    number = command.get("pipeline")
    if number is None:
        return [command]
    return [one for one in script.commands if (same := one.get("pipeline")) is not None and same.value == number.value]


def _restores(members: list[Node]) -> bool:
    """Whether the dump goes straight into another database: a copy, no backup."""
    return any(_written(word).rpartition("/")[2] in _RESTORES for one in members for word in one.items_at("words"))


# -- whether anybody notices -----------------------------------------------------------------------------------


def _is_ignored(script: Script, command: Node) -> bool:
    """Whether the script goes on after the dump whatever its status."""
    if "errexit" in script.options or _STATUS.search(script.text):
        return False
    index = next(i for i, one in enumerate(script.commands) if one is command)
    following = script.commands[index + 1] if index + 1 < len(script.commands) else None
    if following is not None and (
        following.text_at("operator") in ("&&", "||") or (following.text_at("condition") == "if" and not script.exact)
    ):
        return False
    if command.text_at("condition") == "if" or command.text_at("operator") == "||":
        return False
    if script.exact and _CHECKED_BEFORE.search(script.source.text[max(command.start - 40, 0) : command.start]):
        return False
    last = command.get("last")
    is_last = following is None or (last is not None and last.value is True)
    return not is_last or command.text_at("condition") == "loop"


# -- whether it leaves the disk --------------------------------------------------------------------------------


def _writes_file(script: Script, dump: _Dump) -> bool:
    members = _pipeline(script, dump.command)
    if _restores(members) or any(_name(one) not in _FILTERS for one in members if one is not dump.command):
        return False
    if _name(dump.command) == "ssh":
        return False
    if any((_written(redirect)).startswith(">") for one in members for redirect in one.items_at("redirects")):
        return True
    flags = {argument.partition("=")[0] for argument in dump.arguments}
    attached = any(argument.startswith("-f") for argument in dump.arguments)
    return attached or not flags.isdisjoint(_TO_FILE) or (dump.program == "mongodump" and len(members) == 1)


def _others_upload(repository: Repository) -> bool:
    """Whether another script or job of the repository sends backups somewhere."""
    return repository.memo("backup_scripts.upload", lambda repo: any(_uploads(repo)))


def _uploads(repository: Repository) -> Iterator[bool]:
    for resource in repository.of_kind("shell.script", "cron.entry", "k8s.container"):
        is_job = resource.kind == "k8s.container" and object_of(resource).kind == "k8s.cronjob"
        if resource.kind == "k8s.container" and not is_job:
            continue
        script = script_of(resource)
        if script is not None and (speaks_of_backups(script.text) or speaks_of_backups(resource.path)):
            yield _sends(script)


def _sends(script: Script) -> bool:
    """Whether the script has a word of a program or address that takes files elsewhere."""
    return _UPLOADERS.search(_COMMENT.sub("", script.text)) is not None


def _calls_unknown(script: Script) -> Node | None:
    """A command that the script calls and that is not known: another script, a function from elsewhere, a variable."""
    for command in script.commands:
        first = next(iter(command.items_at("words")), None)
        if first is None:
            continue
        text = first.text
        if text is None or (text.endswith((".sh", ".py")) or text.rpartition("/")[2] in ("python", "python3", "perl")):
            return first
    return None


# -- passwords -------------------------------------------------------------------------------------------------


def _passwords(script: Script) -> Iterator[tuple[Node, str]]:
    """The literals in a script that are a database's password, each once, with their variable or option."""
    seen: set[tuple[int, str]] = set()
    for command in script.commands:
        for name, value in command.mapping_at("env").items():
            if name in _PASSWORD_VARIABLES and _is_literal(value.text) and (value.start, name) not in seen:
                seen.add((value.start, name))
                yield value, name
    for dump in _dumps(script):
        for word, option in _password_words(dump):
            what = f"{dump.program} {option}"
            if (word.start, what) not in seen:
                seen.add((word.start, what))
                yield word, what


def _password_words(dump: _Dump) -> Iterator[tuple[Node, str]]:
    """The words that give the program a password, and the option's name."""
    words = dump.command.items_at("words")
    is_mysql = dump.program in ("mysqldump", "mariadb-dump", "mysqlpump")
    for index, word in enumerate(words):
        text = word.text or ""
        for part in text.split() if " " in text else (text,):
            option, equals, value = part.partition("=")
            if option == "--password" and equals and _is_literal(value):
                yield word, "--password"
            elif is_mysql and re.match(r"-p[^\s-]", part) and _is_literal(part[2:]):
                yield word, "-p"
            url = _URL_PASSWORD.search(part)
            if url is not None and _is_literal(url[1]):
                yield word, "URL"
        if dump.program == "mongodump" and text in ("-p", "--password") and index + 1 < len(words):
            following = words[index + 1]
            if _is_literal(following.text) and not (following.text or "").startswith("-"):
                yield following, text


def _is_literal(value: str | None) -> bool:
    """Whether a value is written out: neither empty nor filled in by the shell or a person."""
    return bool(value) and value is not None and not re.search(r"[$`{]", value) and not is_stand_in(value)


def _written(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else str(node.scalar)


def _name(command: Node) -> str:
    return command.text_at("name") or ""


def _address(resource: Resource, dump: _Dump) -> str:
    return f"{resource.address}/{dump.program}"
