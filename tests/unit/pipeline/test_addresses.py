"""Addresses such as s3://bucket/key for options that need a local path: an error in one line, and no folder of that name."""

import pytest

REFUSED = {
    (
        "run",
        "--workdir",
        "s3://b/w",
    ): "workdir: found 's3://b/w'; expected a local path",
    (
        "runs",
        "--workdir",
        "gs://b/w",
    ): "workdir: found 'gs://b/w'; expected a local path",
    (
        "run",
        "--set",
        "schema=s3://b/s",
    ): "schema: found 's3://b/s'; expected a local path",
    ("run", "--config", "s3://b/c.yaml"): "--config s3://b/c.yaml: found an address",
    ("run", "--json", "s3://b/x.json"): "s3://b/x.json: found an address",
    (
        "run",
        "--data",
        "ftp://b/x",
    ): "ftp://b/x: cannot read ftp://; expected a path of this machine, or s3://",
    ("run", "--data", "s3://b/{SPAN}"): "data: found 's3://b/{SPAN}'; expected a file or a folder",
    ("run", "--data", "s3://"): "s3://: found no bucket or host",
    ("check", "https://host/x"): "https://host/x: cannot read https://",
    ("run", "--set", "publish.copy_to=there"): "publish: copy_to=there; expected an address",
    ("serve", "--model-base-path", "s3://b/m"): "--model-base-path s3://b/m: found an address",
    ("schedule", "--watch", "s3://b/d"): "--watch s3://b/d: found an address",
    ("predict", "--model", "ftp://b/m", "text"): "ftp://b/m: cannot read ftp://",
    (
        "annotate",
        "--input",
        "a.txt",
        "--output",
        "ftp://b/o",
        "--model",
        "m",
    ): "ftp://b/o: cannot read ftp://",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_an_address_is_refused_in_one_line(tfx_ner, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    answer = tfx_ner(*arguments)
    assert (
        answer.code == 2 and answer.err.startswith("tfx-ner: ") and answer.err.count("\n") == 1
    ), answer
    assert REFUSED[arguments] in answer.err
    assert not [path for path in tmp_path.iterdir() if path.name != "work"]
