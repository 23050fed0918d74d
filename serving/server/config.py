"""Reads TensorFlow Serving's ModelServerConfig, from a file or a reload request."""

from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from components.errors import UserError
from serving.server.models import ModelConfig
from serving.server.status import Code, RequestError
from serving.server.versions import Policy


def read(path: str) -> list[ModelConfig]:
    """The models in a `models.config`. Raises UserError."""
    proto = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(Path(path).read_text(encoding="utf-8"), proto)
        return configs_of(proto)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot read ({getattr(error, 'strerror', None) or error})"
        ) from None
    except text_format.ParseError as error:
        raise UserError(
            f"{path}: {error}; expected model_config_list {{ config {{ … }} }}"
        ) from None
    except RequestError as error:
        raise UserError(f"{path}: {error.message}") from None


def configs_of(proto: model_server_config_pb2.ModelServerConfig) -> list[ModelConfig]:
    """The models of a ModelServerConfig. Raises RequestError, INVALID_ARGUMENT, if one is invalid."""
    if proto.WhichOneof("config") != "model_config_list":
        raise RequestError(Code.INVALID_ARGUMENT, "expected a model_config_list")
    return [_config(one) for one in proto.model_config_list.config]


def _config(proto) -> ModelConfig:
    if not proto.name or "/" in proto.name or ":" in proto.name:
        raise RequestError(
            Code.INVALID_ARGUMENT, f'model name "{proto.name}": expected one without / and :'
        )
    if not Path(proto.base_path).is_absolute():
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Expected model {proto.name} to have an absolute path or URI; got base_path()={proto.base_path}",
        )
    if proto.model_platform not in ("", "tensorflow"):
        raise RequestError(
            Code.INVALID_ARGUMENT, f"model_platform {proto.model_platform}: expected tensorflow"
        )
    return ModelConfig(
        proto.name,
        Path(proto.base_path),
        _policy(proto.model_version_policy),
        dict(proto.version_labels),
    )


def _policy(proto) -> Policy:
    choice = proto.WhichOneof("policy_choice")
    if choice == "all":
        return Policy(every=True)
    if choice == "specific":
        if not proto.specific.versions:
            raise RequestError(
                Code.INVALID_ARGUMENT, "model_version_policy: specific names no versions"
            )
        return Policy(specific=tuple(proto.specific.versions))
    return Policy(latest=max(1, proto.latest.num_versions))
