"""Finding, reading and checking configurations, and that the published schema says the same."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyprod_audit
from pyprod_audit.catalogue import Catalogue, Rule, Section
from pyprod_audit.config import Config, ConfigError, RuleSettings, StatedService
from pyprod_audit.config_files import find, load
from pyprod_audit.config_keys import KEYS, RULE_KEYS, SERVICE_KEYS
from pyprod_audit.findings import Confidence, Profile, Severity
from pyprod_audit.options import ScanOptions
from pyprod_audit.process.selection import ignored_rules, select_rules
from pyprod_audit.process.suppression_rules import with_suppression_rules
from pyprod_audit.toml_places import KeyLines

SCHEMA = json.loads((Path(pyprod_audit.__file__).parent / "data/config_schema.json").read_text(encoding="utf-8"))

FULL = """\
select = ["K8S", "section:32"]
ignore = ["k8s-cpu-limit-missing"]
profile = "strict"
severity = "low"
fail-on = "never"
exclude = ["legacy/", "*.generated.yaml"]
require-reason = true

[per-path-ignores]
"deploy/dev/**" = ["K8S", "ZDT-004"]

[rules.ZDT-004]
severity = "medium"
params = { margin = 5 }

[[services]]
name = "web"
dockerfile = "docker/web.Dockerfile"
workload = "Deployment/web"
project = "services/web"
"""


def rule(code: str, name: str, **changes: object) -> Rule:
    fields: dict[str, object] = {
        "title": "T", "section": 39, "severity": Severity.HIGH, "confidence": Confidence.HIGH,
        "profile": Profile.BASELINE, "targets": ("k8s.container",), "message": "m", "help": "h",
    }  # fmt: skip
    return Rule(id=code, name=name, **{**fields, **changes})  # type: ignore[arg-type]  # checked by the dataclass's users


CATALOGUE = Catalogue(
    (
        rule("K8S-001", "k8s-cpu-limit-missing", profile=Profile.STRICT),
        rule("K8S-002", "k8s-tag-latest", profile=Profile.STANDARD),
        rule("ZDT-004", "service-drain-exceeds-grace", section=32, params={"margin": 2, "words": ["a"], "on": True}),
    ),
    (
        Section(32, "Zero downtime", "32-x", "ZDT"),
        Section(39, "Manifests", "39-x", "K8S"),
        Section(5, "P", "5-x", "PROXY"),
    ),
)


def put(root: Path, text: str, name: str = "pyprod-audit.toml") -> Path:
    target = root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def complaint(root: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(root)
    return f"{caught.value.line}: {caught.value.message}"


def test_everything_is_read(tmp_path: Path) -> None:
    put(tmp_path, FULL)
    config = load(tmp_path)
    assert config.select == ("K8S", "section:32")
    assert config.ignore == ("k8s-cpu-limit-missing",)
    assert config.profile is Profile.STRICT
    assert config.severity is Severity.LOW
    assert config.fail_on == "never"
    assert config.exclude == ("legacy/", "*.generated.yaml")
    assert config.require_reason
    assert config.per_path_ignores == {"deploy/dev/**": ("K8S", "ZDT-004")}
    assert config.rules == {"ZDT-004": RuleSettings(Severity.MEDIUM, {"margin": 5})}
    assert config.services == (StatedService("web", "docker/web.Dockerfile", "Deployment/web", "services/web"),)
    config.check(CATALOGUE)
    assert config.severities(CATALOGUE) == {"ZDT-004": Severity.MEDIUM}
    assert config.params(CATALOGUE) == {"ZDT-004": {"margin": 5}}


def test_no_configuration_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path) == Config()


class TestFinding:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
        put(tmp_path, 'profile = "strict"\n')
        (tmp_path / "repo/services/web").mkdir(parents=True)
        return tmp_path / "repo"

    def test_not_above_the_git_root(self, repository: Path) -> None:
        assert find(repository / "services/web") is None

    def test_nearest_one_wins(self, repository: Path) -> None:
        put(repository, 'profile = "strict"\n')
        near = put(repository, 'profile = "baseline"\n', "services/pyprod-audit.toml")
        assert find(repository / "services/web") == near

    def test_prefix_leads_from_its_folder_to_the_root(self, repository: Path) -> None:
        put(repository, 'exclude = ["services/web/tests/"]\n')
        assert load(repository / "services/web").prefix == "services/web"
        assert load(repository).prefix == ""

    def test_order_of_names(self, repository: Path) -> None:
        pyproject = put(repository, '[tool.pyprod-audit]\nprofile = "strict"\n', "pyproject.toml")
        assert find(repository) == pyproject
        hidden = put(repository, "", ".pyprod-audit.toml")
        assert find(repository) == hidden
        plain = put(repository, "")
        assert find(repository) == plain

    def test_pyproject_without_our_table_is_passed_over(self, repository: Path) -> None:
        top = put(repository, "")
        put(repository, '[project]\nname = "pyprod-audit-user"\n', "services/web/pyproject.toml")
        assert find(repository / "services/web") == top

    def test_broken_pyproject_of_somebody_else_is_passed_over(self, repository: Path) -> None:
        put(repository, "[project\nname = 'uses pyprod-audit'", "pyproject.toml")
        assert find(repository) is None

    def test_without_git_only_the_folder_itself(self, tmp_path: Path) -> None:
        put(tmp_path, "")
        (tmp_path / "a").mkdir()
        assert find(tmp_path / "a") is None

    def test_named_file_outside_counts_from_the_root(self, repository: Path) -> None:
        outside = put(repository.parent / "ci", 'exclude = ["x/"]\n')
        config = load(repository, outside)
        assert (config.exclude, config.prefix) == (("x/",), "")

    def test_link_out_of_the_repository(self, repository: Path) -> None:
        (repository / "pyproject.toml").symlink_to(put(repository.parent, "[tool.pyprod-audit]\n", "other.toml"))
        assert find(repository) is None
        (repository / "pyprod-audit.toml").symlink_to("../pyprod-audit.toml")
        with pytest.raises(ConfigError, match="a link that leads out of the repository"):
            find(repository)

    def test_named_file_that_is_missing(self, repository: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            load(repository, repository / "nowhere.toml")


class TestExtends:
    def test_settings_are_laid_over_each_other(self, tmp_path: Path) -> None:
        put(tmp_path, FULL, "shared/all.toml")
        put(
            tmp_path,
            'extends = "shared/all.toml"\nselect = ["PROXY"]\nignore = ["K8S-002"]\nprofile = "baseline"\n'
            '[per-path-ignores]\n"x" = ["K8S"]\n[rules.ZDT-004]\nseverity = "high"\n',
        )
        config = load(tmp_path)
        assert config.select == ("PROXY",)
        assert config.ignore == ("k8s-cpu-limit-missing", "K8S-002")
        assert config.profile is Profile.BASELINE
        assert config.fail_on == "never"
        assert set(config.per_path_ignores) == {"deploy/dev/**", "x"}
        assert config.rules["ZDT-004"] == RuleSettings(Severity.HIGH, {"margin": 5})

    def test_error_names_the_extended_file(self, tmp_path: Path) -> None:
        put(tmp_path, "\nselekt = []\n", "shared/all.toml")
        put(tmp_path, 'extends = "shared/all.toml"\n')
        with pytest.raises(ConfigError) as caught:
            load(tmp_path)
        assert caught.value.path.endswith("all.toml")
        assert caught.value.line == 2

    def test_cycle(self, tmp_path: Path) -> None:
        put(tmp_path, '\nextends = "b.toml"\n')
        put(tmp_path, 'extends = "pyprod-audit.toml"\n', "b.toml")
        assert complaint(tmp_path) == "1: extends itself"

    def test_long_chain(self, tmp_path: Path) -> None:
        put(tmp_path, 'extends = "0.toml"\n')
        for number in range(12):
            put(tmp_path, f'extends = "{number + 1}.toml"\n', f"{number}.toml")
        assert "files deep" in complaint(tmp_path)

    def test_missing_file(self, tmp_path: Path) -> None:
        put(tmp_path, '# x\nextends = "b.toml"\n')
        assert complaint(tmp_path) == "2: extends b.toml: there is no such file"

    @pytest.mark.parametrize("target", ["../outside.toml", "link.toml"])
    def test_found_configuration_cannot_leave_the_repository(self, tmp_path: Path, target: str) -> None:
        outside = put(tmp_path, 'profile = "strict"\n', "outside.toml")
        root = tmp_path / "root"
        root.mkdir()
        (root / "link.toml").symlink_to(outside)
        file = put(root, f'extends = "{target}"\n')
        assert complaint(root) == "1: extends leads out of the repository"
        assert load(root, file).profile is Profile.STRICT

    def test_absolute_path(self, tmp_path: Path) -> None:
        put(tmp_path, 'extends = "/etc/x.toml"\n')
        assert complaint(tmp_path) == "1: extends must be a path relative to this file"


INVALID = [
    ('\nselekt = ["K8S"]\n', "2: unknown key 'selekt'; did you mean 'select'?"),
    ("fail_on = 'high'\n", "1: unknown key 'fail_on'; did you mean 'fail-on'?"),
    ("severity = 'hihg'\n", "1: severity 'hihg' is none of critical, high, medium, low, info; did you mean 'high'?"),
    ("severity = 'never'\n", "1: severity 'never' is none of critical, high, medium, low, info"),
    ("fail-on = ''\n", "1: fail-on is empty"),
    ("profile = 3\n", "1: profile must be a string, not 3"),
    ("select = 'K8S'\n", "1: select must be a list of strings, not 'K8S'"),
    ("select = ['K8S', 3]\n", "1: select must be a list of strings, and 3 is none"),
    ("ignore = ['']\n", "1: ignore must be a list of strings, and '' is none"),
    ("require-reason = 'yes'\n", "1: require-reason must be true or false, not 'yes'"),
    ("rules = 'folder'\n", "1: rules must be a table from rule to settings (see also rules-folder), not 'folder'"),
    ("[rules]\nZDT-004 = 'high'\n", "2: rules.ZDT-004 must be a table, not 'high'"),
    ("[rules.ZDT-004]\n\nlevel = 'high'\n", "3: unknown key 'rules.ZDT-004.level'; known are severity, params"),
    ("[rules.ZDT-004]\nparams = 3\n", "2: rules.ZDT-004.params must be a table, not 3"),
    ("[[services]]\nname = 'a'\n", "1: service 'a' joins nothing: give dockerfile, workload or project"),
    ("[[services]]\nproject = 'a'\n", "1: a service needs a name"),
    (
        "[[services]]\nname = 'a'\ndokerfile = 'x'\n",
        "3: unknown key 'services.0.dokerfile'; did you mean 'dockerfile'?",
    ),
    ("[[services]]\nname = 'a'\nproject = '../x'\n", "3: project must be a path below this file's folder"),
    ("services = ['a']\n", "1: a service must be a table, not 'a'"),
    ("[per-path-ignores]\n'a' = 'K8S'\n", "2: per-path-ignores.a must be a list of strings, not 'K8S'"),
]


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_complaints_name_line_and_nearest(tmp_path: Path, text: str, message: str) -> None:
    put(tmp_path, text)
    assert complaint(tmp_path) == message


@pytest.mark.parametrize(("text", "_"), INVALID)
def test_schema_refuses_the_same(text: str, _: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), SCHEMA)


def test_schema_accepts_the_same() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for text in ("", FULL, 'extends = "a.toml"\nrules-folder = "b"\n'):
        jsonschema.validate(tomllib.loads(text), SCHEMA)


def test_schema_has_the_same_keys() -> None:
    properties = SCHEMA["properties"]
    assert set(properties) == set(KEYS)
    assert set(properties["rules"]["additionalProperties"]["properties"]) == set(RULE_KEYS)
    assert set(properties["services"]["items"]["properties"]) == set(SERVICE_KEYS)


_NAMES = st.sampled_from([*KEYS, *RULE_KEYS, *SERVICE_KEYS, "x"])
_VALUES = st.recursive(
    st.sampled_from(["", "high", "never", "strict", "a/b", "/a", "../a", "K8S", 1, True, 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_NAMES, _VALUES, max_size=3))
@settings(max_examples=150, deadline=None)
def test_reader_and_schema_agree_on_anything(tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]) -> None:
    data.pop("extends", None)  # these two depend on files that exist
    data.pop("rules-folder", None)
    services = data.get("services")
    if isinstance(services, list):
        names = [repr(s.get("name")) for s in services if isinstance(s, dict)]
        if len(set(names)) < len(names):
            return  # JSON Schema cannot say that names are unique
    folder = tmp_path_factory.mktemp("config")
    put(folder, "".join(f"{json.dumps(key)} = {_inline(value)}\n" for key, value in data.items()))
    try:
        load(folder)
    except ConfigError:
        accepted = False
    else:
        accepted = True
    assert accepted == jsonschema.Draft202012Validator(SCHEMA).is_valid(data)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("\n\nselect = [\n", "not valid TOML"),
        ("a = 1\na = 2\n", "not valid TOML"),
        ("x = " + "[" * 5000, ""),
    ],
)
def test_broken_toml(tmp_path: Path, text: str, start: str) -> None:
    put(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.message.startswith(start)


def test_broken_toml_tells_the_line(tmp_path: Path) -> None:
    put(tmp_path, "profile = 'strict'\nselect = = 1\n")
    assert complaint(tmp_path).startswith("2: not valid TOML: ")


def test_lines_in_pyproject(tmp_path: Path) -> None:
    put(tmp_path, "[tool.other]\nselekt = 1\n[tool.pyprod-audit]\nselekt = 1\n", "pyproject.toml")
    assert complaint(tmp_path).startswith("4: unknown key 'selekt'")


def test_table_that_is_none(tmp_path: Path) -> None:
    put(tmp_path, "[tool]\npyprod-audit = 1\n", "pyproject.toml")
    assert complaint(tmp_path) == "2: [tool.pyprod-audit] must be a table"


class TestAgainstTheCatalogue:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('select = [\n  "K8S",\n  "K8S-01",\n]\n', "3: no rule 'K8S-01'; did you mean 'K8S-001'?"),
            ('ignore = ["k8s-tag-latst"]\n', "1: no rule 'k8s-tag-latst'; did you mean 'k8s-tag-latest'?"),
            ('select = ["section:99"]\n', "1: no rule 'section:99'"),
            ('[per-path-ignores]\n"a" = ["K8S"]\n"b" = ["XYZ"]\n', "3: no rule 'XYZ'"),
            ('[rules.ZDT-005]\nseverity = "low"\n', "1: no rule 'ZDT-005'; did you mean 'ZDT-004'?"),
            ("[rules.ZDT-004.params]\n\nmargn = 3\n", "3: ZDT-004 has no parameter 'margn'; did you mean 'margin'?"),
            ("[rules.K8S-001]\nparams = {a = 1}\n", "2: K8S-001 has no parameters"),
            ('[rules.ZDT-004.params]\nmargin = "3"\n', "2: margin must be of the kind of its default, 2"),
            ("[rules.ZDT-004.params]\nmargin = true\n", "2: margin must be of the kind of its default, 2"),
            ("[rules.ZDT-004.params]\non = 1\n", "2: on must be of the kind of its default, True"),
        ],
    )
    def test_complaints(self, tmp_path: Path, text: str, message: str) -> None:
        put(tmp_path, text)
        with pytest.raises(ConfigError) as caught:
            load(tmp_path).check(CATALOGUE)
        assert f"{caught.value.line}: {caught.value.message}".startswith(message)

    def test_section_without_rules_yet_is_fine(self, tmp_path: Path) -> None:
        put(tmp_path, 'ignore = ["PROXY", "section:5", "all"]\n')
        load(tmp_path).check(CATALOGUE)

    def test_settings_by_name_and_fractions(self, tmp_path: Path) -> None:
        put(tmp_path, "[rules.service-drain-exceeds-grace.params]\nmargin = 2.5\nwords = ['b']\n")
        config = load(tmp_path)
        config.check(CATALOGUE)
        assert config.params(CATALOGUE) == {"ZDT-004": {"margin": 2.5, "words": ["b"]}}


class TestSelection:
    @pytest.mark.parametrize(
        ("select", "ignore", "profile", "chosen"),
        [
            ((), (), Profile.STANDARD, ["K8S-002", "ZDT-004"]),
            ((), (), Profile.BASELINE, ["ZDT-004"]),
            ((), (), Profile.STRICT, ["K8S-001", "K8S-002", "ZDT-004"]),
            (("K8S",), (), Profile.STANDARD, ["K8S-002"]),
            (("K8S-001",), (), Profile.STANDARD, ["K8S-001"]),
            (("k8s-cpu-limit-missing",), ("K8S",), Profile.STANDARD, ["K8S-001"]),
            (("section:32", "K8S-001"), (), Profile.BASELINE, ["K8S-001", "ZDT-004"]),
            (("all",), ("section:32",), Profile.STRICT, ["K8S-001", "K8S-002"]),
            ((), ("ZDT-004",), Profile.STANDARD, ["K8S-002"]),
            (("K8S-001",), ("K8S-001",), Profile.STRICT, []),
        ],
    )
    def test_rules(self, select: tuple[str, ...], ignore: tuple[str, ...], profile: Profile, chosen: list[str]) -> None:
        rules = select_rules(CATALOGUE, select=select, ignore=ignore, profile=profile)
        assert [rule.id for rule in rules] == chosen

    def test_rules_about_suppressions_are_nothing_to_run(self) -> None:
        full = with_suppression_rules(CATALOGUE)
        assert not any(rule.id.startswith("SUP") for rule in select_rules(full, select=("all", "SUP-001")))
        assert ignored_rules(full, ("suppression-unused", "K8S")) == {"SUP-001", "K8S-001", "K8S-002"}

    def test_options_are_stronger_than_the_configuration(self) -> None:
        config = Config(select=("K8S",), ignore=("ZDT-004", "K8S-002"), profile=Profile.STRICT)
        merged = ScanOptions(select=("zdt-004",), ignore=("PROXY",)).merged(config)
        assert merged.select == ("zdt-004",)
        assert merged.ignore == ("K8S-002", "PROXY")
        assert merged.profile is Profile.STRICT
        assert merged.as_of is not None
        assert ScanOptions(profile=Profile.BASELINE).merged(config).profile is Profile.BASELINE
        assert ScanOptions().merged(None).profile is Profile.STANDARD


@given(st.text(alphabet="[]\"'.= abc-\n#", max_size=120))
@settings(max_examples=200, deadline=None)
def test_key_lines_of_anything(text: str) -> None:
    lines = KeyLines(text)
    assert lines.line(("a", "b"), "c") in {None, *range(1, text.count("\n") + 2)}
