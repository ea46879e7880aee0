"""What the name of a person looks like."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"[^\W\d_][^\W\d_'’.\-]*(?:[ '’.\-]{1,2}[^\W\d_]+){0,6}\.?,?(?: [^\W\d_]+\.?){0,4}"
)
_FULL_NAME = re.compile(r"[^\W\d_][\w'’\-]+,?(?: [^\W\d_][\w'’.\-]*){1,3}")

# Frequent given names of several countries: enough that a column of people shows some.
_FREQUENT = """
aaliyah abdul ada adam agnieszka ahmed aisha alan albert alejandro alessandro alex alexander ali
alice amanda amelia amy ana anders andrea andreas andrew angela anita ann anna anne anthony
antonio aria arthur ashley astrid barbara beatriz benjamin betty bob brandon brian camille carlos
carmen carol caroline catherine charles charlotte chen chiara chloe chris christian christine
christopher claire clara claudia craig cristina cynthia dan daniel daniela david deborah diana
diego dmitri donald donna dorothy edgar edward eleanor elena elizabeth ella emily emma eric erik
eva evelyn fatima felix fernando francesca francesco frank gabriel gary george giovanni giulia
grace grzegorz hannah hans harry hassan heather helen henry hiroshi hugo ian ibrahim ines ingrid
irene isabel isabella ivan jack jacob james jan jane jason javier jean jennifer jessica joan
johannes john jonas jonathan jose joseph joshua juan judith julia julie karen katarzyna kate
katherine kathleen kenji kenneth kevin krzysztof lars laura lauren leila lena leo leon liam linda
lisa louis luca lucas lucia lucy luis luke magdalena manuel marco margaret maria marie mark markus
marta martin mary mateo matthew megan mehmet mei melissa mia michael michelle miguel mohammed
monika nancy natalia nathan nicholas nicole nikolai noah nora nur olga oliver olivia omar oscar
pablo pamela patricia patrick paul paula pedro peter philip pierre priya rachel rafael raj ravi
rebecca ricardo richard robert roberto ronald rosa ruth ryan samantha samuel sandra sara sarah
scott sean sebastian sergei sharon silvia simon sofia sophia sophie stefan stephanie stephen
steven susan sven svetlana tatiana teresa theo thomas timothy tom tomasz ursula valentina vanessa
victor victoria vladimir walter wei william xin yan yuki yusuf zoe
"""
_GIVEN = frozenset(_FREQUENT.split())


def looks_like_name(text: str) -> bool:
    """One to a few words of letters, hyphens and apostrophes; no digits."""
    return len(text) <= 80 and _NAME.fullmatch(text) is not None


def looks_like_full_name(text: str) -> bool:
    """A frequent given name with a further name: not just any two words."""
    if _FULL_NAME.fullmatch(text) is None:
        return False
    words = [word.strip(",.").lower() for word in text.split()]
    return words[0] in _GIVEN or ("," in text and words[1] in _GIVEN)
