"""The command line: every command, its errors and its exit codes. With no command, the window opens.

One module of this package per group of commands; a module is imported only when one of its commands is called, because
`guardapp --help` should not wait for torch.

Exit codes: 0 done · 1 the answer is no · 2 bad input or usage · 3 a fault of the program · 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

import guardapp
from guardapp.errors import GuardError, from_os_error
from guardapp.jobs.process_settings import no_core_dumps

COMMANDS = {
    "gui": "guardapp.cli.gui:gui",
    "demo": "guardapp.cli.demo:demo",
    "run": "guardapp.cli.jobs:run",
    "jobs": "guardapp.cli.jobs:jobs",
    "deid": "guardapp.cli.deid:deid",
    "keys": "guardapp.cli.keys:keys",
    "seal": "guardapp.cli.seal:seal",
    "open": "guardapp.cli.seal:open_",
    "inspect": "guardapp.cli.seal:inspect",
    "recipients": "guardapp.cli.seal:recipients",
    "rekey": "guardapp.cli.seal:rekey",
    "scan": "guardapp.cli.scan:scan",
    "convert": "guardapp.cli.convert:convert",
    "strip": "guardapp.cli.strip:strip",
    "sign": "guardapp.cli.sign:sign",
    "verify": "guardapp.cli.sign:verify",
    "bundle": "guardapp.cli.sign:bundle",
    "train": "guardapp.cli.train:train",
    "budget": "guardapp.cli.budget:budget",
    "audit": "guardapp.cli.audit:audit",
    "check": "guardapp.cli.check:check",
    "leak": "guardapp.cli.leak:leak",
}
"""Command name to where it lives, in the order of `--help`."""


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(guardapp.__version__, prog_name="guardapp")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Protect what machine-learning teams hand around: datasets and models.

    With no command, the window opens.
    """
    ctx.obj = {"debug": debug}
    if ctx.invoked_subcommand is None:
        from guardapp.cli.gui import gui

        ctx.invoke(gui)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; no exception leaves it."""
    no_core_dumps()
    debug = "--debug" in arguments
    try:
        result = main.main(args=list(arguments), prog_name="guardapp", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except GuardError as error:
        if debug:
            traceback.print_exc()
        show_error(error, as_json="--json" in arguments)
        return error.exit_code
    except click.exceptions.Abort:
        print("Interrupted. Nothing half-written remains.", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("Interrupted. Nothing half-written remains.", file=sys.stderr)
        return 130
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if debug:
            traceback.print_exc()
        refusal = from_os_error(error)
        show_error(refusal, as_json="--json" in arguments)
        return refusal.exit_code
    except Exception as error:
        if debug:
            traceback.print_exc()
        else:
            print(
                f"guardapp met a fault of its own ({type(error).__name__}). Nothing half-written remains.\n"
                "Next: run the same command with --debug before its name, and report what it prints.",
                file=sys.stderr,
            )
        return 3


def show_error(error: GuardError, *, as_json: bool = False) -> None:
    """Three sentences on stderr; with `--json` the same as one document on stdout as well."""
    if as_json:
        print_json({"error": error.as_dict()})
    print(f"{error.what}.\n  Why: {error.why}.\n  Next: {error.next}\n  [{error.code}]", file=sys.stderr)


def print_json(document: Any) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, default=str)
    print()
