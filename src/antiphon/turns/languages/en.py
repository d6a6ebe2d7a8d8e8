"""English, as turn-taking needs it."""

from __future__ import annotations

from antiphon.turns.languages.language import Language

UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

NUMBERS: dict[str, str] = {
    **{word: str(n) for n, word in enumerate(UNITS)},
    **{word: str(n) for n, word in enumerate(TEENS, 10)},
    **{word: str(n * 10) for n, word in enumerate(TENS, 2)},
    **{f"{ten} {UNITS[n]}": f"{t}{n}" for t, ten in enumerate(TENS, 2) for n in range(1, 10)},
    "nought": "0",
    "hundred": "00",
    "thousand": "000",
}


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
    yes=(
        "absolutely", "correct", "exactly", "of course", "ok", "okay", "please", "please do", "right", "sure",
        "that is correct", "that's correct", "that's fine", "that's it", "that's right", "yeah", "yeah please",
        "yeah sure", "yep", "yes", "yes it is", "yes of course", "yes please", "yes sure", "yes that's correct",
        "yes that's right", "yup",
    ),
    no=(
        "i don't think so", "incorrect", "nah", "no", "no it isn't", "no it's not", "no thank you", "no thanks",
        "no that's wrong", "nope", "not really", "that's not right", "that's wrong", "wrong",
    ),
    fields=(
        (r"\b(spell|letter by letter)\b", "spelling", 0),
        (r"\bcredit card\b|\bdebit card\b|\bcard number\b", "digits", 16),
        (r"\be ?mail\b", "email", 0),
        (r"\bsocial security\b", "digits", 9),
        (r"\bzip\b", "digits", 5),
        (r"\b(phone|telephone|mobile|cell|callback|contact|fax)( phone)? number\b", "digits", 10),
        (r"\bnumber (to|can|should|do|could|may) (we |i )?(call|reach|text)\b|\breach you (at|on)\b", "digits", 10),
        (r"\bpin\b|\bpass ?code\b|\bdigits?\b", "digits", 0),
        (r"\b(birthday|birth date|date of birth|expiry date|expiration date)\b", "digits", 0),
        (r"\b(number|post ?code|postal code|(security|verification|confirmation|booking|access) code)\b", "digits", 0),
    ),
    regions=("us", "ca"),
    confirms=r"\b((is|was) (that|this|it) (all )?(right|correct|ok|okay|fine)|right|correct|yes or no|okay|isn't it|don't you)$",
    polar=(
        r"^(is|isn't|are|aren't|was|were|am|do|don't|does|doesn't|did|didn't|have|has|had|should|shall|will|would|can"
        r"|could|may|might|must)\b"
    ),
    requests=r"^((can|could|may|might) (i|we) (just )?(please )?(have|get|take|ask)|(can|could|will|would) you)\b",
    imperatives=r"^(what|what's|which|whose)\b|\b(please|tell me|give me|read|say|spell|enter|provide|confirm|i need|i'll need|let me have|go ahead)\b",
    leads=(
        "alright", "also", "and", "done", "first", "fine", "good", "got", "great", "it", "just", "next", "now", "ok",
        "okay", "perfect", "right", "so", "sorry", "sure", "thank", "thanks", "then", "well", "you",
    ),
    numbers=NUMBERS,
    weak=("o", "oh"),
    repeats={"double": 2, "triple": 3},
    at=("at",),
    dot=("dot", "point"),
)  # fmt: skip
