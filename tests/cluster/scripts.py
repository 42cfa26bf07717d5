"""Small programs that the tests run inside pods, which contain only Python's standard library."""

CALL_SIDECAR = """
import json, sys, urllib.error, urllib.request
asked = json.load(sys.stdin)
request = urllib.request.Request(
    "http://127.0.0.1:3500" + asked["path"],
    data=json.dumps(asked["body"]).encode(),
    headers={"content-type": "application/json", **asked["headers"]},
)
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    json.dump({"status": 0, "text": str(error)}, sys.stdout)
    sys.exit()
json.dump({"status": answer.status, "text": answer.read().decode()}, sys.stdout)
"""
"""Posts its input to its own pod's sidecar, and prints the response; status 0 means no response."""

KNOCK = """
import socket, ssl, sys
address, port, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
try:
    door = socket.create_connection((address, port), timeout=5)
    if how == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        door = context.wrap_socket(door)
    if how != "connect":
        settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        door.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + settings)
        if not door.recv(9):
            raise ConnectionResetError("closed without a word")
    print("open")
except OSError as error:
    print(type(error).__name__, error)
"""
"""Tries to connect, or to speak HTTP/2 in plain text or in TLS without a client certificate."""

ASK = """
import json, sys, urllib.error, urllib.request
asked = json.load(sys.stdin)
request = urllib.request.Request(asked["url"], method=asked["method"], headers=asked["headers"])
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
json.dump({"status": answer.status, "text": answer.read().decode()}, sys.stdout)
"""
"""Sends the HTTP request that it reads, and prints the answer."""
