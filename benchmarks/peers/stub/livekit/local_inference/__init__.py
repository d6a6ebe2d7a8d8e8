"""Takes the import's place of a package that Antiphon's benchmarks never install: its licence does not allow it.

livekit-agents reads these names when it is imported. Nothing here runs a model; who calls is told so.
"""

from typing import Any, NoReturn

VAD_WINDOW_SAMPLES = 512
EOT_MAX_SAMPLES = 0


def _refuse(*_args: Any, **_options: Any) -> NoReturn:
    raise RuntimeError("livekit-local-inference is not part of these benchmarks: use the Silero plugin's VAD")


init_vad = init_eot = _refuse


class VAD:
    def __init__(self, *args: Any, **options: Any) -> None:
        _refuse(*args, **options)


class EOT:
    def __init__(self, *args: Any, **options: Any) -> None:
        _refuse(*args, **options)
