from eth_keys import KeyAPI
from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
import pytest

from blockio_plugin.node import ecc_backend
from blockio_plugin.node.ecc_backend import RememberingBackend

MESSAGE = b"\7" * 32


def test_recovers_what_the_stock_one_does_and_each_once() -> None:
    ecc_backend._recover.cache_clear()
    for number in range(1, 40):
        signature = PrivateKey(b"%032d" % number).sign_msg_hash(MESSAGE)
        expected = KeyAPI(CoinCurveECCBackend).ecdsa_recover(MESSAGE, signature)
        for _ in range(2):
            # eth-keys makes a new instance for each use.
            assert RememberingBackend().ecdsa_recover(MESSAGE, signature) == expected
        assert RememberingBackend().ecdsa_recover(b"\6" * 32, signature) != expected
    assert ecc_backend._recover.cache_info().hits == 39
    assert ecc_backend._recover.cache_info().currsize == ecc_backend.REMEMBERED_KEYS


def test_a_bad_signature_stays_bad() -> None:
    signature = Signature(vrs=(0, 5, 1))
    for backend in (CoinCurveECCBackend(), RememberingBackend(), RememberingBackend()):
        with pytest.raises(BadSignature):
            backend.ecdsa_recover(MESSAGE, signature)
