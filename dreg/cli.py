"""The command line: a lazy table of commands, the options they all share, errors to exit codes.

Commands live in `dreg/commands/<name>.py` as a function of that name, or as a Typer app `app`
for a command with commands of its own. They import what they need when they run, so that
`dreg --help` stays as quick as the interpreter allows.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import gc
import inspect
import keyword
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.core
import typer.main
import typer.models

from dreg import __version__
from dreg.adapters.interrupts import heard, made_of_one
from dreg.errors import BadRequest, DregError, Lasting
from dreg.output import out

COMMANDS = (
    "init", "new", "run", "status", "check", "diff", "release",
    "yank", "unyank", "list", "show", "fetch", "outdated", "update", "doctor",
    "trace", "tree", "fsck", "reproduce", "gc", "pack", "export", "import",
    "vectors", "search", "ci", "submit", "bootstrap", "remote", "cache", "rules", "template",
)  # fmt: skip

JsonOpt = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")]
DirectoryOpt = Annotated[
    Path | None,
    typer.Option("-C", metavar="DIR", help="Run as if started in DIR.", show_default=False),
]
DebugOpt = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
COMMON = {
    "json": (JsonOpt, False),
    "quiet": (QuietOpt, False),
    "directory": (DirectoryOpt, None),
    "debug": (DebugOpt, False),
}


def settle(*, json: bool, quiet: bool, directory: Path | None, debug: bool) -> None:
    """Apply the options that every command shares."""
    out.configure(json=json, quiet=quiet, debug=debug)
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            raise BadRequest(
                f"cannot enter `{directory}`: {error.strerror}",
                hint="-C takes an existing directory",
            ) from error


def with_common_options(function: Callable[..., None]) -> Callable[..., None]:
    """`function` with --json, --quiet, -C and --debug added to its own options."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        settle(**{name: given.pop(name) for name in COMMON})
        _refuse_empty(own.parameters, given)
        function(**given)

    own = inspect.signature(function, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in COMMON.items()
    ]
    run.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[
            *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own.parameters.values()),
            *added,
        ]
    )
    run.__annotations__ = {p.name: p.annotation for p in run.__signature__.parameters.values()}  # type: ignore[attr-defined]
    return run


def _refuse_empty(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> None:
    """Raises BadRequest for an option or argument without anything in it, as an unset variable leaves it:
    to take that for "not given" would do more than was asked for."""
    for name, value in given.items():
        if parameters[name].default is inspect.Parameter.empty:
            continue  # what has to be there is never taken for that, and is told in its own words
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and not text.strip() for text in texts):
            called = _called(parameters[name])
            raise BadRequest(f"`{called}` is empty", hint=f"write a value, or leave {called} out")


def _called(parameter: inspect.Parameter) -> str:
    info = next(iter(getattr(parameter.annotation, "__metadata__", ())), None)
    if isinstance(info, typer.models.ArgumentInfo):
        return info.metavar or parameter.name.upper()
    # Of an option's names Typer takes the first for its default.
    names = (*(getattr(info, "param_decls", None) or ()), getattr(info, "default", None))
    own = next((name for name in names if isinstance(name, str) and name.startswith("-")), "")
    return own or f"--{parameter.name.replace('_', '-')}"


class Commands(typer.core.TyperGroup):
    """Imports a command's module when the command is first asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        for name in COMMANDS:  # the closest name is looked for among `self.commands`
            self.get_command(ctx, name) if args and args[0] not in COMMANDS else None
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """The command object of `dreg.commands.<name>`, or `<name>_` where Python has taken the name."""
    called = f"{name}_" if keyword.iskeyword(name) else name
    module = import_module(f"dreg.commands.{called}")
    if hasattr(module, "app"):
        for info in module.app.registered_commands:
            if not hasattr(info.callback, "__wrapped__"):
                info.callback = with_common_options(info.callback)
        return typer.main.get_command(module.app)
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(name)(with_common_options(getattr(module, called)))
    return typer.main.get_command(single)


app = typer.Typer(
    name="dreg",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog="Start with: dreg init my-registry",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dreg {__version__}")
        raise typer.Exit


@app.callback()
def options(
    json: JsonOpt = False,
    quiet: QuietOpt = False,
    directory: DirectoryOpt = None,
    debug: DebugOpt = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Dataset releases as dependable as package releases.

    A registry is a git repository in which DVC keeps datasets; dreg runs their pipelines,
    decides their next version, proves that it can be fetched, and fetches exactly those bytes.
    """
    settle(json=json, quiet=quiet, directory=directory, debug=debug)


def main() -> None:
    """Run the command line and exit: 0 done, 1 refused, 2 bad request, 3 something outside failed."""
    # Imports make many objects and no garbage: collecting in between costs a short command 5 %.
    gc.set_threshold(100_000)
    if os.environ.get("_DREG_COMPLETE") == "complete_bash":
        from dreg.completion import complete_in_bash

        complete_in_bash(lambda: run([]), os.environ)
    else:
        try:
            with heard():
                code = run(sys.argv[1:])
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process as Python does, but that it is not taken apart.

    That takes time, and aborts a process that has done its work if a thread of Arrow's, or of another library in C++,
    comes back to Python meanwhile.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    usage_error: Any = typer.BadParameter.__mro__[
        1
    ]  # click's UsageError, which Typer keeps to itself
    # The options that decide how an error is shown, should the others not even parse.
    out.configure(json="--json" in arguments, quiet=False, debug="--debug" in arguments)
    try:
        code = int(app(arguments, standalone_mode=False, prog_name="dreg") or 0)
        sys.stdout.flush()  # here a full disk is an error that can be told
        return code
    except DregError as error:
        failure = error
    except usage_error as error:
        failure = _as_bad_request(error)
    except ModuleNotFoundError as error:
        failure = _lacking(error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            # The reader of our output went away (`dreg list | head`); say nothing more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if made_of_one(error):
            raise KeyboardInterrupt from error
        failure = _unforeseen(error)
    if out.debug:
        out.traceback(failure.__cause__ or failure)
    out.error(failure)
    if os.environ.get("DREG_TERMINATION_LOG"):
        from dreg.adapters.step_files import tell_ending

        tell_ending(failure)
    return failure.exit_code


def _unforeseen(error: Exception) -> DregError:
    from dreg.adapters.os_errors import in_disguise, outside

    refused = error if isinstance(error, OSError) else in_disguise(error)
    failure = outside(refused) if refused else _internal(error)
    failure.__cause__ = error
    return failure


def _internal(error: Exception) -> DregError:
    failure = Lasting(
        f"internal error: {type(error).__name__}: {error}",
        hint="this is a bug in dreg; run the command again with --debug and report what it prints",
    )
    failure.__cause__ = error
    return failure


def _lacking(error: ModuleNotFoundError) -> DregError:
    """Plain `dreg` is what training needs; the rest of what a registry needs is an extra."""
    if error.name is None or error.name.split(".")[0] == "dreg":
        return _internal(error)
    failure = Lasting(
        f"the Python module `{error.name}` is needed for this and not installed",
        hint="pip install 'dreg[registry]'",
    )
    failure.__cause__ = error
    return failure


def _as_bad_request(error: Any) -> DregError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "dreg"
    message = error.format_message().rstrip(".").replace("'", "`").replace("Value error, ", "")
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(context.get_help() if context else "")
        message = "a command is missing" if command == "dreg" else f"`{command}` needs a command"
    return BadRequest(message[:1].lower() + message[1:], hint=f"{command} --help")
