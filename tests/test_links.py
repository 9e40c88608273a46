"""Every relative link of every page leads somewhere, to the heading that it names; every table is one."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.test_tidy import ROOT, tree

FENCED = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)", re.DOTALL)
ELSEWHERE = re.compile(r"[a-z]+:", re.IGNORECASE)

MARKDOWN = [file for file in tree() if file.suffix == ".md"]


@cache
def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """What a link may name behind `#`: headings, as GitHub spells them, and ids in HTML."""
    found: set[str] = set(re.findall(r"<[a-z]+ (?:id|name)=\"([^\"]+)\"", prose(page)))
    seen: Counter[str] = Counter()
    for title in re.findall(r"^#{1,6} +(.*?) *#*$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for target in LINK.findall(INLINE.sub("", prose(page))):
        if ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_relative_to(ROOT) or (file not in tree() and not file.is_dir()):
            wrong.append(f"{target}: no such file in the project")
        elif anchor and anchor not in anchors(file):
            wrong.append(f"{target}: no such heading")
    return wrong


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    """To a file that git has, and to a heading of it."""
    assert [] == broken(page)


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there, a heading that is not there, a second one of the same name; code is left alone."""
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text('# One `two`: three\n## Again\n## Again\n<a id="made_up"></a>\n', encoding="utf-8")
    page.write_text(
        "[a](gone.md) [`b`](other.md#one-two-three)\n[c\nd](other.md#nowhere) ![e](other.md#again-1) [f](#here)\n"
        "[g](other.md#made_up) `[h](code.md)` [i](https://example.com/#x)\n```\n[j](block.md)\n```\n",
        encoding="utf-8",
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "tree", lambda: (page, other))

    assert [
        "gone.md: no such file in the project",
        "other.md#nowhere: no such heading",
        "#here: no such heading",
    ] == broken(page)


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_table_has_a_head(page: Path) -> None:
    """Rows behind a blank line are no table: readers would see the bars."""
    tables = re.findall(r"(?:^\|.*\n)+", prose(page) + "\n", re.MULTILINE)

    assert [] == [table for table in tables if not re.match(r".*\n\|[ :|-]+\|?\n", table)]
