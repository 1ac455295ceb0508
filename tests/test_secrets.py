"""Secrets: what counts as a name, as a value, as a token; where in a text they are found; and that none is ever shown.

Tokens are put together from parts, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.checks.secret_names import Sort, sort_of
from pyprod_audit.checks.secret_patterns import tokens
from pyprod_audit.checks.secret_text import Syntax, secrets_in
from pyprod_audit.checks.secret_values import Value, judge
from pyprod_audit.findings import Profile
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.outputs import RenderOptions, render
from pyprod_audit.pipeline import scan_sources

HEX = "5e0b7a9dc3f14826b1d7e4a09f8c2d36"
MIXED = "Tq8nB2vXz5LrWc9KyD3mHs6JfP1gAe7UoR4iYtQw"
CHOSEN = "Gr0en-Fietspad7"
RULES = ("SEC-001", "SEC-002", "SEC-003", "SEC-004", "SEC-005", "SEC-008", "SEC-010")


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "PGPASSWORD",
        "dbPassword",
        "redis.auth.password",
        "SMTP_PASS",
        "admin-passwd",
        "POSTGRES_PASSWORD_PROD",
    ],
)
def test_names_of_passwords(name: str) -> None:
    assert sort_of(name) is Sort.PASSWORD


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "apiKey",
        "secretKeyBase",
        "aws_secret_access_key",
        "TWILIO_AUTH_TOKEN",
        "client_secret",
        "access-token",
    ],
)
def test_names_of_keys(name: str) -> None:
    assert sort_of(name) is Sort.KEY


@pytest.mark.parametrize(
    "name",
    ["TOKEN_URL", "password_min_length", "csrf_token", "SECRET_NAME", "POSTGRES_PASSWORD_FILE", "PASSWORD_HASHERS",
     "PWD", "bypass", "passwordSecretRef", "next_page_token", "tokenizer", "primary_key", "cache_key", "public_key",
     "AWS_ACCESS_KEY_ID", "", "has_password", "pad_token", "x" * 200 + "password"],
)  # fmt: skip
def test_names_about_secrets(name: str) -> None:
    assert sort_of(name) is Sort.NOTHING


@pytest.mark.parametrize(
    "value",
    ["", "${X}", "$(cat x)", "{{ x }}", "<password>", "%(password)s", "xxxxxxxx", "********", "CHANGE_ME", "your-token",
     "example-1234aB", "/run/secrets/db", "arn:aws:secretsmanager:eu:1:secret:x", "vault:secret/db#password",
     "ENC[AES256_GCM,data:abc]",
     "os.environ.DB_PASSWORD", "settings.PASSWORD", "get_password()", "DB_PASSWORD",
     "$2b$12$C6UzMDM.H6dfI/f/IKcEeO1S0n4j5wW2jq1o7kq2Yx8",
     "sha256:9f86d081884c7d659a2feaa0c55ad015", "ssh-ed25519 AAAAC3Nz", "https://login.example.com/token",
     "config/key.pem", "Geef uw wachtwoord in", "wachtwoord\u0142", "true", "abcdefghijklmnop",
     "2YotnFZFEjr1zCsicMWpAA", "x" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("sort", [Sort.PASSWORD, Sort.KEY])
def test_values_that_are_no_secret(value: str, sort: Sort) -> None:
    assert judge(value, sort) is Value.NOTHING


@pytest.mark.parametrize(
    "value", ["postgres", "password123", "admin", "supersecret", "minio123", "P@ssw0rd", "12345678", "my-db-password"]
)
def test_well_known_passwords(value: str) -> None:
    assert judge(value, Sort.PASSWORD) is Value.DEFAULT


@pytest.mark.parametrize("value", [CHOSEN, "Summer2024!", HEX, MIXED, "correct7Horse!"])
def test_strong_passwords(value: str) -> None:
    assert judge(value, Sort.PASSWORD) is Value.STRONG


def test_a_chosen_word_is_a_password_but_no_key() -> None:
    assert judge("zonnebloem", Sort.PASSWORD) is Value.PLAIN
    assert judge("payments-api-token", Sort.KEY) is Value.NOTHING
    assert judge("userAccessToken", Sort.KEY) is Value.NOTHING


def test_uuids_name_things_unless_they_are_passwords() -> None:
    uuid = "6f1c9d2e-7b3a-4c5d-8e9f-0a1b2c3d4e5f"
    assert judge(uuid, Sort.KEY) is Value.NOTHING
    assert judge(uuid, Sort.PASSWORD) is not Value.NOTHING


def _jwt(**claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{'dBjftJeZ4CVP' * 3}"


def test_web_tokens_count_while_they_open_something() -> None:
    day = date(2026, 11, 22)
    assert judge(_jwt(sub="svc-shop"), Sort.KEY, day) is Value.STRONG
    assert judge(_jwt(sub="svc-shop", exp=4102444800), Sort.KEY, day) is Value.STRONG
    assert judge(_jwt(sub="svc-shop", exp=1600000000), Sort.KEY, day) is Value.NOTHING
    assert judge(_jwt(role="anon"), Sort.KEY, day) is Value.NOTHING
    assert judge(_jwt(sub="1234567890", name="John Doe"), Sort.KEY, day) is Value.NOTHING


PROVIDERS = {
    "AWS": "AKI" + "AZ7Q3XW5RT2LMNP6K",
    "GitHub": "gh" + "p_" + MIXED[:36],
    "GitHub fine-grained": "github" + "_pat_" + (MIXED + MIXED)[:60],
    "GitLab": "glp" + "at-" + MIXED[:20],
    "Slack": "xox" + "b-293847561029-5647382910563-" + MIXED[:24],
    "Slack webhook": "https://hooks.slack.com/" + "services/T0Q9RT5YU/B3OPA7SDF/" + MIXED[:24],
    "Stripe": "sk_" + "live_51" + MIXED[:22],
    "Google": "AI" + "za" + MIXED[:35],
    "SendGrid": "SG" + "." + MIXED[:22] + "." + (MIXED + MIXED)[:43],
    "npm": "np" + "m_" + MIXED[:36],
    "PyPI": "py" + "pi-AgEIcHlwaS5vcmc" + (MIXED + MIXED),
    "Azure": "Account" + "Key=" + (MIXED * 3)[:86] + "==",
    "Telegram": "6839201745:" + "AA" + MIXED[:33],
    "DigitalOcean": "dop" + "_v1_" + HEX + HEX,
    "OpenAI": "sk-" + "proj-" + MIXED[:24] + "T3Blb" + "kFJ" + MIXED[:24],
    "Anthropic": "sk-" + "ant-api03-" + (MIXED * 3)[:95],
    "Hugging Face": "h" + "f_" + MIXED[:34],
    "Vault": "hv" + "s." + MIXED,
    "Shopify": "shp" + "at_" + HEX,
    "Databricks": "da" + "pi" + HEX,
}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("around", ["{}", 'x = "{}"\n', "key={},", "# {}\nnext"])
def test_tokens_of_providers(provider: str, around: str) -> None:
    token = PROVIDERS[provider]
    text = around.format(token)
    found = list(tokens(text))
    assert len(found) == 1, provider
    assert text[found[0].start : found[0].end] in token


@pytest.mark.parametrize(
    "text",
    ["AKIAIOSFODNN7EXAMPLE", "gh" + "p_" + "x" * 36, "gh" + "p_" + "your" * 9, "sk_" + "live_" + "0" * 24,
     "AI" + "za" + "X" * 35, "prefix" + PROVIDERS["GitHub"], PROVIDERS["GitHub"][:-1], "sk_" + "test_51" + MIXED[:22],
     "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="],
)  # fmt: skip
def test_what_only_looks_like_a_token(text: str) -> None:
    assert not list(tokens(text))


@pytest.mark.parametrize(
    ("url", "is_secret"),
    [
        (f"postgres://shop:{CHOSEN}@db.shop.dev:5432/shop", True),
        (f"redis://:{CHOSEN}@cache.shop.dev", True),
        (f"postgres://shop:{CHOSEN}@db/shop", True),
        ("mongodb+srv://shop:zonnebloem@cluster0.ab1cd.mongodb.net/x", True),
        ("postgres://shop:zonnebloem@db/shop", False),
        ("postgres://postgres:postgres@db.shop.dev/x", False),
        ("postgres://shop:shop@db.shop.dev/x", False),
        (f"postgres://shop:{CHOSEN}@localhost/shop", False),
        (f"postgres://shop:{CHOSEN}@db.example.com/shop", False),
        ("postgres://shop:${DB_PASSWORD}@db.shop.dev/x", False),
        ("postgres://shop:%(password)s@db.shop.dev/x", False),
        ("postgres://user:password@host/x", False),
        ("https://shop.dev/path:with@colon", False),
    ],
)
def test_passwords_in_urls(url: str, *, is_secret: bool) -> None:
    assert bool(list(tokens(url))) is is_secret


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        (f'PASSWORD: str = "{CHOSEN}"', Syntax.PYTHON),
        (f'connect("host=db user=shop password={CHOSEN} dbname=x")', Syntax.PYTHON),
        (f'get("https://api.shop.dev/v1?api_key={HEX}&x=1")', Syntax.PYTHON),
        (f'Client(api_key="{HEX}", timeout=3)', Syntax.PYTHON),
        (f'headers = {{"Authorization": "Bearer {HEX}"}}', Syntax.PYTHON),
        (f'{{"api_key": "{HEX}"}}', Syntax.QUOTED),
        (f'{{"name": "DB_PASSWORD", "value": "{CHOSEN}"}}', Syntax.QUOTED),
        (f'"Server=tcp:x;User ID=u;Password={CHOSEN};"', Syntax.QUOTED),
        (f"- name: DB_PASSWORD\n  value: {CHOSEN}\n", Syntax.YAML),
        (f"- DB_PASSWORD={CHOSEN}\n", Syntax.YAML),
        (f'- "DB_PASSWORD={CHOSEN}"\n', Syntax.YAML),
        (f"{{password: {CHOSEN}, user: x}}\n", Syntax.YAML),
        (f'args: ["--token", "{HEX}"]\n', Syntax.YAML),
        (f"password: {CHOSEN}  # rotate\n", Syntax.YAML),
        (f"aws_secret_access_key = {MIXED}\n", Syntax.LINES),
        (f"DB_PASSWORD={CHOSEN}\r\nX=1\r\n", Syntax.LINES),
        (f"spring.password=${{DB_PASSWORD:{CHOSEN}}}\n", Syntax.LINES),
        (f"PGPASSWORD='{CHOSEN}' psql\n", Syntax.SHELL),
        (f"mysql --password={CHOSEN} x\n", Syntax.SHELL),
        (f"  <<EOT\nexport API_TOKEN={HEX}\nEOT\n", Syntax.HCL),
        (f"machine api.shop.dev login u password {CHOSEN}\n", Syntax.NETRC),
    ],
)
def test_places_of_secrets(text: str, syntax: Syntax) -> None:
    found = secrets_in(text, syntax)
    assert [text[one.start : one.end] for one in found] in ([CHOSEN], [HEX], [MIXED])


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("password = get_password('zX9!kkAA2')", Syntax.PYTHON),
        ('x = {"password": PASSWORD, "token": token}', Syntax.PYTHON),
        ('password = f"{prefix}Aa1!xyz"', Syntax.PYTHON),
        ('password = "Aa1!xyz%s" % suffix', Syntax.PYTHON),
        (f'if password == "{CHOSEN}": pass', Syntax.PYTHON),
        (f'# password = "{CHOSEN}"', Syntax.PYTHON),
        ('LABELS = {"password": "Kies een wachtwoord 9!"}', Syntax.PYTHON),
        ("token: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n", Syntax.YAML),
        ("password:\n  secretKeyRef: {name: db-Aa1x9, key: password}\n", Syntax.YAML),
        ("password = var.db_password\n", Syntax.HCL),
        ("password=$(aws secretsmanager get-secret-value --secret-id x9Aa1!)\n", Syntax.SHELL),
        ('PASSWORD="$1"\n', Syntax.SHELL),
        ('{"AWS::ApiGateway::ApiKey": "48205d4ffd7feba3"}', Syntax.QUOTED),
        ("password: " + "Aa1!" * 400 + "\n", Syntax.YAML),
    ],
)
def test_what_is_no_literal(text: str, syntax: Syntax) -> None:
    assert secrets_in(text, syntax) == []


def test_a_token_under_a_name_is_one_secret() -> None:
    text = f'GITHUB_TOKEN = "{PROVIDERS["GitHub"]}"\n'
    (found,) = secrets_in(text, Syntax.PYTHON)
    assert (found.what, found.name) == ("a GitHub token", "GITHUB_TOKEN")


def test_letters_that_grow_in_lower_case_do_not_move_places() -> None:
    text = f'title = "İİİ"\npassword = "{CHOSEN}"\n'
    (found,) = secrets_in(text, Syntax.PYTHON)
    assert text[found.start : found.end] == CHOSEN


@given(
    st.text(alphabet="paswordtkenkyAKIA1xZ9 =:\"'\\{}[]()$%<>@/.,;-_#|&\n\r\tİé", max_size=300), st.sampled_from(Syntax)
)
@settings(max_examples=300, deadline=None)
def test_any_text_gives_places_in_order(text: str, syntax: Syntax) -> None:
    end = 0
    for one in secrets_in(text, syntax, strict=False):
        assert end <= one.start < one.end <= len(text)
        end = one.end


def _report(files: dict[str, str], *rules: str):
    options = ScanOptions(select=rules or RULES, profile=Profile.STRICT, as_of=date(2026, 11, 22))
    return scan_sources([SourceFile(path, text) for path, text in files.items()], options=options)


EVERYWHERE = {
    "config/prod.env": f"API_KEY={HEX}\nURL=postgres://shop:{CHOSEN}@db.shop.dev/x\n",
    "Dockerfile": f"FROM python:3.12\nENV API_TOKEN={HEX}\nRUN curl -H 'Authorization: Bearer {HEX}' https://shop.dev\n",
    "k8s/all.yaml": f"""apiVersion: v1
kind: Secret
metadata: {{name: a}}
stringData: {{password: {CHOSEN}, url: "postgres://shop:shop@db/x", token: {HEX}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: a}}
data:
  DB_PASSWORD: {CHOSEN}
  app.properties: |
    api.token={HEX}
---
apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  containers:
    - name: a
      env: [{{name: DB_PASSWORD, value: {CHOSEN}}}]
      args: ["--api-token={HEX}"]
""",
    "infra/main.tf": f"""variable "db_password" {{ default = "{CHOSEN}" }}
resource "aws_instance" "a" {{
  user_data = <<EOT
export API_TOKEN={HEX}
EOT
}}
resource "aws_db_instance" "a" {{ password = "{CHOSEN}" }}
""",
    "shop/settings.py": f'SECRET_KEY = "{MIXED}"\nDATABASES = {{"default": {{"PASSWORD": "{CHOSEN}"}}}}\n',
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "chart/values.yaml": f"auth: {{password: {CHOSEN}}}\nurl: redis://:{CHOSEN}@cache.shop.dev\n",
}


def test_every_place_is_told_by_one_rule() -> None:
    report = _report(EVERYWHERE)
    assert not report.problems
    assert {finding.rule_id for finding in report.findings} == set(RULES)
    places = [
        (place.span.file.path, place.span.start)
        for finding in report.findings
        for place in (finding.primary, *finding.related)
    ]
    assert len(places) == len(set(places))
    assert len({finding.fingerprint for finding in report.findings}) == len(report.findings)


def test_all_secrets_are_found() -> None:
    report = _report(EVERYWHERE)
    told = {
        (place.span.file.path, place.span.text.strip("\"'"))
        for finding in report.findings
        for place in (finding.primary, *finding.related)
    }
    for path, text in EVERYWHERE.items():
        for secret in (HEX, CHOSEN, MIXED):
            if secret in text:
                assert any(where == path and secret in what for where, what in told), (path, secret)


@pytest.mark.parametrize("name", ["text", "json", "sarif", "markdown", "github"])
def test_no_output_shows_a_secret(name: str) -> None:
    shown = render(name, _report(EVERYWHERE), RenderOptions())
    for secret in (HEX, CHOSEN, MIXED):
        assert secret not in shown
        assert base64.b64encode(secret.encode()).decode() not in shown


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "config/dev/app.env",
        "settings.sample.ini",
        "locale/nl.json",
        "app.min.json",
        "secrets.enc.yaml",
        "uv.lock",
    ],
)
def test_files_that_hold_no_secrets_of_production(path: str) -> None:
    assert not _report({path: f"API_KEY={HEX}\n"}, "SEC-001").findings


def test_a_real_token_counts_in_a_sample_too() -> None:
    assert _report({".env.example": f"GITHUB_TOKEN={PROVIDERS['GitHub']}\n"}, "SEC-001").findings


def test_findings_of_one_file_are_bounded() -> None:
    text = "".join(f"API_KEY_{i}X={HEX[i % 16 :]}{HEX[: i % 16]}\nX{i}_API_KEY={HEX}\n" for i in range(200))
    assert len(_report({"dump.env": text}, "SEC-001").findings) == 50


def test_equal_names_have_their_own_fingerprints() -> None:
    found = _report({"a.env": f"API_KEY={HEX}\nAPI_KEY={HEX[::-1]}\n"}, "SEC-001").findings
    assert len({finding.fingerprint for finding in found}) == 2


def test_a_docker_login_is_found_in_base64() -> None:
    login = base64.b64encode(f"ci:{CHOSEN}".encode()).decode()
    found = _report(
        {".docker/config.json": json.dumps({"auths": {"registry.shop.dev": {"auth": login}}})}, "SEC-001"
    ).findings
    assert [finding.message for finding in found] == ["the login of a registry (auth) stands in plain text"]
