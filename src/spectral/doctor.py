"""`spectral doctor`: what is wrong with this installation, and what to do about it."""

import os
from dataclasses import dataclass

import sqlalchemy as sa
from aiosmtplib import SMTPException
from rich.console import Console
from rich.table import Table

from spectral.platform.audit.sealing import count_late, sealed_accounts, verify_chain
from spectral.platform.db.migrations import head_revision
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.health import DatabaseCheck
from spectral.platform.mail.delivery import SmtpDelivery
from spectral.settings import Environment, Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` is empty when it is in order."""

    what: str
    found: str
    advice: str = ""
    fatal: bool = False


async def examine(settings: Settings, console: Console) -> bool:
    """Print every finding; True when nothing is wrong that keeps the server from working."""
    findings = [_environment(settings), _data_dir(settings), await _mail(settings)]
    database = Database(settings.url, pool_size=2)
    engine = Engine(database, executes=False)
    try:
        check = await DatabaseCheck(database, head_revision()).check()
        current = check.status == "ok"
        findings.append(
            Finding(
                "database",
                "reachable, schema current" if current else str(check.detail),
                "" if current else "spectral migrate",
                not current,
            )
        )
        if current and not settings.uses_sqlite:
            findings.append(await _roles(settings))
        if current:
            health = await engine.health()
            findings.append(
                Finding(
                    "engine",
                    f"{health.executors} executors, {health.running} running, {health.queued} queued",
                    "" if health.executors else "start `spectral serve` or `spectral worker`",
                )
            )
            findings.append(await _audit_log(settings))
    finally:
        await engine.stop()
        await database.close()
    table = Table("what", "found", "what to do", box=None)
    for finding in findings:
        colour = "red" if finding.fatal else "yellow" if finding.advice else "green"
        table.add_row(finding.what, f"[{colour}]{finding.found}", finding.advice)
    console.print(table)
    return not any(finding.fatal for finding in findings)


async def _roles(settings: Settings) -> Finding:
    """Row-level security binds no superuser and no role that may bypass it, and who owns a table can lift it.

    The role that only writes spans may bypass it, in order to copy them.
    """
    attributes = sa.text(
        "SELECT rolname, rolsuper, rolbypassrls, EXISTS (SELECT 1 FROM pg_tables WHERE tableowner = rolname "
        "AND schemaname = 'public') FROM pg_roles WHERE rolname = current_user"
    )
    faults = []
    for url in dict.fromkeys((settings.url, settings.identity_url, settings.ingestion_url)):
        database = Database(url, pool_size=1)
        try:
            async with database.transaction(read_only=True) as session:
                name, is_superuser, bypasses, owns = (await session.execute(attributes)).one()
        finally:
            await database.close()
        if is_superuser or (bypasses and url in {settings.url, settings.identity_url}):
            faults.append(f"{name} is not bound by row-level security")
        elif owns:
            faults.append(f"{name} owns tables")
    if faults:
        return Finding("database roles", "; ".join(faults), "spectral database roles", fatal=True)
    if settings.authentication_database_url is None:
        return Finding("database roles", "one role reads content and credentials", "spectral database roles")
    return Finding("database roles", "bound by row-level security, credentials apart")


async def _mail(settings: Settings) -> Finding:
    """The server is asked with its credentials; nothing is sent. Mail that does not leave stops nobody's work."""
    server = settings.mail_server
    if server is None:
        return Finding(
            "mail", f"kept as files in {settings.outbox_dir}", "SPECTRAL_SMTP_URL, or look with `spectral mail`"
        )
    try:
        await SmtpDelivery(server, settings.mail_sender).check()
    except (SMTPException, OSError) as error:
        found = f"{server.host}:{server.port} refused: {type(error).__name__}"
        return Finding("mail", found, "check SPECTRAL_SMTP_URL: host, port, starttls, user and password")
    return Finding("mail", f"{server.host}:{server.port} takes mail from {settings.mail_sender}")


async def _audit_log(settings: Settings) -> Finding:
    """Every account's chain, walked from its beginning; an installation has one sealer, so one finding tells all."""
    identity = Database(settings.identity_url, pool_size=2)
    broken: list[str] = []
    accounts = entries = 0
    try:
        account_id = await sealed_accounts(identity, None)
        while account_id is not None:
            report = await verify_chain(identity, account_id)
            accounts, entries = accounts + 1, entries + report.sealed
            if report.broken_at is not None:
                broken.append(f"{account_id} at {report.broken_at}: {report.reason}")
            account_id = await sealed_accounts(identity, account_id)
        late = await count_late(identity)
    finally:
        await identity.close()
    found = f"{accounts} accounts verified, {entries} entries"
    if broken:
        return Finding("audit log", f"broken: {'; '.join(broken[:5])}", "docs/audit-log.md", fatal=True)
    if late:
        return Finding("audit log", f"{found}, {late} unsealed", "start `spectral serve` or `spectral worker`")
    return Finding("audit log", found)


def _environment(settings: Settings) -> Finding:
    advice = (
        ""
        if settings.environment is Environment.PRODUCTION
        else "fine for trying out; production needs its own secrets"
    )
    return Finding("environment", settings.environment.value, advice)


def _data_dir(settings: Settings) -> Finding:
    directory = settings.data_dir
    if directory.is_dir() and os.access(directory, os.W_OK):
        return Finding("data folder", f"{directory} can be written")
    return Finding("data folder", f"{directory} cannot be written", "create it, or set SPECTRAL_DATA_DIR", fatal=True)
