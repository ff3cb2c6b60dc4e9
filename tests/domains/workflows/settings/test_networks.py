"""Which networks a workspace may open."""

from ipaddress import ip_network

import pytest

from spectral.domains.workflows.settings.networks import admitted_networks, parse_networks
from spectral.platform.shared.errors import ValidationFailedError
from spectral.settings import EVERY_NETWORK

PERMITTED = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]


def test_networks_are_kept_once_in_one_spelling() -> None:
    found = parse_networks(["10.1.2.0/24", "10.1.9.9", "10.1.2.0/255.255.255.0", "FD12::/32"], PERMITTED)
    assert list(map(str, found)) == ["10.1.2.0/24", "10.1.9.9/32", "fd12::/32"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("10.1.2.3/24", "host bits"),
        ("inner.example", "is not a network"),
        ("", "is not a network"),
        ("0.0.0.0/0", "too wide"),
        ("0.0.0.0/1", "too wide"),
        ("::/0", "too wide"),
        ("2000::/3", "too wide"),
        ("169.254.169.254", "metadata service"),
        ("fd00:ec2::/64", "metadata service"),
        ("224.0.0.0/8", "nobody's own"),
    ],
)
def test_what_cannot_be_opened_is_named_with_its_reason(text: str, problem: str) -> None:
    with pytest.raises(ValidationFailedError) as refused:
        parse_networks(["10.0.0.0/8", text], EVERY_NETWORK)
    (wrong,) = refused.value.errors
    assert wrong.pointer == "/allowed_networks/1"
    assert problem in wrong.detail


def test_the_installation_has_the_last_word() -> None:
    with pytest.raises(ValidationFailedError) as refused:
        parse_networks(["10.1.0.0/16", "10.0.0.0/8", "127.0.0.1"], PERMITTED)
    assert [wrong.pointer for wrong in refused.value.errors] == ["/allowed_networks/1", "/allowed_networks/2"]
    assert all("SPECTRAL_WORKSPACE_NETWORKS" in wrong.detail for wrong in refused.value.errors)
    assert list(map(str, admitted_networks(["10.1.2.0/24", "127.0.0.1/32"], PERMITTED))) == ["10.1.2.0/24"]
    assert admitted_networks(["10.1.2.0/24"], ()) == ()
