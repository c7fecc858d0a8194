"""Further kinds of identifiers: national, tax and VAT numbers, travel documents, vehicles, devices, wallets, secrets.

A checksum decides where there is one. Which region or office gave a number out is not looked at: lists of regions are
never complete, and refuse valid numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from guardapp.deid.detectors import devices_and_keys as things
from guardapp.deid.detectors import national_numbers as nations
from guardapp.deid.detectors.kind import PROVINCES, Kind, compact, digits, each, inside, same

_NATIONAL: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = tuple(
    (re.compile(shape), check)
    for shape, check in (
        (r"\d{11}", nations.de_tax_id),
        (r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2[AB])\d{8}", nations.fr_nir),
        (r"[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]", nations.it_codice_fiscale),
        (r"[XYZ\d]\d{7}[A-Z]", nations.es_dni),
        (r"\d{11}", nations.pl_pesel),
        (r"\d{9}", nations.nl_bsn),
        (r"\d{11}", nations.be_national),
        (r"(?:\d{2})?\d{10}", nations.se_personnummer),
        (r"\d{6}[A+U-Y]\d{3}[0-9A-Y]", nations.fi_hetu),
        (r"\d{9}", nations.pt_nif),
        (r"\d{12}", nations.in_aadhaar),
        (r"\d{11}", nations.br_cpf),
        (r"\d{13}", nations.kr_rrn),
    )
)


def national(cell: str) -> bool:
    """Whether a compact number checks out for one of the countries that have its shape.

    One in ten numbers of a shape does by chance, of eleven digits more, but not most of a column.
    """
    # a Finnish number of the last century has a hyphen that the others have only for looks
    return any(shape.fullmatch(cell) and check(cell) for shape, check in _NATIONAL)


def _national_text(cell: str) -> str:
    if re.fullmatch(r"\d{6}-\d{3}[0-9A-Y]", cell) and re.fullmatch(r"\d{6}-\d{4}", cell) is None:
        return cell.replace("-", "A")
    return re.sub(r"[\s./-]", "", cell).upper()


_VAT = r"[A-Z]{2}[ ]?[A-Z0-9]{8,12}"
_NINO = r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-Za-z] ?\d{2} ?\d{2} ?\d{2} ?[A-Da-d]"
_ID15 = r"[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}"
_PLATE = (
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·• ]?[A-HJ-NP-Z0-9]{4,5}"
    r"[A-HJ-NP-Z0-9挂学警港澳]"
)
_WALLET = r"(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[ac-hj-np-z02-9]{11,71}|BC1[AC-HJ-NP-Z02-9]{11,71}|0x[0-9A-Fa-f]{40})"
_CREDENTIAL = (
    r"(?:AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{30,}|sk-[A-Za-z0-9_-]{20,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,})"
)
_MAC = r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"
_URL = (
    r"(?:(?:https?|ftp)://|www\.)[A-Za-z0-9\u4e00-\u9fff-]+(?:\.[A-Za-z0-9\u4e00-\u9fff-]+)+(?::\d{1,5})?"
    r"(?:[/?#][^\s<>\"'，。；）]*)?"
)
_COORDINATES = r"[+-]?\d{1,2}\.\d{3,}[,;] ?[+-]?\d{1,3}\.\d{3,}"


def _untold(cell: str) -> bool:
    """Nothing tells such a number from other codes: it is found by its header."""
    return False


FURTHER: tuple[Kind, ...] = (
    Kind("cn_resident_id_15", "Chinese resident ID, 15 digits", "direct",
         ("idcard", "id card", "resident id", "id number", "sfz", "身份证", "证件号"), re.compile(_ID15), same,
         each(lambda cell: cell[:2] in PROVINCES), "the rules for divisions and dates", True, None),
    Kind("eu_vat", "VAT number of the EU", "direct", ("vat", "vat number", "ust id", "tva", "税号"), re.compile(_VAT),
         compact, each(nations.eu_vat), "the country's checksum", True, inside(_VAT)),
    Kind("national_id", "National or tax number", "direct",
         ("nationalid", "national id", "national number", "tax id", "steuer id", "insee", "nir", "codice fiscale",
          "dni", "nie", "pesel", "bsn", "personnummer", "hetu", "nif", "aadhaar", "cpf", "rrn", "identity number"),
         re.compile(r"[A-Za-z0-9](?:[ ./-]?[A-Za-z0-9+]){8,16}"), _national_text, each(national),
         "a country's checksum", True, None),
    Kind("us_itin", "US taxpayer number (ITIN)", "direct", ("itin", "taxpayer"), re.compile(r"9\d{2}-\d{2}-\d{4}"),
         digits, each(nations.us_itin), "the rules for issued numbers", False, inside(r"9\d{2}-\d{2}-\d{4}")),
    Kind("uk_nino", "UK national insurance number", "direct", ("nino", "national insurance", "ni number"),
         re.compile(_NINO), compact, each(nations.uk_nino), "the rules for issued numbers", False, inside(_NINO)),
    Kind("cn_passport", "Chinese passport", "direct", ("passport", "护照"),
         re.compile(r"(?:[EGDSPH]\d{8}|E[A-HJ-NP-Z]\d{7})"), same, each(_untold), "its form", False, None),
    Kind("cn_travel_permit", "Chinese travel permit", "direct",
         ("travel permit", "通行证", "回乡证", "台胞证", "港澳"), re.compile(r"(?:[CHMW]\d{8}(?:\d{2})?|\d{8})"), same,
         each(_untold), "its form", False, None),
    Kind("cn_licence_plate", "Chinese licence plate", "direct", ("licence plate", "license plate", "plate", "车牌"),
         re.compile(_PLATE), same, each(lambda cell: True), "the form with a province", True, inside(_PLATE)),
    Kind("vin", "Vehicle number (VIN)", "direct", ("vin", "chassis", "车架号"), re.compile(r"[A-HJ-NPR-Z0-9]{17}"),
         compact, each(things.vin), "its check digit", True, None),
    Kind("imei", "Device number (IMEI)", "direct", ("imei", "device id"), re.compile(r"\d{2}-?\d{6}-?\d{6}-?\d"),
         digits, each(nations.luhn), "Luhn's checksum", True, None),
    Kind("mac", "Network device (MAC address)", "direct", ("mac", "mac address", "bssid"), re.compile(_MAC), same,
         each(lambda cell: len(set(cell)) > 3), "its form", True, inside(_MAC)),
    Kind("url", "Web address", "direct", ("url", "website", "homepage", "link", "网址", "主页"), re.compile(_URL), same,
         each(lambda cell: True), "the form of web addresses", True, inside(_URL)),
    Kind("wallet", "Crypto wallet", "direct", ("wallet", "bitcoin", "btc", "ethereum", "eth", "钱包"),
         re.compile(_WALLET), same, each(things.wallet), "the checksum or the form", True, inside(_WALLET)),
    Kind("credential", "Password or key of a program", "direct", ("api key", "token", "secret", "access key", "密钥"),
         re.compile(_CREDENTIAL), same, each(lambda cell: True), "the form of known services", True,
         inside(_CREDENTIAL)),
    Kind("bic", "Bank code (BIC)", "quasi", ("bic", "swift", "swift code"),
         re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?"), same, each(things.bic), "the country in it", False, None),
    Kind("coordinates", "Coordinates", "quasi", ("coordinates", "location", "geo", "gps", "position", "坐标", "位置"),
         re.compile(_COORDINATES), same, each(things.coordinates), "the range of degrees", True, None),
)  # fmt: skip
