# The far side of streams, in a pod: each connection begins with 16 digits and a letter, how many bytes and which way. After those that go up
# comes one byte back; nobody closes before the other has all.
import socket
import threading

CHUNK = 1 << 20


def serve(connection):
    with connection:
        order = b""
        while len(order) < 17:
            part = connection.recv(17 - len(order))
            if not part:
                return
            order += part
        left, buffer = int(order[:16]), bytearray(CHUNK)
        if order[16:] == b"d":
            while left:
                left -= connection.send(memoryview(buffer)[:min(left, CHUNK)])
        else:
            while left:
                count = connection.recv_into(buffer, min(left, CHUNK))
                if not count:
                    return
                left -= count
            connection.sendall(b"k")
        connection.recv(1)


listener = socket.create_server(("", 5201), backlog=128)
while True:
    accepted, _ = listener.accept()
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
