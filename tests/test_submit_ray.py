"""`dreg submit --to ray` to a Ray cluster's own job API: a real head, with a token, all through one story."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dreg.core.manifest import trailers
from tests.ray_head import TOKEN, ray_head
from tests.small_registry import NAME
from tests.test_release import tag_message


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


@pytest.mark.slow
def test_jobs_of_a_ray_cluster(registry, submit, s3):
    cluster = {**registry.environment, **s3.environment, "DREG_REMOTE": "local"}
    with ray_head(cluster) as head:
        told = head.environment
        to_ray = ("--to", "ray", "--repo", f"file://{registry.remote}")
        address = ("--address", head.address)

        # Without the token, and with another one.
        done = submit(NAME, *to_ray, *address)
        assert (done.code, "wants a token\n\nhint: RAY_AUTH_TOKEN" in done.stderr) == (3, True)
        done = submit(NAME, *to_ray, *address, RAY_AUTH_TOKEN=TOKEN[::-1])
        assert (done.code, "does not accept the token" in done.stderr) == (3, True)

        # It is followed, and its release says who made it.
        one = (NAME, *to_ray, "--id", "toy-1", "--compute-type", "cpu-medium")
        done = submit(*one, "--follow", **told)
        assert done.code == 0, done.stderr
        assert done.stdout == "ray/toy-1: succeeded (Job finished successfully.)\n"
        assert any(line.split()[:2] == [NAME, "changed"] for line in done.stderr.splitlines())
        assert registry.remote_tags() == ["toy-v1.0.0"]
        registry.git("pull", "-q", "--tags")
        said = trailers(tag_message(registry, "toy-v1.0.0"))["Dreg-Automated"]
        assert said == "submitted ray/toy-1"

        # Submitted again it is the same one; asked for something else it is refused.
        again = submit(*one, "--json", **told)
        assert (again.code, again.json["existed"], again.json["state"]) == (0, True, "succeeded")
        other = submit(*one, "--force", **told)
        assert (other.code, "was asked for something else" in other.stderr) == (1, True)
        assert submit("status", "ray/toy-1", **told).stdout.startswith("ray/toy-1: succeeded")
        assert NAME in submit("logs", "ray/toy-1", **told).stdout

        # One that fails ends the command as it would have ended itself; whatever the name.
        done = submit('nothing-"$(touch', *to_ray, **told)
        assert done.code == 2
        done = submit("nothing", *to_ray, "--id", "nothing-1", "--wait", **told)
        assert done.code == 2, done.stderr
        assert "error: `ray/nothing-1` failed" in done.stderr
        assert "hint: dreg submit logs ray/nothing-1" in done.stderr
        assert "no dataset named `nothing`" in submit("logs", "ray/nothing-1", **told).stdout

        # One that takes too long is cancelled.
        script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
        script.write_text("import time\ntime.sleep(600)\n")
        registry.commit_all()
        registry.git("push", "-q")
        submit(NAME, *to_ray, "--id", "toy-2", **told)
        until = time.monotonic() + 180
        while (state := submit("status", "ray/toy-2", "--json", **told).json["state"]) != "running":
            assert state == "waiting" and time.monotonic() < until
        assert submit("cancel", "ray/toy-2", **told).stdout.startswith("ray/toy-2: cancelled")
        assert submit("status", "ray/toy-2", **told).stdout.startswith("ray/toy-2: cancelled")
        waited = submit(NAME, *to_ray, "--id", "toy-2", "--wait", **told)
        assert (waited.code, "`ray/toy-2` was cancelled" in waited.stderr) == (3, True)
        assert registry.remote_tags() == ["toy-v1.0.0"]

        done = submit("status", "ray/never", **told)
        assert (done.code, "knows no `ray/never`" in done.stderr) == (2, True)


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
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
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
