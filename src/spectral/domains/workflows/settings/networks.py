"""Which networks a workspace may open for its own calls: `http` steps, and agents that are called at an address."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_network

from spectral.domains.workflows.settings.repository import SettingsRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.outbound import NEVER_ADMITTED, Network
from spectral.platform.shared.errors import FieldError, ValidationFailedError

SHORTEST_PREFIX = {4: 8, 6: 7}
"""A larger block than these is the internet, or half of it, and nobody's network."""


class WorkspaceNetworks:
    """The private networks that workspaces have opened for their own calls.

    permitted: what the installation lets them open.
    """

    def __init__(self, database: Database, permitted: Sequence[Network]) -> None:
        self._database = database
        self._permitted = permitted

    async def __call__(self, access: WorkspaceAccess) -> tuple[Network, ...]:
        """Those of one workspace."""
        async with self._database.transaction(access, read_only=True) as session:
            settings = await SettingsRepository(session, access).find()
        return admitted_networks(settings.allowed_networks, self._permitted) if settings else ()


def parse_networks(texts: Sequence[str], permitted: Sequence[Network]) -> tuple[Network, ...]:
    """The networks, each once, in order; a plain address is a network of one.

    permitted: what the installation lets workspaces open.  Raises ValidationFailedError (422) that names every wrong
    one by its pointer.
    """
    found: dict[Network, None] = {}
    wrong = []
    for place, text in enumerate(texts):
        try:
            network = ip_network(text)
        except ValueError as error:
            wrong.append(_wrong(place, f"is not a network: {error}"))
            continue
        if problem := _problem(network, permitted):
            wrong.append(_wrong(place, problem))
        found[network] = None
    if wrong:
        raise ValidationFailedError("The request failed validation", wrong)
    return tuple(found)


def admitted_networks(texts: Iterable[str], permitted: Sequence[Network]) -> tuple[Network, ...]:
    """Of the networks that a workspace chose once those that the installation still permits."""
    return tuple(network for network in map(ip_network, texts) if _is_within(network, permitted))


def _problem(network: Network, permitted: Sequence[Network]) -> str | None:
    shortest = SHORTEST_PREFIX[network.version]
    if network.prefixlen < shortest:
        return f"{network} is too wide: /{shortest} is the widest"
    if _is_within(network, NEVER_ADMITTED):
        return f"{network} cannot be opened: it is a metadata service or nobody's own network"
    if not _is_within(network, permitted):
        return f"{network} cannot be opened here: the installation lists others in SPECTRAL_WORKSPACE_NETWORKS, or none"
    return None


def _is_within(network: Network, others: Iterable[Network]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in others)  # type: ignore[arg-type]


def _wrong(place: int, detail: str) -> FieldError:
    return FieldError(f"/allowed_networks/{place}", detail)
