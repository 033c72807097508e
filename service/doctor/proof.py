"""A proof that PUBLIC_URL leads to this installation: only its web can sign a nonce with SECRET_KEYS."""

import re
from collections.abc import Sequence

from itsdangerous import Signer

_SALT = "afterword.proof.v1"
_NONCE = re.compile(r"[0-9a-f]{32}")


def make_proof(secret_keys: Sequence[str], nonce: str) -> str:
    """Sign a nonce of 32 hex digits. Anything else gets no proof, but an empty text."""
    return Signer([*secret_keys], salt=_SALT).get_signature(nonce).decode() if _NONCE.fullmatch(nonce) else ""


def is_proof(secret_keys: Sequence[str], nonce: str, proof: str) -> bool:
    """Return whether a process with one of these keys has signed the nonce."""
    return Signer([*secret_keys], salt=_SALT).verify_signature(nonce, proof)
