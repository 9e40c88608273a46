"""`make release-check` lets nothing out that is not as it should be."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from consumer import __version__
from tests.release import bill, documents
from tests.release.packages import ROOT, build_twice, check_contents, git, wheel_files
from tests.release.problem import Problem

FILES = {"consumer/__init__.py", "schemas/segment.avsc", "tests/test_x.py", "LICENSE"}


def a_wheel(folder: Path, *extra: str) -> Path:
    """A wheel of FILES, with more in it."""
    wheel = folder / "customfit_consumer-1.0.0-py3-none-any.whl"
    information = "customfit_consumer-1.0.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"):
            packed.writestr(f"{information}/{name}", "")
        for name in (*wheel_files(FILES), *extra):
            packed.writestr(name, "")
    return wheel


def test_the_wheel_holds_the_code_and_the_schemas_beside_it_and_no_test(tmp_path: Path) -> None:
    """Schemas move to where the installed code looks for them."""
    assert {"consumer/__init__.py", "consumer/schemas/segment.avsc"} == wheel_files(FILES)
    [said] = check_contents([a_wheel(tmp_path)], FILES)
    assert "customfit_consumer-1.0.0-py3-none-any.whl: 7 files" == said.partition(",")[0]


@pytest.mark.parametrize("foreign", ["consumer/.env", "tests/test_x.py"])
def test_a_file_that_is_not_of_the_commit_is_named(foreign: str, tmp_path: Path) -> None:
    """What lies about on somebody's disk is not released."""
    with pytest.raises(Problem, match=f"not of the commit \\['{foreign}'\\]"):
        check_contents([a_wheel(tmp_path, foreign)], FILES)


def test_a_file_that_is_left_out_is_named(tmp_path: Path) -> None:
    """Such as a template that the build does not take for code."""
    with pytest.raises(Problem, match=r"missing \['consumer/ops/web/page\.html'\]"):
        check_contents([a_wheel(tmp_path)], FILES | {"consumer/ops/web/page.html"})


def test_a_build_that_depends_on_its_clock_is_refused(tmp_path: Path) -> None:
    """A repository whose build writes the name of its folder into a file: the two builds differ."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "one"\nversion = "1"\n[tool.hatch.build.targets.wheel]\nbypass-selection = true\n'
        "[tool.hatch.build.hooks.custom]\n"
    )
    (root / "hatch_build.py").write_text(
        "from pathlib import Path\n"
        "from hatchling.builders.hooks.plugin.interface import BuildHookInterface\n"
        "class Hook(BuildHookInterface):\n"
        "    def initialize(self, version, build_data):\n"
        "        written = Path(self.root, 'where.txt')\n"
        "        written.write_text(self.root)\n"
        "        build_data['force_include'][str(written)] = 'where.txt'\n"
    )
    author = ["-c", "user.name=one", "-c", "user.email=one@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    with pytest.raises(Problem, match="differs when it is built twice"):
        build_twice(tmp_path / "built", root)


def test_what_git_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that is not a clone, or that another user owns, git's own words say what to do."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Problem, match="git status failed: fatal: not a git repository"):
        git("status", root=tmp_path)

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match="git is not installed"):
        git("status", root=tmp_path)


LOCK = f"""\
one==1.0 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via two
two==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:{"c" * 64}
"""


def a_bill(folder: Path, **changed: str) -> Path:
    """What the lock above says, as a bill of materials, with other versions."""
    components = [
        {
            "name": name,
            "version": changed.get(name, version),
            "externalReferences": [{"hashes": [{"alg": "SHA-256", "content": letter * 64} for letter in letters]}],
        }
        for name, version, letters in (("one", "1.0", "ab"), ("two", "2.0", "c"))
    ]
    file = folder / "bill.json"
    file.write_text(json.dumps({"components": components}))
    return file


def test_the_bill_of_materials_is_equal_to_the_lock(tmp_path: Path) -> None:
    """Packages, versions and hashes; a package for another system counts too."""
    lock = tmp_path / "x.lock"
    lock.write_text(LOCK)
    assert "bill.json: 2 packages of x.lock, 3 hashes" == bill.check_bill(a_bill(tmp_path), lock)
    with pytest.raises(Problem, match=r"differ in two$"):
        bill.check_bill(a_bill(tmp_path, two="2.1"), lock)
    lock.write_text(LOCK.replace("a" * 64, hashlib.sha256(b"").hexdigest()))
    with pytest.raises(Problem, match=r"differ in one$"):
        bill.check_bill(a_bill(tmp_path), lock)


CHANGELOG = "# Changelog\n\n## Unreleased\n- next\n\n## 0.1.0 - 2026-11-30\n### Added\n- first\n"


def test_notes_are_the_changelogs_part_on_the_version() -> None:
    """Before a release they are what is gathered for it; at a release the version needs a part with a day."""
    assert "### Added\n- first" == documents.notes(CHANGELOG, "0.1.0", released=True)
    gathered = "# Changelog\n## Unreleased\n- next\n"
    assert "- next" == documents.notes(gathered, "0.2.0", released=False)
    with pytest.raises(Problem, match=r"no part on 0\.2\.0"):
        documents.notes(gathered, "0.2.0", released=True)
    with pytest.raises(Problem, match=r"0\.1\.0 has no date"):
        documents.notes(CHANGELOG.replace("2026-11-30", "soon"), "0.1.0", released=True)


def test_links_of_the_notes_lead_to_the_pages_of_the_tag() -> None:
    """On the page of a release there is nothing for a relative link to be relative to."""
    notes = "[one](docs/one.md#two), [elsewhere](https://example.com/x) and ![a picture](docs/a.png)"
    environ = {"GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_REPOSITORY": "ann/one"}
    blob = "https://git.example.com/ann/one/blob/v0.1.0"
    whole = f"[one]({blob}/docs/one.md#two), [elsewhere](https://example.com/x) and ![a picture]({blob}/docs/a.png)"
    assert whole == documents.with_whole_links(notes, "v0.1.0", environ)
    assert notes == documents.with_whole_links(notes, "v0.1.0", {})


def test_the_version_has_its_part_of_our_changelog() -> None:
    """Whoever installs it finds what is in it; what comes next has a place above."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert documents.notes(changelog, __version__, released=True)
    assert changelog.index("## Unreleased") < changelog.index(f"## {__version__}")


def test_a_tag_is_the_version() -> None:
    """A tag of another version would publish this one again."""
    documents.check_tag("v0.1.0", "0.1.0")
    with pytest.raises(Problem, match=r"the tag v0\.2\.0 is not v0\.1\.0"):
        documents.check_tag("v0.2.0", "0.1.0")


def test_the_image_has_the_labels_that_a_release_fills_in() -> None:
    """Without one nobody can tell what an image was made from."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    documents.check_labels(dockerfile)
    with pytest.raises(Problem, match=r"no label base\.digest"):
        documents.check_labels(dockerfile.replace("image.base.digest", "image.base.other"))


@pytest.mark.long(reason="installs the tools and the wheel: about a minute, and needs a network")
def test_what_is_committed_could_be_released() -> None:
    """The whole check, as `make release-check` runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.release.check"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert (0, "") == (done.returncode, done.stderr)
