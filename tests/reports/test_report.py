"""The report is one file that runs nothing, fetches nothing, and shows hostile text as text."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from guardapp.language import catalogue, translate
from guardapp.reports import Curve, Figure, Plot, Report, Words

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></svg><iframe src=//evil.example>",
    "javascript:alert(1)",
    "<!-- --><![CDATA[ ]]>",
    "&lt;b&gt; &amp; {what} %s {0}",
    "invoice\u202egnp.exe",
    "nul\x00bell\x07half\ud800",
]


class Page(HTMLParser):
    """What a browser's parser sees: every tag with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def png(colour: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


def report_full_of(text: str) -> Report:
    report = Report(title=text, subtitle=text)
    report.verdict(text, level="danger", detail=text)
    report.paragraph(text)
    report.figures([Figure(text, text, text, "warning")])
    report.section(text)
    report.bullets([text, text])
    report.table([text, "n"], [[text, 1], [Words(text), 2.5], [None, True]], caption=text, numeric=[1])
    report.plot(Plot(text, text, text, [Curve(text, [0, 1], [0.5, 0.7])], thresholds=[(0.6, text)]))
    report.images([(text, png())])
    report.details(text, {text: [text, {"path": Path("a")}]})
    return report


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    page = Page(report_full_of(text).html())
    harmless = Page(report_full_of("plain").html())
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    for tag, attributes in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "link", "base"}
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "href", "action"}]


@given(st.text(max_size=40))
def test_any_text_leaves_the_shape_of_the_page_unchanged(text: str) -> None:
    assume(translate(text, "zh") == text)  # a text that has a translation is there twice, once in each language
    assert [tag for tag, _ in Page(report_full_of(text).html()).tags] == [
        tag for tag, _ in Page(report_full_of("plain").html()).tags
    ] or not text


def test_what_deceives_the_eye_is_made_visible() -> None:
    html = report_full_of("invoice\u202egnp.exe\x00\ud800").html()
    assert "\u202e" not in html and "\x00" not in html
    assert "invoice\N{REPLACEMENT CHARACTER}gnp.exe" in html
    html.encode("utf-8")


def test_nothing_is_fetched_and_nothing_can_run() -> None:
    html = report_full_of("plain").html()
    for _, attributes in Page(html).tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in html and "@import" not in html and "http://" not in html and "https://" not in html


def test_the_policy_allows_its_own_style_alone() -> None:
    html = report_full_of("plain").html()
    style = html.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert f"style-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert "script-src" not in policy[1] and "unsafe" not in policy[1]


def test_both_languages_are_in_the_file_and_one_is_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "translations" / "zh"
    folder.mkdir(parents=True)
    (folder / "x.json").write_text(json.dumps({"Guarantees": "保证", "k is {k}": "k 为 {k}"}), encoding="utf-8")
    monkeypatch.setattr("guardapp.language.resource", lambda *parts: tmp_path.joinpath(*parts))
    from guardapp import language

    catalogue.cache_clear()
    language._templates.cache_clear()
    try:
        report = Report(title="Guarantees", language="zh")
        report.paragraph("k is 7")
        report.table(["Guarantees"], [["Guarantees"], [Words("Guarantees")]])
        html = report.html()
    finally:
        catalogue.cache_clear()
        language._templates.cache_clear()
    assert '<span lang="en">k is 7</span><span lang="zh-Hans">k 为 7</span>' in html
    assert "<title>保证</title>" in html and '<html lang="zh-Hans">' in html
    assert re.search(r'id="zh"[^>]* checked', html) and not re.search(r'id="en"[^>]* checked', html)
    assert "<td>Guarantees</td>" in html, "data is never translated"
    assert "<td><span" in html, "but Words are"


def test_cells_are_shown_as_a_person_writes_them() -> None:
    report = Report(title="t")
    report.table(["a"], [[48211], [0.123456], [None], ["1234"]])
    html = report.html()
    for shown in ("<td>48,211</td>", "<td>0.1235</td>", "<td>—</td>", "<td>1234</td>"):
        assert shown in html


def test_a_picture_that_is_not_a_png_is_refused() -> None:
    with pytest.raises(ValueError, match="PNG"):
        Report(title="t").images([("x", b"<svg onload=alert(1)>")])


def test_the_written_file_is_the_report(tmp_path: Path) -> None:
    report = report_full_of("plain")
    report.write(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.html()


def test_every_variable_of_the_style_is_a_token() -> None:
    html = report_full_of("plain").html()
    style = html.split("<style>")[1].split("</style>")[0]
    used, defined = set(re.findall(r"var\((--[\w-]+)\)", style)), set(re.findall(r"(--[\w-]+):", style))
    assert used <= defined
    rules = style[style.index("/* The look of reports") :]
    assert not re.search(r"#[0-9A-Fa-f]{3,8}\b(?!\w*:)", re.sub(r"#(en|zh)\b", "", rules)), "a colour beside the tokens"
