"""How the command line says that something went wrong: once, in plain words, with what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from antiphon.errors import AntiphonError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it (128 + SIGINT)."""


def complain(error: BaseException) -> None:
    """Print a typed error to stderr: the message, then the hint on a line of its own."""
    if isinstance(error, AntiphonError):
        print(f"antiphon: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
    else:
        print(f"antiphon: {error}", file=sys.stderr)


def guarded(verb: Callable[[], int]) -> int:
    """Run a verb: a typed error becomes one message and status 1, Ctrl-C status 130. Anything else is a defect or the
    user's own exception and keeps its traceback."""
    try:
        return verb()
    except AntiphonError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone (`antiphon models list | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
