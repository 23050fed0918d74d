"""Corpora of made-up sentences, small, and learnt within seconds."""

import random

NAMES = "Ada Bea Cem Dov Eva Fay Gil Hal Ida Jan Kai Lea Mia Noa Oda Pia Rex Sue Tom Uta Vic Wim Xia Yan Zoe".split()
CITIES = "Basel Turin Lyon Ghent Porto Graz Cork Bergen Malmo Split Varna Tartu Izmir Patras Brno Siena".split()
FIRMS = "Acme Globex Initech Umbrella Hooli Vandelay Soylent Stark Wonka Tyrell".split()
WORDS = "quiet early green often small river paper music window table garden winter".split()


def write_corpus(
    folder, train=300, dev=80, test=80, seed=1, firms=False, swapped=False, only=None, noise=0.1
):
    """Writes a corpus of made-up sentences that a small tagger learns quickly, and gives its folder.

    Args:
      firms: whether some sentences have an ORG.
      only: numbers of the forms of sentence there are to be, where not all are.
      swapped: in train and dev, persons are tagged as locations and the reverse: as many of each, all wrong.
      noise: share of sentences in dev and test whose types are mixed up, so that no model is perfect.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("dev", dev), ("test", test)):
        lines = []
        for number in range(count):
            if number % 10 == 0:
                lines.append("-DOCSTART-\tO\n")
            tokens, tags = _sentence(rng, firms, only)
            if swapped and split != "test":
                tags = [
                    tag.replace("PER", "?").replace("LOC", "PER").replace("?", "LOC")
                    for tag in tags
                ]
            elif split != "train" and rng.random() < noise:
                tags = [tag.replace("PER", "LOC") for tag in tags]
            lines.append(
                "".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))
            )
        (folder / f"{split}.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _sentence(rng, firms, only):
    name, other, city = rng.choice(NAMES), rng.choice(NAMES), rng.choice(CITIES)
    surname = rng.choice(CITIES) + "son"
    filler = [(word, "O") for word in rng.sample(WORDS, rng.randrange(1, 4))]
    forms = [
        [
            (name, "B-PER"),
            (surname, "I-PER"),
            ("lives", "O"),
            ("in", "O"),
            (city, "B-LOC"),
            *filler,
            (".", "O"),
        ],
        [
            ("In", "O"),
            (city, "B-LOC"),
            (",", "O"),
            (name, "B-PER"),
            ("met", "O"),
            (other, "B-PER"),
            *filler,
            (".", "O"),
        ],
        [*filler, ("and", "O"), *filler, (".", "O")],
        [
            ("The", "O"),
            *filler,
            ("train", "O"),
            ("to", "O"),
            ("New", "B-LOC"),
            (city, "I-LOC"),
            ("left", "O"),
            (".", "O"),
        ],
    ]
    if firms:
        forms.append(
            [
                (name, "B-PER"),
                ("works", "O"),
                ("for", "O"),
                (rng.choice(FIRMS), "B-ORG"),
                *filler,
                (".", "O"),
            ]
        )
    return zip(
        *(rng.choice(forms if only is None else [forms[number] for number in only])), strict=True
    )
