"""`guardapp deid verify`: whether a release is what its certificate says."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from guardapp.cli import print_json
from guardapp.cli.terminal_progress import shown_progress
from guardapp.errors import GuardError, from_os_error
from guardapp.progress import Progress

_FILE = click.Path(path_type=Path)
_MARK = {True: "passed", False: "FAILED", None: "unknown"}


@click.command("verify")
@click.argument("release", type=_FILE, required=False)
@click.option("--key", type=_FILE, help="Public key of the signer, in PEM (default: the vault's).")
@click.option("--script", type=_FILE, help="Write the stand-alone verifier, which needs no guardapp, to this new file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify_(release: Path | None, key: Path | None, script: Path | None, as_json: bool) -> int:
    """Verify a release folder, or its release.json: signature, files, and every guarantee counted again.

    Exit code 0 only if all of it holds and the signature is by the key given, or by one of the vault's.

    \b
    Example:
      guardapp deid verify protected --key signer.pem
    """
    from guardapp.deid.verify import holds, verify_release

    if script is not None:
        _export(script)
    if release is None:
        if script is None:
            raise click.UsageError("Name a release, or --script FILE.")
        return 0
    try:
        pem = key.read_text(encoding="utf-8") if key is not None else _of_the_vault(release)
    except (OSError, UnicodeDecodeError) as error:
        raise (from_os_error(error, key) if isinstance(error, OSError) else _no_key(str(key))) from error
    with shown_progress() as listener:
        found = verify_release(release, pem, Progress(listener))
    verified = holds(found)
    if as_json:
        print_json({"verified": verified, "checks": [finding._asdict() for finding in found]})
    else:
        for finding in found:
            print(f"{_MARK[finding.passed]:<8} {finding.evidence}")
        print("Verified." if verified else "Not verified.")
    return 0 if verified else 1


def _of_the_vault(release: Path) -> str | None:
    """The signer's public key, if it is one of the vault's."""
    from guardapp.cli.vault_access import vault_for_reading
    from guardapp.deid.certificate import read

    signer = read(release).get("signer")
    claimed = signer.get("public_key") if isinstance(signer, dict) else None
    try:
        known = [info.public for info in vault_for_reading().keys() if info.type == "signing"]
    except GuardError as error:
        print(f"The vault's keys are not used: {error.why}.", file=sys.stderr)
        return None
    return claimed if claimed in known else None


def _export(script: Path) -> None:
    from guardapp.resource_files import resource

    try:
        with resource("verify_release.py").open("rb") as source, script.open("xb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise from_os_error(error, script) from error
    print(f"Wrote {script}.", file=sys.stderr)


def _no_key(name: str) -> GuardError:
    return GuardError(
        f"{Path(name).name} cannot be used as a key", "it is not text", "Give a public key in PEM.", "key.unreadable"
    )
