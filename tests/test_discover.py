"""Listing and reading files of real trees: git repositories, links, special files, odd encodings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pyprod_audit.discover import Discovery, Limits, Reader, Skipped, discover, read
from pyprod_audit.discover.ignore import Excluder
from pyprod_audit.model import Problem, SourceFile
from pyprod_audit.parsers.kustomize_patches import kustomize_patches


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def put(root: Path, path: str, text: str = "x\n") -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    put(root, ".gitignore", "*.log\nbuild/\n")
    put(root, "Dockerfile", "FROM python:3.13-slim\n")
    put(root, "k8s/web.yaml")
    put(root, "app/main.py")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


def reasons(found: Discovery) -> dict[str, str]:
    return dict(found.skipped)


class TestGit:
    def test_lists_tracked_and_new_files_but_not_ignored_ones(self, repository: Path) -> None:
        put(repository, "new.tf")
        put(repository, "build/out.py")
        put(repository, "trace.log")
        found = discover(repository)
        assert found.paths == [".gitignore", "Dockerfile", "app/main.py", "k8s/web.yaml", "new.tf"]
        assert found.git_root == Path(os.path.realpath(repository))
        assert found.notes == []

    def test_kinds_are_told_for_files_of_interest_only(self, repository: Path) -> None:
        assert discover(repository).kinds == {
            "Dockerfile": "dockerfile",
            "app/main.py": "python",
            "k8s/web.yaml": "yaml?",
        }

    def test_tracked_but_ignored_files_count(self, repository: Path) -> None:
        put(repository, "build/keep.py")
        git(repository, "add", "-f", "build/keep.py")
        assert "build/keep.py" in discover(repository).paths

    def test_folder_inside_a_repository(self, repository: Path) -> None:
        found = discover(repository / "k8s")
        assert found.paths == ["web.yaml"]
        assert found.prefix == "k8s"

    def test_deleted_file_is_skipped_with_reason(self, repository: Path) -> None:
        (repository / "app/main.py").unlink()
        found = discover(repository)
        assert "app/main.py" not in found.paths
        assert reasons(found)["app/main.py"] == "deleted"

    def test_submodule_and_nested_repository(self, repository: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "-q")
        put(other, "a.py")
        git(other, "add", "-A")
        git(other, "commit", "-qm", "start")
        git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "libs/other")
        nested = repository / "nested"
        nested.mkdir()
        git(nested, "init", "-q")
        put(nested, "b.py")
        found = discover(repository)
        assert reasons(found)["libs/other"] == "submodule"
        assert reasons(found)["nested"] == "repository of its own"
        assert not any(path.endswith(("a.py", "b.py")) for path in found.paths)

    def test_untracked_virtual_environment_is_left_out(self, repository: Path) -> None:
        put(repository, ".venv/lib/x.py")
        put(repository, "node_modules/y/z.sh")
        assert not any(path.startswith((".venv", "node_modules")) for path in discover(repository).paths)

    def test_unmerged_file_is_listed_once(self, repository: Path) -> None:
        put(repository, "app/main.py", "one\n")
        git(repository, "commit", "-qam", "one")
        git(repository, "checkout", "-q", "-b", "side", "HEAD~1")
        put(repository, "app/main.py", "two\n")
        git(repository, "commit", "-qam", "two")
        merge = subprocess.run(
            ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "merge", "-q", "@{-1}"],
            cwd=repository, capture_output=True, check=False,
        )  # fmt: skip
        assert merge.returncode != 0
        assert discover(repository).paths.count("app/main.py") == 1

    def test_names_with_newlines_spaces_and_braces(self, repository: Path) -> None:
        names = ["a b.py", "{{cookiecutter.slug}}/settings.py", "line\nbreak.py", "ü.py"]
        for name in names:
            put(repository, name)
        assert set(names) <= set(discover(repository).paths)

    def test_undecodable_name_is_skipped(self, repository: Path) -> None:
        try:
            Path(os.fsdecode(os.fsencode(repository) + b"/\xff.py")).write_text("x", encoding="utf-8")
        except OSError:
            return  # the file system refuses such names: nothing to go wrong
        assert reasons(discover(repository))["\\xff.py"] == "name is not UTF-8"

    def test_repository_cannot_run_a_program(self, repository: Path) -> None:
        evidence = repository.parent / "ran"
        program = put(repository.parent, "evil.sh", f"#!/bin/sh\ntouch '{evidence}'\n")
        program.chmod(0o755)
        git(repository, "config", "core.fsmonitor", str(program))
        git(repository, "config", "core.hooksPath", str(repository.parent))
        assert "Dockerfile" in discover(repository).paths
        assert not evidence.exists()

    def test_work_tree_elsewhere_does_not_lead_outside(self, repository: Path) -> None:
        put(repository.parent, "outside/secret.py")
        git(repository, "config", "core.worktree", str(repository.parent))
        found = discover(repository)
        assert "Dockerfile" in found.paths
        assert not any("secret" in path or ".." in path for path in found.paths)

    def test_variables_of_a_hook_do_not_mislead(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_DIR", "/nonexistent")
        monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent/index")
        found = discover(repository)
        assert "Dockerfile" in found.paths
        assert found.notes == []

    def test_index_is_not_written(self, repository: Path) -> None:
        before = (repository / ".git/index").read_bytes()
        os.utime(repository / "Dockerfile", (1, 1))
        discover(repository)
        assert (repository / ".git/index").read_bytes() == before

    def test_falls_back_to_the_walk_when_git_is_missing(
        self, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(repository, "trace.log")
        with_git = discover(repository).paths
        monkeypatch.setenv("PATH", "")
        found = discover(repository)
        assert found.paths == with_git
        assert found.notes == ["git is not installed: the folder was walked instead"]

    def test_falls_back_to_the_walk_when_git_refuses(self, repository: Path) -> None:
        put(repository, ".git/config", "[core\n")
        found = discover(repository)
        assert "Dockerfile" in found.paths
        assert found.notes[0].startswith("git refused (")

    def test_ignored_folder_that_is_named_is_walked(self, repository: Path) -> None:
        put(repository, "out/a.py")
        put(repository, ".gitignore", "/nothing\n")
        put(repository, ".git/info/exclude", "out/sub\n")
        put(repository, "out/sub/b.py")
        assert discover(repository / "out").paths == ["a.py"]


class TestWalk:
    def test_honours_nested_ignore_files(self, tmp_path: Path) -> None:
        put(tmp_path, ".gitignore", "*.py\n!keep.py\n/only-here/\n")
        put(tmp_path, "a/.gitignore", "!b.py\n")
        for path in ("x.py", "keep.py", "a/b.py", "a/c.py", "only-here/d.tf", "a/only-here/e.tf"):
            put(tmp_path, path)
        assert discover(tmp_path).paths == [".gitignore", "a/.gitignore", "a/b.py", "a/only-here/e.tf", "keep.py"]

    @pytest.mark.parametrize("folder", [".venv", "node_modules", "__pycache__", ".tox", ".terraform", "x-1.dist-info"])
    def test_never_walks_what_tools_made(self, tmp_path: Path, folder: str) -> None:
        put(tmp_path, f"{folder}/a.py")
        put(tmp_path, "b.py")
        assert discover(tmp_path).paths == ["b.py"]

    def test_environment_under_any_name(self, tmp_path: Path) -> None:
        put(tmp_path, "py313/pyvenv.cfg", "home = /usr\n")
        put(tmp_path, "py313/lib/a.py")
        assert discover(tmp_path).paths == []

    def test_order_is_stable(self, tmp_path: Path) -> None:
        for name in ("b/z.py", "a.py", "b.py", "B.py", "b/a.py"):
            put(tmp_path, name)
        assert discover(tmp_path).paths == ["B.py", "a.py", "b.py", "b/a.py", "b/z.py"]

    def test_too_deep(self, tmp_path: Path) -> None:
        put(tmp_path, "1/2/3/deep.py")
        put(tmp_path, "1/2/fine.py")
        found = discover(tmp_path, limits=Limits(depth=2))
        assert found.paths == ["1/2/fine.py"]
        assert reasons(found) == {"1/2/3": "more than 2 folders deep"}

    def test_too_many(self, tmp_path: Path) -> None:
        for number in range(5):
            put(tmp_path, f"{number}.py")
        found = discover(tmp_path, limits=Limits(files=3))
        assert len(found.paths) == 3
        assert any("more than 3 files" in reason for reason in reasons(found).values())

    def test_too_slow(self, tmp_path: Path) -> None:
        put(tmp_path, "a/b.py")
        found = discover(tmp_path, limits=Limits(seconds=-1))
        assert found.paths == []
        assert "the rest was not read" in reasons(found)["."]

    def test_too_large_except_locks(self, tmp_path: Path) -> None:
        put(tmp_path, "a.py", "x" * 200)
        put(tmp_path, "uv.lock", "x" * 200)
        found = discover(tmp_path, limits=Limits(file_bytes=100, lock_bytes=1000))
        assert found.paths == ["uv.lock"]
        assert reasons(found) == {"a.py": "larger than 100 bytes (200)"}


class TestSpecialFiles:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        put(tmp_path, "outside/secret.py", "SECRET = 1\n")
        put(tmp_path, "root/real.py")
        return tmp_path / "root"

    def test_links(self, root: Path) -> None:
        (root / "inside.py").symlink_to("real.py")
        (root / "out.py").symlink_to(root.parent / "outside/secret.py")
        (root / "broken.py").symlink_to("nowhere.py")
        (root / "loop.py").symlink_to("loop.py")
        (root / "folder.py").symlink_to(".")
        found = discover(root)
        assert found.paths == ["real.py"]
        assert reasons(found) == {
            "inside.py": "link",
            "out.py": "link out of the scanned folder",
            "broken.py": "broken link",
            "loop.py": "link to itself",
            "folder.py": "link to a folder",
        }

    def test_folder_links_are_not_walked(self, root: Path) -> None:
        (root / "elsewhere").symlink_to(root.parent / "outside")
        (root / "self").symlink_to(".")
        assert [path for path in discover(root).paths if path.endswith(".py")] == ["real.py"]

    def test_fifo_and_socket(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.mkfifo(root / "pipe.py")
        monkeypatch.chdir(root)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("sock.py")
            found = discover(root)
        assert reasons(found) == {"pipe.py": "FIFO", "sock.py": "socket"}

    def test_reader_does_not_hang_on_a_fifo(self, root: Path) -> None:
        os.mkfifo(root / "pipe.py")
        assert read(root, "pipe.py") == Skipped("pipe.py", "FIFO")

    def test_reader_refuses_links(self, root: Path) -> None:
        (root / "out.py").symlink_to(root.parent / "outside/secret.py")
        assert read(root, "out.py") == Skipped("out.py", "link")

    @pytest.mark.parametrize(
        "path", ["../outside/secret.py", "a/../../outside/secret.py", "/etc/hostname", "a\0b/c.py"]
    )
    def test_reader_stays_inside(self, root: Path, path: str) -> None:
        assert read(root, path) == Skipped(path, "outside the scanned folder")

    def test_reader_does_not_pass_a_linked_folder(self, root: Path) -> None:
        (root / "elsewhere").symlink_to(root.parent / "outside")
        assert read(root, "elsewhere/secret.py") == Skipped("elsewhere/secret.py", "outside the scanned folder")

    def test_folder_replaced_by_a_link_behind_gits_back(self, repository: Path) -> None:
        put(repository.parent, "outside/main.py", "SECRET = 1\n")
        (repository / "app/main.py").unlink()
        (repository / "app").rmdir()
        (repository / "app").symlink_to(repository.parent / "outside")
        found = discover(repository)
        reader = Reader(repository)
        texts = [reader.read(path) for path in found.paths]
        assert not any(isinstance(text, SourceFile) and "SECRET" in text.text for text in texts)


class TestRead:
    def source(self, tmp_path: Path, data: bytes) -> SourceFile:
        (tmp_path / "f.py").write_bytes(data)
        found = read(tmp_path, "f.py", kind="python")
        assert isinstance(found, SourceFile)
        return found

    @pytest.mark.parametrize(
        ("data", "text", "encoding"),
        [
            (b"\xef\xbb\xbfx = '\xc3\xbc'\r\n", "x = 'ü'\r\n", "utf-8"),
            ("x = 'ü'\n".encode("utf-16"), "x = 'ü'\n", "utf-16"),
            (b"x = '\xfc'\n", "x = 'ü'\n", "latin-1"),
            (b"", "", "utf-8"),
        ],
    )
    def test_encodings(self, tmp_path: Path, data: bytes, text: str, encoding: str) -> None:
        found = self.source(tmp_path, data)
        assert (found.text, found.encoding, found.kind, found.path) == (text, encoding, "python", "f.py")

    @pytest.mark.parametrize(
        ("data", "reason"), [(b"a\0b", "binary"), (b"\0GITCRYPT\0abc", "encrypted"), (b"\xff\xfea", "binary")]
    )
    def test_what_is_no_text(self, tmp_path: Path, data: bytes, reason: str) -> None:
        (tmp_path / "f.py").write_bytes(data)
        assert read(tmp_path, "f.py") == Skipped("f.py", reason)

    def test_cap_depends_on_kind(self, tmp_path: Path) -> None:
        put(tmp_path, "f", "x" * 50)
        limits = Limits(file_bytes=10, lock_bytes=100)
        assert isinstance(read(tmp_path, "f", limits, "lock"), SourceFile)
        assert isinstance(read(tmp_path, "f", limits, "python"), Skipped)

    def test_missing_file(self, tmp_path: Path) -> None:
        assert read(tmp_path, "f.py") == Skipped("f.py", "deleted")

    def test_refused_file_is_a_problem(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(tmp_path, "f.py")

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        assert read(tmp_path, "f.py") == Problem("read", "f.py", "cannot be read: Permission denied")


class TestExclude:
    def test_globs_of_the_caller(self, repository: Path) -> None:
        found = discover(repository, exclude=["k8s/", "*.md"])
        assert found.paths == [".gitignore", "Dockerfile", "app/main.py"]
        assert found.excluded == 1

    def test_excluded_files_are_not_skipped_ones(self, repository: Path) -> None:
        os.mkfifo(repository / "pipe.py")
        assert reasons(discover(repository, exclude=["pipe.py"])) == {}

    def test_globs_of_a_configuration_above(self, repository: Path) -> None:
        put(repository, "k8s/dev/x.yaml")
        found = discover(repository / "k8s", configured=("k8s", ["/k8s/dev/", "web.yml"]))
        assert found.paths == ["web.yaml"]

    def test_later_pattern_takes_back(self) -> None:
        excludes = Excluder(["*.yaml", "!keep.yaml"])
        assert excludes("a/x.yaml")
        assert not excludes("a/keep.yaml")


def test_files_of_charts_are_read(tmp_path: Path) -> None:
    put(tmp_path, "chart/Chart.yaml")
    put(tmp_path, "chart/values.yaml")
    put(tmp_path, "chart/templates/web.yaml", "{{ .Values.x }}")
    found = discover(tmp_path)
    assert found.kinds == {
        "chart/Chart.yaml": "helm-chart",
        "chart/templates/web.yaml": "helm-template",
        "chart/values.yaml": "helm-values",
    }
    assert reasons(found) == {}


def test_bytes_are_read_on_the_same_terms_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"\x1f\x8b\0")
    (tmp_path / "linked.tgz").symlink_to(tmp_path / "a.tgz")
    (tmp_path / "large.tgz").write_bytes(b"0" * 20)
    reader = Reader(tmp_path, Limits(file_bytes=10))
    assert reader.data("a.tgz") == b"\x1f\x8b\0"
    assert isinstance(reader.read("a.tgz"), Skipped)
    assert isinstance(reader.data("linked.tgz"), Skipped)
    assert isinstance(reader.data("large.tgz"), Skipped)
    assert isinstance(reader.data("../a.tgz"), Skipped)
    assert isinstance(reader.data("absent.tgz"), Skipped)


def test_kustomize_patches() -> None:
    text = """
resources: [../base]
patches:
  - path: memory.yaml
    target: {kind: Deployment}
  - patch: |-
      - op: remove
  - path: ../../shared/p.yaml
patchesStrategicMerge: [a/merge.yaml, "apiVersion: v1\\nkind: X"]
patchesJson6902:
  - {path: ../json.yaml, target: {name: web}}
components: [../components/tls]
"""
    assert kustomize_patches([("k8s/prod/kustomization.yaml", text)]) == {
        "k8s/prod/memory.yaml", "shared/p.yaml", "k8s/prod/a/merge.yaml", "k8s/json.yaml", "k8s/components/tls",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "patches: x", "patches: [1, {path: 2}]", "patches: {a: b", "- a", "\t", "&a [*a]"]
)
def test_kustomize_patches_of_odd_files(text: str) -> None:
    assert kustomize_patches([("kustomization.yaml", text)]) == set()


def test_kustomize_patches_outside_of_the_root_are_left_out() -> None:
    assert kustomize_patches([("a/kustomization.yaml", "patches: [{path: ../../x.yaml}, {path: /etc/x}]")]) == set()


def test_yaml_is_not_loaded_for_listing(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml")
    script = (
        "import sys; from pathlib import Path; from pyprod_audit.discover import discover; "
        f"discover(Path({str(tmp_path)!r})); "
        "print([m for m in ('yaml', 'tree_sitter', 'packaging', 'hashlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
