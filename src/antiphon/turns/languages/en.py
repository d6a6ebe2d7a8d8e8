"""English, as turn-taking needs it."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

ENGLISH = Language(
    backchannels=(
        "ah", "aha", "ah okay", "all right", "alright", "cool", "exactly", "good", "great", "hm", "hmm", "huh", "i see",
        "mhm", "mm", "mmhm", "mm hm", "mm hmm", "mmm", "nice", "of course", "oh", "oh okay", "ok", "okay", "okay okay",
        "perfect", "really", "right", "right right", "sure", "uh", "uh huh", "uhhuh", "um", "wow", "ya", "yeah",
        "yeah yeah", "yep", "yes", "yes yes", "yup",
    ),
    commands=(
        "cancel", "enough", "excuse me", "hang on", "hello", "hold on", "listen", "no", "no no", "pause", "please stop",
        "quiet", "shut up", "stop", "stop it", "wait", "wait a minute", "wait a second", "wait wait",
    ),
    unfinished=(
        "a", "about", "after", "also", "an", "and", "are", "as", "at", "because", "before", "but", "by", "for", "from",
        "her", "his", "i'd", "i'll", "i'm", "if", "in", "into", "is", "its", "like", "my", "of", "on", "or", "our",
        "plus", "so", "than", "that's", "the", "their", "then", "to", "uh", "um", "until", "was", "well", "were",
        "when", "which", "while", "with", "without", "your",
    ),
)  # fmt: skip
