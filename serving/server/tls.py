"""TLS for gRPC, from the file that TensorFlow Serving's `--ssl_config_file` takes."""

from functools import cache
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from components.errors import UserError


def credentials(path: str) -> grpc.ServerCredentials:
    """The server's credentials. Raises UserError if the file is not an SSLConfig with key and certificate."""
    config = _ssl_config()()
    try:
        text_format.Parse(Path(path).read_text(encoding="utf-8"), config)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot read ({getattr(error, 'strerror', None) or error})"
        ) from None
    except text_format.ParseError as error:
        raise UserError(
            f"{path}: {error}; expected server_key, server_cert, custom_ca and client_verify"
        ) from None
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(config, name):
            raise UserError(
                f"{path}: {name} holds no PEM; expected the text of the file, not its name"
            )
    if config.client_verify and not config.custom_ca:
        raise UserError(
            f"{path}: client_verify needs custom_ca, the certificate that clients' are signed with"
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


@cache
def _ssl_config():
    """The message SSLConfig, which tensorflow-serving-api lacks, in a descriptor pool of its own."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="ssl_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    message = file.message_type.add(name="SSLConfig")
    for number, (name, kind) in enumerate(
        [
            ("server_key", field.TYPE_STRING),
            ("server_cert", field.TYPE_STRING),
            ("custom_ca", field.TYPE_STRING),
            ("client_verify", field.TYPE_BOOL),
        ],
        1,
    ):
        message.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("tensorflow.serving.SSLConfig")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)  # protobuf 3.20
