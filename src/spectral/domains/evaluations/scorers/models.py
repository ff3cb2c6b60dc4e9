"""Which models scorers may name. Whether a workspace can call one is for the door to say, when it is called."""

from spectral.platform.llm.local.provider import PROVIDER

LOCAL_EMBEDDING = f"{PROVIDER}-embedding"
"""The model that gives vectors without a key."""


def language_model(name: str, purpose: str) -> str:
    """The name as it is. Raises ValueError for the built-in runtime and for a name without a provider."""
    if name.startswith(PROVIDER):
        message = f"{name!r} is the built-in local runtime, not a language model: it cannot {purpose}"
        raise ValueError(message)
    provider, slash, model = name.partition("/")
    if not (provider and slash and model):
        message = f"{name!r} names no provider; write it as provider/model"
        raise ValueError(message)
    return name


def embedding_model(name: str) -> str:
    """The name as it is: the local one, or provider/model. Raises ValueError for any other."""
    return name if name == LOCAL_EMBEDDING else language_model(name, "give vectors")
