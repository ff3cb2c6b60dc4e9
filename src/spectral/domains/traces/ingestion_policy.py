"""What a workspace decides about its spans before they are stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IngestionPolicy:
    """The decisions of one workspace. `watches`: its new traces are noted for evaluation on arrival."""

    watches: bool = False
