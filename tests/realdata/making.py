"""Makers of single cells: identifiers that check out, and clean values that look a little like them.

Check digits are found by trying, with code of their own, so that a mistake in the detectors would show as a miss.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

Luck = random.Random
_AD = ("Anna", "Ben", "Carla", "David", "Emma", "Frank", "Grace", "Henry", "Irene", "Jack", "Karen", "Liam", "Maria")
_FAMILY = ("Smith", "Jones", "Brown", "Taylor", "Wilson", "Davies", "Evans", "Thomas", "Johnson", "Roberts", "Walker")
_ZH_FAMILY, _ZH_GIVEN = "王李张刘陈杨赵黄周吴徐孙", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平"
_PROVINCES = ("11", "31", "44", "51", "32", "33", "37", "42", "61")


def digits(luck: Luck, count: int) -> str:
    return "".join(luck.choices("0123456789", k=count))


def until(luck: Luck, make: Callable[[Luck], str], holds: Callable[[str], bool]) -> str:
    while True:
        made = make(luck)
        if holds(made):
            return made


def luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        total += int(digit) if place % 2 == 0 else sum(divmod(2 * int(digit), 10))
    return total % 10 == 0


def day(luck: Luck) -> str:
    return f"{luck.randint(1945, 2010)}{luck.randint(1, 12):02d}{luck.randint(1, 28):02d}"


def resident(luck: Luck) -> str:
    first = luck.choice(_PROVINCES) + digits(luck, 4) + day(luck) + digits(luck, 3)
    return first + "10X98765432"[sum(int(d) * 2 ** (17 - i) for i, d in enumerate(first)) % 11]


def iban(luck: Luck) -> str:
    account = digits(luck, 18)
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def nhs(luck: Luck) -> str:
    def holds(number: str) -> bool:
        rest = 11 - sum(int(d) * (10 - i) for i, d in enumerate(number[:9])) % 11
        return rest % 11 == int(number[9]) and rest != 10

    return until(luck, lambda luck: digits(luck, 10), holds)


def credit_code(luck: Luck) -> str:
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    first = "91" + luck.choice(_PROVINCES) + digits(luck, 4) + "".join(luck.choices(signs, k=9))
    return first + signs[-sum(signs.index(s) * pow(3, i, 31) for i, s in enumerate(first)) % 31]


def vat(luck: Luck) -> str:
    def german(number: str) -> bool:
        product = 10
        for digit in number[:8]:
            total = (int(digit) + product) % 10
            product = 2 * (total if total else 10) % 11
        return (11 - product) % 10 == int(number[8])

    if luck.random() < 0.5:
        return "DE" + until(luck, lambda luck: luck.choice("123456789") + digits(luck, 8), german)
    return "IT" + until(luck, lambda luck: digits(luck, 11), luhn)


def dni(luck: Luck) -> str:
    number = digits(luck, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def pesel(luck: Luck) -> str:
    date = f"{luck.randint(40, 99)}{luck.randint(1, 12):02d}{luck.randint(1, 28):02d}"
    first = date + digits(luck, 4)
    return first + str(-sum(int(d) * w for d, w in zip(first, (1, 3, 7, 9) * 3, strict=False)) % 10)


def vin(luck: Luck) -> str:
    value = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))
    value |= {digit: int(digit) for digit in "0123456789"}
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    signs = luck.choices(list(value), k=17)
    total = sum(value[sign] * weight for sign, weight in zip(signs, weights, strict=True)) % 11
    return "".join([*signs[:8], "X" if total == 10 else str(total), *signs[9:]])


def bitcoin(luck: Luck) -> str:
    data = b"\0" + luck.randbytes(20)
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[rest] + text
    return "1" + text


def nino(luck: Luck) -> str:
    return luck.choice("ABCEGHJKLMPRSTWX") + luck.choice("ACEHJLMPRSTWX") + digits(luck, 6) + luck.choice("ABCD")


MAKE: dict[str, Callable[[Luck], str]] = {
    "email": lambda luck: (
        f"{luck.choice(_AD).lower()}.{luck.choice(_FAMILY).lower()}{luck.randint(1, 999)}@mail.example"
    ),
    "cn_resident_id": resident,
    "cn_resident_id_15": lambda luck: luck.choice(_PROVINCES) + digits(luck, 4) + day(luck)[2:] + digits(luck, 3),
    "iban": iban,
    "payment_card": lambda luck: until(
        luck, lambda luck: luck.choice(("4", "51", "6222")).ljust(4, "3") + digits(luck, 12), luhn
    ),
    "nhs_number": nhs,
    "cn_social_credit_code": credit_code,
    "us_ssn": lambda luck: f"{luck.randint(100, 665)}-{luck.randint(10, 99)}-{luck.randint(1000, 9999)}",
    "us_itin": lambda luck: f"9{digits(luck, 2)}-{luck.randint(70, 88)}-{digits(luck, 4)}",
    "uk_nino": nino,
    "cn_mobile": lambda luck: f"1{luck.choice('3456789')}{digits(luck, 9)}",
    "phone": lambda luck: f"+{luck.choice(('44 20', '49 30', '1 212', '33 1'))} {digits(luck, 4)} {digits(luck, 3)}",
    "phone_national": lambda luck: luck.choice(("020 {} {}", "0{}-{}", "({}) {}")).format(
        digits(luck, 3), digits(luck, 4) + digits(luck, 1)
    ),
    "ipv4": lambda luck: ".".join(str(luck.randint(1, 254)) for _ in range(4)),
    "ipv6": lambda luck: ":".join(f"{luck.getrandbits(16):x}" for _ in range(8)),
    "mac": lambda luck: ":".join(f"{luck.getrandbits(8):02X}" for _ in range(6)),
    "url": lambda luck: (
        f"https://www.{luck.choice(_FAMILY).lower()}{luck.randint(1, 99)}.example/{luck.randint(1, 9999)}"
    ),
    "eu_vat": vat,
    "national_id": lambda luck: dni(luck) if luck.random() < 0.5 else pesel(luck),
    "cn_passport": lambda luck: "E" + digits(luck, 8),
    "cn_travel_permit": lambda luck: luck.choice("HMC") + digits(luck, 8),
    "cn_licence_plate": lambda luck: (
        luck.choice("京沪粤苏浙") + luck.choice("ABCDE") + luck.choice("DF") + digits(luck, 5)
    ),
    "vin": vin,
    "imei": lambda luck: until(luck, lambda luck: "86" + digits(luck, 13), luhn),
    "wallet": lambda luck: bitcoin(luck) if luck.random() < 0.5 else "0x" + luck.randbytes(20).hex(),
    "credential": lambda luck: "AKIA" + "".join(luck.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)),
    "bic": lambda luck: "".join(luck.choices("ABCDEFGH", k=4)) + luck.choice(("DE", "FR", "GB", "CN")) + "2LXXX",
    "coordinates": lambda luck: f"{luck.uniform(-80, 80):.5f}, {luck.uniform(-170, 170):.5f}",
}
"""By kind, a cell of it."""

CLEAN: dict[str, Callable[[Luck], str]] = {
    "count": lambda luck: str(luck.randint(0, 500)),
    "amount": lambda luck: f"{luck.uniform(1, 9000):.2f}",
    "measure": lambda luck: f"{luck.gauss(0, 3):.5f}",
    "order": lambda luck: f"20{luck.randint(100000, 999999)}",
    "long order": lambda luck: digits(luck, 16),
    "nine digits": lambda luck: digits(luck, 9),
    "eleven digits": lambda luck: "7" + digits(luck, 10),
    "article": lambda luck: f"{luck.choice('ABCX')}{luck.choice('LMN')}-{luck.randint(1000, 9999)}",
    "hex": lambda luck: f"{luck.getrandbits(48):012x}",
    "code": lambda luck: luck.choice(("A09", "I21.4", "J18.9", "K35.8", "C34.1")),
    "version": lambda luck: f"{luck.randint(1, 9)}.{luck.randint(0, 20)}.{luck.randint(0, 9)}.{luck.randint(0, 30)}",
    "when": lambda luck: f"{luck.randint(2015, 2024)}-{luck.randint(1, 12):02d}-{luck.randint(1, 28):02d}",
    "time": lambda luck: f"{luck.randint(0, 23):02d}:{luck.randint(0, 59):02d}:{luck.randint(0, 59):02d}",
    "colour": lambda luck: luck.choice(("red", "green", "blue", "white")),
    "颜色": lambda luck: luck.choice(("红色", "绿色", "蓝色", "白色")),
    "数量": lambda luck: str(luck.randint(1, 99)),
    "flag": lambda luck: luck.choice(("true", "false")),
    "remark": lambda luck: " ".join(luck.choices(("late", "box", "broken", "paid", "blue", "return", "twice"), k=6)),
    "备注": lambda luck: "".join(luck.choices(("已付款", "延迟", "退货", "包装破损", "两次"), k=3)),
    "invoice": lambda luck: "E" + digits(luck, 8),
    "parcel": lambda luck: luck.choice("HMC") + digits(luck, 8),
    "ean": lambda luck: "40" + digits(luck, 11),
    "timestamp": lambda luck: str(luck.randint(1_500_000_000, 1_700_000_000)),
    "upper": lambda luck: "".join(luck.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=8)),
}
"""By header, a value that is nobody's."""
