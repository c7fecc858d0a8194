"""`guardapp sign`, `verify` and `bundle`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardapp.cli import print_json
from guardapp.cli.terminal_progress import shown_progress
from guardapp.cli.vault_access import passphrase_options, unlocked_vault, vault_for_reading
from guardapp.errors import GuardError
from guardapp.progress import Progress

if TYPE_CHECKING:
    from guardapp.seal.verify_job import VerifyResult
    from guardapp.vault.store import Vault

_MARK = {True: "passed", False: "FAILED", None: "unknown"}


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--key", required=True, help="Name of a signing key in the vault.")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="The signature (default: model.sig)."
)
@click.option(
    "--ignore", multiple=True, metavar="PATH", help="A path in the folder to leave out; recorded. Repeatable."
)
@click.option("--replace", is_flag=True, help="Replace a signature that is there.")
@click.option(
    "--certificates",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Certificates in PEM to go with the signature, that of the key first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@passphrase_options
def sign(
    path: Path,
    key: str,
    out: Path | None,
    ignore: tuple[str, ...],
    replace: bool,
    certificates: Path | None,
    as_json: bool,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Sign a folder or file by OpenSSF Model Signing.

    Example: guardapp sign release/ --key signer
    """
    from guardapp.seal.certificates import read_certificates
    from guardapp.seal.signing import sign as make_signature
    from guardapp.vault.rules import check_not_expired

    vault = unlocked_vault(passphrase_file, passphrase_fd)
    info = vault.info(key)
    check_not_expired(vault, key)
    chain = read_certificates(certificates) if certificates is not None else None
    private = vault.private(key)
    with shown_progress() as listener:
        signature = make_signature(
            path, private, out, ignore=ignore, replace=replace, progress=Progress(listener), certificates=chain
        )
    vault.audit.append("signed", path.name, key=info.name, fingerprint=info.fingerprint)
    if as_json:
        print_json({"signature": str(signature), "key": info.name, "fingerprint": info.fingerprint})
    else:
        print(signature)
        print(f"Signed with “{info.name}”, fingerprint {info.fingerprint}.", file=sys.stderr)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), help="Public key in PEM (default: the vault's)."
)
@click.option(
    "--signature", type=click.Path(dir_okay=False, path_type=Path), help="The signature (default: model.sig)."
)
@click.option(
    "--certificates",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Certificates in PEM that are trusted to say whose a signing key is.",
)
@click.option("--ignore", multiple=True, metavar="PATH", help="A path in the folder to leave out. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@passphrase_options
def verify(
    path: Path,
    key: Path | None,
    signature: Path | None,
    certificates: Path | None,
    ignore: tuple[str, ...],
    as_json: bool,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> int:
    """Say who signed a folder or file and whether it is whole. Exit code 0 only if it is genuine.

    Example: guardapp verify release/ --key aiko.pem
    """
    from guardapp.seal.verify_job import examine, spec_for
    from guardapp.vault.provider import key_provider

    vault = _vault_if_usable(passphrase_file, passphrase_fd)
    if key is not None and certificates is not None:
        raise click.UsageError("Give a key or certificates, not both.")
    spec = spec_for(path, vault, signature=signature, key=key, certificates=certificates)
    spec.ignore = list(ignore)
    needs = spec.keys()
    keys = {need.name: key_provider(vault)(need) for need in needs} if vault else {}
    with shown_progress() as listener:
        result = examine(spec, Progress(listener, keys=keys))
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _show(result)
    return 0 if result.holds else 1


@click.command()
@click.argument("jobs", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--key", required=True, help="Name of a signing key in the vault.")
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def bundle(jobs: tuple[Path, ...], key: str, out: Path, as_json: bool) -> None:
    """Assemble and sign an export bundle from the folders of finished JOBS, in their order.

    Example: guardapp bundle out/protect out/model out/attack out/sealed --key signer -o release
    """
    from guardapp.cli.single import run_single
    from guardapp.seal.bundle_job import BundleSpec
    from guardapp.seal.verify_job import BUNDLE_FOLDER

    spec = BundleSpec.model_validate({"from": [str(job.absolute()) for job in jobs], "key": key, "name": out.name})
    run_single(spec, out, as_json=as_json)
    if not as_json:
        print(out / BUNDLE_FOLDER)


def _vault_if_usable(passphrase_file: Path | None, passphrase_fd: int | None) -> Vault | None:
    """Verifying goes on without a vault, and makes none: a signature can be checked by a key that is given."""
    from guardapp.vault.home import data_folder
    from guardapp.vault.last_good import NAME

    try:
        if not (data_folder() / "vault" / NAME).exists():
            return None
        return vault_for_reading(passphrase_file, passphrase_fd)
    except GuardError as error:
        if error.code not in ("home.unusable", "vault.damaged", "vault.device-key"):
            raise
        print(f"The vault's keys are not used: {error.why}.", file=sys.stderr)
        return None


def _show(result: VerifyResult) -> None:
    print(f"{result.headline}.")
    if result.fingerprint:
        print(f"Fingerprint of the signing key: {result.fingerprint}")
    width = max((len(check.name) for check in result.checks), default=0)
    for check in result.checks:
        print(f"  {check.name:<{width}}  {_MARK[check.ok]:<7}  {check.sentence}")
    if result.holds:
        print("This shows who signed and that all is whole, not that the model is accurate or free of backdoors.")
