"""The metrics under TensorFlow Serving's names, which begin with a colon and do not end in _total."""

from prometheus_client.parser import text_string_to_metric_families

from serving.server.metrics import Metrics


def families(metrics):
    return {
        family.name: family for family in text_string_to_metric_families(metrics.text().decode())
    }


def test_requests_are_counted_under_tensorflow_servings_names():
    metrics = Metrics()
    metrics.request("my_total", "OK", "Predict", "GRPC", 0.002)
    metrics.request("my_total", "OK", "Predict", "REST", 0.002)
    metrics.request("my_total", "INVALID_ARGUMENT", "Predict", "REST", 0.002)
    text = metrics.text().decode()
    assert ':tensorflow:serving:request_count{model_name="my_total",status="OK"} 2.0' in text
    assert (
        ':tensorflow:serving:request_count{model_name="my_total",status="INVALID_ARGUMENT"} 1.0'
        in text
    )
    assert "request_count_total" not in text and "_created" not in text


def test_latencies_are_microseconds_in_histograms():
    metrics = Metrics()
    metrics.request("ner", "OK", "Predict", "GRPC", 0.002)
    metrics.runtime("ner", 0.001)
    metrics.warmup("/models/ner/1", "OK", 0.5)
    metrics.batch(5, [0.001, 0.002])
    found = families(metrics)
    sums = {
        sample.name: sample.value
        for family in found.values()
        for sample in family.samples
        if "_sum" in sample.name
    }
    assert sums == {
        ":tensorflow:serving:request_latency_sum": 2_000,
        ":tensorflow:serving:runtime_latency_sum": 1_000,
        ":tensorflow:serving:model_warmup_latency_sum": 500_000,
        ":tensorflow:serving:batching_session:queuing_latency_sum": 3_000,
        ":tensorflow:serving:batching_session:processed_batch_size_sum": 5,
    }
    assert all(found[name.removesuffix("_sum")].type == "histogram" for name in sums)


def test_loads_are_counted():
    metrics = Metrics()
    metrics.load("/models/ner/1", ok=True)
    metrics.load("/models/ner/2", ok=False)
    found = families(metrics)[":tensorflow:cc:saved_model:load_attempt_count"]
    assert {sample.labels["status"]: sample.value for sample in found.samples} == {
        "success": 1,
        "fail": 1,
    }
