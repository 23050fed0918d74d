"""What the tests of serving share: small models, and a server that serves them."""

import shutil

import pytest

from tests.serving import running, small_models


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    """A folder with versions 1 to 3 of the small model, to copy from."""
    folder = tmp_path_factory.mktemp("versions")
    for version in (1, 2, 3):
        small_models.save(folder, version)
    return folder


@pytest.fixture(scope="session")
def server(versions, tmp_path_factory):
    """A server of the model `ner`, versions 2 (`stable`) and 3 (`canary`), and of `other`, version 1. Not to be changed."""
    folder = tmp_path_factory.mktemp("server")
    for name, numbers in (("ner", (1, 2, 3)), ("other", (1,))):
        for number in numbers:
            shutil.copytree(versions / str(number), folder / name / str(number))
    (folder / "models.config").write_text(
        f"""model_config_list {{
          config {{
            name: "ner" base_path: "{folder}/ner" model_platform: "tensorflow"
            model_version_policy {{ latest {{ num_versions: 2 }} }}
            version_labels {{ key: "stable" value: 2 }} version_labels {{ key: "canary" value: 3 }}
          }}
          config {{ name: "other" base_path: "{folder}/other" }}
        }}"""
    )
    server = running.start(
        folder, "--model-config-file", folder / "models.config", "--max-request-mb", "2", "--timeout", "20"
    )
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path):
    """Starts servers that end with the test."""
    started = []

    def start_server(*arguments, **options):
        started.append(running.start(tmp_path, *arguments, **options))
        return started[-1]

    yield start_server
    for server in started:
        server.stop()
