"""One hop of the chain, run in a namespace by any Python: bytes are passed on as they come, and kept.

    chain_hop.py serve SOURCE NEXT          sends once a line comes on standard input
    chain_hop.py forward PATH SIZE [NEXT]   prints ``complete`` once all is written

Clear, unhashed, unguarded: what one TCP connection after the other can do at best.
"""

import socket
import sys

PORT = 8700
BLOCK = 256 * 1024


def serve(source: str, following: str) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    with open(source, "rb") as file, socket.create_connection((following, PORT)) as link:
        link.sendfile(file)


def forward(path: str, size: int, following: str) -> None:
    with socket.create_server(("", PORT)) as server:
        print("ready", flush=True)
        link, _ = server.accept()
    with link, open(path, "wb", buffering=0) as file:
        onward = socket.create_connection((following, PORT)) if following else None
        left = size
        room = memoryview(bytearray(BLOCK))
        while left:
            count = link.recv_into(room)
            if not count:
                sys.exit("the sender went away")
            if onward:
                onward.sendall(room[:count])
            file.write(room[:count])
            left -= count
        if onward:
            onward.close()
    print("complete", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3])
    else:
        forward(sys.argv[2], int(sys.argv[3]), "".join(sys.argv[4:]))
