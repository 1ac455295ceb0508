"""The programs that back a database up, and where else a repository may set a backup up.

Names of programs: the documentation of PostgreSQL, MySQL, MariaDB and MongoDB, of WAL-G, pgBackRest, Barman, Percona
XtraBackup and mydumper; of the cluster tools Velero, K8up, Stash, Kasten, VolSync, Longhorn, Backup for GKE.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from pyprod_audit.link.datastores import MONGODB, MYSQL, POSTGRESQL
from pyprod_audit.model.patterns import lazy

DUMPS: Mapping[str, str] = {
    **dict.fromkeys(("pg_dump", "pg_dumpall", "pg_basebackup"), POSTGRESQL),
    **dict.fromkeys(("mysqldump", "mariadb-dump", "mysqlpump", "mydumper", "xtrabackup", "mariabackup",
                     "mariadb-backup"), MYSQL),
    "mongodump": MONGODB,
}  # fmt: skip
"""Programs that write a copy of a database to a file or to their output."""

_OWN: Mapping[str, str] = {
    POSTGRESQL: r"pg_dump(?:all)?|pg_basebackup|pgbackrest|barman|pg_probackup|pghoard|wal-g|wal-e|pgdump"
    r"|postgres(?:ql)?-backup|pg-backup|wal_(?:s3|gs|az)_bucket",
    MYSQL: r"mysqldump|mariadb-dump|mysqlpump|mydumper|xtrabackup|mariabackup|mariadb-backup|mysql-backup|wal-g",
    MONGODB: r"mongodump|percona-backup-mongodb|mongo(?:db)?-backup|wal-g",
}
_ANY = (
    r"velero|restic|k8up|kubestash|stash\.appscode|kanister|kasten|volumesnapshot|snapscheduler|volsync|triliovault|borg"
    r"|duplicity|kopia|gkebackup|gke-backup|google_gke_backup|aws_backup|aws_dlm_lifecycle|dbbackup|recurringjob"
)
_KEY = r"^[ \t]*[\w.-]{0,40}backups?:"
_HINTS = ("backup", "dump", "barman", "pghoard", "wal-", "wal_", "velero", "restic", "k8up", "stash", "kanister",
          "kasten", "volumesnapshot", "snapscheduler", "volsync", "trilio", "borg", "duplicity", "kopia",
          "dlm_lifecycle", "recurringjob", "pgbackrest")  # fmt: skip
_PATTERNS = {
    kind: lazy(rf"(?im)\b(?:{own}|{_ANY})\b|{_KEY}|\.spec\.backup") for kind, own in _OWN.items()
}  # fmt: skip


def mention(kind: str, text: str) -> re.Match[str] | None:
    """The first word in a text that is the name of a tool that may back up a database of this kind."""
    pattern = _PATTERNS.get(kind)
    if pattern is None:
        return None
    lowered = text.lower()  # most texts have none of the words, and plain search is quick
    return pattern.search(text) if any(hint in lowered for hint in _HINTS) else None


def speaks_of_backups(name: str) -> bool:
    """Whether a name or path has the word backup in it."""
    return "backup" in name.lower()


def dump_program(word: str) -> str:
    """The dump program that a word is (`/usr/bin/pg_dump`), or ""."""
    name = posixpath.basename(word)
    return name if name in DUMPS else ""
