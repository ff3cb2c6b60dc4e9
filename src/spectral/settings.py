"""Settings are read once, from `SPECTRAL_*` variables and an optional `.env`, and passed in."""

import os
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRET_BYTES = 32
MINIMUM_SECRET_CHARACTERS = 32
ROLE_NAME = r"^[a-z_][a-z0-9_]{0,62}$"


class Environment(StrEnum):
    """Where this installation runs; production refuses to start without its secrets."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(Exception):
    """A setting has a wrong value; the message is one line that names the variable."""


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
    step_up_lifetime_s: int = Field(default=15 * 60, ge=30, le=24 * 3600)
    api_key_lifetime_days: int = Field(default=90, ge=1, le=3650)
    password_minimum_characters: int | None = Field(default=None, ge=7, le=128)

    request_body_limit_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    otlp_body_limit_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    span_partition_days_behind: int = Field(default=30, ge=0, le=390)
    span_partition_days_ahead: int = Field(default=7, ge=1, le=31)
    idempotency_lease_s: int = Field(default=60, ge=1)
    idempotency_lifetime_s: int = Field(default=24 * 3600, ge=60)

    engine_executes: bool = True
    engine_jobs_per_workspace: int = Field(default=2, ge=1, le=64)
    log_format: str = Field(default="auto", pattern="^(auto|json|console)$")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

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
    def production_is_explicit(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            if not self.secret_keys:
                message = "SPECTRAL_SECRET_KEYS must be set in production"
                raise ValueError(message)
            if self.public_url is None:
                message = "SPECTRAL_PUBLIC_URL must be set in production"
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

    @property
    def password_minimum(self) -> int:
        """Characters that a new password needs: 12 in production, 7 in development."""
        if self.password_minimum_characters is not None:
            return self.password_minimum_characters
        return 12 if self.environment is Environment.PRODUCTION else 7

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
