"""How often a template is recovered to the letter from its prompts: `python -m benchmarks.templates`.

The prompts are generated: templates of labelled fields, sections, tags, sentences with slots and JSON, their values of
one word up to many lines, with adjacent and repeated variables, constants, and up to one prompt in twenty that was not
made with the template, is cut off or has a slip in it. Everything follows from the number of the case.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spectral.domains.scans.inference.alignment import Piece, tokens_of
from spectral.domains.scans.inference.templates import recover

CASES = 400
SIZES = (3, 5, 8, 12, 20, 40, 80, 200)

SENTENCES = [
    "You are a careful assistant of a mail-order shop.",
    "Read the message and decide what the customer wants.",
    "Answer in one short paragraph and stay polite.",
    "Never promise a refund before the warehouse has confirmed the return.",
    "If the question cannot be answered from the context, say so.",
    "Use metric units and round to two digits.",
    "Think about the steps first, then write the answer.",
    "Reply with one label and nothing else.",
    "Keep the tone friendly but brief.",
    "Do not mention internal ticket numbers to anybody outside.",
    "Quote the paragraph on which your answer rests.",
    "Work through every item of the list and mark what is missing.",
    "The report goes to a manager who has little time.",
    "Write for readers of twelve years.",
    "Point out contradictions between the documents.",
    "Amounts are in euros unless another currency is named.",
    "Check the facts twice, because the text will be printed.",
    "Prefer plain words over technical terms.",
    "A summary has at most five sentences.",
    "Leave out greetings and signatures.",
]
INLINE = [
    ("Translate the passage into {}, keeping its line breaks.", "language"),
    ("Write the reply on behalf of {} and sign with that name.", "name"),
    ("The customer lives in {} and orders by telephone.", "city"),
    ("Today is {}; relative dates refer to it.", "date"),
    ("Spend no more than {} words on the answer.", "number"),
    ("The parcel weighs {}kg and was insured.", "number"),
    ("Look up order {} before anything else.", "order"),
    ("Compare {} with {} and recommend one of them.", "product"),
    ("The discount of {} percent ends when {} is over.", "number"),
    ("Forward complaints to {} without delay.", "mail"),
]
LABELS = {
    "Customer": "name",
    "Order number": "order",
    "City": "city",
    "Date": "date",
    "Question": "sentence",
    "Message": "paragraph",
    "Product": "product",
    "Language": "language",
    "Notes": "lines",
    "Contact": "mail",
    "Quantity": "number",
    "Full name": "pair",
}
_WORDS = """
the a to of and in is for on with my your that this we it was have not order parcel money back late door colour
green blue coat shoes size wrong broken label invoice bank week monday friday called nobody answered please help
again still waiting photo attached receipt store voucher gift sister birthday thanks quickly before weekend never
always shipping address moved house old new account locked password reset code arrived empty box tape torn driver
neighbour garden rain wet replace repair warranty zip button seam wash faded return free charge twice card number
expired update subscription cancel pause month year price difference better cheaper winter summer sale
"""
_NAMES = "Anna Ben Carla Dmitri Elif Farid Greta Hugo Ines Jonas Katya Luis Mara Nils Olga Pedro Quinn Rosa Sven Tara"
_SURNAMES = "Alba Brandt Costa Duval Eriksen Fischer Gupta Haddad Ivanov Jansen Keller Lopez Meyer Novak Okafor Petrov"
_LANGUAGES = "Danish Dutch English Finnish French German Greek Italian Polish Portuguese Spanish Swedish Turkish"
WORDS, NAMES, SURNAMES, LANGUAGES = (text.split() for text in (_WORDS, _NAMES, _SURNAMES, _LANGUAGES))
CITIES = [
    "Aachen",
    "Bern",
    "Cork",
    "Dover",
    "Essen",
    "Faro",
    "Gent",
    "Graz",
    "Lyon",
    "Malmo",
    "Nice",
    "Porto",
    "New York",
]


@dataclass(frozen=True)
class Case:
    """Prompts, and the template in their light: what no method could tell apart is written one way (`canonical`)."""

    number: int
    prompts: list[str]
    truth: list[Piece]
    clean: int


def make_case(number: int) -> Case:
    """The case of this number."""
    rng = random.Random(f"template-{number}")  # noqa: S311 - generated cases
    template, kinds = _template(rng)
    count = rng.choice(SIZES)
    constants = {place: _value(rng, kinds[place]) for place in kinds if rng.random() < 0.06}
    rows = [
        {place: constants.get(place) or _value(rng, kind) for place, kind in sorted(kinds.items())}
        for _ in range(count)
    ]
    prompts = ["".join(row[piece] if isinstance(piece, int) else piece for piece in template) for row in rows]
    noisy = sum(rng.random() < 0.05 for _ in prompts) if count >= 20 and rng.random() < 0.4 else 0
    spoilt = prompts[: count - noisy] + [_spoilt(rng, prompt) for prompt in prompts[count - noisy :]]
    clean = rows[: count - noisy]
    order = list(range(count))
    rng.shuffle(order)
    return Case(number, [spoilt[place] for place in order], canonical(template, clean), len(clean))


def canonical(template: Sequence[Piece], rows: Sequence[dict[int, str]]) -> list[Piece]:
    """The template with what all its values share as fixed text, and values that touch as one."""
    pieces: list[Piece] = []
    columns: dict[int, list[str]] = {}
    for piece in template:
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        column = [row[piece] for row in rows]
        if len(set(column)) == 1:
            pieces.append(column[0])
            continue
        before, after = _shared(column)
        name = len(columns)
        if pieces and isinstance(pieces[-1], int):
            last = pieces[-1]
            columns[last] = [one + other for one, other in zip(columns[last], column, strict=True)]
            continue
        columns[name] = column
        if len(pieces) >= 2 and isinstance(pieces[-2], int) and pieces[-1] == " ":
            last = pieces[-2]
            pieces.pop()
            columns[last] = [f"{one} {other}" for one, other in zip(columns[last], column, strict=True)]
            continue
        pieces += [each for each in (before, name, after) if each != ""]
    names: dict[tuple[str, ...], int] = {}
    joined: list[Piece] = []
    for piece in pieces:
        settled = piece if isinstance(piece, str) else names.setdefault(tuple(columns[piece]), len(names))
        if isinstance(settled, str) and joined and isinstance(joined[-1], str):
            joined[-1] += settled
        elif settled != "":
            joined.append(settled)
    return joined


def _shared(column: Sequence[str]) -> tuple[str, str]:
    """The tokens with which every value begins and ends, and letters beside digits."""
    rows = [tokens_of(value) for value in column]
    shortest = min(map(len, rows))
    before = 0
    while before < shortest and len({row[before] for row in rows}) == 1:
        before += 1
    after = 0
    while after < shortest - before and len({row[-1 - after] for row in rows}) == 1:
        after += 1
    return "".join(rows[0][:before]), "".join(rows[0][len(rows[0]) - after :])


class _Maker:
    """Makes one template, part by part."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.kinds: dict[int, str] = {}
        self.pieces: list[Piece] = [" ".join(rng.sample(SENTENCES, rng.randint(0, 4)))]

    def variable(self, kind: str) -> int:
        self.kinds[len(self.kinds)] = kind
        return len(self.kinds) - 1

    def add_part(self) -> None:
        rng = self.rng
        if self.pieces[-1] != "":
            self.pieces.append(rng.choice(["\n", "\n\n", "\n\n"]))
        shape = rng.randrange(7)
        label, kind = rng.choice(sorted(LABELS.items()))
        field = label.lower().replace(" ", "_")
        if shape == 0:
            self.add_inline(*rng.choice(INLINE))
        elif shape == 1:
            self.pieces.extend([f"{label}: ", self.variable(kind)])
        elif shape == 2:
            self.pieces.extend([f"<{field}>\n", self.variable(kind), f"\n</{field}>"])
        elif shape == 3:
            self.pieces.extend([f"### {label}\n", self.variable(kind)])
        elif shape == 4:
            self.pieces.extend([f'{{"{field}": "', self.variable(kind if kind != "lines" else "sentence"), '"}'])
        elif shape == 5:
            first = self.variable("name")
            self.pieces.extend(["Dear ", first, ", thank you for writing to us.\n"])
            self.pieces.extend([rng.choice(SENTENCES), "\nCustomer: ", first, " ", self.variable("surname")])
        else:
            self.pieces.extend([f"- {label}: ", self.variable(kind), "\n- Priority: ", self.variable("number")])

    def add_inline(self, text: str, kind: str) -> None:
        parts = text.split("{}")
        for place, part in enumerate(parts):
            self.pieces.append(part)
            if place + 1 < len(parts):
                self.pieces.append(self.variable(kind))


def _template(rng: random.Random) -> tuple[list[Piece], dict[int, str]]:
    maker = _Maker(rng)
    for _ in range(rng.randint(1, 5)):
        maker.add_part()
    if rng.random() < 0.5:
        maker.pieces.append("\n\n" + " ".join(rng.sample(SENTENCES, rng.randint(1, 2))))
    if rng.random() < 0.3:
        maker.pieces.append("\nAnswer:")
    return maker.pieces, maker.kinds


def _value(rng: random.Random, kind: str) -> str:
    """A value of this kind; never empty."""
    return _VALUES[kind](rng)


def _sentence(rng: random.Random) -> str:
    return _words(rng, rng.randint(4, 16)) + rng.choice([".", "?", "!", ""])


def _paragraph(rng: random.Random) -> str:
    return " ".join(_words(rng, rng.randint(5, 20)) + rng.choice([".", "?", ","]) for _ in range(rng.randint(1, 4)))


def _lines(rng: random.Random) -> str:
    return "\n".join(_words(rng, rng.randint(2, 10)) for _ in range(rng.randint(1, 6)))


def _mail(rng: random.Random) -> str:
    return f"{rng.choice(NAMES).lower()}@{rng.choice(SURNAMES).lower()}.{rng.choice(['example', 'test'])}"


_VALUES: dict[str, Callable[[random.Random], str]] = {
    "name": lambda rng: rng.choice(NAMES),
    "surname": lambda rng: rng.choice(SURNAMES),
    "pair": lambda rng: f"{rng.choice(NAMES)} {rng.choice(SURNAMES)}",
    "city": lambda rng: rng.choice(CITIES),
    "language": lambda rng: rng.choice(LANGUAGES),
    "number": lambda rng: str(rng.randint(1, 400)),
    "order": lambda rng: f"{rng.choice('ABCDEF')}{rng.randint(1000, 99999)}",
    "date": lambda rng: f"20{rng.randint(10, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
    "mail": _mail,
    "product": lambda rng: " ".join(rng.sample(WORDS[30:], rng.randint(1, 3))),
    "sentence": _sentence,
    "paragraph": _paragraph,
    "lines": _lines,
}


def _words(rng: random.Random, count: int) -> str:
    text = " ".join(rng.choices(WORDS, k=count))
    return text[0].upper() + text[1:]


def _spoilt(rng: random.Random, prompt: str) -> str:
    """Not made with the template, cut off, or with a slip in it."""
    match rng.randrange(3):
        case 0:
            return " ".join(rng.sample(SENTENCES, 3))
        case 1:
            return prompt[: rng.randint(1, max(1, len(prompt) - 1))]
        case _:
            place = rng.randrange(len(prompt))
            return prompt[:place] + rng.choice("xyz") + prompt[place:]


def is_exact(case: Case) -> bool:
    """Whether exactly this template was recovered, fixed text, variables, and which of them are the same."""
    return list(recover(case.prompts).pieces) == case.truth


def main() -> None:
    """Recover and print."""
    cases = [make_case(number) for number in range(CASES)]
    started = time.perf_counter()
    found = {case.number: recover(case.prompts) for case in cases}
    took = time.perf_counter() - started
    exact = {case.number: list(found[case.number].pieces) == case.truth for case in cases}
    by_size: Counter[int] = Counter(len(case.prompts) for case in cases)
    right: Counter[int] = Counter(len(case.prompts) for case in cases if exact[case.number])
    covered = sum(found[case.number].coverage * len(case.prompts) >= case.clean for case in cases)
    print(f"{sum(exact.values())} of {CASES} templates to the letter ({100 * sum(exact.values()) / CASES:.1f} %)")
    print(
        f"{covered} of {CASES} reproduce every prompt that was made with the template ({100 * covered / CASES:.1f} %)"
    )
    for size in SIZES:
        print(f"  from {size:3} prompts: {right[size]} of {by_size[size]}")
    print(f"{1000 * took / CASES:.0f} ms a template")


if __name__ == "__main__":
    main()
