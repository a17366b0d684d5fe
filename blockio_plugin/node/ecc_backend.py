"""
Recovers the key that made a signature once.

py-evm recovers the key of each transaction twice: to check the signature, and to learn the sender.
eth-keys takes another implementation from the environment, so nothing of either is changed.
"""
from typing import Tuple

from eth_keys.backends.coincurve import CoinCurveECCBackend
from eth_keys.datatypes import PublicKey, Signature
from lru import LRU

REMEMBERED_KEYS = 16
"""Keys that are remembered, most. The second time follows right after the first."""


class RememberingBackend(CoinCurveECCBackend):
    """The implementation that eth-keys takes by itself, but for what it remembers."""

    # For all instances, since eth-keys makes a new one for each use.
    _keys: "LRU[Tuple[bytes, Tuple[int, int, int]], PublicKey]" = LRU(REMEMBERED_KEYS)

    def ecdsa_recover(self, msg_hash: bytes, signature: Signature) -> PublicKey:
        """
        The key with which ``msg_hash`` was signed.

        :raise BadSignature: there is none
        """
        signed = (msg_hash, signature.vrs)
        key = self._keys.get(signed)
        if key is None:
            key = self._keys[signed] = super().ecdsa_recover(msg_hash, signature)
        return key
