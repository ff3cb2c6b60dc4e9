"""Where the platform is, from what the process's environment says."""

import pytest

from spectral.client import NotConfiguredError
from spectral.client.wire import Endpoint, endpoint_of_environment
from spectral.domains.keys.environment import environment_of

KEY = "sk_live_0123456789"


def test_the_environment_says_where_and_with_which_key() -> None:
    plain = {"SPECTRAL_URL": "http://here:8000/", "SPECTRAL_API_KEY": KEY, "SPECTRAL_WORKSPACE_ID": "w"}
    assert endpoint_of_environment(plain) == Endpoint("http://here:8000", KEY, "w")


def test_the_block_that_a_key_is_shown_with_is_enough() -> None:
    block = environment_of("https://spectral.example.com", KEY)
    assert endpoint_of_environment(block) == Endpoint("https://spectral.example.com", KEY)
    assert endpoint_of_environment(block | {"SPECTRAL_URL": "http://near"}).url == "http://near"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "SPECTRAL_URL"),
        ({"SPECTRAL_URL": "http://here"}, "SPECTRAL_API_KEY"),
        ({"SPECTRAL_URL": "here:8000", "SPECTRAL_API_KEY": KEY}, "http://"),
        ({"SPECTRAL_URL": "http://here", "SPECTRAL_API_KEY": "two words"}, "key"),
        # Traces that go to somebody else say nothing about Spectral.
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://other.example.com:4318",
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20abc,x=y",
            },
            "SPECTRAL_URL",
        ),
    ],
    ids=["nothing", "no-key", "no-scheme", "bad-key", "elsewhere"],
)
def test_what_is_missing_or_wrong_is_said(environment: dict[str, str], said: str) -> None:
    with pytest.raises(NotConfiguredError, match=said):
        endpoint_of_environment(environment)


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(Endpoint("http://here", KEY))
