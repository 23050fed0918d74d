"""Each format is detected from its content and read with its entities."""

import json

import pytest

from components.corpus.formats import detect_format
from components.corpus.options import DEFAULTS, ReadOptions
from components.corpus.reading import Splits, make_plan, read_records
from components.corpus.records import Notice, Read, Rejected, Unused
from components.errors import UserError


def records(path, options=DEFAULTS):
    plan = make_plan(Splits(str(path), {"all": (str(path),)}), options)
    return list(read_records(str(path), plan, options))


def entities(path, options=DEFAULTS):
    """(words, type) of each entity of each sentence."""
    return [
        [
            (" ".join(record.sentence.tokens[span.start : span.end]), span.type)
            for span in record.sentence.spans
        ]
        for record in records(path, options)
        if isinstance(record, Read)
    ]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def notices(path):
    return {record.what: record.count for record in records(path) if isinstance(record, Notice)}


ADA_MET_BOB = [[("Ada", "PER"), ("Bob", "PER")]]


def task(*annotations, **more):
    return {"data": {"text": "Ada met Bob."}, "annotations": list(annotations), **more}


def annotation(*names, **more):
    """An annotation of the given names in "Ada met Bob."."""
    results = []
    for name in names:
        start = "Ada met Bob.".index(name)
        value = {"start": start, "end": start + len(name), "text": name, "labels": ["PER"]}
        results.append({"type": "labels", "value": value})
    return {"result": results, **more}


@pytest.mark.parametrize("as_lines", [False, True])
def test_label_studio_tasks(tmp_path, as_lines):
    tasks = [task(annotation("Ada", "Bob"))]
    text = "\n".join(map(json.dumps, tasks)) if as_lines else json.dumps(tasks, indent=1)
    path = write(tmp_path / "project.json", text)
    assert detect_format(str(path)).name == "labelstudio"
    assert entities(path) == ADA_MET_BOB


@pytest.mark.parametrize(
    "annotations",
    [
        (annotation("Ada", ground_truth=True), annotation("Bob", updated_at="2024-02-01")),
        (annotation("Ada", updated_at="2024-03-01"), annotation("Bob", updated_at="2024-02-01")),
        (annotation("Ada"), annotation("Bob", was_cancelled=True)),
    ],
)
def test_one_annotation_of_a_label_studio_task_is_read(tmp_path, annotations):
    path = write(tmp_path / "project.json", json.dumps([task(*annotations)]))
    assert entities(path) == [[("Ada", "PER")]]
    several = sum(not item.get("was_cancelled") for item in annotations) > 1
    assert any("several annotations" in what for what in notices(path)) == several


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (task(annotation("Ada", was_cancelled=True)), "cancelled"),
        (task(predictions=[{"result": []}]), "without annotation, only predictions"),
        (task(), "without annotation"),
    ],
)
def test_a_label_studio_task_without_labels_is_left_out(tmp_path, item, reason):
    path = write(tmp_path / "project.json", json.dumps([task(annotation("Ada")), item]))
    assert [record.reason for record in records(path) if isinstance(record, Unused)] == [reason]


def test_results_of_label_studio_that_are_not_spans_are_counted(tmp_path):
    labelled = annotation("Ada", "Bob")
    labelled["result"].append({"type": "choices", "value": {"choices": ["news"]}})
    path = write(tmp_path / "project.json", json.dumps([task(labelled)]))
    assert entities(path) == ADA_MET_BOB
    assert list(notices(path).values()) == [1]


def test_label_studio_json_min(tmp_path):
    labels = [result["value"] for result in annotation("Ada", "Bob")["result"]]
    entry = {"text": "Ada met Bob.", "id": 1, "label": labels, "annotator": 1, "annotation_id": 2}
    path = write(tmp_path / "min.json", json.dumps([entry]))
    assert detect_format(str(path)).name == "labelstudio"
    assert entities(path) == ADA_MET_BOB


def test_offsets_of_label_studio_are_checked_against_its_text(tmp_path):
    labelled = annotation("Ada")
    labelled["result"][0]["value"] |= {"start": 4, "end": 7}
    path = write(tmp_path / "project.json", json.dumps([task(labelled)]))
    [record] = records(path)
    assert isinstance(record, Rejected) and "whose text in the file is 'Ada'" in str(record.bad)


def test_hugging_face_strings_and_integers(tmp_path):
    entry = {"tokens": ["Ada", "met", "Bob"], "ner_tags": ["B-PER", "O", "B-PER"]}
    path = write(tmp_path / "strings.jsonl", json.dumps(entry))
    assert entities(path) == ADA_MET_BOB
    path = write(tmp_path / "integers.jsonl", json.dumps({**entry, "ner_tags": [1, 0, 1]}))
    with pytest.raises(UserError, match="found integers as tags, and no names for them"):
        entities(path)
    assert entities(path, ReadOptions(label_names="O,B-PER,I-PER")) == ADA_MET_BOB


@pytest.mark.parametrize(
    "features",
    [
        {
            "ner_tags": {
                "feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"},
                "_type": "List",
            }
        },
        [{"name": "ner_tags", "sequence": {"class_label": {"names": {"1": "B-PER", "0": "O"}}}}],
    ],
)
def test_names_of_integer_labels_are_read_from_dataset_info(tmp_path, features):
    write(tmp_path / "dataset_info.json", json.dumps({"features": features}))
    entry = {"tokens": ["Ada", "met", "Bob"], "ner_tags": [1, 0, 1]}
    assert entities(write(tmp_path / "train.jsonl", json.dumps(entry))) == ADA_MET_BOB


def test_names_of_integer_labels_are_read_from_the_parquet_features(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    features = {"ner_tags": {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pyarrow.table({"tokens": [["Ada", "met", "Bob"]], "ner_tags": [[1, 0, 1]]})
    path = tmp_path / "train.parquet"
    parquet.write_table(table.replace_schema_metadata(metadata), path)
    assert entities(path) == ADA_MET_BOB


def test_gliner_counts_the_last_token_in(tmp_path):
    entry = {
        "tokenized_text": ["Ada", "King", "met", "Bob"],
        "ner": [[0, 1, "PER"], [0, 0, "PER"], [3, 3, "PER"]],
    }
    path = write(tmp_path / "train.json", json.dumps([entry]))
    assert entities(path) == [[("Ada King", "PER"), ("Bob", "PER")]]
    assert notices(path) == {"spans that overlap a longer span, left out": 1}


@pytest.mark.parametrize(
    "entry",
    [
        {"text": "Ada met Bob.", "annotations": [
            {"label": "PER", "start_offset": 0, "end_offset": 3, "user": 1},
            {"label": "PER", "start_offset": 8, "end_offset": 11, "user": 1},
        ]},
        {"data": "Ada met Bob.", "label": [[0, 3, "PER"], [8, 11, "PER"]]},
        {"text": "Ada met Bob.", "label": [[0, 3, "PER", "Ada"], [8, 11, "PER", "Bob"]]},
        {"text": "Ada met Bob.", "ents": [
            {"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 11, "label": "PER"},
        ]},
        {"content": "Ada met Bob.", "annotation": [
            {"label": ["PER"], "points": [{"start": 0, "end": 2, "text": "Ada"}]},
            {"label": ["PER"], "points": [{"start": 8, "end": 10, "text": "Bob"}]},
        ]},
    ],
)  # fmt: skip
def test_other_json_of_texts(tmp_path, entry):
    assert entities(write(tmp_path / "all.jsonl", json.dumps(entry))) == ADA_MET_BOB


def test_labels_that_are_numbers_are_reported(tmp_path):
    span = {"label": 7, "start_offset": 0, "end_offset": 3}
    path = write(tmp_path / "all.jsonl", json.dumps({"text": "Ada left.", "annotations": [span]}))
    assert entities(path) == [[("Ada", "7")]]
    assert any("a number as label" in what for what in notices(path))


BRAT_TEXT = "Ada met Bob.\nThey live in New\nYork with Cleo.\n"
BRAT = """T1\tPER 0 3\tAda
T2\tPER 8 11\tBob
T3\tLOC 26 34\tNew York
T4\tORG 0 3;8 11\tAda Bob
R1\tknows Arg1:T1 Arg2:T2
A1\tNegated T1
#1\tAnnotatorNotes T1\ta note
"""


def test_brat(tmp_path):
    write(tmp_path / "doc.txt", BRAT_TEXT)
    path = write(tmp_path / "doc.ann", BRAT)
    assert detect_format(str(path)).name == "brat"
    assert entities(path) == [*ADA_MET_BOB, [("New York", "LOC")]]
    assert notices(path) == {
        "discontinuous spans, left out": 1,
        "spans over several lines of the text, whose lines are read as one sentence": 1,
    }
    assert {record.sentence.document for record in records(path) if isinstance(record, Read)} == {
        "doc"
    }


def test_brat_without_its_text_is_refused(tmp_path):
    path = write(tmp_path / "doc.ann", BRAT)
    with pytest.raises(UserError, match=r"expected doc\.txt in the same folder"):
        entities(path)


def test_a_bad_line_of_brat_has_its_number(tmp_path):
    write(tmp_path / "doc.txt", BRAT_TEXT)
    path = write(tmp_path / "doc.ann", "T1\tPER 0 3\tAda\nT2\tPER 8\tBob\n")
    [bad] = [record.bad for record in records(path) if isinstance(record, Rejected)]
    assert (bad.line, bad.expected) == (2, "START END")


WEBANNO = """#FORMAT=WebAnno TSV 3.3
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value


#Text=Ada King met Bob in York.
1-1\t0-3\tAda\tNNP\t*[1]\tPER[1]\t
1-2\t4-8\tKing\tNNP\t*[1]|*[2]\tPER[1]|FAM[2]\t
1-3\t9-12\tmet\tVBD\t_\t_\t
1-4\t13-16\tBob\tNNP\t*\tPER\t
1-5\t17-19\tin\tIN\t_\t_\t
1-6\t20-24\tYork\tNNP\t_\t_\t
1-6.1\t20-22\tYo\t_\t*\tLOC\t
1-7\t24-25\t.\t.\t_\t_\t
"""


def test_webanno_takes_the_column_of_named_entities(tmp_path):
    path = write(tmp_path / "curated.tsv", WEBANNO)
    assert detect_format(str(path)).name == "webanno"
    assert entities(path) == [[("Ada King", "PER"), ("Bob", "PER")]]
    assert notices(path) == {
        "annotations of parts of tokens, left out": 1,
        "spans that overlap a longer span, left out": 1,
    }


def test_conllu_takes_tags_from_misc(tmp_path):
    columns = "\t_" * 7
    text = (
        "# newdoc id = d1\n# sent_id = s1\n"
        f"1-2\tAdas{columns}\t_\n"
        f"1\tAda{columns}\tSpaceAfter=No|NER=B-PER\n"
        f"2\ts{columns}\t_\n"
        f"2.1\tempty{columns}\t_\n"
        f"3\tBob{columns}\tNER=B-PER\n\n"
    )
    path = write(tmp_path / "train.conllu", text)
    [record] = records(path)
    assert record.sentence.tokens == ("Ada", "s", "Bob") and record.record.id == "s1"
    assert entities(path) == ADA_MET_BOB


def test_conll2012_brackets(tmp_path):
    def line(index, word, entity):
        return f"bc/x/0   0   {index}   {word}   NNP   *   -   -   -   Speaker   {entity}   -\n"

    text = (
        "#begin document (bc/x/0); part 000\n"
        + line(0, "University", "(ORG*")
        + line(1, "of", "*")
        + line(2, "York", "(GPE))")
        + line(3, "met", "*")
        + line(4, "Bob", "(PER)")
        + "\n#end document\n"
    )
    path = write(tmp_path / "x.gold_conll", text)
    assert entities(path) == [[("University of York", "ORG"), ("Bob", "PER")]]
    assert notices(path) == {"spans that overlap a longer span, left out": 1}
    [record] = [record for record in records(path) if isinstance(record, Read)]
    assert record.sentence.document == "(bc/x/0); part 000"


def test_pipes(tmp_path):
    path = write(
        tmp_path / "train.txt", "Ada|NNP|B-PER met|VBD|O Bob|NNP|B-PER\nThey|PRP|O left|VBD|O\n"
    )
    assert detect_format(str(path)).name == "pipes"
    assert entities(path) == [*ADA_MET_BOB, []]


@pytest.mark.parametrize(
    "text",
    [
        "Sentence #,Word,POS,Tag\nSentence: 1,Ada,NNP,B-PER\n,met,VBD,O\n,Bob,NNP,B-PER\nSentence: 2,Hi,UH,O\n",
        "word,tag\nAda,B-PER\nmet,O\nBob,B-PER\n,\nHi,O\n",
        "Ada;B-PER\nmet;O\nBob;B-PER\n\nHi;O\n",
        'tag,word\nB-PER,"Ada"\nO,met\nB-PER,Bob\n\nO,Hi\n',
    ],
)
def test_csv(tmp_path, text):
    path = write(tmp_path / "ner.csv", text)
    assert detect_format(str(path)).name == "csv"
    assert entities(path) == [*ADA_MET_BOB, []]


def test_csv_that_is_not_utf8_is_read_as_cp1252_and_reported(tmp_path):
    path = tmp_path / "ner.csv"
    path.write_bytes("word,tag\nZoë,B-PER\n".encode("cp1252"))
    plan = make_plan(Splits(str(path), {"all": (str(path),)}))
    assert "read as cp1252" in plan.notes[0]
    assert entities(path) == [[("Zoë", "PER")]]


def test_csv_without_sentence_boundaries_is_refused(tmp_path):
    path = write(tmp_path / "ner.csv", "word,tag\n" + "Ada,B-PER\n" * 1_001)
    with pytest.raises(UserError, match="1001 tokens and no"):
        entities(path)


def test_inline_xml_is_named_and_refused(tmp_path):
    path = write(tmp_path / "a.xml", '<doc><ENAMEX TYPE="PER">Ada</ENAMEX> met Bob.</doc>')
    with pytest.raises(UserError, match="found inline XML"):
        entities(path)


def test_spacy_files_need_spacy(tmp_path):
    path = tmp_path / "train.spacy"
    path.write_bytes(b"\x78\x9c\x03\x00\x00\x00\x00\x01")
    try:
        import spacy  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match="spaCy is not installed; pip install spacy"):
            entities(path)
