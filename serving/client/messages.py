"""The messages of TensorFlow Serving that a client needs, as few fields of them as it needs.

tensorflow-serving-api has all of them and imports TensorFlow for it. What is on the wire has field numbers and no names,
so these stand in a pool of their own, under a package of their own, beside TensorFlow's if the process has those too.
Field numbers are those of tensorflow/core/framework/{tensor,tensor_shape}.proto, tensorflow/core/protobuf/meta_graph.proto
and tensorflow_serving/apis/*.proto.
"""

import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tfx_ner.client"

# Fields as .proto files write them; enums travel as int32.
_MESSAGES = {
    "TensorShape": "repeated Dim dim = 2; bool unknown_rank = 3;",
    "Dim": "int64 size = 1;",
    "Tensor": """
        int32 dtype = 1; TensorShape tensor_shape = 2; bytes tensor_content = 4;
        repeated float float_val = 5; repeated double double_val = 6; repeated int32 int_val = 7;
        repeated bytes string_val = 8; repeated int64 int64_val = 10;""",
    "Int64": "int64 value = 1;",
    "ModelSpec": "string name = 1; Int64 version = 2; string signature_name = 3; string version_label = 4;",
    "PredictRequest": "ModelSpec model_spec = 1; map<string, Tensor> inputs = 2; repeated string output_filter = 3;",
    "PredictResponse": "map<string, Tensor> outputs = 1; ModelSpec model_spec = 2;",
    "StatusRequest": "ModelSpec model_spec = 1;",
    "StatusResponse": "repeated Version model_version_status = 1;",
    "Version": "int64 version = 1; int32 state = 2; Error status = 3;",
    "Error": "int32 error_code = 1; string error_message = 2;",
    "MetadataRequest": "ModelSpec model_spec = 1; repeated string metadata_field = 2;",
    "MetadataResponse": "ModelSpec model_spec = 1; map<string, Any> metadata = 2;",
    "Any": "string type_url = 1; bytes value = 2;",
    "Signatures": "map<string, Signature> signature_def = 1;",
    "Signature": "map<string, TensorInfo> inputs = 1; map<string, TensorInfo> outputs = 2; string method_name = 3;",
    "TensorInfo": "string name = 1; int32 dtype = 2; TensorShape tensor_shape = 3;",
}
_FIELD = re.compile(r"(?:(repeated) )?(map<string, (\w+)>|\w+) (\w+) = (\d+);")


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfx_ner/client.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for repeated, kind, of_map, field, number in _FIELD.findall(fields):
            if of_map:
                entry = message.nested_type.add(
                    name="".join(map(str.capitalize, field.split("_"))) + "Entry"
                )
                entry.options.map_entry = True
                _add(entry, "key", 1, "string")
                _add(entry, "value", 2, of_map)
                kind, repeated = f"{name}.{entry.name}", True
            _add(message, field, int(number), kind, bool(repeated))
    return file


def _add(message, name: str, number: int, kind: str, repeated: bool = False) -> None:
    of = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(
        name=name, number=number, label=of.LABEL_REPEATED if repeated else of.LABEL_OPTIONAL
    )
    if kind[0].isupper():
        field.type, field.type_name = of.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(of, f"TYPE_{kind.upper()}")


def _classes() -> dict[str, type]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    # Protobuf 3 has only the former way, from 5 on there is only the latter.
    make = (
        getattr(message_factory, "GetMessageClass", None)
        or message_factory.MessageFactory(pool).GetPrototype
    )
    return {name: make(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


_made = _classes()
Tensor = _made["Tensor"]
PredictRequest, PredictResponse = _made["PredictRequest"], _made["PredictResponse"]
StatusRequest, StatusResponse = _made["StatusRequest"], _made["StatusResponse"]
MetadataRequest, MetadataResponse = _made["MetadataRequest"], _made["MetadataResponse"]
Signatures = _made["Signatures"]
