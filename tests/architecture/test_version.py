"""One version, wherever it is written."""

import re
import tomllib
from pathlib import Path

import fleetpush

ROOT = Path(__file__).resolve().parents[2]


def test_the_package_says_the_version_it_is_built_as():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert fleetpush.__version__ == project["version"]


def test_the_newest_release_in_the_changelog_is_this_version():
    headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    releases = [heading for heading in headings if heading != "Unreleased"]
    assert releases[:1] in ([], [fleetpush.__version__])
