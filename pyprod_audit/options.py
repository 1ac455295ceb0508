"""What the caller of one scan decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeAlias

from pyprod_audit.findings import Profile
from pyprod_audit.model import Deployment, SourceFile
from pyprod_audit.model.tree import NO_CHOICES

if TYPE_CHECKING:
    from pyprod_audit.config import Config

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done and the steps in all (0: not known yet)."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """The choices of one run, stronger than the configuration.

    `select` and `ignore` are rule selectors (id, name, prefix, `section:32`, `all`); an empty `select` means every rule
    of the profile; `exclude` holds globs relative to the scan root, with gitignore semantics; `as_of` is the day that
    end-of-life dates and expiries are compared with (None: today); `stdin` replaces the tree by this one file;
    `deployment` is what the user says about how the tree is deployed.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    profile: Profile | None = None
    exclude: tuple[str, ...] = ()
    as_of: date | None = None
    progress: Progress | None = None
    stdin: SourceFile | None = None
    deployment: Deployment = NO_CHOICES

    def merged(self, config: Config | None) -> ScanOptions:
        """These options with what they leave open taken from `config`; `profile` and `as_of` are then set.

        Exclusions of the configuration are not taken over: they count from its own folder (`Config.prefix`). A rule
        that `select` names here runs even if the configuration ignores it.
        """
        named = {selector.casefold() for selector in self.select}
        ignored = () if config is None else tuple(s for s in config.ignore if s.casefold() not in named)
        return replace(
            self,
            select=self.select or (() if config is None else config.select),
            ignore=(*ignored, *self.ignore),
            profile=self.profile or (config.profile if config is not None else None) or Profile.STANDARD,
            as_of=self.as_of or datetime.now(tz=UTC).date(),
        )
