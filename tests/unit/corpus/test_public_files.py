"""Public files are read with the entities of their own project's reader.

The files are not in this repository: TFX_NER_PUBLIC_FILES names a folder with them.
"""

import os
from pathlib import Path

import pytest

from components.corpus.options import ReadOptions
from components.corpus.reading import Splits, make_plan, read_records
from components.corpus.records import Notice, Read, Rejected

FOLDER = os.environ.get("TFX_NER_PUBLIC_FILES", "")

pytestmark = pytest.mark.skipif(
    not FOLDER, reason="the public files are not here: name their folder in TFX_NER_PUBLIC_FILES"
)

# By the reader in the first line of each group.
ENTITIES = {
    # seqeval's get_entities
    "wnut/wnut17train.conll": 1975,
    "wnut/emerging.test.annotated": 1079,
    "conll03/en-test.conllu": 5648,
    "conll03/de-test.conllu": 3673,
    "anem/AnEM.test": 1256,
    # Universal NER's own statistics
    "uner/en_ewt-ud-dev.iob2": 966,
    "uner/en_ewt-ud-test.iob2": 1088,
    # the conllu package and seqeval
    "conllu/sl_ssj-ud-dev.conllu": 376,
    "conllu/sl_ssj-ud-test.conllu": 187,
    # brat's TextAnnotations
    "brat/corpora/CoNLL-ST_2002/esp": 540,
    "brat/corpora/BioNLP-ST_2011/BioNLP-ST_2011_EPI": 367,
    "brat/corpora/NCBI-disease": 226,
    # label-studio-sdk's Converter
    "ls/result.json": 3080,
    # spaCy's converters, and Doc.char_span
    "spacy/ner-sent-per-line.iob": 7,
    "spacy/ner-token-per-line-conll2003.iob": 7,
    "spacy/training-data.json": 11,
    "spacy/ner_demo_replace.json": 8,
    "prodigy/fashion_brands_training.jsonl": 527,
    # GLiNER's sample data as its training script loads it
    "gliner/sample_data.json": 236,
    # the webanno_tsv package
    "webanno/tsv3_coref.tsv": 74,
    "webanno/tsv3_example2.tsv": 9,
    # AllenNLP's Ontonotes
    "conll2012/subdomain.gold_conll": 5,
    "conll2012/coref.gold_conll": 13,
    # datasets' load_dataset and seqeval
    "hf/sample.json": 25,
    "hf/sample_int.parquet": 25,
    # pandas, as notebooks on Kaggle's corpus read it, and seqeval
    "csv/ner_dataset.csv": 19341,
}


@pytest.mark.parametrize("name", ENTITIES)
def test_a_public_file_has_the_entities_of_its_own_reader(name: str) -> None:
    path = Path(FOLDER) / name
    options = ReadOptions(unaligned_spans="expand", overlapping_spans="longest")
    entities = 0
    for file in sorted(path.glob("*.ann")) if path.is_dir() else [path]:
        splits = Splits(str(file), {"all": (str(file),)})
        for record in read_records(str(file), make_plan(splits, options), options):
            assert not isinstance(record, Rejected), record.bad
            if isinstance(record, Read):
                entities += len(record.sentence.spans)
            elif isinstance(record, Notice) and "overlap a longer span" in record.what:
                entities += record.count
    assert entities == ENTITIES[name]
