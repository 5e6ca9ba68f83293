# The far side of datagrams, in a pod: each goes back to where it came from.
import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
    echo.bind(("", 7))
    buffer = bytearray(65536)
    while True:
        count, sender = echo.recvfrom_into(buffer)
        echo.sendto(memoryview(buffer)[:count], sender)
