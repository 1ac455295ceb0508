"""Databases, their limits, the pools of services and crontabs: what the linker makes of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate import evaluate
from pyprod_audit.intake import from_sources
from pyprod_audit.link import build
from pyprod_audit.link.connection_limits import connection_limit, rds_memory, usable
from pyprod_audit.link.datastores import MONGODB, MYSQL, POSTGRESQL, database_of_image, datastores
from pyprod_audit.link.poolers import names_pooler, poolers
from pyprod_audit.link.pools import kind_of_url, pools_of, runs_aside
from pyprod_audit.link.setting_values import settings_of
from pyprod_audit.model import Fact, Node, Repository, Service, SourceFile, Unknown
from pyprod_audit.parsers.crontab import parse

CONTAINER = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - name: db
          image: %s
          args: %s
"""


def repository(files: Mapping[str, str]) -> Repository:
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    evaluated = evaluate(intake.resources, intake.tree())
    resources, problems = evaluated.resources, evaluated.problems
    assert not problems
    found = Repository(intake.files, intake.paths, resources)
    found.services = build(found)
    return found


def limit_of(files: Mapping[str, str]) -> Fact | Unknown | None:
    repo = repository(files)
    (database,) = datastores(repo)
    return connection_limit(database, repo)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("postgres:16.4", POSTGRESQL),
        ("docker.io/bitnami/postgresql:16@sha256:0123", POSTGRESQL),
        ("ghcr.io/zalando/spilo-16:3.2-p3", POSTGRESQL),
        ("registry.example.com:5000/mariadb", MYSQL),
        ("mongo", MONGODB),
        ("postgres-exporter:1", ""),
        ("registry.example.com/team/shop:1", ""),
    ],
)
def test_a_database_is_known_by_its_image(image: str, kind: str) -> None:
    assert database_of_image(image) == kind


@pytest.mark.parametrize(
    ("image", "arguments", "connections", "declared"),
    [
        ("postgres:16", "[]", 100, False),
        ("mysql:8.4", "[]", 151, False),
        ("postgres:16", '["-c", "max_connections=300"]', 300, True),
        ("postgres:16", '["-N", "250"]', 250, True),
        ("mysql:8.4", '["--max-connections=500"]', 500, True),
    ],
)
def test_the_limit_of_a_container(image: str, arguments: str, connections: int, declared: bool) -> None:
    limit = limit_of({"db.yaml": CONTAINER % (image, arguments)})
    assert isinstance(limit, Fact)
    assert (limit.value, limit.declared) == (connections, declared)


def test_a_limit_that_a_template_fills_in_is_not_known() -> None:
    limit = limit_of({"db.yaml": CONTAINER % ("postgres:16", '["-c", "max_connections=${LIMIT}"]')})
    assert isinstance(limit, Unknown)


def test_mongodb_has_no_limit_to_compare_with() -> None:
    assert limit_of({"db.yaml": CONTAINER % ("mongo:7", "[]")}) is None


def test_the_names_under_which_clients_reach_a_database() -> None:
    (database,) = datastores(repository({"db.yaml": CONTAINER % ("postgres:16", "[]")}))
    assert {"db", "db.shop.svc.cluster.local", "db-0.db.shop"} <= database.hosts
    assert database.lasting is False


RDS = """\
terraform {
  backend "s3" {}
}

resource "aws_db_instance" "main" {
  engine               = "%s"
  instance_class       = "db.t4g.small"
  parameter_group_name = %s
}

resource "aws_db_parameter_group" "own" {
  name   = "own"
  family = "postgres17"
  %s
}
"""


@pytest.mark.parametrize(
    ("engine", "group", "parameter", "connections"),
    [
        ("postgres", '"default.postgres17"', "", 2 * 1024**3 // 9531392),
        ("mysql", '"default.mysql8.4"', "", 2 * 1024**3 // 12582880),
        ("postgres", "aws_db_parameter_group.own.name", 'parameter {\nname = "max_connections"\nvalue = "77"\n}', 77),
        ("postgres", '"own"', 'parameter {\nname = "work_mem"\nvalue = "4096"\n}', 2 * 1024**3 // 9531392),
    ],
)
def test_the_limit_of_an_rds_instance(engine: str, group: str, parameter: str, connections: int) -> None:
    limit = limit_of({"main.tf": RDS % (engine, group, parameter)})
    assert isinstance(limit, Fact)
    assert limit.value == connections


def test_the_limit_of_a_foreign_parameter_group_is_not_known() -> None:
    assert isinstance(limit_of({"main.tf": RDS % ("postgres", "module.group.name", "")}), Unknown)


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [("db.t3.micro", 1), ("db.m7g.large", 8), ("db.r6gd.4xlarge", 128), ("db.x2g.large", None), ("db.m5.micro", None)],
)
def test_the_memory_of_an_instance_class(instance_class: str, gib: int | None) -> None:
    assert rds_memory(instance_class) == gib


CLOUD_SQL = """\
resource "google_sql_database_instance" "main" {
  database_version = "POSTGRES_16"
  settings {
    tier = "%s"
  }
}
"""


@pytest.mark.parametrize(
    ("tier", "connections"), [("db-f1-micro", 25), ("db-custom-2-7680", 400), ("db-custom-1-3840", 100)]
)
def test_the_limit_of_a_cloud_sql_instance(tier: str, connections: int) -> None:
    limit = limit_of({"main.tf": CLOUD_SQL % tier})
    assert isinstance(limit, Fact)
    assert limit.value == connections


def test_postgresql_keeps_three_connections() -> None:
    limit = limit_of({"db.yaml": CONTAINER % ("postgres:16", "[]")})
    assert isinstance(limit, Fact)
    assert usable(limit, POSTGRESQL) == 97
    assert usable(limit, MYSQL) == 100


@pytest.mark.parametrize(
    ("code", "size"),
    [
        ("from sqlalchemy import create_engine\ne = create_engine('postgresql://db/x')", 15),
        (
            "from sqlalchemy import create_engine\ne = create_engine('postgresql://db/x', pool_size=2, max_overflow=0)",
            2,
        ),
        ("import asyncpg\nasync def f():\n    await asyncpg.create_pool('postgres://db/x')", 10),
        ("from psycopg_pool import ConnectionPool\np = ConnectionPool('host=db')", 4),
        ("from psycopg_pool import AsyncConnectionPool\np = AsyncConnectionPool('x', min_size=2, max_size=9)", 9),
        ("from psycopg2.pool import ThreadedConnectionPool\np = ThreadedConnectionPool(1, 12, 'x')", 12),
        (
            (
                "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', "
                "'OPTIONS': {'pool': {'max_size': 7}}}}"
            ),
            7,
        ),
        ("DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'OPTIONS': {'pool': True}}}", 4),
        ("DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}", 1),
    ],
)
def test_the_size_of_a_pool(code: str, size: int) -> None:
    (pool,) = pools_of(repository({"shop/settings.py": code}).of_kind("py.module"))
    assert pool.size == size


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import create_engine\ne = create_engine('postgresql://db/x', max_overflow=-1)",
        "from sqlalchemy import create_engine\ne = create_engine('postgresql://db/x', pool_size=0)",
        (
            "import os\nfrom sqlalchemy import create_engine\n"
            "e = create_engine('postgresql://db/x', pool_size=int(os.environ['N']))"
        ),
        "from sqlalchemy import create_engine\noptions = load()\ne = create_engine('postgresql://db/x', **options)",
    ],
)
def test_a_pool_without_bound_or_with_one_from_elsewhere_is_not_known(code: str) -> None:
    (pool,) = pools_of(repository({"shop/db.py": code}).of_kind("py.module"))
    assert isinstance(pool.size, Unknown)


def test_no_pool_counts_beside_the_service() -> None:
    engine = "from sqlalchemy import create_engine\ne = create_engine('postgresql://db/x')\n"
    sqlite = "from sqlalchemy import create_engine\ne = create_engine('sqlite:///x')\n"
    files = {"alembic/env.py": engine, "scripts/load.py": engine, "shop/cache.py": sqlite}
    assert pools_of(repository(files).of_kind("py.module")) == ()
    assert runs_aside("app/migrations/0001_initial.py")
    assert not runs_aside("app/database.py")


def test_the_database_of_a_url() -> None:
    source = SourceFile("a.py", "")
    assert kind_of_url(Node("postgresql+asyncpg://db/x", source, 0, 0)) == POSTGRESQL
    assert kind_of_url(Node("mysql+pymysql://db/x", source, 0, 0)) == MYSQL
    assert kind_of_url(Node(Unknown("f'postgresql://{HOST}/x'"), source, 0, 0)) == POSTGRESQL
    assert kind_of_url(Node(Unknown("settings.url"), source, 0, 0)) == ""
    assert kind_of_url(None) == ""


def test_poolers_are_found_by_image_custom_resource_and_proxy() -> None:
    files = {
        "pooler.yaml": "apiVersion: postgresql.cnpg.io/v1\nkind: Pooler\nmetadata: {name: p}\nspec: {}\n",
        "proxy.tf": 'resource "aws_db_proxy" "p" {\n  name = "p"\n}\n',
        "bouncer.yaml": CONTAINER % ("edoburu/pgbouncer:1.23", "[]"),
        "exporter.yaml": CONTAINER % ("prometheuscommunity/pgbouncer-exporter:0.10", "[]"),
    }
    found = {one.path for one in poolers(repository(files))}
    assert found == {"pooler.yaml", "proxy.tf", "bouncer.yaml"}
    assert names_pooler("db-pooler.shop")
    assert not names_pooler("db.shop")


def test_the_entries_of_a_crontab() -> None:
    text = (
        "# comment\nMAILTO=a@example.com\n0 2 * * * pg_dump shop > /x-$(date +\\%F)\n\n"
        "@hourly root /usr/bin/true\n*/5 * * * 1-5 date +%F\nnot an entry at all here\n"
    )
    entries = parse(SourceFile("ops/crontab", text)).resources
    assert [entry.node.text_at("schedule") for entry in entries] == ["0 2 * * *", "@hourly", "*/5 * * * 1-5"]
    assert [entry.node.text_at("user") for entry in entries] == [None, "root", None]
    assert [entry.node.get("cut") is not None for entry in entries] == [False, False, True]
    assert [entry.node.text_at("commands.0.name") for entry in entries] == ["pg_dump", "true", "date"]


def test_the_user_of_a_system_crontab_is_not_its_command() -> None:
    (entry,) = parse(SourceFile("etc/cron.d/x", "1 2 3 4 5 backup  pg_dump shop\r\n")).resources
    assert entry.node.text_at("user") == "backup"
    assert entry.node.text_at("command") == "pg_dump shop"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="0*/ @daily\t%\\\n\r$(`'\"rot#=", max_size=200))
def test_any_text_is_a_crontab(text: str) -> None:
    parsed = parse(SourceFile("crontab", text))
    assert all(0 <= one.node.start <= one.node.end <= len(text) for one in parsed.resources)


@pytest.mark.parametrize(
    ("written", "env", "size"),
    [
        ('int(os.getenv("POOL_MAX", "7"))', "", 7),
        ('int(os.environ.get("POOL_MAX", 7))', "{name: POOL_MAX, value: '9'}", 9),
        ('int(os.environ["POOL_MAX"])', "{name: POOL_MAX, value: '9'}", 9),
        ('int(os.getenv("POOL_MAX") or 7)', "", 7),
        ('int(os.getenv("POOL_MAX", "7"))', "{name: POOL_MAX, valueFrom: {secretKeyRef: {name: s, key: n}}}", None),
        ('int(os.environ["POOL_MAX"])', "", None),
        ("SIZE", "", 6),
    ],
)
def test_the_size_of_a_pool_that_the_environment_sets(written: str, env: str, size: int | None) -> None:
    code = f"import asyncpg\nimport os\n\nSIZE = 6\npool = asyncpg.create_pool(max_size={written})\n"
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec:\n  containers:\n"
        f"    - {{name: shop, image: registry.example.com/shop, env: [{env}]}}\n"
    )
    found = repository({"shop/db.py": code, "pod.yaml": pod})
    (container,) = found.of_kind("k8s.container")
    modules = tuple(found.of_kind("py.module"))
    (pool,) = pools_of(modules, settings_of(Service("shop", container=container, modules=modules), found))
    assert (pool.size if isinstance(pool.size, int) else None) == size
