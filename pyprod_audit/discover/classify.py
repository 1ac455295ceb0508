"""What a file is, first by its name and then, where the name leaves it open, by what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyprod_audit.model.patterns import lazy

_CHART, _VALUES, _TEMPLATE = "helm-chart", "helm-values", "helm-template"
YAML, JSON, CONF, SCRIPT = "yaml?", "json?", "conf?", "script?"
NEEDS_CONTENT = frozenset({YAML, JSON, CONF, SCRIPT})
"""What `classify` says of files that only `classify_content` can tell."""

KINDS = frozenset({
    "dockerfile", "dockerignore", "compose", "shell", "kubernetes", "kustomization", "kustomize-patch", _CHART, _VALUES,
    _TEMPLATE, "yaml", "nginx", "terraform", "requirements", "manifest", "lock", "python-version", "python",
    "crontab", "terraform-plan", "text",
})  # fmt: skip
"""Every answer that is final. Files of kind "yaml" and "text" are read only by rules that look at any text."""

_TEMPLATE_SUFFIXES = frozenset({
    "j2", "jinja", "jinja2", "tmpl", "tpl", "template", "erb", "mustache", "gotmpl", "envsubst", "tftpl",
})  # fmt: skip
_NOT_DOCKERFILES = _TEMPLATE_SUFFIXES | {
    "dockerignore", "license", "md", "rst", "txt", "html", "bak", "orig", "rej", "swp", "sh", "py", "go", "js", "ts",
    "rb", "lua", "json", "yml", "yaml", "toml", "lock", "sha256", "sig", "asc", "vim", "snap", "patch", "diff",
}  # fmt: skip

_BY_NAME = {
    "pyproject.toml": "manifest",
    "setup.cfg": "manifest",
    "setup.py": "manifest",
    "pipfile": "manifest",
    "uv.lock": "lock",
    "poetry.lock": "lock",
    "pdm.lock": "lock",
    "pipfile.lock": "lock",
    "pylock.toml": "lock",
    ".python-version": "python-version",
    "runtime.txt": "python-version",
    ".tool-versions": "python-version",
    "kustomization": "kustomization",
    "kustomization.yaml": "kustomization",
    "kustomization.yml": "kustomization",
    ".dockerignore": "dockerignore",
    "package-lock.json": None,
    "npm-shrinkwrap.json": None,
    "composer.lock": None,
    "pnpm-lock.yaml": None,
    ".terraform.lock.hcl": None,
    "crontab": "crontab",
    "procfile": "text",
    ".npmrc": "text",
    ".pypirc": "text",
    ".netrc": "text",
    ".htpasswd": "text",
    ".pgpass": "text",
    "credentials": "text",
    "id_rsa": "text",
    "id_dsa": "text",
    "id_ecdsa": "text",
    "id_ed25519": "text",
    "license": None,
    "makefile": None,
    "codeowners": None,
    "readme": None,
    "changelog": None,
    "authors": None,
    "copying": None,
    "notice": None,
    "version": None,
}

_BY_SUFFIX = {
    "py": "python",
    "yaml": YAML,
    "yml": YAML,
    "json": JSON,
    "tf": "terraform",
    "tofu": "terraform",
    "tfvars": "terraform",
    "sh": "shell",
    "bash": "shell",
    "conf": CONF,
    "nginx": CONF,
    "cron": "crontab",
    "crontab": "crontab",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "dockerignore": "dockerignore",
    **dict.fromkeys(
        ("env", "ini", "cfg", "toml", "properties", "pem", "key", "crt", "cer", "p8", "service", "timer"),
        "text",
    ),
}

_TERRAFORM_JSON = (".tf.json", ".tofu.json", ".tfvars.json")
_NGINX_TEMPLATES = (
    ".conf.template", ".conf.tmpl", ".conf.tpl", ".nginx.template", ".conf.j2", ".conf.jinja2", ".conf.erb",
    ".conf.tftpl", ".conf.envsubst", ".nginx.j2",
)  # fmt: skip
_NGINX_FOLDERS = frozenset({"nginx", "sites-available", "sites-enabled", "conf.d", "snippets"})
_REQUIREMENTS = lazy(r"(?:[\w.-]{0,80}[._-])?(?:requirements|constraints)(?:[._-][\w.-]{0,80})?\.(?:txt|in)")
_COMPOSE = lazy(r"(?:[\w.-]{1,80}[._-])?(?:docker-)?compose(?:[._-][\w.-]{0,80})?\.ya?ml")
_SCRIPT_NAME = lazy(r"[a-z][a-z0-9_-]{0,60}")


def classify(path: str) -> str | None:
    """The kind of the file at `path` by its name: one of `KINDS` or `NEEDS_CONTENT`; None when nobody would read it."""
    name = path.rpartition("/")[2].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        return _without_suffix(path, name)
    if name.startswith(("dockerfile", "containerfile")) and _is_dockerfile(name):
        return "dockerfile"
    if name.startswith(".env"):
        return "text"
    kind = _BY_SUFFIX.get(suffix)
    if suffix in ("txt", "in"):
        in_folder = "/requirements/" in f"/{path.lower()}"
        return "requirements" if in_folder or _REQUIREMENTS.fullmatch(name) else None
    if suffix == "json" and name.endswith(_TERRAFORM_JSON):
        return "terraform"
    if suffix == "toml" and name.startswith("pylock."):
        return "lock"
    if suffix in _TEMPLATE_SUFFIXES:
        return CONF if name.endswith(_NGINX_TEMPLATES) else None
    if kind is None and not _NGINX_FOLDERS.isdisjoint(path.lower().split("/")[:-1]):
        # sites-available/example.com: the "suffix" is part of a host's name
        return CONF if "/sites-" in f"/{path.lower()}" else None
    return None if not stem and kind not in ("text", JSON) else kind


def _without_suffix(path: str, name: str) -> str | None:
    if name.startswith(("dockerfile", "containerfile")) and _is_dockerfile(name):
        return "dockerfile"
    folders = path.lower().split("/")[:-1]
    if not _NGINX_FOLDERS.isdisjoint(folders):
        return CONF
    if "cron.d" in folders:
        return "crontab"
    return SCRIPT if _SCRIPT_NAME.fullmatch(path.rpartition("/")[2]) else None


def _is_dockerfile(name: str) -> bool:
    rest = name.removeprefix("dockerfile").removeprefix("containerfile")
    if not rest:
        return True
    return rest[0] in "._-" and len(rest) > 1 and _NOT_DOCKERFILES.isdisjoint(rest[1:].split("."))


def is_compose_name(path: str) -> bool:
    """Whether a file is a Compose file by its name: `compose.yaml`, `docker-compose.prod.yml`, `local-compose.yml`."""
    return _COMPOSE.fullmatch(path.rpartition("/")[2].lower()) is not None


def helm_kinds(paths: Iterable[str]) -> dict[str, str]:
    """The files of Helm charts that are not what their names say: the chart itself, its templates, and its values.

    A folder with a Chart.yaml is a chart; what it carries under `charts/` are charts of their own.
    """
    listed = list(paths)
    charts = {path[: -len("Chart.yaml")] for path in listed if path.endswith("Chart.yaml") and _is_chart(path)}
    if not charts:
        return {}
    found = ((path, _chart_kind(path, charts)) for path in listed if "/templates/" in f"/{path}" or _is_yaml(path))
    return {path: kind for path, kind in found if kind is not None}


def _chart_kind(path: str, charts: set[str]) -> str | None:
    folder, _, name = path.rpartition("/")
    lead = f"{folder}/" if folder else ""
    if any(lead[:at] in charts for at in _folder_starts(lead, "templates/")):
        return _TEMPLATE
    if name == "Chart.yaml":
        return _CHART
    if not _is_yaml(name) or name.startswith("values.schema."):
        return None
    if any(lead[:at] in charts for at in _folder_starts(lead, "files/")):
        return "text"  # what templates read with .Files: often a template itself
    if lead in charts:
        return _VALUES if name.startswith("values") else None
    if lead.endswith("values/"):
        return _VALUES if lead.removesuffix("values/") in charts else None
    is_test = name.endswith(("values.yaml", "values.yml")) and lead.endswith("ci/")
    return _VALUES if is_test and lead.removesuffix("ci/") in charts else None


def _folder_starts(lead: str, folder: str) -> Iterator[int]:
    """Where `folder` starts in the folders of a path."""
    at = f"/{lead}".find(f"/{folder}")
    while at >= 0:
        yield at
        at = f"/{lead}".find(f"/{folder}", at + 1)


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _is_chart(path: str) -> bool:
    return path == "Chart.yaml" or path.endswith("/Chart.yaml")


_ROLES = {
    "vendor": ("vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty", "node_modules",
               "site-packages"),
    "test": ("test", "tests", "testdata", "test-data", "test_data", "fixtures", "__fixtures__",
             "__tests__", "e2e"),
    "example": ("example", "examples", "sample", "samples", "tutorial", "tutorials"),
    "docs": ("doc", "docs", "documentation", "docs_src"),
    "archive": ("_archive", "_archived", "archived", "attic"),
}  # fmt: skip
_ROLE_OF_FOLDER = {folder: role for role, folders in _ROLES.items() for folder in folders}
_ORDER = tuple(_ROLES)


def role_of(path: str) -> str:
    """What a file is there for besides being deployed; "" for the real thing.

    One of "vendor", "test", "example", "docs", "archive".
    """
    *folders, name = path.lower().split("/")
    roles = {_ROLE_OF_FOLDER[folder] for folder in folders if folder in _ROLE_OF_FOLDER}
    if name == "conftest.py" or (name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))):
        roles.add("test")
    return next((role for role in _ORDER if role in roles), "")
