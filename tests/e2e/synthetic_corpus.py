"""Small synthetic corpora that a tagger learns within seconds."""

import random

NAMES = "Ada Bea Cem Dov Eva Fay Gil Hal Ida Jan Kai Lea Mia Noa Oda Pia Rex Sue Tom Uta Vic Wim Xia Yan Zoe".split()
CITIES = "Basel Turin Lyon Ghent Porto Graz Cork Bergen Malmo Split Varna Tartu Izmir Patras Brno Siena".split()
FIRMS = "Acme Globex Initech Umbrella Hooli Vandelay Soylent Stark Wonka Tyrell".split()
WORDS = "quiet early green often small river paper music window table garden winter".split()


def write_corpus(
    folder, train=300, dev=80, test=80, seed=1, firms=False, swapped=False, only=None, noise=0.1
):
    """Writes a corpus of synthetic sentences and returns its folder.

    Args:
      folder: a folder that does not exist yet.
      train: the number of sentences in train; likewise `dev` and `test`.
      dev: see `train`.
      test: see `train`.
      seed: of the random sentences.
      firms: whether some sentences contain an ORG entity.
      swapped: whether PER and LOC are exchanged in train and dev.
      only: indices of the sentence templates to draw from; None for all.
      noise: the share of sentences in dev and test whose PER tags become LOC, so that no model is perfect.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("dev", dev), ("test", test)):
        lines = []
        for index in range(count):
            if index % 10 == 0:
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
    templates = [
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
        templates.append(
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
        *(rng.choice(templates if only is None else [templates[index] for index in only])),
        strict=True,
    )
