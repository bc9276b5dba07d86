"""Why no agent came up: what sudo says counts only where it was asked for, and was the reason."""

import pytest

from fleetpush.deploy.member import why_not_begun

WARNING = "sudo: unable to resolve host web1"
REFUSAL = "sudo: a password is required"
OTHER = "ImportError: no module named zlib"


@pytest.mark.parametrize(
    ("said", "becomes", "slug"),
    [
        (f"{WARNING}\n{REFUSAL}", True, "become_password"),
        (f"{WARNING}\nsudo: something new", True, "become_failed"),
        (f"{WARNING}\n{OTHER}", True, "bootstrap_failed"),
        (f"{REFUSAL}\n{OTHER}", False, "bootstrap_failed"),
    ],
)
def test_words_of_sudo_are_heard_where_they_matter(said, becomes, slug):
    last = said.splitlines()[-1]
    assert why_not_begun(1, "exit status 1", said, last, becomes=becomes).slug == slug
