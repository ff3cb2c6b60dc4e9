"""An OpenID Connect provider as a process of its own: `python provider_process.py PORT`.

The package's provider, with authlib's PKCE extension switched on, so that the provider verifies the challenge.
"""

import dataclasses
import os
import sys
from typing import Any

import uvicorn
from authlib.integrations.flask_oauth2 import AuthorizationServer  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]
from oidc_provider_mock import _app, app  # type: ignore[import-untyped]
from oidc_provider_mock._storage import AuthorizationCode, storage  # type: ignore[import-untyped]


@dataclasses.dataclass(kw_only=True, frozen=True)
class ChallengedCode(AuthorizationCode):  # type: ignore[misc]
    """A code that remembers the challenge it was asked for with."""

    code_challenge: str | None
    code_challenge_method: str | None


class ChallengedGrant(_app.AuthorizationCodeGrant):  # type: ignore[misc]
    """Issues codes that can be exchanged with the right verifier only."""

    def save_authorization_code(self, code: str, request: Any) -> None:
        super().save_authorization_code(code, request)
        plain = storage.get_authorization_code(code)
        assert plain is not None
        members = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
        asked = {name: request.payload.data.get(name) for name in ("code_challenge", "code_challenge_method")}
        storage.store_authorization_code(ChallengedCode(**members, **asked))


class ChallengingServer(AuthorizationServer):  # type: ignore[misc]
    """Registers the code grant with PKCE."""

    def register_grant(self, grant_cls: Any, extensions: Any = None) -> None:
        if grant_cls is ChallengedGrant:
            extensions = [*(extensions or []), CodeChallenge(required=True)]
        super().register_grant(grant_cls, extensions)


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    _app.AuthorizationCodeGrant = ChallengedGrant
    _app.flask_oauth2.AuthorizationServer = ChallengingServer
    uvicorn.run(
        app(require_client_registration=True, require_nonce=True),
        interface="wsgi",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
    )
