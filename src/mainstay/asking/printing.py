"""An answer as text: a specification that can be saved as it is, with the rest as comments in front of it."""

from mainstay.asking.answers import Answer

COMMANDS = {
    "review": "mainstay review .",
    "prove": "mainstay prove .",
    "ready": "mainstay ready .",
    "new": "save this as spec.yaml, then: mainstay design spec.yaml",
    "design": "save this as spec.yaml, then: mainstay design spec.yaml",
}


def text(answer: Answer) -> str:
    """The command where there is no specification, else the specification with comments above it."""
    command = COMMANDS[answer.verb]
    if not answer.specification:
        return f"{command}\n"
    lines = [f"# Understood: {answer.verb} {answer.starter}; {command}"]
    lines += [f"# Assumed: {said}." for said in answer.assumed]
    lines += [f"# Open: {said}" for said in answer.questions]
    return "\n".join([*lines, answer.specification])
