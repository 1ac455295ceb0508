"""Secrets that tell what they are: tokens of providers in their own formats, and passwords in URLs.

Each format has a keyword that `in` finds at memory speed; only where it stands is the pattern tried, anchored there, so
that the cost is linear in the text however hostile it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pyprod_audit.checks.secret_names import Sort
from pyprod_audit.checks.secret_values import Value, is_stand_in, judge
from pyprod_audit.model.patterns import lazy


class Token(NamedTuple):
    """A secret in a text: what it is, and where it starts and ends. `who` tells the user of a URL, `host` its host."""

    what: str
    start: int
    end: int
    who: str = ""
    host: str = ""


class Format(NamedTuple):
    """One provider's format. `keyword` is a part that no such token lacks; `lead` is how far in it may stand."""

    what: str
    keyword: str
    pattern: re.Pattern[str]
    lead: int = 0


def _formats() -> tuple[Format, ...]:
    """The formats, from what the providers publish about them.

    AWS: docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html (AKIA is long-lived, ASIA is not).
    GitHub: docs.github.com, "GitHub's token formats"; github.blog/changelog/2021-03-31 (up to 255 characters).
    npm: github.blog/2021-09-23. GitLab: docs.gitlab.com/security/tokens, "Token prefixes".
    Slack: docs.slack.dev/authentication/tokens. Stripe: docs.stripe.com/keys. Shopify: shopify.dev/changelog.
    DigitalOcean: docs.digitalocean.com/notes/2022/api-token-format.
    Azure: learn.microsoft.com/azure/storage/common/storage-configure-connection-string (512 bits in base64).
    Telegram: core.telegram.org/bots/api. Vault: developer.hashicorp.com/vault/docs/concepts/tokens.
    Hugging Face: huggingface.co/docs/hub/security-tokens. PyPI: its help page, "API tokens" (a macaroon).
    """
    table: list[tuple[str, str, str] | tuple[str, str, str, int]] = [
        ("an AWS access key ID", "AKIA", r"AKIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("a fine-grained GitHub token", "github_pat_", r"github_pat_\w{50,244}"),
        *(("a GitHub token", f"gh{c}_", rf"gh{c}_[A-Za-z0-9]{{36,251}}(?!\w)") for c in "posr"),
        *(
            ("a GitLab token", f"gl{kind}-", rf"gl{kind}-[\w-]{{20,300}}")
            for kind in ("pat", "dt", "ptt", "rt", "soat", "cbt", "agent")
        ),
        *(("a Slack token", f"xox{c}-", rf"xox{c}-[0-9A-Za-z-]{{20,250}}") for c in "bpaer"),
        ("a Slack app token", "xapp-", r"xapp-\d-[A-Z0-9]{8,20}-\d{8,20}-[0-9a-f]{32,128}"),
        ("a Slack webhook", "hooks.slack.com/services/", r"hooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/\w{18,40}"),
        ("a Discord webhook", "/api/webhooks/", r"/api/webhooks/\d{16,20}/[\w-]{60,80}"),
        ("a live Stripe secret key", "sk_live_", r"sk_live_[A-Za-z0-9]{16,247}"),
        ("a live Stripe restricted key", "rk_live_", r"rk_live_[A-Za-z0-9]{16,247}"),
        ("a Stripe webhook secret", "whsec_", r"whsec_[A-Za-z0-9+/=]{32,100}"),
        ("a Google API key", "AIza", r"AIza[\w-]{35}(?![\w-])"),
        ("a Google OAuth client secret", "GOCSPX-", r"GOCSPX-[\w-]{28}(?![\w-])"),
        ("a SendGrid API key", "SG.", r"SG\.[\w-]{22}\.[\w-]{43}(?![\w-])"),
        ("a Mailgun API key", "key-", r"key-[0-9a-f]{32}(?![\w-])"),
        ("an npm token", "npm_", r"npm_[A-Za-z0-9]{36}(?!\w)"),
        ("a PyPI token", "pypi-AgE", r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZ)[\w-]{50,1000}"),
        ("a RubyGems token", "rubygems_", r"rubygems_[0-9a-f]{48}(?!\w)"),
        ("an Azure storage account key", "AccountKey=", r"AccountKey=(?!Eby8vdM02xNO)[A-Za-z0-9+/]{86}=="),
        ("an Azure shared access key", "SharedAccessKey=", r"SharedAccessKey=[A-Za-z0-9+/]{43}="),
        ("a Telegram bot token", ":AA", r"\d{8,10}:AA[\w-]{33}(?![\w-])", 10),
        *(("a DigitalOcean token", f"do{c}_v1_", rf"do{c}_v1_[0-9a-f]{{64}}(?!\w)") for c in "por"),
        ("an OpenAI API key", "T3BlbkFJ", r"sk-(?:[\w-]{20,100})T3BlbkFJ[\w-]{20,100}", 104),
        ("an Anthropic API key", "sk-ant-", r"sk-ant-(?:api|admin|oat)\d\d-[\w-]{80,120}"),
        ("a Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{34}(?!\w)"),
        ("a Groq API key", "gsk_", r"gsk_[A-Za-z0-9]{52}(?!\w)"),
        *(
            ("a Shopify token", f"shp{kind}_", rf"shp{kind}_[0-9a-fA-F]{{32}}(?!\w)")
            for kind in ("at", "ca", "pa", "ss")
        ),
        ("a Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?(?![\w-])"),
        ("a Vault token", "hvs.", r"hvs\.[\w-]{24,300}"),
        ("a HCP Terraform token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,80}", 14),
        ("a Docker Hub token", "dckr_pat_", r"dckr_pat_[\w-]{27}(?![\w-])"),
        ("a Grafana service account token", "glsa_", r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}(?!\w)"),
        ("a New Relic user key", "NRAK-", r"NRAK-[A-Z0-9]{27}(?!\w)"),
        ("a Sentry auth token", "sntrys_eyJ", r"sntrys_eyJ[\w+/=-]{60,400}"),
        ("a Pulumi token", "pul-", r"pul-[0-9a-f]{40}(?!\w)"),
        ("a Linear API key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}(?!\w)"),
        ("a Postman API key", "PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}(?!\w)"),
        ("an age secret key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
        ("an Atlassian API token", "ATATT3xFfGF0", r"ATATT3xFfGF0[\w=-]{100,250}"),
    ]
    return tuple(Format(row[0], row[1], lazy(row[2]), row[3] if len(row) == 4 else 0) for row in table)


FORMATS: Final = _formats()
_BY_KEYWORD: Final = [(one.keyword, one) for one in FORMATS]
_SHORTEST: Final = 14  # postgres://a:secret@b
_URL: Final = lazy(
    r"://(?P<user>[^\s:/@\"'<>\\`,;(){}\[\]$*|?#]{0,64}):(?P<password>[^\s/@\"'<>\\`{}$*|,]{3,128})"
    r"@(?P<host>[A-Za-z0-9._-]{1,253})"
)
_LOCAL_HOSTS: Final = frozenset({"localhost", "host", "hostname", "server", "example", "host.docker.internal"})
_LOCAL_TAILS: Final = (
    ".local",
    ".localhost",
    ".test",
    ".invalid",
    ".example",
    ".example.com",
    ".example.org",
    ".example.net",
)


def tokens(text: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The tokens of known formats and the passwords in URLs between `start` and `end`, format by format."""
    end = len(text) if end is None else end
    part = text if start == 0 and end == len(text) else text[start:end]
    # No token has a space in it: most of a text can be left out before it is searched once for every format.
    long_words = "\n".join([word for word in part.split() if len(word) >= _SHORTEST])
    if not long_words:
        return
    for one in [one for keyword, one in _BY_KEYWORD if keyword in long_words]:
        yield from _of_format(one, text, start, end)
    if "://" in long_words:
        yield from passwords_in_urls(text, start, end)


def passwords_in_urls(text: str, start: int, end: int) -> Iterator[Token]:
    """`scheme://user:password@host`, where the password is neither filled in later nor a well-known default.

    A name without a dot is a container on the same machine or in the same cluster: there, only a password that
    nobody would take for a stand-in counts.
    """
    for found in _URL.finditer(text, start, end):
        user, password, host = found["user"], found["password"], found["host"].lower()
        if _is_local(host) or password.lower() in (user.lower(), host) or "%(" in password or "%s" in password:
            continue
        value = judge(password, Sort.PASSWORD)
        if value is Value.STRONG or (value is Value.PLAIN and "." in host and len(password) >= 6):
            yield Token("a password in a URL", found.start("password"), found.end("password"), user, found["host"])


def _is_local(host: str) -> bool:
    return (
        host in _LOCAL_HOSTS
        or host.startswith(("127.", "0.0.0.", "your", "my-", "my.", "example", "<"))
        or host.endswith(_LOCAL_TAILS)
        or host in ("example.com", "example.org", "example.net", "domain.com", "host.com")
    )


def _of_format(one: Format, text: str, start: int, end: int) -> Iterator[Token]:
    at = text.find(one.keyword, start, end)
    while at >= 0:
        after = at + len(one.keyword)
        found = _match(one, text, at, start, end)
        if found is not None:
            begin = found.start()
            body = found[0].partition("=")[2] if one.keyword.endswith("=") else found[0].replace(one.keyword, "", 1)
            if not (begin > start and (text[begin - 1].isalnum() or text[begin - 1] == "_") and text[begin].isalnum()):
                if not is_made_up(body):
                    yield Token(one.what, begin, found.end())
                after = found.end()
        at = text.find(one.keyword, after, end)


def _match(one: Format, text: str, at: int, start: int, end: int) -> re.Match[str] | None:
    if not one.lead:
        return one.pattern.match(text, at, end)
    begin = at
    low = max(start, at - one.lead)
    while begin > low and (text[begin - 1].isalnum() or text[begin - 1] in "_-"):
        begin -= 1
    return one.pattern.match(text, begin, end)


def is_made_up(body: str) -> bool:
    """Whether the random part of a token is a stand-in: too few different characters, or words like EXAMPLE."""
    lowered = body.lower()
    if len(set(lowered)) < min(8, len(body) // 2) or is_stand_in(body):
        return True
    return any(
        word in lowered for word in ("example", "xxxx", "your", "replace", "changeme", "dummy", "placeholder", "sample")
    )
