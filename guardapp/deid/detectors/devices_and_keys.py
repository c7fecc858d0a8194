"""Checks of vehicles, devices, wallets and places: VIN, IMEI, crypto addresses, BIC, coordinates.

Sources: VIN 49 CFR 565 and ISO 3779 (check digit, used in North America and China); IMEI 3GPP TS 23.003 annex B (Luhn);
Bitcoin's Base58Check (double SHA-256), Bech32 and Bech32m (BIP 173, BIP 350); Ethereum's 20 bytes in hex; BIC ISO 9362.
"""

from __future__ import annotations

import hashlib
import re

_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
                       strict=True))  # fmt: skip
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_COUNTRIES = frozenset(
    re.findall(
        "..",
        "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCV"
        "CWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIM"
        "INIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMW"
        "MXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSS"
        "STSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW",
    )
)
"""ISO 3166-1 and XK."""


def vin(cell: str) -> bool:
    """Seventeen characters without I, O and Q; the ninth is the check digit, X for ten."""
    total = sum(
        (int(sign) if sign.isdigit() else _VIN_VALUES[sign]) * weight
        for sign, weight in zip(cell, _VIN_WEIGHTS, strict=True)
    )
    return "0123456789X"[total % 11] == cell[8] and len(set(cell)) > 3


def bitcoin(cell: str) -> bool:
    """An address with its checksum, in Base58Check or Bech32."""
    return _bech32(cell) if cell[:3].lower() == "bc1" else _base58(cell)


def _base58(cell: str) -> bool:
    number = 0
    for sign in cell:
        number = number * 58 + _BASE58.index(sign)
    if number >= 1 << 200:
        return False
    data = number.to_bytes(25, "big")
    digest = hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()
    return digest[:4] == data[21:]


def _bech32(cell: str) -> bool:
    if cell.lower() != cell and cell.upper() != cell:
        return False
    values = [3, 3, 0, 2, 3, *(_BECH32.find(sign) for sign in cell[3:].lower())]
    if min(values) < 0:
        return False
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)


def wallet(cell: str) -> bool:
    """Bitcoin with its checksum, or an Ethereum address that is not one digit over and over."""
    return len(set(cell[2:].lower())) > 4 if cell.startswith("0x") else bitcoin(cell)


def bic(cell: str) -> bool:
    return cell[4:6] in _COUNTRIES


def coordinates(cell: str) -> bool:
    """Latitude and longitude in degrees."""
    latitude, longitude = (float(part) for part in cell.replace(";", ",").split(","))
    return abs(latitude) <= 90 and abs(longitude) <= 180
