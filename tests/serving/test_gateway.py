"""The gateway, for real: Envoy in front of two model servers, of which blue serves 1 and green 2."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from server_process import eventually, free_port, running

from serving import gateway
from serving.client import ModelServer
from serving.gateway import Colour, Gateway

ENVOY = Path(sys.executable).parent / "envoy"
ROW = {"x": [2.0], "word": ["a"]}
BLUE, GREEN = 2.0, 3.0  # a score is half of x, and the version


@dataclass
class Front:
    """A gateway process, the servers behind it, and short ways to ask it."""

    described: Gateway
    folder: Path
    process: subprocess.Popen

    @property
    def rest(self):
        return f"http://127.0.0.1:{self.described.rest_port}"

    def client(self):
        return ModelServer(self.rest, f"127.0.0.1:{self.described.grpc_port}")

    def get(self, path):
        """GET a path; None when nobody answers."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self.rest + path, timeout=30, trust_env=False)

    def scores(self):
        """Return what REST and gRPC answer: by it one knows which server it was."""
        with self.client() as client:
            told = client.predict("tiny", ROW), client.predict_grpc("tiny", ROW)
        return {float(answer.outputs["score"][0]) for answer in told}

    def under_way(self):
        """Return how many REST requests Envoy says that it is answering."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.described.admin))) as admin:
            told = admin.get("http://envoy/stats?filter=http.rest.downstream_rq_active").text
        return int(told.rsplit(":", 1)[1])


def describe(folder, ports):
    """Return a gateway on free ports; `ports`: REST and gRPC of blue, and of green."""
    colours = [Colour(n, "127.0.0.1", *p) for n, p in zip(("blue", "green"), ports, strict=True)]
    admin = folder / "admin.sock"
    return Gateway("127.0.0.1", free_port(), free_port(), colours, "tiny", admin)


@contextlib.contextmanager
def in_front_of(folder, *ports, first_answer=200):
    """Start Envoy before servers on these ports, wait for its first answer, end it."""
    described = describe(folder, ports)
    bootstrap = gateway.write(folder, described, first="blue")
    log = folder / "envoy.log"
    with log.open("w") as out:
        command = [ENVOY, "-c", bootstrap, "--concurrency", "1", "--disable-hot-restart"]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    made = Front(described, folder, process)

    def answered():
        answer = made.get("/v1/models/tiny")
        return process.poll() is not None or (answer and answer.status_code == first_answer)

    try:
        eventually(answered)
        assert process.poll() is None, log.read_text()
        yield made
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def asking(front):
    """Ask over REST and gRPC until the end; yield the scores, which must all have come."""
    answers, enough = [], threading.Event()

    def ask(how):
        with front.client() as client:
            while not enough.is_set():
                answers.append(float(getattr(client, how)("tiny", ROW).outputs["score"][0]))

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, how) for how in ("predict", "predict_grpc")]
        try:
            yield answers
        finally:
            enough.set()
    for one in asked:
        one.result()  # raises what a request was refused with


@pytest.fixture(scope="module")
def flags(tiny, tmp_path_factory):
    """Flags of each colour's server, which has a version of its own."""
    import tiny_models

    folder = tmp_path_factory.mktemp("colours")
    for name, version in (("blue", 1), ("green", 2)):
        tiny_models.publish(tiny[version], folder / name, version)
    return {
        name: ("--model_name=tiny", f"--model_base_path={folder / name}")
        for name in ("blue", "green")
    }


@pytest.fixture(scope="module")
def servers(flags, tmp_path_factory):
    """The ports of blue and of green."""
    folder = tmp_path_factory.mktemp("servers")
    with running(folder, *flags["blue"]) as blue, running(folder, *flags["green"]) as green:
        yield (blue.rest_port, blue.grpc_port), (green.rest_port, green.grpc_port)


@pytest.fixture(scope="module")
def front(servers, tmp_path_factory):
    """A gateway that all tests of this module ask, and none changes for good."""
    with in_front_of(tmp_path_factory.mktemp("front"), *servers) as made:
        yield made


def test_envoy_accepts_the_configuration_before_it_runs(tmp_path):
    described = describe(tmp_path, [(1, 2), (3, 4)])
    bootstrap = gateway.write(tmp_path, described, first="green")
    command = [ENVOY, "--mode", "validate", "-c", bootstrap]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    bootstrap.write_text(bootstrap.read_text().replace("CLUSTER_PROVIDED", "NO_SUCH_POLICY"))
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_a_colour_that_is_not_there_is_refused_and_the_routes_stay(tmp_path):
    described = describe(tmp_path, [(1, 2), (3, 4)])
    gateway.write(tmp_path, described, first="blue")
    before = (tmp_path / gateway.ROUTES).read_text()
    with pytest.raises(ValueError, match="'red'"):
        gateway.write_routes(tmp_path, described, first="red")
    assert (tmp_path / gateway.ROUTES).read_text() == before


def test_all_requests_go_to_the_first_colour_over_rest_and_grpc(front):
    assert [front.scores() for _ in range(5)] == [{BLUE}] * 5


def test_one_rename_moves_rest_and_grpc_without_a_failed_request(front):
    with asking(front) as answers:
        gateway.write_routes(front.folder, front.described, first="green")
        eventually(lambda: front.scores() == {GREEN})
        gateway.write_routes(front.folder, front.described, first="blue")
        eventually(lambda: front.scores() == {BLUE})
    assert set(answers) == {BLUE, GREEN}


def test_paths_that_are_not_for_clients_are_not_found(front):
    assert "nothing is served here" in front.get("/monitoring/prometheus/metrics").json()["error"]
    assert front.get("/").status_code == 404
    around = b"GET /v1/models/../../monitoring/prometheus/metrics HTTP/1.1\r\nhost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", front.described.rest_port)) as plain:
        plain.sendall(around)  # a client library would tidy the dots away
        assert b"nothing is served here" in plain.recv(4096)


def test_nobody_reloads_the_servers_configuration_through_the_gateway(front):
    import grpc
    from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

    with grpc.insecure_channel(front.client().grpc) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=30)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert front.scores() == {BLUE}


def test_errors_of_the_server_pass_as_they_are(front, servers):
    answer = front.get("/v1/models/other")
    assert answer.status_code == 404
    blue = f"http://127.0.0.1:{servers[0][0]}"
    assert answer.content == httpx.get(f"{blue}/v1/models/other", trust_env=False).content


def test_a_second_gateway_does_not_share_the_ports(front, tmp_path):
    gateway.write(tmp_path, front.described, first="green")
    second = subprocess.run(
        [ENVOY, "-c", tmp_path / gateway.BOOTSTRAP, "--disable-hot-restart"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode != 0
    assert "in use" in second.stderr
    assert front.scores() == {BLUE}


def test_a_request_under_way_is_answered_when_the_gateway_is_drained_and_stopped(servers, tmp_path):
    with in_front_of(tmp_path, *servers) as leaving, ThreadPoolExecutor(1) as pool:
        body = json.dumps({"signature_name": "slow", "inputs": [2.0]})
        url = f"{leaving.rest}/v1/models/tiny:predict"
        asked = pool.submit(httpx.post, url, content=body, timeout=60)
        eventually(lambda: leaving.under_way() == 1)
        gateway.drain(leaving.described.admin, patience_s=60)
        leaving.process.terminate()
        assert asked.result().json() == {"outputs": [2.0]}


def test_draining_a_gateway_that_does_not_run_is_harmless(tmp_path):
    gateway.drain(tmp_path / "admin.sock")


def test_no_request_fails_when_a_server_is_killed_nor_when_it_is_back(flags, tmp_path):
    with running(tmp_path, *flags["blue"]) as blue, running(tmp_path, *flags["green"]) as green:
        ports = (blue.rest_port, blue.grpc_port), (green.rest_port, green.grpc_port)
        with in_front_of(tmp_path, *ports) as front, asking(front) as answers:
            eventually(lambda: answers)
            blue.process.kill()
            eventually(lambda: front.scores() == {GREEN})
            same_ports = f"--rest_api_port={blue.rest_port}", f"--port={blue.grpc_port}"
            with running(tmp_path, *flags["blue"], *same_ports):
                eventually(lambda: front.scores() == {BLUE})
            # Its end by SIGTERM loses nothing either: what comes after it goes to green.
            eventually(lambda: front.scores() == {GREEN})
    assert set(answers) == {BLUE, GREEN}


def test_without_any_server_the_answer_is_503_at_once_and_says_so(tmp_path):
    nobody = [(free_port(), free_port()), (free_port(), free_port())]
    with in_front_of(tmp_path, *nobody, first_answer=503) as front:
        answer = front.get("/v1/models/tiny")
    assert answer.json() == {"error": "no healthy upstream"}
    assert answer.elapsed.total_seconds() < 5
