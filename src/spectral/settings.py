"""Settings are read once, from `SPECTRAL_*` variables and an optional `.env`, and passed in."""

import json
import os
import re
import secrets
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRET_BYTES = 32
MINIMUM_SECRET_CHARACTERS = 32
SHORTEST_PASSWORD_IN_PRODUCTION = 8
STARTTLS = {"required": True, "true": True, "opportunistic": None, "never": False, "false": False}
LONGEST_RETRY_S = 24 * 3600
MAXIMUM_RETRIES = 20
EVERY_NETWORK = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
ROLE_NAME = r"^[a-z_][a-z0-9_]{0,62}$"
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,49}$")]
BUILT_IN_PROVIDERS = frozenset({"google", "github"})


def protected_url(value: str) -> str:
    """The address of an identity provider, as it is: https, or http on this machine only. Raises ValueError."""
    parts = urlsplit(value)
    near = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not (near or parts.scheme == "https") or not parts.hostname or "@" in parts.netloc or set(value) & set("?# "):
        message = "must be an address that starts with https:// (http:// on this machine only), without ? or #"
        raise ValueError(message)
    return value


class Environment(StrEnum):
    """Where this installation runs; production refuses to start without its secrets."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(Exception):
    """A setting has a wrong value; the message is one line that names the variable."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail leaves. encrypted: TLS from the start.  start_tls: None takes it where it is offered."""

    host: str
    port: int
    username: str | None
    password: str | None
    encrypted: bool
    start_tls: bool | None


def smtp_server(url: str) -> SmtpServer:
    """What an URL means: `smtp://user:password@host:587?starttls=required` or `smtps://user:password@host:465`.

    starttls: `required` (the default), `opportunistic` or `never`.  Raises ValueError.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("must be smtp://user:password@host:port or smtps://user:password@host:port")
    query = parse_qs(parts.query, keep_blank_values=True)
    chosen = query.pop("starttls", ["required"])
    if query or len(chosen) != 1 or chosen[0] not in STARTTLS:
        raise ValueError("takes one parameter: starttls=required, opportunistic or never")
    encrypted = parts.scheme == "smtps"
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or (465 if encrypted else 587),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        encrypted=encrypted,
        start_tls=False if encrypted else STARTTLS[chosen[0]],
    )


class OidcProviderSettings(BaseModel):
    """An OpenID Connect provider that people may sign in with. title: what its button says; its name if left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(max_length=500)
    client_id: str = Field(min_length=1, max_length=500)
    client_secret: SecretStr = Field(min_length=1)
    title: str | None = Field(default=None, min_length=1, max_length=100)

    @field_validator("issuer")
    @classmethod
    def protected(cls, value: str) -> str:
        return protected_url(value)


class Settings(BaseSettings):
    """Everything that an operator can choose. Frozen: built once by `load_settings`, then only read.

    Sizes are bytes, durations seconds, unless the name says otherwise.
    """

    model_config = SettingsConfigDict(
        env_prefix="SPECTRAL_", env_file=".env", env_file_encoding="utf-8", frozen=True, extra="ignore"
    )

    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = None
    data_dir: Path = Path("data")
    database_url: str | None = None
    migration_database_url: str | None = None
    allow_sqlite_in_production: bool = False
    database_pool_size: int = Field(default=10, ge=1, le=200)
    application_role: str = Field(default="spectral_app", pattern=ROLE_NAME)
    authentication_database_url: str | None = None
    authentication_role: str = Field(default="spectral_auth", pattern=ROLE_NAME)
    ingestion_database_url: str | None = None
    ingestion_role: str = Field(default="spectral_ingest", pattern=ROLE_NAME)

    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    token_issuer: str = "spectral"  # noqa: S105 - the `iss` claim
    access_token_lifetime_s: int = Field(default=15 * 60, ge=60, le=24 * 3600)
    refresh_token_lifetime_s: int = Field(default=30 * 24 * 3600, ge=3600)
    session_lifetime_s: int = Field(default=90 * 24 * 3600, ge=3600)
    step_up_lifetime_s: int = Field(default=15 * 60, ge=30, le=24 * 3600)
    signing_key_lifetime_days: int = Field(default=90, ge=1, le=3650)
    signing_key_reload_s: int = Field(default=30, ge=1, le=3600)
    invite_lifetime_s: int = Field(default=7 * 24 * 3600, ge=60, le=90 * 24 * 3600)
    invites_per_day: int = Field(default=200, ge=1, le=100_000)
    api_key_lifetime_days: int = Field(default=90, ge=1, le=3650)
    password_minimum_characters: int | None = Field(default=None, ge=7, le=128)
    second_factor_required: bool = False
    sign_in_failures_per_account: int = Field(default=10, ge=3, le=1_000_000)
    sign_in_failures_per_address: int = Field(default=100, ge=3, le=1_000_000)
    resets_per_account: int = Field(default=5, ge=1, le=1000)
    resets_per_address: int = Field(default=50, ge=1, le=1_000_000)
    registrations_per_address: int = Field(default=200, ge=1, le=1_000_000)

    mail: Literal["on", "off"] = "on"
    smtp_url: SecretStr | None = None
    mail_from: str | None = Field(default=None, max_length=320)

    request_body_limit_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    otlp_body_limit_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    otlp_pending_requests: int = Field(default=512, ge=1, le=100_000)
    otlp_pending_bytes: int = Field(default=128 * 1024 * 1024, ge=1024)
    trace_retention_days: int | None = Field(default=None, ge=1, le=3_650)
    run_retention_days: int = Field(default=30, ge=1, le=3_650)
    workflows_dir: Path | None = None
    workflows_workspace_id: UUID | None = None
    span_partition_days_behind: int = Field(default=30, ge=0, le=390)
    span_partition_days_ahead: int = Field(default=7, ge=1, le=31)
    idempotency_lease_s: int = Field(default=60, ge=1)
    idempotency_lifetime_s: int = Field(default=24 * 3600, ge=60)

    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    request_body_timeout_s: float = Field(default=30.0, gt=0, le=3600)
    request_header_timeout_s: float = Field(default=30.0, ge=1, le=60)
    rate_limit_per_credential: int = Field(default=6_000, ge=0)
    rate_limit_per_workspace: int = Field(default=30_000, ge=0)
    rate_limit_per_address: int = Field(default=600, ge=0)

    oauth_google_client_id: str | None = None
    oauth_google_client_secret: SecretStr | None = None
    oauth_google_issuer: str = "https://accounts.google.com"
    oauth_github_client_id: str | None = None
    oauth_github_client_secret: SecretStr | None = None
    oauth_github_url: str = "https://github.com"
    oauth_github_api_url: str = "https://api.github.com"
    oidc_providers: Annotated[dict[ProviderName, OidcProviderSettings], NoDecode] = Field(default_factory=dict)
    oauth_redirect_uri: str | None = None

    outbound_allowed_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    workspace_networks: Annotated[tuple[IPv4Network | IPv6Network, ...] | None, NoDecode] = None
    webhook_retry_intervals_s: Annotated[tuple[float, ...], NoDecode] = (5, 30, 120, 600, 3600, 21_600, 43_200)

    model_timeout_s: float = Field(default=120.0, ge=1, le=900)
    model_call_retention_days: int = Field(default=90, ge=1, le=3_650)

    engine_executes: bool = True
    engine_ticks: bool = False
    engine_jobs_per_workspace: int = Field(default=2, ge=1, le=64)
    engine_runs_per_workspace: int = Field(default=16, ge=1, le=256)
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("webhook_retry_intervals_s", mode="before")
    @classmethod
    def split_intervals(cls, value: object) -> object:
        """Comma-separated in the environment: seconds after a first failure, after a second, and so on."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("webhook_retry_intervals_s")
    @classmethod
    def at_most_a_day(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < interval <= LONGEST_RETRY_S for interval in value) or len(value) > MAXIMUM_RETRIES:
            message = f"must be up to {MAXIMUM_RETRIES} intervals of more than 0 and up to {LONGEST_RETRY_S} seconds"
            raise ValueError(message)
        return value

    @field_validator("trusted_proxies", "outbound_allowed_networks", "workspace_networks", mode="before")
    @classmethod
    def networks(cls, value: object) -> object:
        """Comma-separated in the environment: `10.0.0.0/8, 2001:db8::1`; a plain address is a network of one."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        except ValueError as error:
            message = f"must be networks, separated by commas: {error}"
            raise ValueError(message) from error

    @field_validator("oidc_providers", mode="before")
    @classmethod
    def providers_by_name(cls, value: object) -> object:
        """JSON in the environment: `{"corp": {"issuer": …, "client_id": …, "client_secret": …}}`."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}")
        except ValueError as error:
            message = "must be JSON: an object of providers by name"
            raise ValueError(message) from error

    @field_validator("oidc_providers")
    @classmethod
    def names_of_their_own(cls, value: dict[str, OidcProviderSettings]) -> dict[str, OidcProviderSettings]:
        if taken := BUILT_IN_PROVIDERS & set(value):
            message = f"{min(taken)} is built in: set SPECTRAL_OAUTH_{min(taken).upper()}_CLIENT_ID instead"
            raise ValueError(message)
        return value

    @field_validator("oauth_google_issuer", "oauth_github_url", "oauth_github_api_url")
    @classmethod
    def protected(cls, value: str) -> str:
        return protected_url(value)

    @field_validator("oauth_redirect_uri")
    @classmethod
    def names_its_provider(cls, value: str | None) -> str | None:
        """Each provider comes back to an address of its own, so that no answer is taken for another's."""
        if value is not None and "{provider}" not in value:
            message = "must contain {provider}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def clients_are_complete(self) -> Self:
        for name in sorted(BUILT_IN_PROVIDERS):
            given = {part: bool(getattr(self, f"oauth_{name}_client_{part}")) for part in ("id", "secret")}
            if missing := [part for part, there in given.items() if not there and any(given.values())]:
                message = f"SPECTRAL_OAUTH_{name.upper()}_CLIENT_{missing[0].upper()} must be set with its counterpart"
                raise ValueError(message)
        return self

    @field_validator("smtp_url")
    @classmethod
    def known_smtp_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            smtp_server(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def one_sender(cls, value: str | None) -> str | None:
        """`name@example.com` or `Spectral <name@example.com>`."""
        if value is not None:
            address = parseaddr(value)[1]
            if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", address) or not value.isprintable():
                message = "must be one address: name@example.com or Spectral <name@example.com>"
                raise ValueError(message)
        return value

    @field_validator("secret_keys", mode="before")
    @classmethod
    def split_keys(cls, value: object) -> object:
        """Comma-separated in the environment; the first encrypts and signs, all decrypt and verify."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("secret_keys")
    @classmethod
    def long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < MINIMUM_SECRET_CHARACTERS for key in value):
            message = f"every key needs at least {MINIMUM_SECRET_CHARACTERS} characters"
            raise ValueError(message)
        return value

    @field_validator("database_url", "migration_database_url", "authentication_database_url", "ingestion_database_url")
    @classmethod
    def known_database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme = urlsplit(value).scheme
        if scheme not in {"postgresql+asyncpg", "postgresql", "sqlite+aiosqlite"}:
            message = "must start with postgresql+asyncpg:// or sqlite+aiosqlite://"
            raise ValueError(message)
        return value.replace("postgresql://", "postgresql+asyncpg://", 1)

    @model_validator(mode="after")
    def workflow_folder_is_complete(self) -> Self:
        """The workflows of a folder belong to one workspace."""
        if (self.workflows_dir is None) != (self.workflows_workspace_id is None):
            message = "SPECTRAL_WORKFLOWS_DIR and SPECTRAL_WORKFLOWS_WORKSPACE_ID must be set together"
            raise ValueError(message)
        if self.workflows_dir is not None and not self.workflows_dir.is_dir():
            message = "SPECTRAL_WORKFLOWS_DIR must name a folder that is there"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def production_is_explicit(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            if not self.secret_keys:
                message = "SPECTRAL_SECRET_KEYS must be set in production"
                raise ValueError(message)
            if self.public_url is None:
                message = "SPECTRAL_PUBLIC_URL must be set in production"
                raise ValueError(message)
            if self.password_minimum < SHORTEST_PASSWORD_IN_PRODUCTION:
                message = (
                    "SPECTRAL_PASSWORD_MINIMUM_CHARACTERS must be "
                    f"{SHORTEST_PASSWORD_IN_PRODUCTION} or more in production"
                )
                raise ValueError(message)
            if self.uses_sqlite and not self.allow_sqlite_in_production:
                message = (
                    "SPECTRAL_DATABASE_URL must name a PostgreSQL database in production, "
                    "or set SPECTRAL_ALLOW_SQLITE_IN_PRODUCTION=true"
                )
                raise ValueError(message)
            if not self.uses_sqlite and self.authentication_database_url is None:
                message = (
                    "SPECTRAL_AUTHENTICATION_DATABASE_URL must be set in production: credentials are out of the "
                    "application role's reach (`spectral database roles` makes the roles)"
                )
                raise ValueError(message)
            if self.smtp_url is None and self.mail == "on":
                message = (
                    "SPECTRAL_SMTP_URL must be set in production: invitations and new passwords go by mail; "
                    "SPECTRAL_MAIL=off keeps them as files in the data folder"
                )
                raise ValueError(message)
        return self

    @property
    def url(self) -> str:
        """The database that requests use, as a SQLAlchemy asynchronous URL."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'spectral.db').absolute()}"

    @property
    def owner_url(self) -> str:
        """The database as the role that owns the tables; migrations run there."""
        return self.migration_database_url or self.url

    @property
    def identity_url(self) -> str:
        """The database as the role that may read credentials; the application's own where there is no such role."""
        return self.authentication_database_url or self.url

    @property
    def identity_role(self) -> str:
        """The role behind `identity_url`."""
        return self.authentication_role if self.authentication_database_url else self.application_role

    @property
    def ingestion_url(self) -> str:
        """The database as the role that may only write spans; the application's own where there is no such role."""
        return self.ingestion_database_url or self.url

    @property
    def uses_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def address(self) -> str:
        """The address that users are shown."""
        return self.public_url or f"http://{self.host}:{self.port}"

    def redirect_uri(self, provider: str) -> str:
        """Where an identity provider sends people back to: a route of the page."""
        template = self.oauth_redirect_uri or f"{self.address}/auth/callback/{{provider}}"
        return template.replace("{provider}", provider)

    @property
    def mail_server(self) -> SmtpServer | None:
        """Where mail leaves; None where it becomes files in `outbox_dir`."""
        if self.smtp_url is None or self.mail == "off":
            return None
        return smtp_server(self.smtp_url.get_secret_value())

    @property
    def outbox_dir(self) -> Path:
        """Where mail lies that does not go through an SMTP server."""
        return self.data_dir / "outbox"

    @property
    def mail_sender(self) -> str:
        """Whom mail is from."""
        return self.mail_from or f"Spectral <spectral@{urlsplit(self.address).hostname}>"

    @property
    def password_minimum(self) -> int:
        """Characters that a new password needs: 12 in production, 7 in development."""
        if self.password_minimum_characters is not None:
            return self.password_minimum_characters
        return 12 if self.environment is Environment.PRODUCTION else 7

    @property
    def networks_for_workspaces(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """What workspaces may admit for calls of their own (`http` steps, their endpoints of models).

        In production nothing unless it is listed.
        """
        if self.workspace_networks is not None:
            return self.workspace_networks
        return () if self.environment is Environment.PRODUCTION else EVERY_NETWORK

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The installation's secret keys, newest first; purposes are derived from them, none is used as it is."""
        return tuple(key.get_secret_value().encode() for key in self.secret_keys)


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process, with development secrets generated once into the data folder.

    Raises SettingsError with one line that names the variable when a value is wrong.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from error
    if settings.secret_keys:
        return settings
    key = _development_secret(settings.data_dir)
    return settings.model_copy(update={"secret_keys": (SecretStr(key),)})


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    reason = first["msg"].removeprefix("Value error, ")
    return f"SPECTRAL_{name}: {reason}" if name else reason


def _development_secret(data_dir: Path) -> str:
    path = data_dir / "secret.key"
    data_dir.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_urlsafe(SECRET_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        # Another process of this installation was first; its key is the one that counts.
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    return fresh
