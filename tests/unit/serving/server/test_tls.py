"""The file with gRPC's TLS credentials."""

import json
import shutil
import subprocess

import pytest

from components.errors import UserError
from serving.server import config as server_config


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A key and a self-signed certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: expected it on the PATH, to make a certificate")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        + ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
        check=True,
        capture_output=True,
    )
    return key.read_text(), certificate.read_text()


def config(**fields):
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def test_a_key_and_a_certificate_are_sufficient(write, pair):
    key, certificate = map(json.dumps, pair)
    assert server_config.read_credentials(
        write("ssl.config", config(server_key=key, server_cert=certificate))
    )
    assert server_config.read_credentials(
        write(
            "ca.config",
            config(
                server_key=key, server_cert=certificate, custom_ca=certificate, client_verify="true"
            ),
        )
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "server_key holds no PEM"),
        (
            'server_key: "key.pem"',
            "server_key holds no PEM; expected the text of the file, not its name",
        ),
        ('server_key: "-----BEGIN" server_cert: ""', "server_cert holds no PEM"),
        (
            'server_key: "-----BEGIN" server_cert: "-----BEGIN" client_verify: true',
            "client_verify needs custom_ca",
        ),
        ("key: 3", "no field named"),
        ("\ufeff{", "expected server_key"),
    ],
)
def test_other_files_are_refused(write, text, message):
    path = write("ssl.config", text)
    with pytest.raises(UserError, match=message) as raised:
        server_config.read_credentials(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_a_missing_credentials_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        server_config.read_credentials(str(tmp_path / "none"))
