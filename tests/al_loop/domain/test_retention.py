import msgspec
import pytest

from al_loop.domain.retraining import RetrainPolicy


def test_policy_that_was_stored_before_there_was_retention_keeps_the_newest_twenty() -> None:
    retention = msgspec.json.decode(b'{"new_labels": 10}', type=RetrainPolicy).retention
    assert (retention.rounds, retention.versions, retention.encoders) == (20, 20, 3)


@pytest.mark.parametrize("sent", [b'{"versions": 1}', b'{"rounds": -3}', b'{"encoders": "all"}', b'{"models": 2}'])
def test_nonsense_is_refused(sent: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"retention": ' + sent + b"}", type=RetrainPolicy)
