"""What the fault proxy costs: question and answer, and bulk, through it and direct, in turn in one run.

python bench/proxy.py [--seconds 2] [--runs 3]
"""

import argparse
import multiprocessing
import socket
import statistics
import threading
import time

from mainstay.lab.lab import Lab
from mainstay.lab.proxy.control import FaultProxy

QUESTION = b"Q" * 32  # as small as a prepared `select 1`
ANSWER = b"A" * 64
BULK = 256 << 20  # bytes


def exactly(sock: socket.socket, size: int) -> bool:
    while size:
        data = sock.recv(size)
        if not data:
            return False
        size -= len(data)
    return True


def answer(sock: socket.socket) -> None:
    """An upstream's side of a connection: answers questions, or takes bulk if it begins with a B."""
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sock.recv(1, socket.MSG_PEEK) == b"B":
            buffer = bytearray(1 << 20)
            while sock.recv_into(buffer):
                pass
            sock.sendall(b"!")
            return
        while exactly(sock, len(QUESTION)):
            sock.sendall(ANSWER)


def upstream(listener: socket.socket) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=answer, args=(sock,), daemon=True).start()


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(port: int, clients: int, seconds: float) -> tuple[float, float, float]:
    """Milliseconds of a round trip (median, 99th percentile) and round trips a second."""
    taken: list[float] = []

    def one() -> None:
        with connect(port) as sock:
            ends = time.perf_counter() + seconds
            now = time.perf_counter()
            while now < ends:
                began = now
                sock.sendall(QUESTION)
                exactly(sock, len(ANSWER))
                now = time.perf_counter()
                taken.append(now - began)

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.sort()
    return taken[len(taken) // 2] * 1e3, taken[len(taken) * 99 // 100] * 1e3, len(taken) / seconds


def bulk(port: int) -> float:
    """Megabytes a second."""
    block = b"B" * (1 << 20)
    with connect(port) as sock:
        began = time.perf_counter()
        for _ in range(BULK // len(block)):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
        return BULK / 1e6 / (time.perf_counter() - began)


def main(seconds: float, runs: int) -> None:
    """Print the middle of `runs` for each measure."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    process = multiprocessing.get_context("fork").Process(target=upstream, args=(listener,), daemon=True)
    process.start()
    direct = listener.getsockname()[1]
    with Lab() as lab, FaultProxy(lab) as proxy:
        through = proxy.open("bench", ("127.0.0.1", direct))
        print(f"{'':28}{'direct':>10}{'proxy':>10}{'ratio':>8}{'added':>12}")
        for clients in (1, 8):
            rounds = [(ask(direct, clients, seconds), ask(through, clients, seconds)) for _ in range(runs)]
            for index, label in enumerate(("median ms", "p99 ms", "round trips/s")):
                line(f"{clients} clients, {label}", *(pick(rounds, side, index) for side in (0, 1)))
        line(
            "bulk, MB/s", *(statistics.median(bulk(port) for _ in range(runs)) for port in (direct, through))
        )
    process.terminate()
    process.join()


def pick(rounds: list[tuple[tuple[float, ...], tuple[float, ...]]], side: int, index: int) -> float:
    return statistics.median(each[side][index] for each in rounds)


def line(label: str, direct: float, through: float) -> None:
    added = f"{through - direct:+10.3f}" if "ms" in label else ""
    print(f"{label:28}{direct:10.3f}{through:10.3f}{through / direct:8.2f}{added:>12}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    main(chosen.seconds, chosen.runs)
