"""Reads the deployment files once."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[4] / "serving" / "deploy"


class _Strict(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML readers would take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(
                None, None, f"a key twice in {keys}", node.start_mark
            )
        return super().construct_mapping(node, deep)


def documents(path):
    """The documents of a YAML file below the folder, by path."""
    with open(DEPLOY / path, encoding="utf-8") as file:
        return list(yaml.load_all(file, _Strict))


@dataclass(frozen=True)
class Server:
    """The start of TensorFlow Serving in one deployment: flags by name, and mounts."""

    program: str
    flags: dict[str, str]
    image: str | None = None


def _server(program, arguments, image=None):
    flags = [argument.removeprefix("--").partition("=") for argument in arguments]
    assert len({name for name, _, _ in flags}) == len(flags), "a flag twice"
    return Server(program, {name: value for name, _, value in flags}, image)


@pytest.fixture(scope="session")
def deploy():
    return DEPLOY


@pytest.fixture(scope="session")
def read():
    return documents


@pytest.fixture(scope="session")
def unit():
    """A systemd unit as `{section: {key: [values]}}`."""

    def parse(name):
        text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8").replace("\\\n", " ")
        sections, section = {}, None
        for line in filter(None, (line.strip() for line in text.splitlines())):
            if line.startswith("["):
                section = sections.setdefault(line.strip("[]"), {})
            elif not line.startswith("#"):
                key, _, value = line.partition("=")
                section.setdefault(key, []).append(value)
        return sections

    return parse


@pytest.fixture(scope="session")
def servers(read, unit):
    """Every deployment that starts TensorFlow Serving."""
    [compose] = read("compose/compose.yaml")
    found = {
        f"compose {name}": _server(*service["entrypoint"], service["command"], service["image"])
        for name, service in compose["services"].items()
        if service["image"].startswith("tensorflow/")
    }
    [deployment] = read("kubernetes/base/deployment.yaml")
    [runtime] = [
        one for one in read("kserve/inferenceservice.yaml") if one["kind"] == "ServingRuntime"
    ]
    for name, pod in (
        ("kubernetes", deployment["spec"]["template"]["spec"]),
        ("kserve", runtime["spec"]),
    ):
        [container] = pod["containers"]
        found[name] = _server(*container["command"], container["args"], container["image"])
    program, *arguments = shlex.split(
        unit("tensorflow-serving-ner.service")["Service"]["ExecStart"][0]
    )
    found["systemd"] = _server(program, arguments)
    return found


@pytest.fixture(scope="session")
def headings(deploy):
    """The README's headings."""
    return re.findall(
        r"^#+ (.+)$", (deploy / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
