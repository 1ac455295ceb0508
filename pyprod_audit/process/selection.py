"""Which rules run."""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.catalogue import Catalogue, Rule
from pyprod_audit.findings import Profile
from pyprod_audit.process.suppression_rules import RULES as SUPPRESSION_RULES


def select_rules(
    catalogue: Catalogue, *, select: Sequence[str] = (), ignore: Sequence[str] = (), profile: Profile = Profile.STANDARD
) -> list[Rule]:
    """The rules that `select` and `ignore` leave of the catalogue, in its order.

    A group (prefix, section, `all`; also no `select` at all) means its rules within the profile. A rule selected by its
    own id or name runs whatever the profile and the ignored groups say; one ignored by its own id or name never runs.
    Rules about suppressions are not among them: nothing is to be run for those.
    """
    wanted, wanted_by_name = _meant(catalogue, select or ("all",))
    ignored, ignored_by_name = _meant(catalogue, ignore)
    return [
        rule
        for rule in catalogue
        if rule.id not in SUPPRESSION_RULES
        and rule.id not in ignored_by_name
        and (rule.id in wanted_by_name or (rule.id in wanted and rule.id not in ignored and rule.profile <= profile))
    ]


def ignored_rules(catalogue: Catalogue, ignore: Sequence[str]) -> set[str]:
    """The ids of all rules that `ignore` means."""
    groups, named = _meant(catalogue, ignore)
    return groups | named


def _meant(catalogue: Catalogue, selectors: Sequence[str]) -> tuple[set[str], set[str]]:
    """The ids that `selectors` mean as groups, and those that they name one by one."""
    groups: set[str] = set()
    named: set[str] = set()
    for selector in selectors:
        rule = catalogue.resolve(selector)
        if rule is not None:
            named.add(rule.id)
        else:
            groups.update(rule.id for rule in catalogue.match(selector))
    return groups, named
