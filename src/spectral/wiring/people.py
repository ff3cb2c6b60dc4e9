"""Signing in, recognising credentials, mail."""

from typing import Any

from spectral.domains.auth.access_tokens import AccessTokenVerifier
from spectral.domains.auth.attempts import AttemptLimits, Attempts
from spectral.domains.auth.cleanup import INTERVAL_S as AUTH_CLEANUP_INTERVAL_S
from spectral.domains.auth.cleanup import SCHEDULE as AUTH_CLEANUP
from spectral.domains.auth.cleanup import AuthCleanup
from spectral.domains.auth.federation import FederationService, IdentityService
from spectral.domains.auth.federation_http import ProviderHttp
from spectral.domains.auth.federation_registry import identity_providers
from spectral.domains.auth.letters import Letters
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.resets import PasswordResets
from spectral.domains.auth.second_factor import PURPOSE as TOTP
from spectral.domains.auth.second_factor import SecondFactors
from spectral.domains.auth.service import AuthService
from spectral.domains.auth.sessions import Lifetimes, Sessions
from spectral.domains.auth.sign_in import SignIn
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.uses import UseNotes
from spectral.domains.keys.verifier import ApiKeyVerifier, ServiceAccountVerifier
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.signing import ROTATION, ROTATION_INTERVAL_S, TokenSigner
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.limits.counter import RateCounter
from spectral.platform.mail.delivery import delivery_for
from spectral.platform.mail.outbox import MailBox
from spectral.platform.mail.sender import INTERVAL_S as MAIL_INTERVAL_S
from spectral.platform.mail.sender import SCHEDULE as MAIL
from spectral.platform.mail.sender import MailSender
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings


class People:
    """Who may do what: signing in, recognising credentials, and the mail that goes with it."""

    def __init__(self, settings: Settings, identity: Database, counter: RateCounter) -> None:
        self.signer = TokenSigner.of(identity, settings)
        self.peppers = Peppers.from_secrets(settings.secrets)
        self.lifetimes = Lifetimes.of(settings)
        self.mail_box = MailBox(settings.secrets)
        self.mail_sender = MailSender(identity, self.mail_box, delivery_for(settings))
        if settings.engine_executes:
            # What this process posts leaves at once; a process that only serves requests leaves it to the others.
            self.mail_box.wakes(self.mail_sender.poke)
        letters = Letters(settings.address)
        passwords = Passwords(settings.password_minimum)
        attempts = Attempts(counter, AttemptLimits.of(settings))
        totp_box = SecretBox(settings.secrets, TOTP)
        self.sessions = Sessions(identity, self.signer, self.lifetimes)
        self.second_factors = SecondFactors(identity, totp_box, passwords, attempts, self.mail_box, letters)
        self.sign_in = SignIn(identity, self.sessions, passwords, self.second_factors, attempts)
        self.resets = PasswordResets(identity, passwords, attempts, self.mail_box, letters)
        self.auth = AuthService(identity, self.sessions, passwords, attempts, self.mail_box, letters)
        self.uses = UseNotes(identity)
        machines = [
            ApiKeyVerifier(identity, self.peppers, self.uses),
            ServiceAccountVerifier(identity, self.peppers, self.uses),
        ]
        persons = AccessTokenVerifier(
            identity,
            self.signer,
            settings.step_up_lifetime_s,
            second_factor_required=settings.second_factor_required,
        )
        self.authenticator = Authenticator([*machines, persons], [*machines, persons])
        self.provider_http = ProviderHttp()
        self.providers = identity_providers(settings, self.provider_http)
        self.federation = FederationService(identity, self.auth, self.providers, self.mail_box, settings)
        self.identities = IdentityService(identity, self.providers, self.mail_box)
        self.cleanup = AuthCleanup(identity, self.lifetimes)

    @property
    def values(self) -> dict[str, Any]:
        """What handlers may ask for."""
        return {
            "signer": self.signer,
            "peppers": self.peppers,
            "uses": self.uses,
            "auth": self.auth,
            "sessions": self.sessions,
            "sign_in": self.sign_in,
            "second_factors": self.second_factors,
            "resets": self.resets,
            "mail_box": self.mail_box,
            "mail_sender": self.mail_sender,
            "authenticator": self.authenticator,
            "identity_providers": self.providers,
            "federation": self.federation,
            "identity_service": self.identities,
        }

    def schedule(self, engine: Engine) -> None:
        """What is due at intervals."""
        engine.every(MAIL, MAIL_INTERVAL_S, self.mail_sender.run)
        engine.every(AUTH_CLEANUP, AUTH_CLEANUP_INTERVAL_S, self.cleanup.run)
        engine.every(ROTATION, ROTATION_INTERVAL_S, self.signer.rotate_when_due)

    async def close(self) -> None:
        await self.mail_sender.stop()
        await self.uses.drain()
        await self.provider_http.close()
