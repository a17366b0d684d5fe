"""
Recovers the key that made a signature once.

py-evm recovers the key of each transaction twice: to check the signature, and to learn the sender.
eth-keys takes another implementation from the environment, so nothing of either is changed.
"""
from functools import lru_cache

from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.datatypes import PublicKey, Signature

REMEMBERED_KEYS = 16
"""Keys that are remembered, most. The second time follows right after the first."""

_stock = CoinCurveECCBackend()


class RememberingBackend(CoinCurveECCBackend):
    """The implementation that eth-keys takes by itself, but for what it remembers."""

    def ecdsa_recover(self, msg_hash: bytes, signature: Signature) -> PublicKey:
        """
        The key with which ``msg_hash`` was signed.

        :raise BadSignature: there is none
        """
        return _recover(msg_hash, signature.to_bytes())


@lru_cache(maxsize=REMEMBERED_KEYS)
def _recover(msg_hash: bytes, signature: bytes) -> PublicKey:
    return _stock.ecdsa_recover(msg_hash, Signature(signature, backend=_stock))
