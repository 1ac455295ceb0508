"""Sprig's functions whose result is another one each time, or needs keys, the clock or the network: Unknown."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, INT, STRING
from pyprod_audit.evaluate.gotemplate.values import Function, Value
from pyprod_audit.model import Unknown

_ANEW: Final = "it is made anew at each deployment"
_CLOCK: Final = "it is the time of the deployment"
_KEYS: Final = "it is computed from a secret"  # a reason, no secret
_NETWORK: Final = "it is looked up at deployment"
_SLICE: Final = "[]interface {}"
_CERTIFICATE: Final = "sprig.certificate"

_SIGNATURES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "randAlphaNum": (_ANEW, (INT,)),
    "randAlpha": (_ANEW, (INT,)),
    "randAscii": (_ANEW, (INT,)),
    "randNumeric": (_ANEW, (INT,)),
    "randBytes": (_ANEW, (INT,)),
    "randInt": (_ANEW, (INT, INT)),
    "shuffle": (_ANEW, (STRING,)),
    "uuidv4": (_ANEW, ()),
    "bcrypt": (_ANEW, (STRING,)),
    "htpasswd": (_ANEW, (STRING, STRING)),
    "genPrivateKey": (_ANEW, (STRING,)),
    "genCA": (_ANEW, (STRING, INT)),
    "genCAWithKey": (_ANEW, (STRING, INT, STRING)),
    "genSelfSignedCert": (_ANEW, (STRING, _SLICE, _SLICE, INT)),
    "genSelfSignedCertWithKey": (_ANEW, (STRING, _SLICE, _SLICE, INT, STRING)),
    "genSignedCert": (_ANEW, (STRING, _SLICE, _SLICE, INT, _CERTIFICATE)),
    "genSignedCertWithKey": (_ANEW, (STRING, _SLICE, _SLICE, INT, _CERTIFICATE, STRING)),
    "encryptAES": (_ANEW, (STRING, STRING)),
    "decryptAES": (_KEYS, (STRING, STRING)),
    "derivePassword": (_KEYS, (ANY, STRING, STRING, STRING, STRING)),
    "buildCustomCert": (_KEYS, (STRING, STRING)),
    "now": (_CLOCK, ()),
    "getHostByName": (_NETWORK, (STRING,)),
}
# Their arguments are passwords and keys: the expression does not repeat them.
_SHOWN: Final = frozenset({
    "randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "genCA", "getHostByName",
})  # fmt: skip
_LONGEST: Final = 60


def _expression(name: str, arguments: tuple[Value, ...]) -> str:
    written = [f'"{value}"' if isinstance(value, str) else str(value) for value in arguments]
    return " ".join([name, *written])[:_LONGEST] if name in _SHOWN else name


def _unknown(name: str, because: str, types: tuple[str, ...]) -> Function:
    @takes(*types)
    def function(*arguments: Value) -> Unknown:
        return Unknown(_expression(name, arguments), because)

    return function


RANDOM: Final[dict[str, Registered]] = {
    name: _unknown(name, because, types) for name, (because, types) in _SIGNATURES.items()
}
