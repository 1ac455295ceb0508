"""What `parse` reads from Python source: environment variables, settings, migrations."""

from __future__ import annotations

from typing import Any

import pytest

from pyprod_audit.model import Unknown
from tests.python_samples import read


def env(text: str) -> dict[str, tuple[bool, Any]]:
    return {r["name"]: (r["required"], r.get("default", "none")) for r in read(text).get("env_reads", [])}


# -- environment -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import os\nx = os.environ['A']\n", {"A": (True, "none")}),
        ("from os import environ as e\nx = e['A']\n", {"A": (True, "none")}),
        ("import os\nx = os.environ.get('A', 'd')\n", {"A": (False, "d")}),
        ("from os import getenv\nx = getenv('A')\n", {"A": (False, "none")}),
        ("import os\nN = 'A'\nx = os.getenv(N, default=3)\n", {"A": (False, 3)}),
        ("from decouple import config\nx = config('A', default=True, cast=bool)\ny = config('B')\n",
         {"A": (False, True), "B": (True, "none")}),
        ("import environ\nenv = environ.Env(DEBUG=(bool, False))\nx = env('DEBUG')\ny = env.int('N', 5)\nenv.db()\n",
         {"DEBUG": (False, False), "N": (False, 5), "DATABASE_URL": (True, "none")}),
        ("from environs import Env\nenv = Env()\nx = env.str('A')\ny = env.list('B', [])\n",
         {"A": (True, "none"), "B": (False, [])}),
        ("from starlette.config import Config\nconfig = Config('.env')\nx = config('A', cast=bool, default=False)\n",
         {"A": (False, False)}),
        ("from shop.conf import env\nx = env.bool('A', default=False)\n", {"A": (False, False)}),
        ("import os\nos.environ['A'] = '1'\ndel os.environ['B']\n", {}),
        ("import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
         {"DJANGO_SETTINGS_MODULE": (False, "shop.settings")}),
        ("env = {}\nx = env('lower')\n", {}),
    ],
)  # fmt: skip
def test_environment_reads(text: str, expected: dict[str, tuple[bool, Any]]) -> None:
    assert env(text) == expected


def test_a_handled_absence_is_not_required() -> None:
    assert env("""
        import os
        try:
            a = os.environ["A"]
        except KeyError:
            a = None
        if "B" in os.environ:
            b = os.environ["B"]
        if os.environ["C"] == "true":
            pass
        try:
            d = os.environ["D"]
        except ValueError:
            pass
    """) == {"A": (False, "none"), "B": (False, "none"), "C": (True, "none"), "D": (True, "none")}  # fmt: skip


def test_raw_text_as_truth() -> None:
    reads = read("""
        import os
        if os.getenv("A"): pass
        b = bool(os.environ.get("B", "0"))
        if os.getenv("C") == "1": pass
        d = not os.environ["D"]
    """)["env_reads"]
    assert [r["name"] for r in reads if r.get("truth")] == ["A", "B", "D"]


def test_pydantic_settings() -> None:
    module = read("""
        from pydantic import Field
        from pydantic_settings import BaseSettings, SettingsConfigDict
        class Base(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="APP_")
            port: int = 8000
            secret_key: str
            token: str = Field(...)
            dsn: str = Field(validation_alias="DATABASE_URL")
            other: str = Field(default="x", alias=None)
            many: list[str] = Field(default_factory=list)
            limit: ClassVar[int] = 3
            _private: int = 1
        class Child(Base):
            class Config:
                env_prefix = "CHILD_"
            name: str
        class NotSettings:
            value: str
    """)
    found = {r["name"]: (r["required"], r.get("default", "none")) for r in module["env_reads"]}
    assert found == {
        "APP_PORT": (False, 8000),
        "APP_SECRET_KEY": (True, "none"),
        "APP_TOKEN": (True, "none"),
        "DATABASE_URL": (True, "none"),
        "APP_OTHER": (False, "x"),
        "APP_MANY": (False, "none"),
        "CHILD_NAME": (True, "none"),
    }


# -- assignments -----------------------------------------------------------------------------------------------


def test_settings_module() -> None:
    values = read("""
        import os
        DEBUG = False
        SECRET_KEY = os.environ["SECRET_KEY"]
        TIMEOUT = 60 * 5
        DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "OPTIONS": dict(pool=True)}}
        DATABASES["default"]["CONN_MAX_AGE"] = 60
        APPS = ["a"]
        APPS += ["b"]
        ALL = APPS + ["c"]
        TEXT = "a" "b" + "c\\n"
        RAW = r"a\\d"
    """)["assignments"]
    assert values["DEBUG"] is False
    assert values["SECRET_KEY"] == Unknown('os.environ["SECRET_KEY"]', "computed at run time")
    assert values["TIMEOUT"] == 300
    assert values["DATABASES"]["default"]["CONN_MAX_AGE"] == 60
    assert values["DATABASES"]["default"]["OPTIONS"] == {"pool": True}
    assert values["APPS"] == ["a", "b"]
    assert values["ALL"][-1] == "c"
    assert (values["TEXT"], values["RAW"]) == ("abc\n", "a\\d")


def test_conditional_assignments() -> None:
    values = read("""
        if PRODUCTION:
            A = 1
            B = 1
            ONCE = 1
        else:
            A = 2
            B = 1
        C = ["x"]
        if DEBUG:
            C += ["y"]
        LAST = 1
        LAST = 2
        D = {"k": 1}
        if DEBUG:
            D["k"] = 2
    """)["assignments"]
    assert isinstance(values["A"], Unknown)
    assert (values["B"], values["ONCE"], values["LAST"]) == (1, 1, 2)
    assert values["C"][0] == "x"
    assert isinstance(values["C"][1], Unknown)
    assert isinstance(values["D"]["k"], Unknown)


def test_classes_and_application_configuration() -> None:
    module = read("""
        from flask import Flask
        class Production(Config):
            SECRET_KEY = "dev"
            lower = 1
        def create_app():
            app = Flask(__name__)
            app.config["SECRET_KEY"] = "x"
            app.secret_key = "y"
            app.config.update(SECRET_KEY="z")
            app.title = "no"
            return app
    """)
    assert module["classes"] == {"Production": {"bases": ["Config"], "assignments": {"SECRET_KEY": "dev"}}}
    assert [(s["target"], s["value"]) for s in module["later_assignments"]] == [
        ("flask.Flask.config.SECRET_KEY", "x"),
        ("flask.Flask.secret_key", "y"),
    ]


def test_configuration_by_update_is_a_call_of_interest() -> None:
    found = read("from flask import Flask\napp = Flask(__name__)\napp.config.update(SECRET_KEY='z')\n")["calls"]
    assert [c["kwargs"] for c in found if c["name"] == "flask.Flask.config.update"] == [{"SECRET_KEY": "z"}]


def test_gunicorn_configuration() -> None:
    module = read("""
        import multiprocessing
        workers = multiprocessing.cpu_count() * 2 + 1
        preload_app = True
        worker_class = "uvicorn.workers.UvicornWorker"
        def post_fork(server, worker):
            pass
    """, "gunicorn.conf.py")  # fmt: skip
    assert module["assignments"]["preload_app"] is True
    assert isinstance(module["assignments"]["workers"], Unknown)
    assert module["functions"] == ["post_fork"]


# -- migrations --------------------------------------------------------------------------------------------------


def test_alembic_operations() -> None:
    found = read("""
        from alembic import op
        import sqlalchemy as sa
        def upgrade():
            op.create_index("ix", "users", ["email"])
            with op.get_context().autocommit_block():
                op.create_index("iy", "users", ["x"], postgresql_concurrently=True)
            with op.batch_alter_table("orders") as batch_op:
                batch_op.add_column(sa.Column("a", sa.Integer()))
            op.execute("ALTER TYPE kind ADD VALUE 'x'")
            op.alter_column("users", "n", type_=sa.BigInteger())
        def downgrade():
            op.drop_index("ix", table_name="users")
    """, "versions/1_a.py")["migrations"]  # fmt: skip
    assert [m["operation"] for m in found] == [
        "create_index", "create_index", "add_column", "execute", "alter_column", "drop_index",
    ]  # fmt: skip
    assert [m.get("concurrently") for m in found[:2]] == [None, True]
    assert [m.get("autocommit", False) for m in found[:2]] == [False, True]
    assert (found[0]["table"], found[5]["table"], found[5]["function"]) == ("users", "users", "downgrade")
    assert found[2]["batch"] is True
    assert found[3]["args"] == ["ALTER TYPE kind ADD VALUE 'x'"]


def test_django_operations() -> None:
    module = read("""
        from django.db import migrations, models
        from django.contrib.postgres.operations import AddIndexConcurrently
        class Migration(migrations.Migration):
            atomic = False
            dependencies = [("shop", "0001_initial")]
            operations = [
                migrations.AddIndex(model_name="order", index=models.Index(fields=["a"], name="ia")),
                AddIndexConcurrently("order", models.Index(fields=["b"], name="ib")),
                migrations.RunSQL("SET lock_timeout = '2s'"),
                migrations.AlterField("order", "total", models.BigIntegerField()),
            ]
    """, "shop/migrations/0002_x.py")  # fmt: skip
    assert [(m["operation"], m.get("concurrently", False)) for m in module["migrations"]] == [
        ("AddIndex", False), ("AddIndexConcurrently", True), ("RunSQL", False), ("AlterField", False),
    ]  # fmt: skip
    assert module["migrations"][0]["table"] == "order"
    assert module["classes"]["Migration"]["assignments"]["atomic"] is False


def test_jinja_alternatives_are_unknown() -> None:
    values = read("""
        {% if cookiecutter.a == "y" %}
        A = 1
        {% else %}
        A = 2
        {% endif %}
        B = "{{ cookiecutter.slug }}.urls"
        C = "{% if x %}a{% else %}b{% endif %}"
        D = "{{}} {}"
    """)["assignments"]
    assert [type(values[k]) for k in "ABC"] == [Unknown, Unknown, Unknown]
    assert values["D"] == "{{}} {}"
