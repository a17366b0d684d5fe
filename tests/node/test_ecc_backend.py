from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
import pytest

from blockio_plugin.node.ecc_backend import REMEMBERED_KEYS, RememberingBackend

MESSAGE = b"\7" * 32


def test_recovers_what_the_stock_one_does_and_each_once() -> None:
    keys = []
    for number in range(1, 40):
        signature = PrivateKey(b"%032d" % number).sign_msg_hash(MESSAGE)
        key = RememberingBackend().ecdsa_recover(MESSAGE, signature)
        assert key == CoinCurveECCBackend().ecdsa_recover(MESSAGE, signature)
        # eth-keys makes a new signature and a new instance for each use.
        again = Signature(signature.to_bytes())
        assert RememberingBackend().ecdsa_recover(MESSAGE, again) is key
        assert RememberingBackend().ecdsa_recover(b"\6" * 32, signature) != key
        keys.append(key)
    assert len(set(keys)) == 39
    assert len(RememberingBackend._keys) == REMEMBERED_KEYS


def test_a_bad_signature_stays_bad() -> None:
    signature = Signature(vrs=(0, 5, 1))
    for backend in (CoinCurveECCBackend(), RememberingBackend(), RememberingBackend()):
        with pytest.raises(BadSignature):
            backend.ecdsa_recover(MESSAGE, signature)
