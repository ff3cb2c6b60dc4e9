"""What is stored of inputs."""

from spectral.domains.workflows.nodes.masking import masked_inputs


def test_what_is_named_or_looks_like_a_credential_is_not_stored() -> None:
    given = {
        "password": "hunter2",
        "max_tokens": 5,
        "nested": [{"Api-Key": {"a": 1}, "authorization": "Bearer ${secrets.TOKEN}", "token": ""}],
        "text": "whsec_abcdef and eyJhbGciOi.eyJzdWIi.c2ln",
        "password_set": True,
        "city": "Bern",
    }
    before = repr(given)
    assert masked_inputs(given) == {
        "password": "[masked]",
        "max_tokens": 5,
        "nested": [{"Api-Key": "[masked]", "authorization": "Bearer ${secrets.TOKEN}", "token": ""}],
        "text": "[masked] and [masked]",
        "password_set": True,
        "city": "Bern",
    }
    assert repr(given) == before
    assert masked_inputs(None) is None
    assert masked_inputs([1, "x"]) == [1, "x"]
