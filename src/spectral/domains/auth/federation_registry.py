"""The identity providers that the settings name."""

from spectral.domains.auth.federation_github import GithubProvider
from spectral.domains.auth.federation_http import ProviderHttp
from spectral.domains.auth.federation_oidc import OidcProvider
from spectral.domains.auth.federation_providers import Client, IdentityProvider, IdentityProviders
from spectral.settings import Settings


def identity_providers(settings: Settings, http: ProviderHttp) -> IdentityProviders:
    """Google and GitHub where they are set up, then every issuer of `SPECTRAL_OIDC_PROVIDERS` in its order."""
    providers: list[IdentityProvider] = []
    if settings.oauth_google_client_id and (secret := settings.oauth_google_client_secret):
        google = Client("google", "Google", settings.oauth_google_client_id, secret.get_secret_value())
        providers.append(OidcProvider(google, settings.oauth_google_issuer, http))
    if settings.oauth_github_client_id and (secret := settings.oauth_github_client_secret):
        github = Client("github", "GitHub", settings.oauth_github_client_id, secret.get_secret_value())
        providers.append(GithubProvider(github, settings.oauth_github_url, settings.oauth_github_api_url, http))
    for name, chosen in settings.oidc_providers.items():
        client = Client(name, chosen.title or name, chosen.client_id, chosen.client_secret.get_secret_value())
        providers.append(OidcProvider(client, chosen.issuer, http))
    return IdentityProviders(providers)
