"""Both clients over both transports, against a fake server: results and errors."""

import random
import re
import socket
import threading
import time

import pytest

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


def test_unusual_texts_have_their_entities_in_requests_of_one(ask):
    for text in ODD:
        assert values(ask("predict_one", text)) == expected(text)


def test_unusual_texts_have_their_entities_in_one_batch(ask):
    results = ask("predict_iter", ODD)
    assert [text for text, _ in results] == ODD
    assert [values(entities) for _, entities in results] == [expected(text) for text in ODD]
    assert all(
        one.text == text[one.start : one.end] for text, entities in results for one in entities
    )


def test_predict_one_returns_entities(ask):
    [one] = ask("predict_one", "so Ada spoke")
    assert one == Entity("Ada", "NAME", 3, 6, one.score)


def test_numbers_are_read_from_packed_bytes_and_from_fields(ask, model):
    model.packed = False
    assert values(ask("predict_one", "Ada met Bob")) == expected("Ada met Bob")


def test_results_are_in_the_order_of_the_texts_for_any_order_of_responses(ask, model):
    model.before = lambda texts: time.sleep(random.random() / 50)
    texts = [f"text {n} of Ada{n}" for n in range(300)]
    results = ask("predict", texts, batch_texts=7, concurrency=5)
    assert [entities[0].text for entities in results] == [f"Ada{n}" for n in range(300)]
    assert max(map(len, model.batches)) == 7


def test_no_texts_send_no_request(ask, model):
    assert ask("predict", []) == [] and model.batches == []


def test_results_arrive_before_the_last_text_is_read(ask):
    read = []

    def texts():
        for n in range(100_000):
            read.append(n)
            yield "Ada"

    assert len(ask("predict_iter", texts(), limit=3, batch_texts=10, concurrency=2)) == 3
    assert len(read) < 200


def test_a_str_instead_of_a_list_is_refused(ask, model):
    with pytest.raises(TypeError, match="predict_one takes one"):
        ask("predict", "Ada")
    with pytest.raises(TypeError, match="found bytes"):
        ask("predict_one", b"Ada")
    with pytest.raises(TypeError, match="type bytes"):
        ask("predict", [b"Ada"])
    assert model.batches == []


def test_a_request_to_an_unavailable_server_is_retried(ask, model):
    model.troubles.extend([Refusal("UNAVAILABLE")] * 2)
    assert values(ask("predict_one", "Ada")) == expected("Ada")
    assert len(model.batches) == 3


def test_a_server_that_stays_unavailable_raises_unavailable(ask, model):
    model.troubles.extend([Refusal("UNAVAILABLE", "loading")] * 5)
    with pytest.raises(clients.Unavailable, match=r"localhost:[0-9]+: loading$"):
        ask("predict_one", "Ada", retries=1)
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
        ("DEADLINE_EXCEEDED", clients.DeadlineExceeded),
        ("INTERNAL", clients.ServerError),
        ("UNIMPLEMENTED", clients.ServerError),
    ],
)
def test_a_refusal_is_not_retried_and_names_the_server_and_its_message(ask, model, code, kind):
    model.troubles.append(Refusal(code, "the reason"))
    with pytest.raises(clients.ServerError) as raised:
        ask("predict_one", "Ada")
    assert type(raised.value) is kind and len(model.batches) == 1
    assert str(raised.value).startswith(f"{ask.url}: ")
    if code != "DEADLINE_EXCEEDED":  # gRPC's own and the server's are the same
        assert raised.value.message == "the reason"


def test_entities_below_the_minimum_score_are_left_out(ask):
    keywords = {"minimum_score": 0.14}
    assert [entity.text for entity in ask("predict_one", "Ada Cleo Bo", keywords=keywords)] == [
        "Cleo"
    ]
    [entities] = ask("predict", ["Ada Cleo Bo"], keywords=keywords)
    [(_, paired)] = ask("predict_iter", ["Ada Cleo Bo"], keywords=keywords)
    assert [entity.text for entity in entities] == ["Cleo"] and paired == entities


@pytest.mark.parametrize("message", ["Server Threadpool Exhausted", "quota exceeded"])
def test_requests_to_an_overloaded_server_are_retried_more_often_than_retries(ask, model, message):
    model.troubles.extend([Refusal("RESOURCE_EXHAUSTED", message)] * 3)
    assert values(ask("predict_one", "Ada", retries=1)) == expected("Ada")
    assert len(model.batches) == 4


def test_requests_to_an_overloaded_server_are_not_retried_without_retries(ask, model):
    model.troubles.append(Refusal("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted"))
    with pytest.raises(clients.Overloaded, match="Threadpool"):
        ask("predict_one", "Ada", retries=0)


def test_an_overloaded_server_ends_a_stream_at_the_timeout(ask, model):
    model.troubles.extend([Refusal("RESOURCE_EXHAUSTED", "too many requests")] * 1000)
    with pytest.raises((clients.Overloaded, clients.DeadlineExceeded)):
        ask("predict", ["Ada", "Bob"], timeout=0.4)
    assert all(len(batch) == 2 for batch in model.batches)  # smaller batches would not help


@pytest.mark.parametrize(
    "message",
    ["Received message larger than max (5000000 vs. 4194304)", "OOM when allocating tensor"],
)
def test_a_message_that_is_too_large_is_not_sent_again(ask, model, message):
    model.troubles.append(Refusal("RESOURCE_EXHAUSTED", message))
    with pytest.raises(clients.ResourceExhausted, match=re.escape(message)):
        ask("predict_one", "Ada")
    assert len(model.batches) == 1


def test_four_clients_get_every_text_from_a_server_with_limited_threads(transport, model):
    """Like TensorFlow Serving on two cores, the server takes eight requests at once and refuses the others."""
    free = threading.Semaphore(8)

    def limit(_):
        if not free.acquire(blocking=False):
            refusals.append(1)
            raise Refusal("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
        time.sleep(0.03)
        free.release()

    refusals, results = [], {}
    model.before = limit

    def work(number, url):
        with Client(url, batch_texts=8) as client:
            texts = [f"Ada{number}x{index}" for index in range(400)]
            results[number] = [entities[0].text for entities in client.predict(texts)] == texts

    with SERVERS[transport](model, workers=32) as url:
        threads = [threading.Thread(target=work, args=(number, url)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == dict.fromkeys(range(4), True) and refusals


@pytest.mark.parametrize(
    ("old", "new", "keywords"),
    [
        ("recognise_one", "predict_one", {}),
        ("recognised", "predict_iter", {}),
        ("attempted", "predict_iter", {"return_errors": True}),
    ],
)
def test_old_method_names_work_with_a_warning(ask, old, new, keywords):
    texts = "Ada" if old == "recognise_one" else ["Ada", "Bob"]
    with pytest.warns(DeprecationWarning, match=f"{old} is now called {new}"):
        results = ask(old, texts)
    assert results == ask(new, texts, keywords=keywords)


def test_the_old_name_recognise_gives_an_iterator_of_entities(ask):
    with pytest.warns(DeprecationWarning, match="recognise is now called predict"):
        assert ask("recognise", ["Ada", "Bob"]) == ask("predict", ["Ada", "Bob"])


def test_a_slow_response_times_out(ask, model):
    over = threading.Event()
    model.before = lambda texts: over.wait(30)
    try:
        with pytest.raises(clients.DeadlineExceeded, match=r"no answer within 0\.2 seconds"):
            ask("predict_one", "Ada", timeout=0.2)
    finally:
        over.set()


def test_retries_end_at_the_timeout(ask, model):
    model.troubles.extend([Refusal("UNAVAILABLE")] * 1000)
    with pytest.raises((clients.Unavailable, clients.DeadlineExceeded)):
        ask("predict_one", "Ada", timeout=0.5, retries=1000)
    assert 2 <= len(model.batches) < 10


def test_a_refused_batch_is_halved_until_only_the_refused_texts_have_errors(ask):
    texts = [f"Ada{n}" for n in range(100)]
    texts[0] = texts[17] = texts[63] = "POISON here"
    results = ask("predict_iter", texts, keywords={"return_errors": True}, batch_texts=64)
    assert [text for text, _ in results] == texts
    failed = [n for n, (_, answer) in enumerate(results) if isinstance(answer, clients.ServerError)]
    assert failed == [0, 17, 63]
    assert (
        results[17][1].message == "poison in the batch"
        and type(results[17][1]) is clients.BadRequest
    )
    assert all(values(answer) == expected(text) for text, answer in results if "POISON" not in text)


def test_predict_names_the_text_that_the_server_refuses(ask):
    with pytest.raises(clients.BadRequest, match="text 5: poison in the batch"):
        ask("predict", ["Ada"] * 4 + ["POISON"] + ["Ada"] * 4)


@pytest.mark.parametrize(
    ("code", "kind"), [("NOT_FOUND", "NotFound"), ("PERMISSION_DENIED", "NotAllowed")]
)
def test_an_error_that_does_not_depend_on_a_text_is_raised(ask, model, code, kind):
    model.troubles.extend([Refusal(code)] * 100)
    with pytest.raises(getattr(clients, kind)):
        ask("predict_iter", ["Ada"] * 8, keywords={"return_errors": True}, concurrency=1)
    assert len(model.batches) == 1


def test_a_response_that_is_too_large_is_requested_in_parts(ask, model):
    texts = ["Ada Bob Cleo " * 40] * 16
    results = ask("predict_iter", texts, keywords={"return_errors": True}, max_message_bytes=12_000)
    assert [values(answer) for _, answer in results] == [expected(text) for text in texts]
    assert len(model.batches) > 1
    with pytest.raises(clients.ResourceExhausted, match="larger"):
        ask("predict_one", texts[0] * 100, max_message_bytes=12_000)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\xfd", b"{}", b"[]", b'{"predictions": 3}', b'{"predictions": []}']
)
def test_a_response_of_another_form_raises_bad_answer(ask, model, body):
    model.body = body
    with pytest.raises(clients.BadAnswer, match="found an answer of another form"):
        ask("predict_one", "Ada")


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
def test_check_refuses_a_model_of_another_project(ask, model, other):
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
def test_requests_name_the_model_and_its_version(
    ask, model, transport, options, path, version, label
):
    ask("predict_one", "Ada", model="a b", headers={"Authorization": "Bearer x"}, **options)
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


def test_a_server_that_does_not_run_raises_unavailable(transport, ask_at, free_port):
    url = f"{'http' if transport == 'rest' else 'grpc'}://localhost:{free_port}"
    with pytest.raises(
        clients.Unavailable, match=f"localhost:{free_port}: cannot be reached .*refused"
    ):
        ask_at(url)("predict_one", "Ada", retries=0)


def test_a_retry_reaches_a_server_that_starts_late(transport, ask_at, model, free_port):
    """The server starts between the first and the last attempt."""
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
        assert values(ask_at(url)("predict_one", "Ada", retries=20)) == expected("Ada")
    finally:
        ended.set()
        started.set()
        thread.join()


def test_the_certificate_of_the_server_is_verified_with_ca_file(
    transport, ask_at, model, certificate
):
    with SERVERS[transport](model, certificate=certificate) as url:
        ask = ask_at(url)
        assert values(ask("predict_one", "Ada", ca_file=str(certificate[0]))) == expected("Ada")
        with pytest.raises(clients.Unavailable, match=r"(?i)certificate.?verify"):
            ask("predict_one", "Ada", retries=0)


def test_the_wrong_protocol_for_a_port_raises_a_server_error(transport, ask_at, model):
    with SERVERS[transport](model) as url:
        wrong = url.replace("http:", "other:").replace("grpc:", "http:").replace("other:", "grpc:")
        with pytest.raises(clients.ServerError, match="localhost"):
            ask_at(wrong)("predict_one", "Ada", retries=0, timeout=3)


def test_threads_may_share_a_client(transport, model):
    with SERVERS[transport](model) as url, Client(url) as client:
        results = {}

        def work(n):
            results[n] = [entities[0].text for entities in client.predict([f"Ada{n}"] * 20)]

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {n: [f"Ada{n}"] * 20 for n in range(8)}


def test_a_ca_file_that_cannot_be_read_is_refused(transport, ask_at, write):
    url = "https://localhost:1" if transport == "rest" else "grpcs://localhost:1"
    for path in ("nowhere.pem", write("none.pem", "no certificate")):
        with pytest.raises(clients.SettingsError, match=r"\.pem: cannot read certificates"):
            ask_at(url)("predict_one", "Ada", ca_file=path, retries=0)
