"""What of the ONNX format is read and changed here, for the package ``protobuf``.

onnxruntime brings protobuf along, but no Python code to edit a model with; the package that does
is ten times as big as this engine. Fields that are not named here are kept as they are: protobuf
carries what it does not know.
"""

from typing import Any, Dict, Tuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "auto_voice.onnx"
_Field = Tuple[str, int, str]
"""Name, number and type; ``*`` before a type: repeated."""

# From onnx.proto, version 3 of the format; the numbers are the format.
_MESSAGES: Dict[str, Tuple[_Field, ...]] = {
    "Model": (
        ("ir_version", 1, "int64"),
        ("graph", 7, "Graph"),
        ("opset_import", 8, "*OperatorSet"),
    ),
    "OperatorSet": (("domain", 1, "string"), ("version", 2, "int64")),
    "Graph": (
        ("node", 1, "*Node"),
        ("name", 2, "string"),
        ("initializer", 5, "*Tensor"),
        ("input", 11, "*ValueInfo"),
        ("output", 12, "*ValueInfo"),
        ("value_info", 13, "*ValueInfo"),
    ),
    "Node": (
        ("input", 1, "*string"),
        ("output", 2, "*string"),
        ("name", 3, "string"),
        ("op_type", 4, "string"),
        ("attribute", 5, "*Attribute"),
        ("domain", 7, "string"),
    ),
    "Attribute": (
        ("name", 1, "string"),
        ("i", 3, "int64"),
        ("s", 4, "bytes"),
        ("t", 5, "Tensor"),
        ("g", 6, "Graph"),
        ("ints", 8, "*int64"),
    ),
    "Tensor": (
        ("dims", 1, "*int64"),
        ("data_type", 2, "int32"),
        ("int64_data", 7, "*int64"),
        ("name", 8, "string"),
        ("raw_data", 9, "bytes"),
    ),
    "ValueInfo": (("name", 1, "string"), ("type", 2, "Type")),
    "Type": (("tensor_type", 1, "TensorType"),),
    "TensorType": (("elem_type", 1, "int32"), ("shape", 2, "Shape")),
    "Shape": (("dim", 1, "*Dimension"),),
    "Dimension": (("dim_value", 1, "int64"), ("dim_param", 2, "string")),
}


def _classes() -> Dict[str, Any]:
    proto = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="auto_voice/onnx.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, type_ in fields:
            kind = type_.lstrip("*")
            made = message.field.add(
                name=field,
                number=number,
                label=proto.LABEL_REPEATED if type_[0] == "*" else proto.LABEL_OPTIONAL,
            )
            if kind in _MESSAGES:
                made.type, made.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                made.type = getattr(proto, f"TYPE_{kind.upper()}")
            if type_ == "*int64":
                made.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_made = _classes()
Model: Any = _made["Model"]
ValueInfo: Any = _made["ValueInfo"]

ELEMENT_TYPES = {
    "tensor(float)": 1,
    "tensor(int32)": 6,
    "tensor(int64)": 7,
    "tensor(bool)": 9,
}
"""onnxruntime's names of types to the format's numbers."""
FLOAT, INT64 = 1, 7
