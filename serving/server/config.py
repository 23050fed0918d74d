"""Reads TensorFlow Serving's configuration files: the models to serve, and TLS for gRPC."""

from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf import descriptor_pb2, proto_builder, text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from components.errors import UserError
from serving.server.models import ModelConfig
from serving.server.status import RequestError, invalid_argument
from serving.server.versions import Policy

_M = TypeVar("_M", bound=Message)


def read_models(path: str | Path) -> list[ModelConfig]:
    """The models in a `models.config`. Raises UserError."""
    config = _parse_file(
        path,
        model_server_config_pb2.ModelServerConfig(),
        "model_config_list { config { … } }",
    )
    try:
        return models_of(config)
    except RequestError as error:
        raise UserError(f"{path}: {error.message}") from None


def models_of(config: model_server_config_pb2.ModelServerConfig) -> list[ModelConfig]:
    """The models of a ModelServerConfig. Raises RequestError, INVALID_ARGUMENT, if one is invalid."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid_argument("expected a model_config_list")
    return [_model(model) for model in config.model_config_list.config]


def _model(config: model_server_config_pb2.ModelConfig) -> ModelConfig:
    if not config.name or set(config.name) & set("/:"):
        raise invalid_argument(f'model name "{config.name}": expected one without / and :')
    if not Path(config.base_path).is_absolute():
        raise invalid_argument(
            f"Expected model {config.name} to have an absolute path or URI; got"
            f" base_path()={config.base_path}"
        )
    if config.model_platform not in ("", "tensorflow"):
        raise invalid_argument(f"model_platform {config.model_platform}: expected tensorflow")
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific" and not policy.specific.versions:
        raise invalid_argument("model_version_policy: specific names no versions")
    return ModelConfig(
        config.name,
        Path(config.base_path),
        Policy(
            latest=max(1, policy.latest.num_versions),
            every=choice == "all",
            specific=tuple(policy.specific.versions),
        ),
        dict(config.version_labels),
    )


def read_credentials(path: str | Path) -> grpc.ServerCredentials:
    """The server's credentials, from the file that `--ssl_config_file` of TensorFlow Serving takes.

    Raises UserError if the file is not an SSLConfig with key and certificate.
    """
    field = descriptor_pb2.FieldDescriptorProto
    names = ("server_key", "server_cert", "custom_ca")
    # tensorflow-serving-api lacks this message.
    ssl_config = proto_builder.MakeSimpleProtoClass(
        {**dict.fromkeys(names, field.TYPE_STRING), "client_verify": field.TYPE_BOOL}
    )
    config = _parse_file(path, ssl_config(), "server_key, server_cert, custom_ca and client_verify")
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


def _parse_file(path: str | Path, message: _M, expected: str) -> _M:
    """Fills a message from a text file. Raises UserError, which says what was expected."""
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot read ({reason})") from None
    except text_format.ParseError as error:
        raise UserError(f"{path}: {error}; expected {expected}") from None
