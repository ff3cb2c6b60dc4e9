"""Settings: a wrong value is one line that names its variable; production is explicit."""

import stat
from pathlib import Path
from typing import Any

import pytest

from spectral.settings import SettingsError, load_settings

SECRET = "x" * 32
PRODUCTION = {
    "environment": "production",
    "secret_keys": SECRET,
    "public_url": "https://spectral.example",
    "database_url": "postgresql://app@db/spectral",
    "authentication_database_url": "postgresql://auth@db/spectral",
    "smtp_url": "smtps://spectral:secret@mail.example",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPECTRAL_PORT", "eighty"),
        ("SPECTRAL_PORT", "70000"),
        ("SPECTRAL_ENVIRONMENT", "staging"),
        ("SPECTRAL_DATABASE_URL", "mysql://x/y"),
        ("SPECTRAL_SECRET_KEYS", "short"),
        ("SPECTRAL_LOG_LEVEL", "LOUD"),
        ("SPECTRAL_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"),
        ("SPECTRAL_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("SPECTRAL_WORKSPACE_NETWORKS", "10.0.0.1/8"),
        ("SPECTRAL_RATE_LIMIT_PER_ADDRESS", "-1"),
        ("SPECTRAL_REQUEST_BODY_TIMEOUT_S", "0"),
        ("SPECTRAL_SMTP_URL", "http://mail.example"),
        ("SPECTRAL_SMTP_URL", "smtp://mail.example?starttls=perhaps"),
        ("SPECTRAL_SMTP_URL", "smtp://:587"),
        ("SPECTRAL_MAIL", "sometimes"),
        ("SPECTRAL_MAIL_FROM", "nobody"),
        ("SPECTRAL_MAIL_FROM", "a@b.test\nBcc: c@d.test"),
        ("SPECTRAL_SIGN_IN_FAILURES_PER_ACCOUNT", "0"),
        ("SPECTRAL_TRACE_RETENTION_DAYS", "0"),
        ("SPECTRAL_RUN_RETENTION_DAYS", "0"),
        ("SPECTRAL_WORKFLOWS_DIR", "nowhere"),
        ("SPECTRAL_WORKFLOWS_WORKSPACE_ID", "mine"),
    ],
)
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as wrong:
        load_settings()
    assert str(wrong.value).startswith(f"{name}: ") or name in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    "missing", ["secret_keys", "public_url", "database_url", "authentication_database_url", "smtp_url"]
)
def test_production_refuses_to_start_without(missing: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {name: value for name, value in PRODUCTION.items() if name != missing}
    with pytest.raises(SettingsError, match=f"SPECTRAL_{missing.upper()}"):
        load_settings(data_dir=tmp_path, **values)
    assert not list(tmp_path.iterdir())


def test_production_with_everything(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, **PRODUCTION)
    assert settings.url == "postgresql+asyncpg://app@db/spectral"
    assert settings.password_minimum == 12


def test_production_takes_no_password_of_less_than_eight_characters(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SPECTRAL_PASSWORD_MINIMUM_CHARACTERS must be 8"):
        load_settings(data_dir=tmp_path, **(PRODUCTION | {"password_minimum_characters": 7}))
    assert load_settings(data_dir=tmp_path, **(PRODUCTION | {"password_minimum_characters": 8})).password_minimum == 8


def test_production_without_mail_is_a_decision(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, **(PRODUCTION | {"smtp_url": None, "mail": "off"}))
    assert (settings.mail_server, settings.outbox_dir) == (None, tmp_path / "outbox")
    both = load_settings(data_dir=tmp_path, **(PRODUCTION | {"mail": "off"}))
    assert both.mail_server is None
    assert settings.mail_sender == "Spectral <spectral@spectral.example>"


def test_development_makes_its_secret_once_for_itself_only(tmp_path: Path) -> None:
    first, second = load_settings(data_dir=tmp_path), load_settings(data_dir=tmp_path)
    assert first.secrets == second.secrets
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert first.password_minimum == 7


def test_settings_are_frozen_and_do_not_print_secrets(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, secret_keys=SECRET)
    assert SECRET not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_networks_of_proxies_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPECTRAL_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32")
    settings = load_settings(data_dir=tmp_path, secret_keys=SECRET)
    assert list(map(str, settings.trusted_proxies)) == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


def test_in_production_workspaces_open_no_private_network_that_is_not_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    everything = ["0.0.0.0/0", "::/0"]
    here = load_settings(data_dir=tmp_path, secret_keys=SECRET)
    assert list(map(str, here.networks_for_workspaces)) == everything
    assert load_settings(data_dir=tmp_path, **PRODUCTION).networks_for_workspaces == ()
    monkeypatch.setenv("SPECTRAL_WORKSPACE_NETWORKS", "10.1.0.0/16, fd00::/8")
    listed = load_settings(data_dir=tmp_path, **PRODUCTION)
    assert list(map(str, listed.networks_for_workspaces)) == ["10.1.0.0/16", "fd00::/8"]
    monkeypatch.setenv("SPECTRAL_WORKSPACE_NETWORKS", "")
    assert load_settings(data_dir=tmp_path, secret_keys=SECRET).networks_for_workspaces == ()
