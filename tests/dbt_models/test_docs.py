"""The browsable documentation, built with a database and without."""

import json
import threading
import urllib.request
from pathlib import Path

import pytest

from aurastream.operations.dbt_docs import DocumentationError, build_docs, docs_server
from tests.dbt_models.warehouse import Warehouse


@pytest.mark.parametrize("with_record", [False, True])
def test_the_documentation_is_one_page_that_needs_no_network(
    warehouse: Warehouse, tmp_path: Path, *, with_record: bool
) -> None:
    warehouse.publish("taking_off_now")
    page = build_docs(tmp_path / "docs", warehouse.url if with_record else None)
    text = page.read_text(encoding="utf-8")
    assert "marts" in text
    assert "What takes off now, and how sure are we?" in text  # our first page, not dbt's own
    assert "how fast the videos that came out in each hour" in text
    catalog = json.loads((tmp_path / "docs" / "catalog.json").read_text(encoding="utf-8"))
    assert ("model.aurastream.taking_off_now" in catalog["nodes"]) is with_record

    with docs_server(page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as answer:
                assert answer.read().decode("utf-8") == text
            with pytest.raises(DocumentationError, match="cannot be listened on"):
                docs_server(page, server.server_port)
        finally:
            server.shutdown()
            thread.join()
