"""From a sentence to a verb and a specification, by a grammar that is printed: no model is asked.

What is not understood is said, and never guessed: a sentence with a word that could matter and that nobody
knows is refused as a whole.
"""

from mainstay.asking.answers import Answer as Answer
from mainstay.asking.answers import NotUnderstood as NotUnderstood
from mainstay.asking.answers import answer as answer
