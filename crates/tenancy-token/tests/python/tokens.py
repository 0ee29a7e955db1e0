"""Verifies tokens with Python's `cwt` and `pycose`, and mints tokens with the same claims.

Input: one JSON object on a line, with a key, claims and a token of tenancy-token.
Output: one JSON object on a line, with a token of each implementation.
"""

import json
import sys

import cbor2
import cwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pycose.algorithms import EdDSA, HMAC256
from pycose.headers import KID, Algorithm
from pycose.keys import OKPKey, SymmetricKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, Mac0Message, Sign1Message


def claim(kind, value):
    return bytes.fromhex(value) if kind == "bytes" else value


def cwt_keys(case, kid, key, public):
    """The key that mints, and the key that verifies."""
    if case["algorithm"] == "hmac":
        key = cwt.COSEKey.from_symmetric_key(alg="HS256", key=key, kid=kid)
        return key, key
    # Labels of RFC 9053, section 7.2: an octet key pair (1), EdDSA (-8), Ed25519 (6).
    parameters = {1: 1, 2: kid, 3: -8, -1: 6, -2: public}
    return cwt.COSEKey.new({**parameters, -4: key}), cwt.COSEKey.new({**parameters, 4: [2]})


def by_cwt(case, claims, kid, key, public):
    mints, verifies = cwt_keys(case, kid, key, public)
    read = cwt.decode(bytes.fromhex(case["token"]), verifies)
    assert read == claims, f"cwt reads {read}, expected {claims}"
    # It adds claims that are missing to the dictionary.
    return cwt.encode(dict(claims), mints)


def by_pycose(case, claims, kid, key, public):
    message = CoseMessage.decode(bytes.fromhex(case["token"]))
    assert message.phdr[KID] == kid
    if case["algorithm"] == "hmac":
        mints = verifies = SymmetricKey(key)
        kind, algorithm, verify = Mac0Message, HMAC256, "verify_tag"
    else:
        mints, verifies = OKPKey(crv=Ed25519, x=public, d=key), OKPKey(crv=Ed25519, x=public)
        kind, algorithm, verify = Sign1Message, EdDSA, "verify_signature"
    assert isinstance(message, kind)
    message.key = verifies
    assert getattr(message, verify)(), "pycose rejects the token"
    read = cbor2.loads(message.payload)
    assert read == claims, f"pycose reads {read}, expected {claims}"
    headers = [({Algorithm: algorithm, KID: kid}, {}), ({Algorithm: algorithm}, {KID: kid})]
    for protected, unprotected in headers:
        message = kind(phdr=protected, uhdr=unprotected, payload=cbor2.dumps(claims))
        message.key = mints
        yield message.encode()


for line in sys.stdin:
    case = json.loads(line)
    claims = {label: claim(kind, value) for label, kind, value in case["claims"]}
    kid, key = bytes.fromhex(case["kid"]), bytes.fromhex(case["key"])
    public = None
    if case["algorithm"] == "ed25519":
        public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    arguments = case, claims, kid, key, public
    protected, unprotected = by_pycose(*arguments)
    tokens = {"cwt": by_cwt(*arguments), "protected": protected, "unprotected": unprotected}
    print(json.dumps({name: token.hex() for name, token in tokens.items()}))
