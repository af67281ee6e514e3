"""The README cannot lag behind the tree; its commands are run by test_end_to_end.py."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()
LISTED = ("components", "dags", "sluice")  # file by file; other folders by what they are for


@pytest.mark.parametrize("folder", LISTED)
def test_every_file_of_the_tree_has_its_phrase(folder):
    tree = README.split("## The tree")[1].split("```")[1]
    told = {line.split()[0] for line in tree.splitlines() if line.strip()}
    inside = sorted((REPOSITORY / folder).rglob("*.py"))
    missing = [
        str(path.relative_to(REPOSITORY))
        for path in inside
        if path.name != "__init__.py" and path.parent.name != "stack" and path.name not in told
    ]
    assert missing == []


def test_nothing_in_the_tree_is_gone():
    tree = README.split("## The tree")[1].split("```")[1]
    gone, parents = [], []
    for line in filter(str.strip, tree.splitlines()):
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        parents = [*parents[:depth], name]
        if not (REPOSITORY / "".join(parents)).exists():
            gone.append("".join(parents))
    assert gone == []


def test_links_lead_somewhere():
    targets = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


def test_no_placeholder_is_left():
    assert not re.search(r"^(TREE|FIG\w+)$", README, re.MULTILINE)
