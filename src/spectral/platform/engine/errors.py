"""What a handler is told when its work is no longer its own. Never seen by a caller of the API."""


class WorkCancelledError(Exception):
    """Someone asked for this work to be cancelled; a handler lets it pass and the work ends as cancelled."""


class LeaseLostError(Exception):
    """Another execution owns this work now; whatever this one still writes would be a zombie's write."""


class UnknownKindError(LookupError):
    """No handler is registered under this kind of work: a mistake of the program, not of a caller."""


class EngineStateError(RuntimeError):
    """The engine was used in an order that it cannot serve: started twice, or two executing in one process."""
