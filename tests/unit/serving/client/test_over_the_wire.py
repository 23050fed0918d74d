"""Both clients over both transports, against a fake server: what they find, and what they make of what goes wrong."""

import random
import socket
import threading
import time

import pytest

from components.errors import UserError
from serving import client as clients
from serving.client import Client, Entity
from tests.unit.fake_servers import SERVERS, Refusal, found_in

ODD = [
    "",
    " ",
    "Ada 👩🏽‍🚀 met Zoë",
    "e\u0301 Ada\u0301 x",
    "Ada \0 Bob",
    "קורא Ada בעברית",
    "a\u2028Bob\u0085c\tD\r\n",
    '"Ada" \\ {Bob}',
    "Ada " * 25_000,
    "\ud800Ada\udfff Bob",
]


def expected(text):
    entities = found_in(text.encode("utf-8", "replace").decode())
    return tuple(
        (text[start:end], type_, start, end, pytest.approx(score))
        for type_, start, end, score in entities
    )


def values(entities):
    return tuple((one.text, one.type, one.start, one.end, one.score) for one in entities)


def test_odd_texts_alone_have_their_entities(ask):
    for text in ODD:
        assert values(ask("recognise_one", text)) == expected(text)


def test_odd_texts_together_have_their_entities(ask):
    found = ask("recognised", ODD)
    assert [text for text, _ in found] == ODD
    assert [values(entities) for _, entities in found] == [expected(text) for text in ODD]
    assert all(
        one.text == text[one.start : one.end] for text, entities in found for one in entities
    )


def test_entities_are_entities(ask):
    [one] = ask("recognise_one", "so Ada spoke")
    assert one == Entity("Ada", "NAME", 3, 6, one.score)


def test_numbers_may_come_as_bytes_or_in_their_fields(ask, model):
    model.packed = False
    assert values(ask("recognise_one", "Ada met Bob")) == expected("Ada met Bob")


def test_the_order_is_that_of_the_texts_whichever_answer_comes_first(ask, model):
    model.before = lambda texts: time.sleep(random.random() / 50)
    texts = [f"text {n} of Ada{n}" for n in range(300)]
    found = ask("recognise", texts, batch_texts=7, concurrency=5)
    assert [entities[0].text for entities in found] == [f"Ada{n}" for n in range(300)]
    assert max(map(len, model.batches)) == 7


def test_no_texts_ask_nothing(ask, model):
    assert ask("recognise", []) == [] and model.batches == []


def test_answers_come_before_the_last_text_is_read(ask):
    read = []

    def texts():
        for n in range(100_000):
            read.append(n)
            yield "Ada"

    assert len(ask("recognise", texts(), limit=3, batch_texts=10, concurrency=2)) == 3
    assert len(read) < 200


def test_a_str_is_not_read_letter_by_letter(ask, model):
    with pytest.raises(TypeError, match="recognise_one takes one"):
        ask("recognise", "Ada")
    with pytest.raises(TypeError, match="found bytes"):
        ask("recognise_one", b"Ada")
    with pytest.raises(TypeError, match="type bytes"):
        ask("recognise", [b"Ada"])
    assert model.batches == []


def test_a_server_that_is_unavailable_is_asked_again(ask, model):
    model.troubles.extend([Refusal("UNAVAILABLE")] * 2)
    assert values(ask("recognise_one", "Ada")) == expected("Ada")
    assert len(model.batches) == 3


def test_a_server_that_stays_unavailable_is_told_of(ask, model):
    model.troubles.extend([Refusal("UNAVAILABLE", "loading")] * 5)
    with pytest.raises(clients.Unavailable, match=r"localhost:[0-9]+: loading$"):
        ask("recognise_one", "Ada", retries=1)
    assert len(model.batches) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", clients.BadRequest),
        ("FAILED_PRECONDITION", clients.BadRequest),
        ("OUT_OF_RANGE", clients.BadRequest),
        ("NOT_FOUND", clients.NotFound),
        ("UNAUTHENTICATED", clients.NotAllowed),
        ("PERMISSION_DENIED", clients.NotAllowed),
        ("RESOURCE_EXHAUSTED", clients.ResourceExhausted),
        ("DEADLINE_EXCEEDED", clients.DeadlineExceeded),
        ("INTERNAL", clients.ServerError),
        ("UNIMPLEMENTED", clients.ServerError),
    ],
)
def test_a_refusal_is_told_once_with_the_server_and_what_it_said(ask, model, code, kind):
    model.troubles.append(Refusal(code, "the reason"))
    with pytest.raises(clients.ServerError) as raised:
        ask("recognise_one", "Ada")
    assert type(raised.value) is kind and len(model.batches) == 1
    assert str(raised.value).startswith(f"{ask.url}: ")
    if code != "DEADLINE_EXCEEDED":  # gRPC's own and the server's are the same
        assert raised.value.said == "the reason"


def test_an_answer_is_waited_for_until_the_deadline(ask, model):
    over = threading.Event()
    model.before = lambda texts: over.wait(30)
    try:
        with pytest.raises(clients.DeadlineExceeded, match=r"no answer within 0\.2 seconds"):
            ask("recognise_one", "Ada", timeout=0.2)
    finally:
        over.set()


def test_retries_stay_within_the_deadline(ask, model):
    model.troubles.extend([Refusal("UNAVAILABLE")] * 1000)
    with pytest.raises((clients.Unavailable, clients.DeadlineExceeded)):
        ask("recognise_one", "Ada", timeout=0.5, retries=1000)
    assert 2 <= len(model.batches) < 10


def test_the_one_text_that_spoils_a_batch_is_found_and_the_others_are_answered(ask):
    texts = [f"Ada{n}" for n in range(100)]
    texts[0] = texts[17] = texts[63] = "POISON here"
    found = ask("attempted", texts, batch_texts=64)
    assert [text for text, _ in found] == texts
    failed = [n for n, (_, answer) in enumerate(found) if isinstance(answer, clients.ServerError)]
    assert failed == [0, 17, 63]
    assert found[17][1].said == "poison in the batch" and type(found[17][1]) is clients.BadRequest
    assert all(values(answer) == expected(text) for text, answer in found if "POISON" not in text)


def test_recognise_names_the_text_that_is_refused(ask):
    with pytest.raises(clients.BadRequest, match="text 5: poison in the batch"):
        ask("recognise", ["Ada"] * 4 + ["POISON"] + ["Ada"] * 4)


@pytest.mark.parametrize(
    ("code", "kind"), [("NOT_FOUND", "NotFound"), ("PERMISSION_DENIED", "NotAllowed")]
)
def test_what_is_no_texts_fault_ends_it_all(ask, model, code, kind):
    model.troubles.extend([Refusal(code)] * 100)
    with pytest.raises(getattr(clients, kind)):
        ask("attempted", ["Ada"] * 8, concurrency=1)
    assert len(model.batches) == 1


def test_an_answer_larger_than_allowed_is_asked_for_in_parts(ask, model):
    texts = ["Ada Bob Cleo " * 40] * 16
    found = ask("attempted", texts, max_message_bytes=12_000)
    assert [values(answer) for _, answer in found] == [expected(text) for text in texts]
    assert len(model.batches) > 1
    with pytest.raises(clients.ResourceExhausted, match="larger"):
        ask("recognise_one", texts[0] * 100, max_message_bytes=12_000)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\xfd", b"{}", b"[]", b'{"predictions": 3}', b'{"predictions": []}']
)
def test_an_answer_of_another_form_is_told_of(ask, model, body):
    model.body = body
    with pytest.raises(clients.BadAnswer, match="found an answer of another form"):
        ask("recognise_one", "Ada")


def test_the_status_has_every_version_and_its_error(ask):
    assert ask("status") == (
        clients.VersionStatus(7, "AVAILABLE"),
        clients.VersionStatus(6, "END", "cannot load"),
    )


def test_the_metadata_has_version_and_signatures(ask):
    metadata = ask("check")
    assert (metadata.model, metadata.version) == ("ner", 7)
    assert metadata.signatures["serving_default"].inputs == {"text": "DT_STRING"}
    assert metadata.signatures["serving_default"].outputs["count"] == "DT_INT64"


@pytest.mark.parametrize(
    "other", [{"inputs": ("image",)}, {"inputs": ("text", "more")}, {"outputs": ("score",)}]
)
def test_a_model_of_another_project_is_told_of(ask, model, other):
    for name, value in other.items():
        setattr(model, name, value)
    with pytest.raises(clients.BadAnswer, match="was not published by tfx-ner"):
        ask("check")


@pytest.mark.parametrize(
    ("options", "path", "version", "label"),
    [
        ({}, "/v1/models/a%20b:predict", 0, ""),
        ({"version": 3}, "/v1/models/a%20b/versions/3:predict", 3, ""),
        ({"label": "canary"}, "/v1/models/a%20b/labels/canary:predict", 0, "canary"),
    ],
)
def test_the_version_that_is_asked_for_is_named(
    ask, model, transport, options, path, version, label
):
    ask("recognise_one", "Ada", model="a b", headers={"Authorization": "Bearer x"}, **options)
    [asked] = model.asked
    assert asked["authorization"] == "Bearer x"
    if transport == "rest":
        assert asked["path"] == path
    else:
        assert (asked["name"], asked["version"], asked["label"]) == ("a b", version, label)


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_server_that_is_not_there_is_told_of(transport, ask_at, free_port):
    url = f"{'http' if transport == 'rest' else 'grpc'}://localhost:{free_port}"
    with pytest.raises(
        clients.Unavailable, match=f"localhost:{free_port}: cannot be reached .*refused"
    ):
        ask_at(url)("recognise_one", "Ada", retries=0)


def test_a_server_that_comes_back_is_found(transport, ask_at, model, free_port):
    """Each pause lets another attempt through, so the server starts between the first and the last of them."""
    url = f"{'http' if transport == 'rest' else 'grpc'}://localhost:{free_port}"
    started = threading.Event()
    ended = threading.Event()

    def serve():
        started.wait()
        with SERVERS[transport](model, port=free_port):
            ended.wait()

    thread = threading.Thread(target=serve)
    thread.start()
    threading.Timer(0.3, started.set).start()
    try:
        assert values(ask_at(url)("recognise_one", "Ada", retries=20)) == expected("Ada")
    finally:
        ended.set()
        started.set()
        thread.join()


def test_an_encrypted_server_is_held_against_the_authorities_that_are_named(
    transport, ask_at, model, certificate
):
    with SERVERS[transport](model, certificate=certificate) as url:
        ask = ask_at(url)
        assert values(ask("recognise_one", "Ada", ca_file=str(certificate[0]))) == expected("Ada")
        with pytest.raises(clients.Unavailable, match=r"(?i)certificate.?verify"):
            ask("recognise_one", "Ada", retries=0)


def test_a_grpc_port_asked_over_rest_and_a_rest_port_asked_over_grpc_are_told_of(
    transport, ask_at, model
):
    with SERVERS[transport](model) as url:
        wrong = url.replace("http:", "other:").replace("grpc:", "http:").replace("other:", "grpc:")
        with pytest.raises(clients.ServerError, match="localhost"):
            ask_at(wrong)("recognise_one", "Ada", retries=0, timeout=3)


def test_threads_may_share_a_client(transport, model):
    with SERVERS[transport](model) as url, Client(url) as client:
        found = {}

        def work(n):
            found[n] = [entities[0].text for entities in client.recognise([f"Ada{n}"] * 20)]

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: [f"Ada{n}"] * 20 for n in range(8)}


def test_certificates_that_cannot_be_read_are_refused(transport, ask_at, write):
    url = "https://localhost:1" if transport == "rest" else "grpcs://localhost:1"
    for path in ("nowhere.pem", write("none.pem", "no certificate")):
        with pytest.raises(UserError, match=r"\.pem: cannot read certificates"):
            ask_at(url)("recognise_one", "Ada", ca_file=path, retries=0)
