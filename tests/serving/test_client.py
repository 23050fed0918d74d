"""The client with the project's server, compared with the model in this process."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.export import card, signatures
from components.export.published_model import PublishedModel
from serving import client
from serving.client import AsyncClient, Client
from tests.model.conftest import LABELS, Transform, make_tagger

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 300  # seconds until the server is up, on a busy machine
NAMES = "Anna Example moved from Berlin to Example Works Ltd. on 3 May 2024. "
TEXTS = [
    NAMES,
    "",
    " \t ",
    "👩🏽‍🚀 Zoë 👍🏽 met Ada in 🇫🇷 Lyon ❤\ufe0f",
    "e\u0301te\u0301 Ada\u0301 Bea",
    "שלום עולם, مرحبا Ada",
    "Ada\0Bob \0 met\0",
    "Ada \ud800 met Bob\udfff",
    "中国 abc中 ไทย",
    'a\u2028b\u0085c\r\n\r\nTwo "three" \\ {Four}',
    (NAMES * 1500)[:100_000],
    *(f"Ada{n} saw Bob{n} in Basel" for n in range(150)),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder of versions with an untrained model, which predicts many entities."""
    folder = tmp_path_factory.mktemp("client") / "ner"
    version = str(folder / "1")
    signatures.save(signatures.ServingModule(Transform(), make_tagger()), version)
    card.save_card(card.Card(LABELS, "0.0.0"), version)
    return folder


@pytest.fixture(scope="module")
def served(base):
    """The addresses of a server, by transport."""
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "serve",
        "--own-server",
        "--rest-port",
        "0",
        "--grpc-port",
        "0",
    ]
    process = subprocess.Popen(
        [*command, "--model-base-path", base], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    watch = threading.Timer(LONGEST, process.kill)
    watch.start()
    printed, addresses = [], {}
    try:
        for line in process.stderr:
            printed.append(line)
            if match := re.match(r"(REST|gRPC)\b.* on (?:http://)?(\S+:\d+)", line):
                addresses[match[1].lower()] = match[2]
            if len(addresses) == 2:
                break
        assert len(addresses) == 2, "".join(printed)
        threading.Thread(
            target=process.stderr.read, daemon=True
        ).start()  # so that it never waits for a reader
        yield {"rest": f"http://{addresses['rest']}", "grpc": f"grpc://{addresses['grpc']}"}
    finally:
        watch.cancel()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(params=["rest", "grpc"])
def url(request, served):
    return served[request.param]


@pytest.fixture(scope="module")
def expected(base):
    """The entities of the model in this process."""
    return [rounded(entities) for entities in PublishedModel(base).predict(TEXTS)]


def rounded(entities):
    return [
        (one.text, one.type, one.start, one.end, pytest.approx(one.score, abs=1e-4))
        for one in entities
    ]


def plain(entities):
    return [(one.text, one.type, one.start, one.end, one.score) for one in entities]


def test_the_client_has_the_entities_of_the_model(url, expected):
    assert sum(map(len, expected)) > 500  # there is something to find, whatever the weights
    with Client(url) as one:
        results = list(one.predict_iter(TEXTS))
    assert [text for text, _ in results] == TEXTS
    assert [plain(entities) for _, entities in results] == expected
    assert all(
        one.text == text[one.start : one.end] for text, entities in results for one in entities
    )


def test_predict_one_has_the_entities_of_the_model(url, expected):
    with Client(url) as one:
        assert [plain(one.predict_one(text)) for text in TEXTS[:11]] == expected[:11]


def test_the_async_client_has_the_entities_of_the_model_in_small_batches(url, expected):
    async def predict_all():
        async with AsyncClient(url, batch_texts=5, concurrency=8) as one:
            return [plain(entities) async for _, entities in one.predict_iter(TEXTS)]

    assert asyncio.run(predict_all()) == expected


def test_status_and_check_have_the_served_version(url):
    with Client(url) as one:
        assert one.status() == (client.VersionStatus(1, "AVAILABLE"),)
        assert one.check().version == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "other"}, client.NotFound, r"Latest\(other\)"),
        ({"version": 9}, client.NotFound, r"Specific\(ner, 9\)"),
        ({"label": "canary"}, client.BadRequest, "Unrecognized servable version label: canary"),
    ],
)
def test_an_unknown_model_version_or_label_is_an_error(url, options, error, message):
    with Client(url, **options) as one, pytest.raises(error, match=message):
        one.predict_one("Ada")


def test_the_command_writes_the_entities_of_the_client(served, expected, tmp_path):
    path = tmp_path / "a.txt"
    lines = [
        n
        for n, text in enumerate(TEXTS)
        if len(text) < 1000 and not re.search("[\r\n\ud800-\udfff]", text)
    ]
    path.write_text("".join(f"{TEXTS[n]}\n" for n in lines), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "predict",
        "--input",
        path,
        "--format",
        "jsonl",
    ]
    done = subprocess.run(
        [*command, "--server", served["grpc"]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["text"] for one in records] == [TEXTS[n] for n in lines]
    assert [[tuple(one.values()) for one in line["entities"]] for line in records] == [
        expected[n] for n in lines
    ]
    assert done.stderr == ""
