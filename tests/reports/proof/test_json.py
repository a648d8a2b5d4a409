"""The result file: the proof as it is, readable back, as its schema says."""

import json as reader

import jsonschema
import msgspec
import pytest

from mainstay.model.proof import Figure, Origin, Proof, Subject, Verdict
from mainstay.reports.proof import json
from mainstay.reports.proof.json import ProofUnreadable, read_proof
from tests.reports.proof import fake

FINITE = msgspec.structs.replace(fake.PAUSED, histogram=fake.BARS[:7])


@pytest.mark.parametrize(
    "proof",
    [
        fake.proof(),
        fake.hostile(),
        fake.proof(fake.VOID),
        msgspec.structs.replace(fake.proof(), measurements=()),
    ],
    ids=["every shape", "hostile", "void", "empty"],
)
def test_what_is_written_is_as_the_schema_says(proof: Proof) -> None:
    schema = reader.loads(json.schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(reader.loads(json.render(proof)), schema)


def test_what_is_written_reads_back_the_same() -> None:
    proof = fake.proof(fake.STEADY, fake.KNEE, FINITE, fake.SLOWED, fake.RETRIED, fake.VOID, fake.MAP)
    assert read_proof(json.render(proof)) == proof
    assert read_proof(json.render(proof).encode()) == proof


def test_the_same_proof_gives_the_same_bytes() -> None:
    assert json.render(fake.proof()) == json.render(fake.proof())


def test_what_is_no_number_becomes_what_json_can_hold() -> None:
    figures = (Figure("rate", float("nan"), "/s"), Figure("bound", float("inf"), "s"))
    claim = fake.claim("it", Subject.ERRORS, Verdict.PASSED, figures=figures)
    back = read_proof(json.render(fake.proof(msgspec.structs.replace(fake.RETRIED, claims=(claim,)))))
    rate, bound = back.measurements[0].claims[0].figures
    assert rate == Figure("rate", 0.0, "/s", Origin.OPEN)
    assert bound.value > 1e300


def test_members_of_a_later_version_are_passed_over() -> None:
    later = reader.loads(json.render(fake.proof(fake.RETRIED))) | {"novelty": [1, 2]}
    assert read_proof(reader.dumps(later)) == fake.proof(fake.RETRIED)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "This is not the result of a proof: input data was truncated."),
        ("[]", "This is not the result of a proof: expected `object`, got `array`."),
        ('{"mainstay": 1}', "This is not the result of a proof: object missing required field `schema`."),
        ('{"schema": 2}', "The proof has the schema 2; this version of Mainstay reads 1."),
        ('{"schema": 1}', "The proof is damaged: object missing required field `version`."),
        ("[" * 100_000, "This is not the result of a proof: "),
        (b"\xff\xfe{}", "This is not the result of a proof: "),
        ('{"schema": 1, "version": "\udcff"}', "This is not the result of a proof: "),
    ],
)
def test_what_is_no_proof_is_refused_with_a_sentence(text: str | bytes, sentence: str) -> None:
    with pytest.raises(ProofUnreadable) as raised:
        read_proof(text)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)


def test_a_verdict_nobody_knows_is_damage_and_its_place_is_told() -> None:
    text = json.render(fake.proof(fake.RETRIED)).replace('"failed"', '"brilliant"', 1)
    with pytest.raises(ProofUnreadable, match=r"The proof is damaged: invalid enum value 'brilliant'"):
        read_proof(text)
