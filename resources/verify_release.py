#!/usr/bin/env python3
"""Verify a release of a de-identified table by its certificate, without the program that made it.

    python verify_release.py FOLDER [--key PUBLIC.pem] [--allow-unsigned]

It needs Python 3.11 or later; `cryptography` for a signature, `pyarrow` for a Parquet table; CSV and JSON Lines, plain
or in gzip, SQLite and XLSX need nothing more. It reads release.json in FOLDER and checks that
  - the certificate is written in its one canonical way and is signed: by PUBLIC.pem if that is given. Without --key,
    the key in the certificate is used, which shows that nothing was changed since signing and not who signed;
  - the table and the other files have the hashes that it states;
  - k, l and t, counted here from the table, are what it states, and every privacy model of its policy holds.
Exit status: 0 all of this is so, 1 something is not, 2 the release could not be read.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import math
import re
import sqlite3
import sys
import zipfile
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

CELLS = {("n", "c"), ("n", "c", "v"), ("b", "c", "v"), ("inlineStr", "c", "is", "t")}
SHEET = "xl/worksheets/sheet1.xml"
HASHES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
TOLERANCE = 1e-9


class Doubt(Exception):
    """One thing that is not as the certificate says."""


def canonical(document):
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_certificate(folder):
    blob = (folder / "release.json").read_bytes()
    try:
        document = json.loads(blob)
        same = isinstance(document, dict) and canonical(document) + b"\n" == blob
    except (ValueError, RecursionError):
        raise Doubt("release.json is not JSON") from None
    if not same:
        raise Doubt("release.json is not written in its one canonical way")
    if document.get("format") != "guardapp-release/1":
        raise Doubt("the format of release.json is not guardapp-release/1")
    return document


def check_signature(document, key_file, allow_unsigned):
    """The line to print about it; raises Doubt."""
    signature, signer = document.get("signature"), document.get("signer")
    if signature is None:
        if key_file or not allow_unsigned:
            raise Doubt("the certificate is not signed, so anybody could have written it")
        return "NOT SIGNED: anybody could have written this certificate"
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    inside = serialization.load_pem_public_key(signer["public_key"].encode())
    key = serialization.load_pem_public_key(Path(key_file).read_bytes()) if key_file else inside
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in HASHES:
        raise Doubt("the key is not on the curves P-256, P-384 and P-521")
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = key.public_bytes(*form)
    if point != inside.public_bytes(*form):
        raise Doubt("the certificate names another key than the one given")
    fingerprint = hashlib.sha256(point).digest()[:16].hex().upper()
    if signer["fingerprint"].replace(" ", "") != fingerprint:
        raise Doubt("the fingerprint in the certificate is not that of its key")
    rest = {name: value for name, value in document.items() if name != "signature"}
    try:
        blob = bytes.fromhex(signature)
        if blob.hex() != signature:
            raise ValueError
        key.verify(blob, canonical(rest), ec.ECDSA(getattr(hashes, HASHES[key.curve.name])()))
    except (InvalidSignature, ValueError):
        raise Doubt("the signature does not fit: the certificate was changed, or another key made it") from None
    compare = f"signed by the key {fingerprint}; compare this with the signer, or give the key with --key"
    return "signed by the key given" if key_file else compare


def check_files(folder, document):
    stated = {document["output"]["name"]: document["output"]["sha256"], **document["files"]}
    for name, sha256 in stated.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise Doubt(f"{name} is not in the folder")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise Doubt(f"{name} is not the file that the certificate is about")
    return len(stated)


def text_lines(path, output):
    """CSV or JSON Lines, plain or in gzip."""
    csv.field_size_limit(1 << 30)
    with path.open("rb") as blob:
        unpacked = gzip.GzipFile(fileobj=blob) if blob.peek(2)[:2] == b"\x1f\x8b" else blob
        text = io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="")
        if output["format"] == "csv":
            yield from csv.reader(text, delimiter=output["delimiter"] or ",")
            return
        yield output["columns"]
        for line in text:
            fields = json.loads(line, object_pairs_hook=list)
            yield [value for _, value in fields] if [name for name, _ in fields] == output["columns"] else ()


def sqlite_lines(path, output):
    if any(path.with_name(path.name + ending).exists() for ending in ("-wal", "-journal")):
        raise Doubt("the database has a log of changes beside it")
    with closing(sqlite3.connect(path.resolve().as_uri() + "?mode=ro&immutable=1", uri=True)) as database:
        inside = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        if len(inside) != 1 or inside[0][0] != "table" or inside[0][2].upper().startswith("CREATE VIRTUAL"):
            raise Doubt("the database holds something else than one table")
        rows = database.execute('SELECT * FROM "' + inside[0][1].replace('"', '""') + '"')  # noqa: S608 - quoted
        yield [column[0] for column in rows.description]
        yield from rows


def sheet_lines(path, output):
    with zipfile.ZipFile(path) as archive, archive.open(SHEET) as file:
        names = archive.namelist()
        if [name for name in names if "sheets/" in name] != [SHEET] or len(set(names)) < len(names):
            raise Doubt("the workbook holds something else than one sheet")
        for _, row in ElementTree.iterparse(file):  # noqa: S314 - what its signer has signed
            if row.tag.endswith("}row"):
                shapes = {(c.get("t", "n"), *(part.tag.rpartition("}")[2] for part in c.iter())) for c in row}
                if not shapes <= CELLS or row.attrib or any("r" in cell.attrib for cell in row):
                    raise Doubt("the sheet is not written as releases are")
                yield [re.sub("_x([0-9A-F]{4})_", lambda m: chr(int(m[1], 16)), "".join(c.itertext())) for c in row]
                row.clear()


def parquet_lines(path, output):
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    yield file.schema_arrow.names
    for batch in file.iter_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def rows_of(path, output):
    """Every row as a tuple of texts, the missing cell as the empty text; the header is checked."""
    readers = {"csv": text_lines, "jsonl": text_lines, "sqlite": sqlite_lines, "xlsx": sheet_lines}
    lines = {"parquet": parquet_lines, **readers}[output["format"]](path, output)
    if list(next(lines, ())) != output["columns"]:
        raise Doubt("the table has other columns")
    for line in lines:
        if len(line) != len(output["columns"]):
            raise Doubt("a line of the table is damaged")
        yield tuple("" if cell is None else str(cell) for cell in line)


def count(path, output, quasi, sensitive):
    """Rows of each group, and for each sensitive column the values in each group."""
    places = {name: index for index, name in enumerate(output["columns"])}
    if missing := {*quasi, *sensitive}.difference(places):
        raise Doubt(f"the table has no column {min(missing)}")
    groups, inside = Counter(), {name: defaultdict(Counter) for name in sensitive}
    for row in rows_of(path, output):
        group = tuple(row[places[name]] for name in quasi)
        groups[group] += 1
        for name in sensitive:
            if value := row[places[name]]:
                inside[name][group][value] += 1
    return groups, inside


def distances(inside, kind):
    """The largest distance of a group's values from all values: half the sum of differences, or the ordered one."""
    overall = Counter()
    for values in inside.values():
        overall.update(values)
    total, worst = sum(overall.values()), 0.0
    order = sorted(overall, key=lambda value: (float(value), value)) if kind == "ordered" else []
    for values in inside.values():
        size, running, distance = sum(values.values()), 0.0, 0.0
        if kind == "equal":
            # values that the group does not hold differ by their whole share
            held = sum(overall[value] for value in values) / total
            distance = (sum(abs(n / size - overall[v] / total) for v, n in values.items()) + 1 - held) / 2
        for value in order[:-1]:
            running += values[value] / size - overall[value] / total
            distance += abs(running) / max(len(order) - 1, 1)
        worst = max(worst, distance)
    return worst


def entropy_l(groups, inside):
    """e to the smallest entropy of a group's values; 0 where a group has none."""
    found = []
    for group in groups:
        values = inside.get(group, {})
        size = sum(values.values())
        found.append(math.exp(-sum(n / size * math.log(n / size) for n in values.values())) if size else 0.0)
    return min(found, default=0.0)


def recursive_holds(groups, inside, c, l):  # noqa: E741
    """Whether the commonest value of each group is rarer than c times all from the l-th commonest on."""
    for group in groups:
        counts = sorted(inside.get(group, {}).values(), reverse=True)
        if not counts or counts[0] >= c * sum(counts[l - 1 :]):
            return False
    return True


def model_holds(model, k, names, diversities, groups, inside):
    """Whether a model of the policy holds; None for one that cannot be counted from the table alone."""
    name, column = model["name"], names.get(model.get("column"))
    if name == "k-anonymity":
        return k >= model["k"]
    if column is None:
        return None
    if name == "distinct-l-diversity":
        return diversities[column] >= model["l"]
    if name == "entropy-l-diversity":
        return entropy_l(groups, inside[column]) >= model["l"] - TOLERANCE
    if name == "recursive-cl-diversity":
        return recursive_holds(groups, inside[column], model["c"], model["l"])
    if name == "t-closeness" and model.get("distance", "equal") in ("equal", "ordered"):
        return distances(inside[column], model.get("distance", "equal")) <= model["t"] + TOLERANCE
    return None


def check_guarantees(folder, document):
    """Lines to print; raises Doubt."""
    output, stated = document["output"], document["guarantees"]
    sensitive = [entry["column"] for entry in stated["sensitive"]]
    groups, inside = count(folder / output["name"], output, stated["quasi"], sensitive)
    rows, k = sum(groups.values()), min(groups.values(), default=0)
    if rows != output["rows"]:
        raise Doubt(f"the table has {rows} rows, the certificate says {output['rows']}")
    if stated["quasi"] and k != stated["k"]:
        raise Doubt(f"k is {k}, the certificate says {stated['k']}")
    if len(groups) != stated["groups"]:
        raise Doubt(f"there are {len(groups)} groups, the certificate says {stated['groups']}")
    told = [f"{rows} rows in {len(groups)} groups, k = {k}"] if stated["quasi"] else [f"{rows} rows"]
    names, diversities = {}, {}
    for entry in stated["sensitive"]:
        name = entry["column"]
        diversities[name] = min((len(inside[name].get(group, ())) for group in groups), default=0)
        if diversities[name] != entry["l"]:
            raise Doubt(f"l of {name} is {diversities[name]}, the certificate says {entry['l']}")
        # a header that a spreadsheet would run was written with an apostrophe in front
        names[name] = names[name.removeprefix("'")] = name
        told.append(f"l of {name} = {diversities[name]}")
        if entry["distance"] in ("equal", "ordered"):
            distance = distances(inside[name], entry["distance"])
            if abs(distance - entry["t"]) > TOLERANCE:
                raise Doubt(f"t of {name} is {distance}, the certificate says {entry['t']}")
            told.append(f"t of {name} = {distance:.6f}, {entry['distance']} distance")
    for model in document["policy"].get("models", []):
        holds = model_holds(model, k, names, diversities, groups, inside)
        if holds is False:
            raise Doubt(f"{model['name']} of the policy does not hold in the table")
        told.append(f"{model['name']}: " + ("holds" if holds else "NOT COUNTED HERE, as certified only"))
    return told


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", help="public key of the signer, in PEM")
    parser.add_argument("--allow-unsigned", action="store_true", help="go on if nobody has signed")
    asked = parser.parse_args(arguments)
    try:
        document = read_certificate(asked.folder)
        print(check_signature(document, asked.key, asked.allow_unsigned))
        print(f"{check_files(asked.folder, document)} files are the ones that the certificate is about")
        print(*check_guarantees(asked.folder, document), sep="\n")
        for attack in document["attacks"]:
            print(f"attack {attack['name']}: {attack['outcome']}")
    except (OSError, EOFError, ImportError) as error:
        print(f"could not be read: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        damage = f"the certificate or the table is damaged ({type(error).__name__})"
        print("NO:", error if isinstance(error, Doubt) else damage)
        return 1
    print("VERIFIED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
