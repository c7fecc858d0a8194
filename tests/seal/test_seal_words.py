"""Messages of sealing that hold other messages are Chinese to their end."""

from __future__ import annotations

from guardapp.language import translate
from guardapp.seal.counted import counted


def test_a_message_with_values_is_translated_to_its_end():
    said = (
        "segment 2 of 4 (bytes 1,048,783–2,097,358 of the file) was changed or is not in its place; "
        "it held the tensors bias, head"
    )
    segment = "第 2 个分段（共 4 个，文件的第 1,048,783–2,097,358 字节）"
    assert translate(said, "zh") == segment + "被改动，或不在原来的位置；其中有张量 bias, head"
    said = "it is sealed for any of 2 age keys (X25519) as well as a passphrase"
    said += ", and none of the 3 keys that were tried fits"
    kinds = "2 把 age 密钥（X25519）中的任意一把以及一个口令"
    assert translate(said, "zh") == f"它是为{kinds}密封的，而试过的 3 把密钥都不合适"


def test_one_thing_is_not_said_as_many():
    assert [counted(number, "tensor") for number in (0, 1, 2)] == ["0 tensors", "1 tensor", "2 tensors"]
    said = "agrees with 1 job record and 2 sealed files"
    assert translate(said, "zh") == "一致：1 份任务记录，2 个密封文件"
    said = "m.sealed is authentic and whole: 1 segment, for an RSA key"
    assert translate(said, "zh") == "m.sealed 真实且完整：1 段，接收者为一把 RSA 密钥"
