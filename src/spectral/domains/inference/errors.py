"""The problems of inference."""

from spectral.platform.shared.errors import ConflictError


class CredentialExistsError(ConflictError):
    """The workspace has a credential of that name, or for that provider, already."""

    slug = "credential-exists"
    title = "Credential Exists"

    def __init__(self, what: str) -> None:
        """Name what is taken."""
        super().__init__(f"The workspace has a credential {what} already; change that one instead")
