"""Messages of sealing that hold other messages are Chinese to their end."""

from __future__ import annotations

from guardapp.language import translate


def test_a_message_with_values_is_translated_to_its_end():
    said = (
        "segment 2 of 4 (bytes 1,048,783 to 2,097,358 of the file) was changed or is not in its place; "
        "it held the tensors bias, head"
    )
    segment = "第 2 个分段（共 4 个，文件的第 1,048,783 至 2,097,358 字节）"
    assert translate(said, "zh") == segment + "被改动，或不在原来的位置；其中有张量 bias, head"
    said = "it is sealed for any of 2 age keys (X25519) as well as a passphrase"
    said += ", and none of the 3 keys that were tried fits"
    kinds = "2 把 age 密钥（X25519）中的任意一把以及一个口令"
    assert translate(said, "zh") == f"它是为{kinds}密封的，而试过的 3 把密钥都不合适"
