"""A `tfx-ner serve` process for tests, on free ports."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds; nothing here is measured


@dataclass
class Running:
    """A server: its process, ports and output, and methods to send requests."""

    process: subprocess.Popen
    log: Path
    rest: int
    grpc: int
    channel: grpc.Channel

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def resident(self) -> int:
        """Resident memory in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20

    @property
    def prediction(self):
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def models(self):
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    def http(self, path, body=None, method=None, **headers):
        """The status and the body of the response, parsed if it is JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.rest}{path}",
            body,
            headers,
            method=method or ("GET" if body is None else "POST"),
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                status, kind, text = answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            status, kind, text = error.code, error.headers["Content-Type"], error.read()
        return status, json.loads(text) if kind == "application/json" else text.decode()

    def states(self, model="ner"):
        """The state of each version, read over REST."""
        status, answer = self.http(f"/v1/models/{model}")
        assert status == 200, answer
        return {int(one["version"]): one["state"] for one in answer["model_version_status"]}

    def wait_for(self, condition):
        """Waits until the condition is true; fails after a time limit."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < end, self.output
            time.sleep(0.02)

    def stop(self):
        self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(folder: Path, *arguments, ready=True) -> Running:
    """Starts the server with its log in `folder`; with `ready`, waits until its ports are open."""
    log = folder / "server.log"
    process = subprocess.Popen(
        [
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
        + ["--poll-seconds", "0.1", *map(str, arguments)],
        cwd=ROOT,
        stderr=log.open("w"),
    )
    running = Running(process, log, 0, 0, grpc.insecure_channel("127.0.0.1:1"))
    if ready:
        try:
            running.wait_for(
                lambda: (
                    " on 127.0.0.1" in running.output
                    and "gRPC" in running.output.partition("REST")[2]
                )
            )
            running.rest, running.grpc = map(
                int, re.findall(r" on \S*?(\d+)$", running.output, re.MULTILINE)
            )
        except BaseException:
            running.stop()
            raise
        running.channel = grpc.insecure_channel(
            f"127.0.0.1:{running.grpc}", options=[("grpc.max_receive_message_length", -1)]
        )
    return running


def request(
    *texts, model="ner", signature="", version=None, label=None
) -> predict_pb2.PredictRequest:
    """A request for entities in texts."""
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name, asked.model_spec.signature_name = model, signature
    if version is not None:
        asked.model_spec.version.value = version
    if label is not None:
        asked.model_spec.version_label = label
    asked.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts), tf.string, [len(texts)]))
    return asked


def outputs(response) -> dict:
    """A response's outputs as nested lists."""
    return {alias: tf.make_ndarray(tensor).tolist() for alias, tensor in response.outputs.items()}
