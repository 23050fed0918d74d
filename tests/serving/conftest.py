"""Fixtures of the serving tests: small models, a server for them, and a browser."""

import shutil

import pytest

from tests.serving import server_process, small_models


@pytest.fixture(scope="session")
def versions(tmp_path_factory):
    """A folder with versions 1 to 3 of the small model, to copy from."""
    folder = tmp_path_factory.mktemp("versions")
    for version in (1, 2, 3):
        small_models.save(folder, version)
    return folder


@pytest.fixture(scope="session")
def server(versions, tmp_path_factory):
    """A shared server of the model `ner`, versions 2 (`stable`) and 3 (`canary`), and of `other`, version 1."""
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
    server = server_process.start(
        folder,
        "--model-config-file",
        folder / "models.config",
        "--max-request-mb",
        "2",
        "--timeout",
        "20",
    )
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path):
    """A function that starts servers, which end with the test."""
    started = []

    def start_server(*arguments, **options):
        started.append(server_process.start(tmp_path, *arguments, **options))
        return started[-1]

    yield start_server
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium")
    if not path:
        pytest.skip("needs a browser: Debian's package chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens an address in a new page; an unexpected message in the console fails the test."""
    contexts, complaints, expected = [], [], []

    def open_page(address, expect_complaints=False, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        expected.append(expect_complaints)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert any(expected) or complaints == []
