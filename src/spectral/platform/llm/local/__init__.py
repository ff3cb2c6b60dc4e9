"""The built-in local runtime `spectral-local`: deterministic, in-process, and not a language model."""
