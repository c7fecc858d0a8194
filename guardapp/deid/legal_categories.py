"""What three laws call the kinds of data that a profile finds: a view, not legal advice and not a finding of its own.

- HIPAA: the eighteen identifiers of the Safe Harbor method, 45 CFR 164.514(b)(2)(i)(A)–(R)
- GDPR: Regulation (EU) 2016/679, the identifiers and factors of Article 4(1), the special categories of Article 9(1),
  convictions (Article 10), national identification numbers (Article 87)
- PIPL: the kinds of personal information of GB/T 35273-2020, Annex A; marked as sensitive by Article 28 of the Personal
  Information Protection Law of the People's Republic of China or by Annex B of that standard

A column has the categories of the kind that it was taken for, or of what its name speaks for, and of the kinds that
were found inside its texts. A column without any may still be personal data: that is not for a pattern to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

Law = Literal["HIPAA", "GDPR", "PIPL"]


class LegalCategory(BaseModel):
    """law and place: where it stands; title: what it is called; sensitive: under stricter rules by GDPR or PIPL."""

    law: Law
    place: str
    title: str
    sensitive: bool = False


HIPAA = {
    "A": "Names",
    "B": "Geographic subdivisions smaller than a state",
    "C": "Dates but for the year, and ages over 89",
    "D": "Telephone numbers",
    "E": "Fax numbers",
    "F": "Electronic mail addresses",
    "G": "Social security numbers",
    "H": "Medical record numbers",
    "I": "Health plan beneficiary numbers",
    "J": "Account numbers",
    "K": "Certificate or license numbers",
    "L": "Vehicle identifiers and license plates",
    "M": "Device identifiers and serial numbers",
    "N": "Web addresses (URLs)",
    "O": "Internet protocol (IP) addresses",
    "P": "Biometric identifiers",
    "Q": "Full-face photographs and comparable images",
    "R": "Any other unique identifying number, characteristic or code",
}
"""The eighteen; P and Q are listed and never found, since tables of text hold neither."""
GDPR = {
    "name": ("Art. 4(1)", "A name", False),
    "number": ("Art. 4(1)", "An identification number", False),
    "national": ("Art. 87", "A national identification number", False),
    "location": ("Art. 4(1)", "Location data", False),
    "online": ("Art. 4(1)", "An online identifier", False),
    "contact": ("Art. 4(1)", "Another identifier", False),
    "factor": ("Art. 4(1)", "A factor specific to a person's identity", False),
    "special": ("Art. 9(1)", "A special category of personal data", True),
    "conviction": ("Art. 10", "Criminal convictions and offences", True),
}
PIPL = {
    "basic": ("GB/T 35273 A", "Basic personal information", False),
    "identity": ("GB/T 35273 B", "Identity documents", True),
    "network": ("GB/T 35273 A", "Network identity", False),
    "health": ("Art. 28", "Medical health", True),
    "work": ("GB/T 35273 A", "Education and work", False),
    "property": ("Art. 28", "Financial accounts", True),
    "device": ("GB/T 35273 A", "Devices in use", False),
    "location": ("GB/T 35273 B", "Precise location", True),
    "belief": ("Art. 28", "Religious belief", True),
    "record": ("GB/T 35273 B", "Undisclosed criminal records", True),
    "other": ("GB/T 35273 A", "Other personal information", False),
}

_KINDS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "person_name": ("A", ("name",), ("basic",)),
    "email": ("F", ("contact", "online"), ("basic",)),
    "phone": ("DE", ("contact",), ("basic",)),
    "cn_mobile": ("D", ("contact",), ("basic",)),
    "us_ssn": ("G", ("number", "national"), ("identity",)),
    "us_itin": ("R", ("number", "national"), ("identity",)),
    "uk_nino": ("R", ("number", "national"), ("identity",)),
    "nhs_number": ("R", ("number",), ("identity",)),
    "national_id": ("R", ("number", "national"), ("identity",)),
    "cn_resident_id": ("R", ("number", "national"), ("identity",)),
    "cn_resident_id_15": ("R", ("number", "national"), ("identity",)),
    "cn_passport": ("R", ("number",), ("identity",)),
    "cn_travel_permit": ("R", ("number",), ("identity",)),
    "cn_social_credit_code": ("R", ("number",), ()),
    "eu_vat": ("R", ("number",), ()),
    "iban": ("J", ("number",), ("property",)),
    "payment_card": ("J", ("number",), ("property",)),
    "wallet": ("J", ("number", "online"), ("property",)),
    "bic": ("", (), ()),
    "credential": ("R", ("online",), ("property",)),
    "cn_licence_plate": ("L", ("number",), ("other",)),
    "vin": ("L", ("number",), ("other",)),
    "imei": ("M", ("number", "online"), ("device",)),
    "mac": ("M", ("online",), ("device",)),
    "url": ("N", ("online",), ("network",)),
    "ipv4": ("O", ("online",), ("network",)),
    "ipv6": ("O", ("online",), ("network",)),
    "coordinates": ("B", ("location",), ("location",)),
}
"""By kind of identifier: HIPAA's letters, keys of `GDPR`, keys of `PIPL`."""
_TITLES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Age": ("C", ("factor",), ("basic",)),
    "Sex": ("", ("factor",), ("basic",)),
    "Date of birth": ("C", ("factor",), ("basic",)),
    "Postcode": ("B", ("location",), ("basic",)),
    "Place": ("B", ("location",), ("basic",)),
    "Ethnicity": ("", ("special",), ("basic",)),
    "Marital status": ("", ("factor",), ("other",)),
    "Education": ("", ("factor",), ("work",)),
    "Country": ("", ("factor",), ("basic",)),
    "Occupation": ("", ("factor",), ("work",)),
    "Employment": ("", ("factor",), ("work",)),
    "Body measure": ("", ("factor",), ("health",)),
    "Coordinates": ("B", ("location",), ("location",)),
    "Date of an event": ("C", (), ()),
    "Date": ("C", (), ()),
    "Diagnosis": ("", ("special",), ("health",)),
    "Health": ("", ("special",), ("health",)),
    "Income": ("", ("factor",), ("property",)),
    "Finances": ("", ("factor",), ("property",)),
    "Belief": ("", ("special",), ("belief",)),
    "Conviction": ("", ("conviction",), ("record",)),
    "Personal number": ("R", ("number",), ("identity",)),
    "Vehicle or device number": ("LM", ("number",), ("device",)),
    "Account name": ("R", ("online",), ("network",)),
    "Address": ("B", ("location",), ("basic",)),
    "Password": ("R", ("online",), ("property",)),
    "Identifier or free text": ("R", ("number",), ()),
    "Running number or identifier": ("R", ("number",), ()),
}
"""The same by what a column is called after, where no kind of identifier was found in it."""


def categories(kind: str | None, title: str, inside: list[str]) -> list[LegalCategory]:
    """Of a column that was taken for `kind`, or else for what `title` says; `inside`: kinds found inside its texts."""
    found = [_KINDS.get(kind, ("", (), ())) if kind else _TITLES.get(title, ("", (), ()))]
    found += [_KINDS.get(name, ("", (), ())) for name in inside]
    every = [category for letters, gdpr, pipl in found for category in _listed(letters, gdpr, pipl)]
    return sorted({(c.law, c.place, c.title): c for c in every}.values(), key=lambda c: _ORDER.index(c.law))


_ORDER: tuple[Law, ...] = ("HIPAA", "GDPR", "PIPL")


def _listed(letters: str, gdpr: tuple[str, ...], pipl: tuple[str, ...]) -> Iterator[LegalCategory]:
    for letter in letters:
        yield LegalCategory(law="HIPAA", place=f"({letter})", title=HIPAA[letter])
    for key in gdpr:
        place, title, sensitive = GDPR[key]
        yield LegalCategory(law="GDPR", place=place, title=title, sensitive=sensitive)
    for key in pipl:
        place, title, sensitive = PIPL[key]
        yield LegalCategory(law="PIPL", place=place, title=title, sensitive=sensitive)
