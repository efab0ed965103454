"""`dreg submit --to ray` to a Ray cluster's own job API."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.ray_head import TOKEN


@pytest.fixture
def submit(registry, s3):
    """`dreg submit`, from outside of any registry; what a cluster has to know is the cluster's."""
    registry.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    registry.edit(".dvc/config", "endpointurl = .*9000", f"endpointurl = {s3.endpoint}")
    registry.commit_all()
    registry.git("push", "-q")

    def run(*arguments, **environment):
        done = registry.dreg("submit", *arguments, folder=registry.home, **environment)
        assert "Traceback" not in done.stderr
        assert TOKEN not in done.stdout + done.stderr
        return done

    return run


# A cluster that behaves badly


class Broken(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer()

    def answer(self):
        self.server.asked.append(self.headers.get("Authorization"))
        status, body = self.server.answers.pop(0) if self.server.answers else (500, "broken")
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def broken():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    server.answers, server.asked = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def where(server):
    return ("--address", f"http://127.0.0.1:{server.server_port}")


def test_a_cluster_that_is_busy_is_asked_again(submit, broken):
    status = json.dumps({"status": "RUNNING", "metadata": {}})
    broken.answers = [(503, "busy"), (502, "busy"), (200, "{}"), (200, status)]
    done = submit("toy", "--to", "ray", "--repo", "x", *where(broken), RAY_AUTH_TOKEN=TOKEN)
    assert done.code == 0, done.stderr
    assert broken.asked == [f"Bearer {TOKEN}"] * 4


def test_a_cluster_that_answers_oddly(submit, broken):
    done = submit("toy", "--to", "ray", "--repo", "x", *where(broken))
    assert (done.code, "answers oddly: 500 broken" in done.stderr) == (3, True)
    broken.answers = [(302, "elsewhere")]
    done = submit("status", "ray/toy", *where(broken), RAY_AUTH_TOKEN=TOKEN)
    assert (done.code, "answers oddly: 302" in done.stderr) == (3, True), (
        "the token goes nowhere else"
    )
    broken.answers = [(200, "<html>")]
    done = submit("status", "ray/toy", *where(broken))
    assert (done.code, "no JSON" in done.stderr) == (3, True)


def test_nobody_there_and_no_address(submit):
    done = submit("status", "ray/toy", "--address", "http://127.0.0.1:1")
    assert (done.code, "cannot be asked: no connection" in done.stderr) == (3, True)
    done = submit("status", "ray/toy")
    assert (done.code, "which Ray cluster is not said" in done.stderr) == (2, True)
    done = submit("toy", "--to", "ray", "--address", "ray://head:10001")
    assert (done.code, "is no address of a Ray cluster's job API" in done.stderr) == (2, True)
    done = submit("toy", "--to", "argo", "--repo", "x")
    assert (done.code, "ConfigMap `dreg` says which registry" in done.stderr) == (2, True)
