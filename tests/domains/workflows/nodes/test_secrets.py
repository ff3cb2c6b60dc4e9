"""Secrets are filled where the definition names them, and nowhere else."""

from typing import Any

import pytest

from spectral.domains.workflows.models import SECRET_PURPOSE
from spectral.domains.workflows.nodes.calls import NodeError
from spectral.domains.workflows.nodes.secrets import Secrets
from spectral.domains.workflows.settings.secrets_service import SecretService
from spectral.platform.db.session import Database
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant


@pytest.fixture
async def secrets(settings: Settings, database: Database, tenant: Tenant) -> Secrets:
    box = SecretBox(settings.secrets, SECRET_PURPOSE)
    async with database.transaction(tenant.access) as session:
        service = SecretService(session, tenant.access, box)
        await service.set_secret("TOKEN", "t0ken-value")
        await service.set_secret("OTHER", "0ther-value")
    return Secrets(database, box)


async def test_they_are_filled_and_masked(secrets: Secrets, tenant: Tenant) -> None:
    template = {"url": "https://x.test/", "headers": {"A": "Bearer ${secrets.TOKEN}"}, "json": [1, "${secrets.OTHER}"]}
    filled, mask = await secrets.fill(tenant.access, template, template)
    assert filled == {"url": "https://x.test/", "headers": {"A": "Bearer t0ken-value"}, "json": [1, "0ther-value"]}
    assert template["json"] == [1, "${secrets.OTHER}"]
    assert mask.apply(filled) == {"url": "https://x.test/", "headers": {"A": "Bearer ***"}, "json": [1, "***"]}
    assert await secrets.names(tenant.access) == {"TOKEN", "OTHER"}


# What the definition says, and what is sent of it when the inputs hold placeholders themselves.
ELSEWHERE: list[tuple[Any, Any]] = [
    ("${inputs.text}", "${secrets.TOKEN}"),
    ("${secrets.OTHER} ${inputs.text}", "0ther-value ${secrets.TOKEN}"),
    ({"a": "${secrets.OTHER}", "b": "${inputs.b}"}, {"a": "0ther-value", "b": "${secrets.TOKEN}"}),
    ("${inputs.all}", {"headers": ["${secrets.TOKEN}"]}),
    (["${inputs.one}"], ["x", "${secrets.TOKEN}"]),
    (None, {"url": "${secrets.TOKEN}"}),
    ("secrets.TOKEN $${secrets.TOKEN}", "secrets.TOKEN ${secrets.TOKEN}"),
    ("${not an expression secrets.TOKEN}", "${secrets.TOKEN}"),
]


async def test_what_comes_from_elsewhere_is_not_filled(secrets: Secrets, tenant: Tenant) -> None:
    """Whoever starts a run could otherwise send every secret to wherever its inputs go."""
    for template, sent in ELSEWHERE:
        given = text_with(sent, "0ther-value", "${secrets.OTHER}")
        filled, _ = await secrets.fill(tenant.access, given, template)
        assert filled == sent


def text_with(value: Any, text: str, other: str) -> Any:
    if isinstance(value, dict):
        return {name: text_with(member, text, other) for name, member in value.items()}
    if isinstance(value, list):
        return [text_with(member, text, other) for member in value]
    return value.replace(text, other)


async def test_a_missing_one_fails_for_good_and_is_named(
    secrets: Secrets, tenant: Tenant, other_tenant: Tenant
) -> None:
    for access, name in ((tenant.access, "MISSING"), (other_tenant.access, "TOKEN")):
        text = f"${{secrets.{name}}}"
        with pytest.raises(NodeError, match=name) as failure:
            await secrets.fill(access, text, text)
        assert (failure.value.type, failure.value.retryable) == ("unknown-secret", False)
    assert await secrets.names(other_tenant.access) == frozenset()


async def test_one_that_no_key_opens_is_missing(database: Database, secrets: Secrets, tenant: Tenant) -> None:
    del secrets
    stranger = Secrets(database, SecretBox((b"another-secret-key-of-32-characters!",), SECRET_PURPOSE))
    with pytest.raises(NodeError, match="TOKEN"):
        await stranger.fill(tenant.access, "${secrets.TOKEN}", "${secrets.TOKEN}")
