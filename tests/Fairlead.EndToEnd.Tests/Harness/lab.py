# The far side of the tests of flows, in a pod. Each TCP connection begins with a line that says what becomes of it; datagrams are given back.
import hashlib
import os
import socket
import struct
import threading

CHUNK = 1 << 18
reports = {}   # name -> how the connection of that name ended: state, bytes, SHA-256
events = {}    # name -> what a held connection waits for
lock = threading.Lock()


def event(name):
    with lock:
        return events.setdefault(name, threading.Event())


def read_to_end(connection, name):
    count, digest = 0, hashlib.sha256()
    try:
        while data := connection.recv(CHUNK):
            count += len(data)
            digest.update(data)
            reports[name] = ("reading", count, "-")
        reports[name] = ("end", count, digest.hexdigest())
    except ConnectionResetError:
        reports[name] = ("reset", count, digest.hexdigest())


def send_random(connection, name, length):
    count, digest = 0, hashlib.sha256()
    while count < length:
        data = os.urandom(min(CHUNK, length - count))
        connection.sendall(data)
        digest.update(data)
        count += len(data)
        reports[name] = ("sending", count, "-")
    reports[name] = ("sent", count, digest.hexdigest())


def serve(connection):
    with connection:
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = connection.recv(1)
            if not byte:
                return
            line += byte
        command, *rest = line.decode().split()
        name = rest[0] if rest else ""
        if command == "report":
            connection.sendall(" ".join(map(str, reports.get(name, ("unknown", 0, "-")))).encode() + b"\n")
        elif command == "release":
            event(name).set()
        elif command == "answer":          # takes all, then answers with its hash and as many bytes as asked for
            read_to_end(connection, name)
            connection.sendall(reports[name][2].encode())
            send_random(connection, name, int(rest[1]))
        elif command == "farewell":        # half-closes first
            connection.sendall(b"bye")
            connection.shutdown(socket.SHUT_WR)
            read_to_end(connection, name)
        elif command == "take":
            connection.sendall(b"ready")
            read_to_end(connection, name)
        elif command == "hold":            # reads nothing until released
            connection.sendall(b"ready")
            event(name).wait()
            read_to_end(connection, name)
        elif command == "flood":
            send_random(connection, name, int(rest[1]))
        elif command == "reset":
            connection.sendall(b"ready")
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def datagrams():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 9001))
    while True:
        data, sender = server.recvfrom(65536)
        server.sendto(data, sender)


threading.Thread(target=datagrams, daemon=True).start()
listener = socket.create_server(("", 9000), backlog=128)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
