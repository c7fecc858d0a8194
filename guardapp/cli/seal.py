"""seal, open, inspect, recipients, rekey: sealed files on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guardapp.cli import print_json
from guardapp.cli.seal_how import How
from guardapp.cli.seal_keys import (
    check_recipients_given,
    gather_identities,
    gather_recipient_texts,
    read_passphrase,
    with_recovery,
)
from guardapp.errors import from_os_error
from guardapp.formats import checkpoints

if TYPE_CHECKING:
    from guardapp.seal.opening import Format

FILE = click.Path(path_type=Path)

_recipient = click.option(
    "-r", "--recipient", "recipients", multiple=True, metavar="RECIPIENT",
    help="age1…, age1pq1…, an RSA public key's PEM file, or the name of a key in the vault. May be repeated.",
)  # fmt: skip
_recipients_file = click.option(
    "-R", "--recipients-file", "recipient_files", multiple=True, type=FILE, metavar="FILE",
    help="A file with one recipient a line. May be repeated.",
)  # fmt: skip
_identity = click.option(
    "-i", "--identity", "identity_files", multiple=True, type=FILE, metavar="FILE",
    help="A file with age identities or an RSA private key. Keys in the vault are tried by themselves.",
)  # fmt: skip
_passphrase = click.option(
    "--passphrase-file", type=FILE, metavar="FILE",
    help="A file whose first line is the passphrase; - asks for it, or reads it from a pipe.",
)  # fmt: skip
_new_passphrase = click.option(
    "--new-passphrase-file", "new_passphrase_file", type=FILE, metavar="FILE",
    help="A file whose first line opens it from now on; - asks for it, or reads it from a pipe.",
)  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@contextmanager
def _os_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_os_error(error) from error


@contextmanager
def _bar(label: str, nbytes: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=max(nbytes, 1), label=label, file=sys.stderr) as bar:
        yield bar.update


def _say(message: str) -> None:
    click.echo(message, err=True)


@click.command(epilog="Example: guardapp seal model.pt -o model.sealed -r age1… -r partner.pem")
@click.argument("file", type=FILE)
@click.option("-o", "--out", required=True, type=FILE, help="The sealed file to write; it must not exist.")
@_recipient
@_recipients_file
@_passphrase
@click.option("--format", "form", type=click.Choice(["sealed", "age"]), default="sealed", help="The file's format.")
@click.option(
    "--convert/--no-convert", default=True, help="Load a checkpoint safely and store it as safetensors first."
)
@click.option("--verify/--no-verify", default=True, help="Decrypt what was written and compare it before it is kept.")
@click.option("--flush/--no-flush", default=True, help="Wait until the file is on the disk.")
@click.option("--armor", is_flag=True, help="With --format age: write text, a third longer.")
@_json
def seal(
    file: Path,
    out: Path,
    recipients: Sequence[str],
    recipient_files: Sequence[Path],
    passphrase_file: Path | None,
    form: Format,
    convert: bool,
    verify: bool,
    flush: bool,
    armor: bool,
    as_json: bool,
) -> None:
    """Encrypt FILE, or a folder as one archive, so that only its recipients can open it.

    A checkpoint is loaded without running anything in it and stored as safetensors, unless --no-convert. The age format
    is for people who have another program: age itself opens it.
    """
    if armor and form != "age":
        raise click.UsageError("--armor goes with --format age.")
    with _os_errors():
        texts = gather_recipient_texts(recipients, recipient_files)
        check_recipients_given(texts, passphrase_file)
        how = How(form, armor, verify, flush)
        if convert and _needs_worker(file):
            from guardapp.cli.seal_job import seal_in_worker

            result = seal_in_worker(file, out, texts, passphrase_file, how)
        else:
            result = _seal_here(file, out, _people(with_recovery(texts), passphrase_file), how)
    if as_json:
        print_json(result)
    else:
        _say(f"{out} is sealed, recipients: {result['recipients']}")
        if result["left_out"]:
            _say("Left out: " + ", ".join(result["left_out"]))


def _people(texts: Sequence[str], passphrase_file: Path | None) -> list[Any]:
    """Recipients to seal for: those of `texts`, and the passphrase in a file if there is one."""
    from guardapp.seal.keys import recipient
    from guardapp.seal.recipients import PassphraseRecipient

    people: list[Any] = [recipient(text) for text in texts]
    passphrase = read_passphrase(passphrase_file, confirm=True)
    return people if passphrase is None else [*people, PassphraseRecipient(passphrase)]


def _needs_worker(file: Path) -> bool:
    """Whether `file` may be a pickle, which this process must not load."""
    return not file.is_dir() and checkpoints.sniff(file) != "safetensors" and not checkpoints.plainly_other(file)


def _seal_here(file: Path, out: Path, recipients: Sequence[Any], how: How) -> dict[str, Any]:
    from guardapp.seal.age_file import write_age
    from guardapp.seal.folder_archive import FolderPlaintext
    from guardapp.seal.plaintext import FilePlaintext
    from guardapp.seal.sealed import write_sealed

    source = FolderPlaintext(file) if file.is_dir() else FilePlaintext(file)
    write = partial(write_age, armor=how.armor) if how.form == "age" else write_sealed
    with source, _bar("Encrypting", source.nbytes * (2 if how.verify else 1)) as on_bytes:
        written = write(
            source, out, recipients, verify=how.verify, flush=how.flush, on_bytes=on_bytes, on_checked=on_bytes
        )
    return {
        "path": str(out),
        "recipients": len(recipients),
        "content": written.content,
        "sha256": written.sha256,
        "content_bytes": written.nbytes,
        "sealed_bytes": out.stat().st_size,
        "segments": written.segments,
        "converted": False,
        "left_out": source.left_out if isinstance(source, FolderPlaintext) else [],
        "verified": how.verify,
        "flushed": how.flush,
    }


@click.command(name="open", epilog="Example: guardapp open model.sealed -o model.safetensors -i key.txt")
@click.argument("file", type=FILE)
@click.option("-o", "--out", required=True, type=FILE, help="The file to write; it must not exist.")
@_identity
@_passphrase
@click.option("--unpack", is_flag=True, help="Take a folder archive apart into the new folder OUT.")
@click.option("--flush/--no-flush", default=True, help="Wait until the file is on the disk.")
@_json
def open_(
    file: Path,
    out: Path,
    identity_files: Sequence[Path],
    passphrase_file: Path | None,
    unpack: bool,
    flush: bool,
    as_json: bool,
) -> None:
    """Decrypt FILE, a sealed or age file, if all of it is as it was sealed."""
    from guardapp.seal.opening import open_any

    with _os_errors():
        keys = gather_identities(identity_files, passphrase_file)
        if unpack:
            _unpack(file, out, keys, as_json=as_json)
            return
        with _bar("Opening", file.stat().st_size) as on_bytes:
            opened = open_any(file, out, keys, flush=flush, on_bytes=on_bytes)
    if as_json:
        fields = {"path": str(out), "content": opened.content, "content_bytes": opened.nbytes}
        print_json({**fields, "segments": opened.segments})
    else:
        _say(f"{out} is opened")


def _unpack(file: Path, out: Path, keys: Sequence[Any], *, as_json: bool) -> None:
    from guardapp.seal.unpack import unpack_sealed

    with _bar("Opening", file.stat().st_size) as on_bytes:
        unpacked = unpack_sealed(file, out, keys, on_bytes=on_bytes)
    if as_json:
        print_json({"path": str(out), "files": unpacked.files, "archive_bytes": unpacked.nbytes})
    else:
        _say(f"{out} is opened, files: {unpacked.files}")


@click.command(epilog="Example: guardapp inspect model.sealed -i key.txt --json")
@click.argument("file", type=FILE)
@_identity
@_passphrase
@_json
def inspect(file: Path, identity_files: Sequence[Path], passphrase_file: Path | None, as_json: bool) -> None:
    """Show what can be seen of FILE without any key; with one, the tensors' names, types and shapes.

    FILE may also be a safetensors file.
    """
    from guardapp.seal.inspect import inspect_sealed
    from guardapp.seal.unwrap import KINDS

    with _os_errors():
        if checkpoints.sniff(file) == "safetensors":
            tensors = checkpoints.describe(file)
            size = file.stat().st_size
            document: dict[str, Any] = {"format": "safetensors", "file_bytes": size, "tensors": _rows(tensors)}
        else:
            seen = inspect_sealed(file, gather_identities(identity_files, passphrase_file, ask=False))
            document = seen.as_dict()
            tensors = list(seen.tensors)
    if as_json:
        print_json(document)
        return
    click.echo(f"format      {document['format']}")
    click.echo(f"size        {document['file_bytes']:,} bytes")
    if document["format"] != "safetensors":
        click.echo(
            f"content     {document['content']}, {document['content_bytes']} bytes, {document['segments']} segments"
        )
        for number, kind in enumerate(document["recipients"], 1):
            click.echo(f"recipient   {number}: {KINDS.get(kind, kind)}")
        click.echo(
            "header      authentic" if document["opened"] else "header      not checked: no key for it is at hand"
        )
    for tensor in tensors:
        click.echo(f"tensor      {tensor.name}  {tensor.dtype} {list(tensor.shape)}")


def _rows(tensors: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "nbytes": t.nbytes} for t in tensors]


@click.group(epilog="Example: guardapp recipients model.sealed add -r age1… -i key.txt")
@click.argument("file", type=FILE)
@click.pass_context
def recipients(ctx: click.Context, file: Path) -> None:
    """Change for whom FILE is. Only its header is rewritten; you need a key that opens it."""
    ctx.obj = {**(ctx.obj or {}), "file": file}


@recipients.command(name="add", epilog="Example: guardapp recipients model.sealed add -r age1… -i key.txt")
@_recipient
@_recipients_file
@_new_passphrase
@_identity
@_passphrase
@click.pass_obj
def add_(
    obj: dict[str, Any],
    recipients: Sequence[str],
    recipient_files: Sequence[Path],
    new_passphrase_file: Path | None,
    identity_files: Sequence[Path],
    passphrase_file: Path | None,
) -> None:
    """Let more recipients, or a passphrase, open the file."""
    from guardapp.seal.rewrap import add_recipients

    file: Path = obj["file"]
    with _os_errors():
        texts = gather_recipient_texts(recipients, recipient_files)
        check_recipients_given(texts, new_passphrase_file, "--new-passphrase-file")
        keys = gather_identities(identity_files, passphrase_file)
        count = add_recipients(file, keys, _people(texts, new_passphrase_file))
    _say(f"{file} has {count} recipients now")


@recipients.command(name="remove", epilog="Example: guardapp recipients model.sealed remove 2 -i key.txt")
@click.argument("numbers", type=int, nargs=-1, required=True)
@_identity
@_passphrase
@click.pass_obj
def remove_(
    obj: dict[str, Any], numbers: Sequence[int], identity_files: Sequence[Path], passphrase_file: Path | None
) -> None:
    """Take recipients out by their NUMBERS in `guardapp inspect`.

    They keep what they could read before, and their key still opens older copies. To shut them out of this file
    for good, use `guardapp rekey`.
    """
    from guardapp.seal.rewrap import change_recipients

    file: Path = obj["file"]
    with _os_errors():
        keys = gather_identities(identity_files, passphrase_file)
        # nothing shows whether the recovery key is among those that are taken out
        count = change_recipients(file, keys, add=_people(with_recovery([]), None), remove=numbers).recipients
    _say(
        f"{file} has {count} recipients now. Who was removed may have kept its key: `guardapp rekey` gives it a new one"
    )


@click.command(epilog="Example: guardapp rekey model.sealed -r age1… -i key.txt")
@click.argument("file", type=FILE)
@_recipient
@_recipients_file
@_new_passphrase
@_identity
@_passphrase
@_json
def rekey(
    file: Path,
    recipients: Sequence[str],
    recipient_files: Sequence[Path],
    new_passphrase_file: Path | None,
    identity_files: Sequence[Path],
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Seal the content of FILE anew, under a new key and for the recipients given alone. FILE is replaced."""
    from guardapp.seal.rewrap import rekey as seal_anew

    with _os_errors():
        texts = gather_recipient_texts(recipients, recipient_files)
        check_recipients_given(texts, new_passphrase_file, "--new-passphrase-file")
        keys = gather_identities(identity_files, passphrase_file)
        people = _people(with_recovery(texts), new_passphrase_file)
        with _bar("Encrypting", file.stat().st_size) as on_bytes:
            written = seal_anew(file, keys, people, on_bytes=on_bytes)
    if as_json:
        print_json(
            {"path": str(file), "recipients": len(people), "content_bytes": written.nbytes, "sha256": written.sha256}
        )
    else:
        _say(f"{file} is sealed under a new key, recipients: {len(people)}. Older copies of it stay as they are")
