"""Which identity providers the settings make."""

import re
from typing import Any

import pytest

from spectral.domains.auth.federation_http import ProviderHttp
from spectral.domains.auth.federation_registry import identity_providers
from spectral.settings import Settings, SettingsError, load_settings
from tests.fixtures.project import ROOT

GOOD = {"issuer": "https://login.example.com", "client_id": "a", "client_secret": "b"}


def test_the_guide_s_variables_offer_what_the_guide_says(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "single-sign-on.md").read_text()
    (variables,) = re.findall(r"^```env\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for line in variables.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    offered = identity_providers(settings, ProviderHttp()).offered
    assert [(provider.name, provider.title, provider.issuer) for provider in offered] == [
        ("google", "Google", "https://accounts.google.com"),
        ("github", "GitHub", "https://github.com"),
        ("corp", "Example Corp", "https://login.example.com"),
    ]
    assert settings.redirect_uri("google") == "https://spectral.example.com/auth/callback/google"
    assert "the-client-secret" not in repr(settings)


def test_nothing_is_offered_without_settings() -> None:
    assert identity_providers(Settings(_env_file=None), ProviderHttp()).offered == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oidc_providers": "{"}, "OIDC_PROVIDERS"),
        ({"oidc_providers": "[]"}, "OIDC_PROVIDERS"),
        ({"oidc_providers": {"Corp": GOOD}}, "OIDC_PROVIDERS"),
        ({"oidc_providers": {"google": GOOD}}, "OIDC_PROVIDERS: google is built in"),
        ({"oidc_providers": {"corp": GOOD | {"issuer": "http://login.example.com"}}}, "OIDC_PROVIDERS_CORP_ISSUER"),
        ({"oidc_providers": {"corp": GOOD | {"issuer": "https://x@login.example.com"}}}, "OIDC_PROVIDERS_CORP_ISSUER"),
        ({"oidc_providers": {"corp": GOOD | {"issuer": "https://login.example.com/?x"}}}, "OIDC_PROVIDERS_CORP_ISSUER"),
        ({"oidc_providers": {"corp": GOOD | {"client_secret": ""}}}, "OIDC_PROVIDERS_CORP_CLIENT_SECRET"),
        ({"oidc_providers": {"corp": GOOD | {"secret": "typo"}}}, "OIDC_PROVIDERS_CORP_SECRET"),
        ({"oauth_google_client_id": "a"}, "SPECTRAL_OAUTH_GOOGLE_CLIENT_SECRET must be set"),
        ({"oauth_github_client_secret": "a"}, "SPECTRAL_OAUTH_GITHUB_CLIENT_ID must be set"),
        ({"oauth_github_url": "http://github.example.com"}, "OAUTH_GITHUB_URL"),
        ({"oauth_redirect_uri": "https://spectral.example.com/back"}, "OAUTH_REDIRECT_URI"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(changes: dict[str, Any], named: str, tmp_path: Any) -> None:
    with pytest.raises(SettingsError) as wrong:
        load_settings(data_dir=tmp_path, _env_file=None, **changes)
    assert named in str(wrong.value)
    assert "\n" not in str(wrong.value)
