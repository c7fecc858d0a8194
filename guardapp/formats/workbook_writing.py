"""A new XLSX workbook with one sheet, written as a stream (ECMA-376 part 1, SpreadsheetML).

Every text is an inline string, which no spreadsheet program takes for a formula whatever it begins with, so nothing
has to be escaped for that. Control characters, which XML cannot hold, are written _xHHHH_ (ECMA-376 22.4.2.4).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from guardapp.formats import table_errors

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS, MOST_COLUMNS, LONGEST_TEXT = 1_048_576, 16_384, 32_767
_NAMESPACE = "http://schemas.openxmlformats.org/"
_MAIN = f"{_NAMESPACE}spreadsheetml/2006/main"
_START = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_NAMESPACE}package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    + "".join(
        f'<Override PartName="/xl/{part}.xml" '
        f'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>'
        for part, kind in (("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet"), ("styles", "styles"))
    )
    + "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_NAMESPACE}package/2006/relationships"><Relationship Id="rId1" '
    f'Type="{_NAMESPACE}officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_NAMESPACE}package/2006/relationships">'
    + "".join(
        f'<Relationship Id="rId{number}" Type="{_NAMESPACE}officeDocument/2006/relationships/{kind}" Target="{to}"/>'
        for number, (kind, to) in enumerate((("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")), 1)
    )
    + "</Relationships>",
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_NAMESPACE}officeDocument/2006/relationships">'
    '<sheets><sheet name="table" sheetId="1" r:id="rId1"/></sheets></workbook>',
    # cell formats: 0 general, 1 a day (built-in format 14), 2 a moment (22)
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3">'
    '<xf xfId="0"/><xf numFmtId="14" applyNumberFormat="1" xfId="0"/>'
    '<xf numFmtId="22" applyNumberFormat="1" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x0d\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_FIRST_DAY = datetime(1899, 12, 30)
_FIRST_SURE_DAY = datetime(1900, 3, 1)
"""Spreadsheets count a day that never was, 29 February 1900; earlier dates are written as text."""
_EXACT = 1 << 53


def write_workbook(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write the rows, return how many. GuardError `table.workbook-limits`."""
    if len(schema.names) > MOST_COLUMNS:
        raise table_errors.over_limits(path, f"more than {MOST_COLUMNS} columns")
    rows = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, _START + text)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'{_START}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            _write_row(path, sheet, schema.names)
            for batch in batches:
                rows += batch.num_rows
                if rows >= MOST_ROWS:
                    raise table_errors.over_limits(path, f"more than {MOST_ROWS - 1} rows below its header")
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    _write_row(path, sheet, row)
            sheet.write(b"</sheetData></worksheet>")
    return rows


def _write_row(path: Path, sheet: IO[bytes], row: Iterable[Any]) -> None:
    sheet.write(("<row>" + "".join(_cell(path, value) for value in row) + "</row>").encode())


def _cell(path: Path, value: Any) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float) and abs(value) <= (_EXACT if isinstance(value, int) else 1.7e308):
        return f"<c><v>{value!r}</v></c>"
    if isinstance(value, date):
        moment = value.replace(tzinfo=None) if isinstance(value, datetime) else datetime(*value.timetuple()[:3])
        zoned = isinstance(value, datetime) and value.tzinfo is not None
        if moment >= _FIRST_SURE_DAY and not zoned:
            passed = moment - _FIRST_DAY
            style = 2 if isinstance(value, datetime) else 1
            return f'<c s="{style}"><v>{passed.days + (passed.seconds + passed.microseconds / 1e6) / 86400!r}</v></c>'
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise table_errors.over_limits(path, f"a text longer than {LONGEST_TEXT} characters")
    if not text.isalnum():
        text = escape(_UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", text))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
