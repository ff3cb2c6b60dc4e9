"""What can go wrong with workspaces."""

from spectral.platform.shared.errors import ConflictError


class WorkspaceNameTakenError(ConflictError):
    """The account has a workspace of this name."""

    slug = "workspace-name-taken"
    title = "Workspace Name Taken"
