"""Asks a Ganeti query socket one question; run inside the cluster's namespaces, so without imports of ours.

Arguments: path of the socket, method, arguments as JSON. Prints the answer.
"""

import json
import socket
import sys


def ask(path: str, method: str, arguments: list[object]) -> str:
    """Return the answer's text."""
    question = json.dumps({"method": method, "args": arguments, "version": 3000000}).encode() + b"\x03"
    answer = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(question)
        while not answer.endswith(b"\x03"):
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
    return answer[:-1].decode()


if __name__ == "__main__":
    print(ask(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
