# An HTTP proxy that knows CONNECT. Arguments: address, port, what it does ("connect", or an answer that it gives to everybody), then, for
# "connect", the Proxy-Authorization that it wants ("-" for none) and the only port that it connects to ("-" for any).
import socket
import sys
import threading

address, port, behaviour = sys.argv[1], int(sys.argv[2]), sys.argv[3]
answer = behaviour.encode().decode("unicode_escape").encode("latin1")
wanted, only = (sys.argv[4:] + ["-", "-"])[:2]


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def serve(client):
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        data = client.recv(1)
        if not data:
            return
        request += data
    lines = request.decode().split("\r\n")
    target = lines[0].split(" ")[1]
    host, target_port = target.rsplit(":", 1)
    if behaviour != "connect":
        client.sendall(answer)
        client.close()
    elif wanted != "-" and f"Proxy-Authorization: {wanted}" not in lines:
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n")
        client.close()
    elif only not in ("-", target_port):
        client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        client.close()
    else:
        far = socket.create_connection((host, int(target_port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        print(target, flush=True)
        threading.Thread(target=pump, args=(far, client), daemon=True).start()
        pump(client, far)


listener = socket.create_server((address, port), backlog=128)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
