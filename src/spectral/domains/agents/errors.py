"""The problems that only agents have."""

from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError, InvalidTransitionError


class SearchSpaceViolationError(BusinessRuleViolationError):
    """A change touches what the search space does not list, or leaves a knob's bounds; `pointer` names the place."""

    slug = "search-space-violation"
    title = "Search Space Violation"

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(f"{pointer or 'the document'}: {reason}", pointer=pointer)
        self.pointer = pointer


class NotExecutableError(BusinessRuleViolationError):
    """The platform cannot execute the agent, or not yet: the detail says what is missing."""

    slug = "agent-not-executable"
    title = "Agent Not Executable"


class AgentNameTakenError(ConflictError):
    """Another agent of the workspace has this name."""

    slug = "agent-name-taken"
    title = "Agent Name Taken"


class TemplateNameTakenError(ConflictError):
    """The agent already has a template of this name."""

    slug = "template-name-taken"
    title = "Template Name Taken"


class AgentInUseError(BusinessRuleViolationError):
    """Scans or change sets refer to the agent: their evidence would point nowhere."""

    slug = "agent-in-use"
    title = "Agent In Use"


class AgentArchivedError(InvalidTransitionError):
    """The agent is archived: it takes no new versions, promotions, templates or runs."""

    slug = "agent-archived"
    title = "Agent Archived"
