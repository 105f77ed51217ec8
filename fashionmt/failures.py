"""Every failure of a command as one line on stderr and the documented exit code."""

import contextlib
import dataclasses
import difflib
import io
import os
import re
import sys
import traceback
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fashionmt.config import PredictConfig, TrainConfig
from fashionmt.errors import ExitCode, RowFailedError, UserError, exit_code, failure_reason, nearest
from fashionmt.hydra_bridge import HYDRA_1_3

DEBUG = "FASHIONMT_DEBUG"
"""The environment variable that asks for tracebacks."""
ANY = "*"


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Any failure inside: one line on stderr and the documented exit code."""
    try:
        yield
        sys.stdout.flush()  # here, where a reader who is gone is no fault
    except KeyboardInterrupt:
        leave(ExitCode.INTERRUPTED, "interrupted")
    except BrokenPipeError:
        _let_go_of_stdout()  # who read what is printed, `head` say, has seen enough
        raise SystemExit(int(ExitCode.READER_GONE)) from None
    except Exception as error:
        if (line := _unforeseen_by_hydra(error)) is not None:
            leave(ExitCode.USER_ERROR, line)
        leave(exit_code(error), _line(error))


def check_arguments() -> None:
    """Raise `UserError` for a command line that Hydra's parser would refuse with its usage, which is a screenful."""
    parser, said = get_args_parser(), io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args() if HYDRA_1_3 else parser.parse_intermixed_args()  # as it does itself
    except SystemExit as left:
        if not left.code:  # --version
            raise
        wrong = said.getvalue().partition("error: ")[2].strip()
        overrides = [word for word in wrong.split() if "=" in word and not word.startswith("-")]
        # Hydra 1.3 takes overrides in one piece.
        repair = "Put -m, and what else begins with -, first" if overrides else "See --help; overrides are key=value"
        raise UserError("the command line", wrong, repair) from None


def leave(code: ExitCode, line: str) -> NoReturn:
    """End the command with one line on stderr."""
    if os.environ.get(DEBUG):
        traceback.print_exc()
    sys.stderr.write(f"fashionmt: {' '.join(line.split())}\n")
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_stdout()
    raise SystemExit(int(code)) from None


def _let_go_of_stdout() -> None:
    """Python would tell of a reader who is gone again when it ends, and end with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(error: Exception) -> str:
    """What is told of it."""
    if isinstance(error, RowFailedError):
        return _failed_rows(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _config_error(error)
    if isinstance(error, yaml.YAMLError):  # of a config file, a user's own too; those of a run's folder are UserErrors
        return f"config: {error}. Check its indentation, and quote a text that holds ': '."
    reason = failure_reason(error)
    if exit_code(error) == ExitCode.OUR_FAULT:
        return f"{reason}. This is our fault: please report it, with {DEBUG}=1 for the traceback."
    return reason


def _failed_rows(error: RowFailedError) -> str:
    """Hydra hands on the first failure alone; the folder knows them all."""
    from fashionmt.benchmark.folder import read_failures

    names = sorted({error.row, *(row["row"] for row in read_failures(Path(error.benchmark)))})
    rows = "this row has" if len(names) == 1 else "these rows have"
    return f"{error.benchmark}: {rows} failed: {', '.join(names)}. {error.row}: {error.reason}"


SECTIONS = {
    "model.image": "Take a model with a picture tower: model=image_text, wide_and_deep or image_only",
    "model.text": "Take a model with a title tower: model=image_text, wide_and_deep or text_only",
    "model.clip": "Take model=clip",
    "model.wide": "Add model/wide=ngrams, or take model=wide_and_deep",
    "contrast": "Take experiment=pretrain_clip",
    "recommend": "Take experiment=recommend",
    "similarity": "Leave out similarity=null",
}
"""A section that may be null -> how it comes to be there."""
CHOSEN_BY_A_DOT = ("model/image", "model/text", "model/wide")
"""Groups whose section may be null."""


def _unforeseen_by_hydra(error: Exception) -> str | None:
    """The user's own mistakes that Hydra 1.3 takes for its own; None for any other error. Its messages name neither key
    nor group: the calls that failed know them."""
    null = isinstance(error, AssertionError)
    no_choice = isinstance(error, ValueError) and str(error).startswith("Config group override")
    for frame, _ in traceback.walk_tb(error.__traceback__ if null or no_choice else None):
        call, known = (frame.f_globals.get("__name__"), frame.f_code.co_name), frame.f_locals
        if null and call == ("omegaconf.omegaconf", "update"):
            return _is_null(str(known["key"]))
        if no_choice and call == ("hydra._internal.defaults_list", "__init__") and "override" in known:
            return _no_choice(str(known["override"].input_line))
    return None


def _is_null(key: str) -> str:
    """What is wrong with a key of a section that is null, and the repair."""
    section = next((name for name in SECTIONS if key.startswith(f"{name}.")), key.rpartition(".")[0])
    return f"{key}: {section} is null. {SECTIONS.get(section, 'Set it first, or leave this out')}."


def _no_choice(text: str) -> str:
    """What is wrong with an override that gives a group something else than a choice's name, and the repair."""
    group, _, value = text.lstrip("+~").partition("=")
    if value.lower() != "null":
        return f"{text}: no choice's name. See --help for those of {group}."
    repairs = dict.fromkeys(("experiment", "sweep", "launcher"), "Leave it out") | {"logger": "Write ~logger"}
    repairs |= {name: f"Write {name.replace('/', '.')}=null, with a dot" for name in CHOSEN_BY_A_DOT}
    return f"{text}: a group is not set to null. {repairs.get(group, f'Choose one of {group}: see --help')}."


EXTRAS = {"hydra/sweeper": "sweep", "joblib": "joblib", "submitit": "slurm", "ray": "ray"}
"""What Hydra misses -> the extra that brings it."""
INNER = ("full_key:", "object_type=", "reference_type=", "See https:")


def _config_error(error: Exception) -> str:
    """Hydra's and OmegaConf's messages in one line, less their inner workings, with the key that was meant."""
    messages = [str(error)] + ([str(error.__cause__)] if error.__cause__ else [])
    texts: list[str] = []
    for message in messages:
        told = message.replace("'Open", "'")  # our schemas while they are composed
        told = told.split("Config search path:")[0].split("To append to your config")[0]
        told = re.sub(r"\s*Did you mean\b[^?]*\?", "", told)  # OmegaConf's, without the key's group: ours follows
        lines = [line.strip() for line in told.splitlines()]
        texts.append(" ".join(line for line in lines if line and not line.startswith(INNER)).rstrip("."))
    line = f"config: {'. '.join(dict.fromkeys(texts))}."
    for name, extra in EXTRAS.items():
        if "hydra/" in line and name in line:
            return f"{line} It comes with an extra: pip install 'fashionmt[{extra}]'."
    if (null := re.search(r"Cannot set '(\S+)' because '\S+' is None", line)) is not None:  # Hydra 1.4
        return _is_null(null[1])
    return f"{line} {_nearest_option(line) or _suggestion()}"


def _nearest_option(line: str) -> str | None:
    """The option of a config group nearest to one that is not there."""
    match = re.search(r"Could not find '(\S+)/(\S+)' Available options in '\S+': ([\w ]+)", line)
    if match is None:
        return None
    group, asked, options = match.groups()
    near = difflib.get_close_matches(asked, options.split(), 1)
    return f"Did you mean {group}={near[0]}?" if near else None


def _suggestion() -> str:
    """The known key nearest to an unknown one on the command line."""
    known = [key for kind in (TrainConfig, PredictConfig) for key in _keys(kind, "")]
    for text in sys.argv[1:]:
        key = text.split("=")[0].lstrip("+~").replace("/", ".")
        named = [_named_as(key, pattern) for pattern in known]
        if "=" in text and key not in named and (meant := nearest(key, named)):
            return meant.strip()
    return "See --help, or --cfg job for every key."


def _named_as(key: str, pattern: str) -> str:
    """`pattern` with the names that `key` has in the places where people choose them."""
    parts = key.split(".")
    return ".".join(
        parts[place] if part == ANY and place < len(parts) else part for place, part in enumerate(pattern.split("."))
    )


def _keys(kind: Any, prefix: str) -> Iterator[str]:
    """Every dotted key of a config dataclass, `ANY` for the keys of a dict."""
    for name, hint in typing.get_type_hints(kind).items():
        yield f"{prefix}{name}"
        of = f"{prefix}{name}.{ANY}." if typing.get_origin(hint) is dict else f"{prefix}{name}."
        for nested in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(nested):
                yield from _keys(nested, of)
