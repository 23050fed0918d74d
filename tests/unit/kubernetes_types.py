"""Validates Kubernetes manifests with the types of the official client, which has every field and requirement."""

import re

import pytest


def kind_of(manifest):
    """The type of a manifest."""
    version = manifest["apiVersion"].rpartition("/")[2]
    return f"{version.capitalize()}{manifest['kind']}"


def faults(value, kind, path):
    """The errors in a value of a Kubernetes type: unknown fields, missing fields, values of another type.

    Skips the test if the client is not installed.
    """
    kubernetes = pytest.importorskip("kubernetes.client")
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            return [f"{path}: expected a list"]
        return [
            fault for n, one in enumerate(value) for fault in faults(one, match[1], f"{path}[{n}]")
        ]
    if match := re.fullmatch(r"dict\(str, (.+)\)", kind):
        if not isinstance(value, dict):
            return [f"{path}: expected a mapping"]
        return [
            fault for key, one in value.items() for fault in faults(one, match[1], f"{path}.{key}")
        ]
    plain = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}
    if kind in plain:
        fits = isinstance(value, plain[kind]) and (
            kind in ("bool", "object") or not isinstance(value, bool)
        )
        return [] if fits else [f"{path}: {value!r} is no {kind}"]
    model = getattr(kubernetes, kind)
    if not isinstance(value, dict):
        return [f"{path}: expected {kind}"]
    names = {name: attribute for attribute, name in model.attribute_map.items()}
    errors = [f"{path}: unknown field {key}" for key in value.keys() - names.keys()]
    for key in value.keys() & names.keys():
        errors += faults(value[key], model.openapi_types[names[key]], f"{path}.{key}")
    try:
        model(**{names[key]: value[key] for key in value.keys() & names.keys()})
    except ValueError as error:  # the client's own checks: what has to be there, what it may be
        errors.append(f"{path}: {error}")
    return errors
